"""The follower against a robot with delay and slip."""

from __future__ import annotations

import math

import numpy as np
import pytest
from control_plant import STEP, Plant, drive, limits, nav_state, pivot, plan, robot, status

from mine_robot.control.drift import MAX_DRIFT, DriftObserver
from mine_robot.control.follower import Follower, approach_speed
from mine_robot.control.params import FollowerParams
from mine_robot.core.parameters import ParameterError
from mine_robot.core.types import Level, MissionState, Pose2, Progress, wrap_angle

ROBOT, LIMITS = robot(), limits()


def follower(**changes: float) -> Follower:
    return Follower(FollowerParams(**changes), LIMITS, ROBOT)


def run(
    machine: Follower, plant: Plant, seconds: float, noise: float = 0.0, seed: int = 0
) -> list[tuple[Plant, Progress, Pose2, float]]:
    """Drive until done or the time is over; rows of (step, progress, true pose, true speed)."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(round(seconds / STEP)):
        command, progress = machine.update(plant.nav(error=tuple(rng.normal(0.0, noise, 3) * (1, 1, 0.3))))
        plant.step(command)
        rows.append((progress.step, progress, plant.pose, plant.speed))
        if progress.done:
            break
    return rows


def started(machine: Follower, *steps, t: float = 1.0) -> Follower:
    machine.set_plan(plan(*steps, t=t))
    machine.set_mission(status(0.0, MissionState.SEARCH, request_t=t))
    return machine


@pytest.mark.parametrize("slip", [(0.1, 0.1), (0.13, 0.07), (0.05, 0.12)])
def test_lanes_are_tracked_within_two_centimetres(slip: tuple[float, float]) -> None:
    steps = (
        drive(0, 0, 10, 0), pivot(10, 0, 0, 90), drive(10, 0, 10, 1.05, sweep=False), pivot(10, 1.05, 90, 180),
        drive(10, 1.05, 0, 1.05), drive(0, 1.05, 4, 1.05, reverse=True, speed=0.8, sweep=False),
    )  # fmt: skip
    plant = Plant(Pose2(-0.02, 0.05, 0.03), slip)
    rows = run(started(follower(), *steps), plant, 90.0, noise=0.003)
    assert rows[-1][1].done
    assert max(abs(speed) for step, _, _, speed in rows if step != 5) <= 0.5 + 1e-6
    for index, line in ((0, 0.0), (4, 1.05)):
        offsets = np.array([pose.y - line for step, _, pose, _ in rows if step == index])
        assert np.sqrt(np.mean(offsets**2)) <= 0.02
        assert abs(offsets[-1]) < 0.01
    assert rows[-1][2].x == pytest.approx(4.0, abs=0.02)
    assert rows[-1][2].y == pytest.approx(1.05, abs=0.02)


@pytest.mark.parametrize("heading", [0, 100, -135])
def test_a_slope_does_not_push_it_off_the_line_forwards_or_backwards(heading: float) -> None:
    yaw = math.radians(heading)
    far = (8.0 * math.cos(yaw), 8.0 * math.sin(yaw))
    plant = Plant(Pose2(0.0, 0.0, yaw), drift=(0.02, -0.04))
    steps = drive(0, 0, *far), drive(*far, 0, 0, reverse=True, speed=0.8, sweep=False)
    rows = run(started(follower(), *steps), plant, 60.0, noise=0.003)
    assert rows[-1][1].done
    offsets = np.array([pose.y * math.cos(yaw) - pose.x * math.sin(yaw) for _, _, pose, _ in rows])
    assert np.max(np.abs(offsets)) <= 0.03
    back = np.array([step == 1 for step, *_ in rows])
    assert np.sqrt(np.mean(offsets[back] ** 2)) <= 0.01  # the way back is driven with what the way there has taught


def test_a_place_that_jumps_moves_the_drift_within_its_bounds() -> None:
    observer = DriftObserver()
    for step in range(2000):
        drift = observer.update(0.3, 5.0 * (-1.0) ** step, 0.0, 0.05)
        assert abs(drift) <= MAX_DRIFT


def test_drift_keeps_its_place_in_the_map() -> None:
    observer = DriftObserver()
    for step in range(400):
        seen = observer.update(0.0, -0.03 * 0.025 * step, 0.0, 0.025)
    assert seen == pytest.approx(-0.03, abs=1e-3)
    observer.begin_line()
    assert observer.update(math.pi, 0.2, 0.0, 0.0) == pytest.approx(0.03, abs=1e-3)
    observer.begin_line()
    assert observer.update(math.pi / 2, 0.2, 0.0, 0.0) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("reverse", [False, True])
def test_drive_ends_within_a_centimetre(reverse: bool) -> None:
    plant = Plant(Pose2(0, 0, math.pi if reverse else 0.0))
    rows = run(started(follower(), drive(0, 0, 3, 0, reverse=reverse)), plant, 20.0)
    assert rows[-1][1].done
    assert plant.pose.x == pytest.approx(3.0, abs=0.011)


@pytest.mark.parametrize("turn", [-180, -90, -3, 15, 90, 179, 180])
def test_pivot_ends_within_half_a_degree_and_turns_as_planned(turn: float) -> None:
    plant = Plant(Pose2(0, 0, math.radians(30)))
    rows = run(started(follower(), pivot(0, 0, 30, 30 + turn)), plant, 20.0)
    assert rows[-1][1].done
    assert abs(math.degrees(wrap_angle(plant.pose.yaw - math.radians(30 + turn)))) <= 0.55
    if abs(turn) < 180:
        assert math.degrees(plant.pose.yaw) - 30 == pytest.approx(turn, abs=0.55)


def test_collinear_steps_are_driven_through_without_a_stop() -> None:
    plant = Plant(Pose2(0, 0, 0))
    rows = run(started(follower(), drive(0, 0, 2, 0, speed=0.8), drive(2, 0, 5, 0, speed=0.5)), plant, 20.0)
    assert rows[-1][1].done
    middle = [speed for _, _, pose, speed in rows if 1.0 < pose.x < 4.0]
    assert min(middle) > 0.4
    assert max(speed for _, _, pose, speed in rows if pose.x > 2.02) <= 0.5 + 0.02


def test_does_not_move_unless_the_mission_wants_this_very_plan() -> None:
    machine = started(follower(), drive(0, 0, 3, 0))
    for state in MissionState:
        machine.set_mission(status(0.0, state, request_t=2.0))
        command, progress = machine.update(nav_state(1.0, 0, 0, 0))
        assert command.speed == command.yaw_rate == 0.0
        assert not progress.done
    machine.set_mission(status(0.0, MissionState.HOLD, request_t=1.0))
    assert machine.update(nav_state(1.05, 0, 0, 0))[0].speed == 0.0


def test_stops_quickly_but_smoothly_when_the_mission_stops() -> None:
    plant = Plant(Pose2(0, 0, 0))
    machine = started(follower(), drive(0, 0, 6, 0))
    run(machine, plant, 4.0)
    machine.set_mission(status(4.0, MissionState.PAUSED))
    at = plant.pose.x
    speeds = [row[3] for row in run(machine, plant, 2.0)]
    assert plant.pose.x - at < 0.35
    assert abs(speeds[-1]) < 0.005
    assert min(np.diff(speeds)) > -1.5 * LIMITS.deceleration * STEP


def test_a_new_plan_resets_progress_and_a_repeated_one_does_not() -> None:
    plant = Plant(Pose2(0, 0, 0))
    machine = started(follower(), drive(0, 0, 1, 0, speed=0.8), pivot(1, 0, 0, 90))
    assert run(machine, plant, 4.0)[-1][1].step == 1
    machine.set_plan(plan(drive(0, 0, 1, 0), pivot(1, 0, 0, 90), t=1.0))
    assert machine.update(plant.nav())[1].step == 1
    machine.set_plan(plan(pivot(1, 0, 0, 0), drive(1, 0, 2, 0), t=9.0))
    progress = machine.update(plant.nav())[1]
    assert (progress.step, progress.plan_t) == (0, 9.0)
    assert progress.remaining_m == pytest.approx(1.0)


def test_a_plan_that_begins_some_centimetres_away_is_entered() -> None:
    plant = Plant(Pose2(0.03, 0.15, 0.05))
    rows = run(started(follower(), drive(0, 0, 6, 0)), plant, 30.0)
    assert rows[-1][1].done
    assert abs(plant.pose.y) < 0.01


@pytest.mark.parametrize(
    ("pose", "why"), [(Pose2(1, 0.4, 0), "planned track"), (Pose2(-0.5, 0, 0), "planned track"), (Pose2(0, 0, 1), "°")]
)
def test_too_far_from_the_plan_stops_and_reports(pose: Pose2, why: str) -> None:
    plant = Plant(pose)
    machine = started(follower(), drive(0, 0, 6, 0))
    rows = run(machine, plant, 2.0)
    assert not rows[-1][1].done
    assert math.hypot(plant.pose.x - pose.x, plant.pose.y - pose.y) < 1e-9
    assert machine.health(plant.t).level == Level.ERROR
    assert why in machine.health(plant.t).message
    machine.set_plan(plan(drive(*(pose.x, pose.y), pose.x + math.cos(pose.yaw), pose.y + math.sin(pose.yaw)), t=2.0))
    assert machine.health(plant.t).level == Level.OK


def test_strays_only_beyond_the_limit_once_on_the_line() -> None:
    machine = started(follower(), drive(0, 0, 6, 0))
    machine.update(nav_state(0.0, 0, 0, 0))
    machine.update(nav_state(0.05, 1, 0.07, 0, 0.5))
    assert machine.health(0.1).level == Level.OK
    machine.update(nav_state(0.10, 1, 0.12, 0, 0.5))
    assert machine.health(0.1).level == Level.ERROR


def test_a_pose_that_is_not_finite_stops_at_once_and_is_survived() -> None:
    plant = Plant(Pose2(0, 0, 0))
    machine = started(follower(), drive(0, 0, 6, 0))
    run(machine, plant, 2.0)
    command, progress = machine.update(nav_state(2.0, math.nan, 0, 0))
    assert (command.speed, command.yaw_rate, progress.stopped) == (0.0, 0.0, False)
    assert machine.health(2.0).level == Level.ERROR
    assert machine.update(plant.nav())[0].speed > 0.0
    assert machine.health(2.0).level == Level.OK


def test_reports_progress_and_ages() -> None:
    machine = follower()
    assert machine.health(0.0).level == Level.WARN
    machine.set_plan(plan(drive(0, 0, 2, 0), drive(2, 0, 0, 0, reverse=True)))
    machine.set_mission(status(0.0, MissionState.SEARCH))
    progress = machine.update(nav_state(0.0, 0, 0, 0))[1]
    assert progress.remaining_m == pytest.approx(4.0)
    assert progress.remaining_s == pytest.approx(8.0)
    assert machine.health(0.1).level == Level.OK
    assert machine.health(9.0).level == Level.WARN
    machine.set_plan(plan(t=5.0))
    assert machine.update(nav_state(0.05, 0, 0, 0))[1].done


def test_stray_limit_must_fit_the_planned_growth() -> None:
    with pytest.raises(ParameterError, match="stray_limit"):
        follower(stray_limit=0.2)


def test_approach_speed_stops_in_the_distance_given() -> None:
    for distance in (0.01, 0.2, 1.0):
        speed = approach_speed(distance, 0.8, 0.4)
        assert speed * 0.4 + speed**2 / 1.6 == pytest.approx(distance)
    assert approach_speed(0.0, 0.8, 0.4, 0.5) == pytest.approx(0.5)
    assert approach_speed(-1.0, 0.8, 0.4) == 0.0
