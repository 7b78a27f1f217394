"""Parts of the localisation: the continuous frame, quiet signals, axes, refusals and doubt, and time that runs again."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from sim_drive import FIELD, LIMITS, drive, lanes, localizer, world

from mine_robot.core.parameters import build
from mine_robot.core.robot import rotation_from_rpy
from mine_robot.core.types import GnssFix, HeadingFix, ImuSample, Level, NavState, Twist2, WheelSample
from mine_robot.localization.axes import RATES_MAX, AxisWatch, gravity_problem
from mine_robot.localization.gating import Doubt, Refusals
from mine_robot.localization.odom import OdomTrack
from mine_robot.localization.params import ImuNoise, Standstill
from mine_robot.localization.standstill import NoiseMeter, Quiet
from mine_robot.localization.timeline import PENDING_MAX
from mine_robot.sim.world import SensorBatch

UP = np.array([0.0, 0.0, 9.81])


# --- order of arrival -----------------------------------------------------------------------------------------------
def shuffled(seed: int, late_max: float) -> NavState:
    """The last estimate of a drive whose fixes, headings and encoders arrive up to ``late_max`` s late, in any order."""
    simulated, rng, loc = world(seed=4), np.random.default_rng(seed), localizer()
    waiting: list[tuple[float, object]] = []
    state = None
    while simulated.t < 14.0:
        batch = simulated.step(Twist2(simulated.t, *lanes(simulated.t)))
        for reading in (*batch.fixes, *batch.headings, *batch.wheels):
            late = late_max * rng.random() if 3.0 < batch.t < 13.0 else 0.0
            waiting.append((reading.t + late, reading))
        for sample in batch.imu:
            state = loc.add_imu(sample) or state
        due = [item for item in waiting if item[0] <= batch.t + 1e-9]
        waiting = [item for item in waiting if item[0] > batch.t + 1e-9]
        for _, reading in sorted(due, key=lambda item: item[0]):
            take = {"GnssFix": loc.add_fix, "HeadingFix": loc.add_heading, "WheelSample": loc.add_wheels}
            take[type(reading).__name__](reading)
    assert state is not None
    return state


@pytest.mark.parametrize("seed", [1, 2])
def test_the_estimate_does_not_depend_on_the_order_of_arrival(seed: int) -> None:
    timely, late = shuffled(0, 0.0), shuffled(seed, 0.45)
    assert np.allclose(late.position, timely.position, atol=1e-6)
    assert np.allclose(late.rpy, timely.rpy, atol=1e-6)
    assert np.allclose(late.covariance, timely.covariance, atol=1e-8)


# --- odom -----------------------------------------------------------------------------------------------------------
def test_odom_is_continuous_where_the_map_jumps_and_both_meet_in_the_same_place() -> None:
    track, jump = OdomTrack(), np.array([0.5, -0.3, 0.0])
    before = np.zeros(3)
    for i in range(100):
        moved = np.array([0.01 * i, 0.0, 0.0]) + (jump if i >= 50 else 0.0)
        state = NavState(0.02 * i, moved, np.zeros(3), np.array([0.5, 0.0, 0.0]), np.zeros(3), np.eye(6))
        pose = track.update(state)
        assert np.linalg.norm(pose.position - before) < 0.011
        assert np.allclose(pose.odom_position + rotation_from_rpy(0, 0, pose.odom_yaw) @ pose.position, moved)
        before = pose.position


# --- quiet and noise --------------------------------------------------------------------------------------------------
def test_quiet_gives_the_mean_rate_and_ends_with_a_push() -> None:
    quiet, mean = Quiet(build(Standstill, {})), None
    for i in range(100):
        mean = quiet.add(0.01 * i, np.array([0.0, 0.0, 0.003]), UP)
    assert mean is not None
    assert mean[2] == pytest.approx(0.003)
    for i in range(100, 110):
        mean = quiet.add(0.01 * i, np.array([0.0, 0.0, 0.003]), UP + (i % 2))
    assert mean is None


def test_noise_is_measured_and_motion_is_not_taken_for_it() -> None:
    rng, meter = np.random.default_rng(0), NoiseMeter(build(ImuNoise, {"measured_noise": 1.0}))
    for i in range(1000):
        motion = np.array([0.0, 0.0, np.sin(0.03 * i)])
        gyro, accel = meter.add(0.01, motion + 0.01 * rng.normal(size=3), UP + 5.0 * motion + 0.5 * rng.normal(size=3))
    assert gyro == pytest.approx(0.001, rel=0.25)
    assert accel == pytest.approx(0.05, rel=0.25)


# --- axes ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("force", "words"),
    [((0, 0, 9.8), ""), ((0, 0, -9.8), "along -z"), ((9.8, 0, 0), "along x"), ((0, 0, 4.0), "not gravity")],
)
def test_gravity_tells_swapped_axes(force: tuple[float, ...], words: str) -> None:
    problem = gravity_problem(np.array(force, dtype=float))
    assert (words in problem) if words else problem == ""


@pytest.mark.parametrize(("axis", "sign", "sound"), [(2, 1.0, True), (2, -1.0, False), (0, 1.0, False)])
def test_turns_tell_swapped_gyroscopes(axis: int, sign: float, sound: bool) -> None:
    watch = AxisWatch()
    for i in range(400):
        rate = np.zeros(3)
        rate[axis] = sign * 0.5
        watch.add_imu(0.01, rate, UP)
        if i % 5 == 4:
            watch.add_wheels(WheelSample(0.01 * i, 0.0, 0.55))
    assert (watch.problem == "") is sound


@pytest.mark.parametrize("swap", [False, True])
def test_swapped_horizontal_axes_are_an_error_while_driving(swap: bool) -> None:
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]) if swap else np.eye(3)

    def spoil(batch: SensorBatch) -> SensorBatch:
        return replace(batch, imu=[ImuSample(s.t, turn @ s.rate, turn @ s.force) for s in batch.imu])

    def stop_and_go(t: float) -> tuple[float, float]:
        return (0.5 if t % 4.0 < 2.0 else 0.0, 0.0) if t > 3.0 else (0.0, 0.0)

    health = drive(world(), 24.0, motion=stop_and_go, change=spoil).localizer.health(24.0)
    assert (health.level is Level.ERROR and "axes swapped" in health.message) is swap


def test_a_unit_upside_down_never_starts() -> None:
    def spoil(batch: SensorBatch) -> SensorBatch:
        return replace(batch, imu=[ImuSample(s.t, s.rate, -s.force) for s in batch.imu])

    run = drive(world(), 6.0, change=spoil)
    assert run.states == []
    assert "along -z of base_link" in run.localizer.health(6.0).message


@pytest.mark.parametrize("kind", ["frozen", "dead"])
def test_a_dead_unit_is_an_error(kind: str) -> None:
    kept: list[ImuSample] = []

    def spoil(batch: SensorBatch) -> SensorBatch:
        if batch.t < 8.0:
            return batch
        kept.extend(batch.imu[:1])
        still = replace(kept[0], rate=np.zeros(3), force=np.zeros(3)) if kind == "dead" else kept[0]
        return replace(batch, imu=[replace(still, t=s.t) for s in batch.imu])

    health = drive(world(), 11.0, change=spoil).localizer.health(11.0)
    assert health.level is Level.ERROR
    assert kind in health.message


# --- refusals, doubt and lying fixes --------------------------------------------------------------------------------------
def test_refusals_add_up_only_while_they_follow_each_other() -> None:
    memory = Refusals().after(1.0, False).after(2.0, False)
    assert memory.lasting(2.5) == pytest.approx(1.5)
    assert memory.after(2.5, True).lasting(2.6) == 0.0
    assert memory.after(6.0, False).lasting(6.0) == 0.0


def test_doubt_lasts_then_fades_and_a_way_back_undoes_it() -> None:
    doubt = Doubt(10.0, np.array([0.5, 0.0]), 100.0)
    assert doubt.variance(109.0) == pytest.approx(0.25)
    assert doubt.variance(150.0) < 0.001
    assert doubt.undone_by(np.array([-0.48, 0.03]), 0.01)
    assert not doubt.undone_by(np.array([0.5, 0.0]), 0.01)


def displaced(batch: SensorBatch, east: float, north: float) -> SensorBatch:
    """Fixes moved by so many metres."""

    def move(fix: GnssFix) -> GnssFix:
        place = FIELD.datum.to_map(fix.longitude, fix.latitude, fix.height) + np.array([east, north, 0.0])
        lon, lat, height = FIELD.datum.to_wgs84(*place).tolist()
        return replace(fix, longitude=lon, latitude=lat, height=height)

    return replace(batch, fixes=[move(fix) for fix in batch.fixes])


def test_a_position_that_walks_sideways_is_noticed_before_it_has_gone_far() -> None:
    simulated = world(seed=12)
    run = drive(simulated, 9.0)
    yaw = simulated.truth().pose.yaw
    for _ in range(80):
        walked = 0.05 * (simulated.t - 9.0)
        batch = simulated.step(Twist2(simulated.t, 0.5, 0.0))
        state = drive_on(run.localizer, displaced(batch, -walked * math.sin(yaw), walked * math.cos(yaw)))
        if state is not None and run.localizer.health(simulated.t).level is Level.OK:
            assert np.linalg.norm((state.position - simulated.truth().position)[:2]) < 0.1
    assert run.localizer.health(simulated.t).level is not Level.OK


def drive_on(loc: object, batch: SensorBatch) -> NavState | None:
    from sim_drive import feed

    return feed(loc, batch)  # type: ignore[arg-type]


def test_frozen_fixes_are_refused_by_name() -> None:
    simulated = world(seed=13)
    run = drive(simulated, 9.0)
    kept = None
    for _ in range(30):
        batch = simulated.step(Twist2(simulated.t, 0.5, 0.0))
        kept = kept or (batch.fixes[0] if batch.fixes else None)
        drive_on(run.localizer, replace(batch, fixes=[replace(kept, t=fix.t) for fix in batch.fixes]))  # type: ignore[type-var]
    assert "frozen" in run.localizer.health(simulated.t).message


def test_a_fix_without_covariance_counts_little_and_shows() -> None:
    def spoil(batch: SensorBatch) -> SensorBatch:
        return replace(batch, fixes=[replace(fix, covariance=np.zeros((3, 3))) for fix in batch.fixes])

    run = drive(world(), 8.0, change=spoil)
    assert "covariance is not valid" in run.localizer.health(8.0).message
    assert run.head_sigmas[-1] > 0.5 * LIMITS.position_sigma_max


def test_the_mission_learns_that_the_heading_is_not_known_yet() -> None:
    def vague(batch: SensorBatch) -> SensorBatch:
        return replace(batch, headings=[HeadingFix(h.t, h.yaw, 0.2) for h in batch.headings])

    health = drive(world(), 4.0, change=vague).localizer.health(4.0)
    assert health.level is not Level.OK
    assert health.values["state"] != "OK"


def test_readings_do_not_pile_up_while_the_imu_never_speaks() -> None:
    aligned = localizer()
    for step in range(5000):
        aligned.add_wheels(WheelSample(0.05 * step, 0.3, 0.1))
    assert len(aligned._early) == PENDING_MAX
    assert len(aligned._axes._rates) == RATES_MAX
    assert "no IMU sample yet" in aligned.health(250.0).message
