"""Localisation against the simulated world, and against malformed input."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from sim_drive import LIMITS, drive, feed, localizer, world

from mine_robot.core.types import FixStatus, HeadingFix, ImuSample, Level, WheelSample
from mine_robot.sim.world import SensorBatch

NAN = math.nan


def test_head_is_known_to_two_centimetres_with_rtk() -> None:
    run = drive(world(seed=3), 70.0)
    moving = run.t > 5.0
    assert np.sqrt(np.mean(run.head_errors[moving] ** 2)) < 0.02
    assert run.head_sigmas[moving].max() < LIMITS.position_sigma_max
    velocity_error = np.array([s.velocity - q.velocity for s, q in zip(run.states, run.truths)])[moving]
    assert np.sqrt(np.mean(velocity_error[:, 0] ** 2)) < 0.02
    health = run.localizer.health(70.0)
    assert health.level is Level.OK
    assert health.name == "localization"
    assert health.values["rtk"] == "fixed"
    assert health.values["aligned"] == "true"
    assert float(health.values["sigma_m"]) < 0.02
    assert 0.0 < float(health.values["heading_sigma_deg"]) < 1.0


def test_estimates_come_on_the_grid_of_the_imu_clock() -> None:
    run = drive(world(), 6.0)
    assert np.allclose(np.diff(run.t), 0.05)
    assert np.allclose(run.t * 20.0, np.round(run.t * 20.0))


def test_it_says_what_the_start_waits_for() -> None:
    loc = localizer()
    assert loc.health(0.0).message == "no IMU sample yet"
    simulated = world()
    for _ in range(10):
        feed(loc, replace(simulated.step(None), fixes=[], headings=[]))
    assert loc.health(simulated.t).message == "aligning: waiting for standstill, GNSS fix, GNSS heading"
    for _ in range(40):
        feed(loc, replace(simulated.step(None), headings=[]))
    assert loc.health(simulated.t).message == (
        "aligning: waiting for GNSS heading, or for 1 m or more driven on safe ground"
    )
    assert loc.health(simulated.t).level is Level.ERROR
    assert loc.health(simulated.t).values["aligned"] == "false"
    for _ in range(10):
        feed(loc, simulated.step(None))
    assert loc.aligned


def test_it_starts_on_the_way_without_rest() -> None:
    run = drive(world(), 12.0, motion=lambda t: (0.4, 0.2))
    assert run.t[0] < 5.0
    assert run.head_errors[run.t > 8.0].max() < 0.05


def test_it_finds_the_heading_on_the_first_metres_without_a_heading_sensor() -> None:
    def blind(batch: SensorBatch) -> SensorBatch:
        return replace(batch, headings=[])

    simulated = world(seed=2)
    waiting = drive(simulated, 4.0, change=blind)
    assert waiting.states == []
    assert waiting.localizer.health(4.0).message == (
        "aligning: waiting for GNSS heading, or for 1 m or more driven on safe ground"
    )
    run = drive(simulated, 30.0, loc=waiting.localizer, change=blind)
    assert run.t[0] < 8.0
    assert np.all(np.abs(run.errors[:, 5]) < 4.0 * np.sqrt([state.covariance[5, 5] for state in run.states]))
    assert np.abs(run.errors[run.t > 14.0, 5]).max() < math.radians(1.5)
    assert run.head_errors[run.t > 14.0].max() < 0.05


def test_an_outage_is_bridged_honestly_and_healed() -> None:
    run = drive(world(seed=4, faults=[{"kind": "gnss_dropout", "at_s": 30, "for_s": 10}]), 46.0)
    during = (run.t > 38.0) & (run.t < 40.0)
    assert run.head_errors[during].max() < 0.25
    assert np.all(run.head_errors[during] < 3.5 * run.head_sigmas[during])
    assert run.head_sigmas[during].min() > LIMITS.position_sigma_max
    assert run.head_errors[run.t > 42.0].max() < 0.04


def test_an_outage_shows_in_health() -> None:
    run = drive(world(faults=[{"kind": "gnss_dropout", "at_s": 20}]), 28.0)
    health = run.localizer.health(28.0)
    assert health.level is Level.WARN
    assert health.message.startswith("no usable GNSS fix for 8.")
    assert health.values["rtk"] == "none"


def test_silence_of_the_receiver_is_stale() -> None:
    run = drive(world(), 10.0, change=lambda b: replace(b, fixes=[]) if b.t > 6.0 else b)
    assert run.localizer.health(10.0).values["rtk"] == "stale"
    assert "no usable GNSS fix" in run.localizer.health(10.0).message


def test_float_is_believed_less_and_never_jumps() -> None:
    run = drive(world(seed=2, faults=[{"kind": "gnss_float", "at_s": 20, "for_s": 10}]), 36.0)
    assert np.abs(np.diff(run.errors[:, :2], axis=0)).max() < 0.06
    during = (run.t > 25.0) & (run.t < 30.0)
    assert run.head_sigmas[during].min() > 2.0 * run.head_sigmas[run.t < 20.0][-1]
    assert np.all(run.head_errors[during] < 3.5 * run.head_sigmas[during])


def test_a_false_fix_is_refused_then_doubted_then_forgotten() -> None:
    fault = {"kind": "gnss_false_fix", "at_s": 20, "for_s": 16, "offset_m": 0.6, "direction_deg": 45}
    simulated = world(seed=5, faults=[fault])
    refused = drive(simulated, 28.0)
    assert refused.head_errors[-100:].max() < 0.15  # dead reckoning, not the false fix
    assert "contradict" in refused.localizer.health(28.0).message
    assert refused.localizer.health(28.0).level is Level.WARN
    doubted = drive(simulated, 35.0, loc=refused.localizer)
    given_in = doubted.head_errors > 0.3
    assert given_in.any()
    assert np.all(doubted.head_errors[given_in] < 2.0 * doubted.head_sigmas[given_in])
    assert doubted.localizer.health(35.0).level is Level.ERROR
    healed = drive(simulated, 60.0, loc=refused.localizer)
    assert healed.head_errors[-100:].max() < 0.04  # no lock-out


def test_wheel_slip_does_not_move_the_estimate() -> None:
    run = drive(world(seed=6, faults=[{"kind": "wheel_slip", "at_s": 6, "for_s": 10, "ratio": 0.6}]), 20.0)
    assert run.head_errors[run.t > 5.0].max() < 0.05


def test_late_fixes_are_compared_with_the_past() -> None:
    held: list[SensorBatch] = []

    def delay(batch: SensorBatch) -> SensorBatch:
        held.append(batch)
        late = held[-7] if len(held) > 6 else batch
        return replace(batch, fixes=late.fixes, headings=late.headings)

    run = drive(world(seed=7), 40.0, change=delay)
    assert run.head_errors[run.t > 6.0].max() < 0.05  # 0.3 s at 0.5 m/s would be 0.15 m


def test_too_old_and_repeated_fixes_are_refused() -> None:
    simulated = world()
    run = drive(simulated, 5.0)
    before = run.states[-1].covariance[0, 0]
    batch = simulated.step(None)
    while not batch.fixes:
        feed(run.localizer, batch)
        batch = simulated.step(None)
    feed(run.localizer, batch)
    run.localizer.add_fix(batch.fixes[0])
    assert run.localizer.health(simulated.t).message == "GNSS fix repeats a time stamp"
    run.localizer.add_fix(replace(batch.fixes[0], t=simulated.t - 0.8))
    assert "0.80 s old" in run.localizer.health(simulated.t).message
    assert before < 1e-3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"latitude": NAN}, "GNSS fix is not finite"),
        ({"latitude": 140.0}, "not on earth"),
        ({"covariance": np.full((3, 3), NAN)}, "GNSS covariance is not valid"),
        ({"covariance": np.eye(2)}, "GNSS covariance is not valid"),
        ({"covariance": np.eye(3) * 1e12}, "GNSS sigma of 1000000 m is no position"),
        ({"height": 1e30}, "not on earth"),
        ({"status": FixStatus.NONE}, "no fix"),
    ],
)
def test_unusable_fixes_are_refused_with_a_reason(change: dict, words: str) -> None:
    def spoil(batch: SensorBatch) -> SensorBatch:
        return replace(batch, fixes=[replace(fix, **change) for fix in batch.fixes]) if batch.t > 4.5 else batch

    run = drive(world(), 5.2, change=spoil)
    assert words in run.localizer.health(5.2).message
    assert run.localizer.health(5.2).level is Level.WARN
    assert np.isfinite(run.states[-1].covariance).all()


def test_not_a_number_anywhere_is_refused_and_the_estimate_goes_on() -> None:
    rng = np.random.default_rng(0)
    bad = np.full(3, NAN)

    def spoil(batch: SensorBatch) -> SensorBatch:
        if batch.t < 5.0 or rng.random() > 0.3:
            return batch
        imu = [replace(batch.imu[0], rate=bad), *batch.imu[1:4], replace(batch.imu[4], force=bad)]
        return replace(
            batch,
            imu=imu,
            headings=[HeadingFix(batch.t, NAN, 0.01)],
            wheels=[WheelSample(batch.t, NAN, 0.0)],
        )

    run = drive(world(seed=8), 30.0, change=spoil)
    assert np.isfinite([state.position for state in run.states]).all()
    assert np.isfinite([state.covariance for state in run.states]).all()
    assert run.head_errors.max() < 0.06


def test_a_short_pause_of_the_imu_is_bridged_with_doubt() -> None:
    run = drive(world(faults=[{"kind": "imu_dead", "at_s": 8.0, "for_s": 0.3}]), 12.0)
    assert run.localizer.aligned
    resumed = int(np.argmax(np.diff(run.t))) + 1
    assert run.t[resumed] == pytest.approx(8.30, abs=0.06)
    assert run.head_sigmas[resumed] > LIMITS.position_sigma_max
    assert run.head_errors[-1] < 0.04


def test_a_dead_imu_is_an_error_and_alignment_starts_again() -> None:
    def stop(t: float) -> tuple[float, float]:
        return (0.5, 0.0) if 4.0 < t < 6.0 else (0.0, 0.0)

    simulated = world(faults=[{"kind": "imu_dead", "at_s": 6.0, "for_s": 3.0}])
    run = drive(simulated, 8.0, motion=stop)
    health = run.localizer.health(8.0)
    assert health.level is Level.ERROR
    assert health.message.startswith("no IMU sample for 2.0 s")
    again = drive(simulated, 12.0, loc=run.localizer, motion=stop)
    assert again.t[0] > 9.9
    assert again.localizer.health(12.0).level is Level.OK
    assert again.head_errors.max() < 0.06


def test_an_accelerometer_in_g_is_named() -> None:
    loc = localizer()
    simulated = world()
    for _ in range(40):
        batch = simulated.step(None)
        feed(loc, replace(batch, imu=[replace(s, force=s.force / 9.80665) for s in batch.imu]))
    health = loc.health(simulated.t)
    assert health.level is Level.ERROR
    assert "in g instead of m/s²" in health.message
    assert not loc.aligned


def test_time_that_goes_back_is_refused_and_a_restarted_clock_accepted() -> None:
    run = drive(world(), 4.0)
    old = ImuSample(3.0, np.zeros(3), np.array([0.0, 0.0, 9.8]))
    assert run.localizer.add_imu(old) is None
    assert "IMU time went back by 1.000 s" in run.localizer.health(4.0).message
    again = drive(world(), 6.0, loc=run.localizer)
    assert again.localizer.health(6.0).level is Level.OK
    assert again.head_errors.max() < 0.06


def test_an_imu_mounted_askew_gives_the_same_estimate() -> None:
    from sim_drive import FIELD, ROBOT, scenario

    from mine_robot.core.parameters import build
    from mine_robot.core.robot import rotation_from_rpy
    from mine_robot.localization.localizer import Localizer
    from mine_robot.localization.params import LocalizationParams
    from mine_robot.sim.params import SimulatorParams
    from mine_robot.sim.world import World

    askew = replace(ROBOT, imu=np.array([0.3, -0.2, 0.5]), imu_rotation=rotation_from_rpy(3.1, 0.2, 1.4))
    simulated = World(scenario(9), FIELD, askew, build(SimulatorParams, {}))
    run = drive(simulated, 25.0, loc=Localizer(build(LocalizationParams, {}), LIMITS, askew, FIELD.datum))
    assert run.head_errors[run.t > 5.0].max() < 0.05


def test_a_large_gyroscope_bias_is_learned_at_rest() -> None:
    simulated = world(overrides={"imu.gyro_bias": 0.01})
    run = drive(simulated, 6.0, motion=lambda t: (0.0, 0.0))
    assert np.abs(run.states[-1].rate).max() < 4e-3
    assert np.abs(simulated.step(None).imu[-1].rate).max() > 4e-3


def test_the_scale_of_the_gyroscope_is_learned_in_turns() -> None:
    from sim_drive import ROBOT

    from mine_robot.localization.filter import AIDING, TURN_SCALE

    up = ROBOT.imu_rotation[2]  # the axis of the turns as the unit sees it

    def spoil(batch: SensorBatch) -> SensorBatch:
        return replace(batch, imu=[replace(s, rate=s.rate + 0.006 * (up @ s.rate) * up) for s in batch.imu])

    turns = drive(world(seed=4), 60.0, change=spoil, motion=lambda t: (0.0, 0.6 if t > 4.0 else 0.0)).localizer
    learned = turns._navigator.filter.aiding[TURN_SCALE.start - AIDING.start]
    assert learned == pytest.approx(0.006, abs=0.001)


@pytest.mark.parametrize("late", [-0.03, 0.03])
def test_the_latency_of_fixes_and_headings_is_learned(late: float) -> None:
    def spoil(batch: SensorBatch) -> SensorBatch:
        return replace(
            batch,
            fixes=[replace(fix, t=fix.t + late) for fix in batch.fixes],
            headings=[replace(heading, t=heading.t + late) for heading in batch.headings],
        )

    run = drive(world(seed=5), 45.0, change=spoil)
    assert run.localizer.latency == pytest.approx(late, abs=0.01)
    assert run.localizer.health(45.0).level is Level.OK
