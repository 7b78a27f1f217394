"""Motion while told to stand: the tracks or a well-known pose say so, noise, wandering and jumps of the estimate do not."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from control_plant import STEP, limits, nav_state, robot

from mine_robot.control.standstill import MOVED_M, Motion, StandstillWatch
from mine_robot.core.types import NavState, WheelSample

LIMITS, REACH = limits(), robot().pivot_radius
SETTLED = 5.0  # s told to stand, by which everything has braked


class Watched:
    """A robot with its watch; it is told to stand from 0 s on."""

    def __init__(self, speed: float = 0.0) -> None:
        self.watch = StandstillWatch(LIMITS, REACH)
        self.t = self.x = self.y = self.yaw = 0.0
        self.alarms: list[Motion] = []
        self.tell(speed, 0.0)

    def tell(self, speed: float, rate: float, *, still: bool = False, **pose: float) -> None:
        """A step's measurements and the command to stand; ``still`` are the tracks of a robot that slides."""
        self.t = round(self.t + STEP, 6)
        self.watch.add_wheels(WheelSample(self.t, 0.0 if still else speed, 0.0 if still else rate))
        place = {"x": self.x, "y": self.y, "yaw": self.yaw, **pose}
        self.watch.add_nav(nav_state(self.t, speed=speed, rate=rate, **place))
        motion = self.watch.told(self.t, True)
        if motion is not None:
            self.alarms.append(motion)

    def drive(self, speed: float, rate: float, seconds: float, *, still: bool = False) -> float:
        """Move; returns the way of the farthest corner until the first alarm, or in all."""
        way = 0.0
        for _ in range(round(seconds / STEP)):
            self.x += speed * STEP * math.cos(self.yaw)
            self.y += speed * STEP * math.sin(self.yaw)
            self.yaw += rate * STEP
            if not self.alarms:
                way += (abs(speed) + REACH * abs(rate)) * STEP
            self.tell(speed, rate, still=still)
        return way

    def settle(self) -> Watched:
        self.drive(0.0, 0.0, SETTLED)
        assert not self.alarms
        return self


@pytest.mark.parametrize(
    ("speed", "rate"), [(0.1, 0.0), (0.2, 0.0), (-0.5, 0.0), (1.0, 0.0), (0.0, 0.2), (0.0, -1.0), (0.3, 0.3)]
)
def test_a_standing_robot_that_is_driven_is_seen_within_a_hand(speed: float, rate: float) -> None:
    moving = Watched().settle()
    way = moving.drive(speed, rate, 3.0)
    possible = abs(speed) <= LIMITS.drive_speed and abs(rate) <= LIMITS.pivot_rate  # else the pose may be first
    assert moving.alarms[0].witness == "tracks" or not possible
    assert way <= MOVED_M + 3.0 * STEP * (abs(speed) + REACH * abs(rate))
    assert moving.alarms[0].distance == pytest.approx(way, abs=3.0 * STEP * (abs(speed) + REACH * abs(rate)))
    assert moving.alarms[0].since < SETTLED < moving.alarms[0].t
    assert moving.alarms[0].pose is not None


@pytest.mark.parametrize(("speed", "rate"), [(0.2, 0.0), (-0.5, 0.0), (0.0, 0.3)])
def test_a_robot_that_slides_on_still_tracks_is_seen_by_its_pose(speed: float, rate: float) -> None:
    sliding = Watched().settle()
    way = sliding.drive(speed, rate, 3.0, still=True)
    assert sliding.alarms[0].witness == "pose"
    assert MOVED_M < way < MOVED_M + 0.15  # beyond k sigma of both poses


def test_a_robot_that_two_masters_pull_at_is_seen_by_its_tracks_alone() -> None:
    """The guard's zero and a stranger's command in turn; RTK is lost."""
    watch = StandstillWatch(LIMITS, REACH)
    alarms = []
    for index in range(400):
        t, speed = index * STEP, 0.3 if index > 200 and index % 2 else 0.0
        watch.add_wheels(WheelSample(t, speed, 0.0))
        watch.add_nav(nav_state(t, 0.0, 0.0, 0.0, sigma=0.3))
        alarms += [motion] if (motion := watch.told(t, True)) is not None else []
    assert alarms
    assert alarms[0].t <= 200 * STEP + 2.0 * MOVED_M / 0.3 + 3 * STEP


def test_a_robot_that_moves_on_is_said_again_with_the_whole_way() -> None:
    moving = Watched().settle()
    moving.drive(0.5, 0.0, 4.5)
    ways = [motion.distance for motion in moving.alarms]
    assert len(ways) == 5
    assert ways == sorted(ways)
    assert ways[-1] == pytest.approx(MOVED_M + 0.5 * 4.0, abs=0.05)


@pytest.mark.parametrize("speed", [0.2, 0.5, 0.8])
def test_a_robot_may_roll_its_stopping_distance_and_no_farther(speed: float) -> None:
    braking = Watched(speed)
    pace = speed
    braking.drive(pace, 0.0, LIMITS.reaction_time)
    while pace > 0.0:
        pace = max(pace - LIMITS.deceleration * STEP, 0.0)
        braking.drive(pace, 0.0, STEP)
    braking.drive(0.0, 0.0, 5.0)
    assert not braking.alarms
    going_on = Watched(speed)
    way = going_on.drive(speed, 0.0, 4.0)
    assert going_on.alarms
    grown = speed + LIMITS.acceleration * LIMITS.reaction_time
    assert way <= LIMITS.stopping_distance(grown) + MOVED_M + 4.0 * STEP * speed


def test_driving_by_command_is_no_alarm_and_each_stop_begins_anew() -> None:
    watch = StandstillWatch(LIMITS, REACH)
    for index in range(400):
        t, stands = index * STEP, index // 40 % 2 == 1
        speed = 0.0 if stands else 0.4
        watch.add_wheels(WheelSample(t, speed, 0.0))
        watch.add_nav(nav_state(t, (index // 80 * 40 + min(index % 80, 40)) * 0.4 * STEP, 0.0, 0.0, speed))
        assert watch.told(t, stands) is None


@pytest.mark.parametrize("seed", range(12))
def test_an_estimate_that_wanders_and_jumps_is_no_motion(seed: int) -> None:
    """RTK comes and goes: the estimate wanders with a growing sigma, jumps back, is aligned anew somewhere else; tracks with noise."""
    rng = np.random.default_rng(seed)
    standing = Watched().settle()
    sigma, error, bias = 0.01, np.zeros(2), np.zeros(2)
    for index in range(4000):
        lost = index % 800 > 300
        sigma = min(sigma * 1.01, 0.5) if lost else 0.01
        error += rng.normal(0.0, 0.15 * sigma * math.sqrt(STEP), 2) if lost else -error
        if index % 1600 == 0:
            bias = rng.normal(0.0, 0.3, 2)
        x, y = error + bias + rng.normal(0.0, 0.002, 2)
        standing.t = round(standing.t + STEP, 6)
        standing.watch.add_wheels(WheelSample(standing.t, rng.normal(0.0, 0.004), rng.normal(0.0, 0.009)))
        standing.watch.add_nav(nav_state(standing.t, x, y, rng.normal(0.0, 0.003), sigma=sigma))
        assert standing.watch.told(standing.t, True) is None, index


def broken(nav: NavState, **fields: object) -> NavState:
    return dataclasses.replace(nav, **fields)


def test_broken_measurements_neither_cry_nor_blind_the_watch() -> None:
    standing = Watched().settle()
    good = nav_state(standing.t, 0.0, 0.0, 0.0)
    nan, far = math.nan, np.array([1e9, math.inf, 0.0])
    for nav in (
        broken(good, position=np.array([nan, 0.0, 0.0])),
        broken(good, position=far),
        broken(good, velocity=np.array([0.0, math.inf, 0.0])),
        broken(good, rpy=np.array([0.0, 0.0, nan])),
        broken(good, rate=np.full(3, nan)),
        broken(good, t=nan),
        broken(good, covariance=np.full((6, 6), nan), position=np.array([5.0, 5.0, 0.0])),
    ):
        standing.watch.add_nav(nav)
        assert standing.watch.told(standing.t, True) is None
    for sample in (
        WheelSample(nan, 1.0, 0.0),
        WheelSample(standing.t + 0.01, nan, 0.0),
        WheelSample(standing.t + 0.02, 0.0, -math.inf),
        WheelSample(standing.t + 0.03, 1e9, 0.0),  # one alone is a fault of the encoder
        WheelSample(standing.t + 0.04, 0.0, 0.0),
        WheelSample(standing.t - 9.0, 1.0, 0.0),  # from the past
    ):
        standing.watch.add_wheels(sample)
        assert standing.watch.told(standing.t, True) is None
    standing.drive(0.5, 0.0, 1.0)
    assert standing.alarms


def test_without_any_measurement_it_says_nothing() -> None:
    watch = StandstillWatch(LIMITS, REACH)
    assert all(watch.told(t * STEP, True) is None for t in range(200))
