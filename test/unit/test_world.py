"""The simulated world: rates, faults, repeatability, and its state file."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from sim_drive import FIELD, ROBOT, attitude, lanes, localizer, scenario, world

from mine_robot.core.parameters import build
from mine_robot.core.types import FixStatus, GprScan, MetalScan, Twist2
from mine_robot.sim.params import SimulatorParams
from mine_robot.sim.types import TrueState
from mine_robot.sim.world import SensorBatch, World, generators


class Radar:
    def scan(self, t: float, truth: TrueState) -> GprScan:
        return GprScan(t, np.full((4, 8), truth.position[0] + t, dtype=np.float32))


class Detector:
    def scan(self, t: float, truth: TrueState) -> MetalScan:
        return MetalScan(t, np.zeros((6, 3)), np.ones(6), np.ones(6))


def with_soil_sensors(*faults: dict[str, Any]) -> World:
    return World(scenario(1, faults), FIELD, ROBOT, build(SimulatorParams, {}), Radar(), Detector())


def steps(simulated: World, count: int) -> list[SensorBatch]:
    return [simulated.step(Twist2(simulated.t, *lanes(simulated.t + 4.0))) for _ in range(count)]


def test_a_step_has_the_sensors_of_fifty_milliseconds() -> None:
    batches = steps(with_soil_sensors(), 20)
    assert [batch.t for batch in batches] == pytest.approx(np.arange(1, 21) * 0.05)
    assert all(len(batch.imu) == 5 and len(batch.wheels) == 1 for batch in batches)
    assert np.allclose(np.diff([sample.t for batch in batches for sample in batch.imu]), 0.01)
    assert [fix.t for batch in batches for fix in batch.fixes] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert [fix.t for batch in batches for fix in batch.headings] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert all(batch.gpr.t == batch.metal.t == batch.t for batch in batches)


def test_errors_of_the_receiver_are_as_reported() -> None:
    simulated = world(seed=3)
    errors, sigmas = [], []
    for _ in range(2400):
        for fix in steps(simulated, 1)[0].fixes:
            truth = simulated.truth()
            antenna = truth.position + attitude(truth) @ ROBOT.gnss
            errors.append(FIELD.datum.to_map(fix.longitude, fix.latitude, fix.height) - antenna)
            sigmas.append(np.sqrt(np.diag(fix.covariance)))
    ratio = np.std(errors, axis=0) / np.mean(sigmas, axis=0)
    assert np.all((ratio > 0.4) & (ratio < 1.6))


def test_the_same_seed_is_the_same_world_and_another_is_not() -> None:
    one, two, other = (steps(world(seed), 40)[-1] for seed in (4, 4, 5))
    assert np.array_equal(one.imu[-1].rate, two.imu[-1].rate)
    assert one.fixes[-1].latitude == two.fixes[-1].latitude
    assert not np.array_equal(one.imu[-1].rate, other.imu[-1].rate)


def test_a_fault_leaves_the_noise_of_the_others_as_it_was() -> None:
    faults = [{"kind": kind, "at_s": 0.3, "for_s": 0.5} for kind in ("gnss_dropout", "imu_dead")]
    healthy, faulty = steps(world(4), 40)[-1], steps(world(4, faults), 40)[-1]
    assert np.array_equal(healthy.imu[-1].force, faulty.imu[-1].force)
    assert healthy.fixes[-1].latitude == faulty.fixes[-1].latitude
    assert healthy.wheels == faulty.wheels


def test_navigation_faults() -> None:
    def last(kind: str, **options: Any) -> SensorBatch:
        return steps(world(4, [{"kind": kind, "at_s": 0.5, **options}]), 40)[-1]

    healthy = steps(world(4), 40)[-1]
    dropout = last("gnss_dropout")
    assert dropout.fixes[0].status is FixStatus.NONE
    assert math.isnan(dropout.fixes[0].latitude)
    assert dropout.headings == []
    assert last("gnss_float").fixes[0].status is FixStatus.FLOAT
    false = last("gnss_false_fix", offset_m=0.7, direction_deg=90.0).fixes[0]
    assert false.status is FixStatus.FIXED
    moved = FIELD.datum.to_map(false.longitude, false.latitude) - FIELD.datum.to_map(
        healthy.fixes[0].longitude, healthy.fixes[0].latitude
    )
    assert moved[:2] == pytest.approx([0.7, 0.0], abs=1e-3)
    walked = last("gnss_walk", speed_m_s=0.2, direction_deg=0.0).fixes[0]
    moved = FIELD.datum.to_map(walked.longitude, walked.latitude) - FIELD.datum.to_map(
        healthy.fixes[0].longitude, healthy.fixes[0].latitude
    )
    assert moved[:2] == pytest.approx([0.0, 0.2 * (walked.t - 0.5)], abs=1e-3)
    frozen = [fix for batch in steps(world(4, [{"kind": "gnss_frozen", "at_s": 0.5}]), 40) for fix in batch.fixes]
    before = [fix for fix in frozen if fix.t < 0.5][-1]
    assert {(fix.latitude, fix.longitude) for fix in frozen if fix.t > 0.5} == {(before.latitude, before.longitude)}
    assert frozen[-1].t == healthy.fixes[-1].t
    assert last("heading_lost").headings == []
    assert last("heading_lost").fixes[0].latitude == healthy.fixes[0].latitude
    assert last("imu_dead").imu == []
    slipping, gripping = world(4, [{"kind": "wheel_slip", "at_s": 0.0, "ratio": 0.8}]), world(4)
    assert steps(slipping, 40)[-1].wheels == steps(gripping, 40)[-1].wheels
    assert slipping.truth().velocity[0] < 0.3 * gripping.truth().velocity[0]


def test_a_robot_that_sinks_in_on_one_side_rolls_and_all_that_it_carries_feels_it() -> None:
    fault = {"kind": "tilted", "at_s": 2.0, "for_s": 2.0, "roll_deg": -25.0}
    level, simulated = world(2, terrain="flat"), world(2, [fault], terrain="flat")
    aligned = localizer()
    for _ in range(100):
        for each in (level, simulated):
            batch = each.step(Twist2(each.t, 0.4, 0.0))
        for add, readings in (
            (aligned.add_wheels, batch.wheels),
            (aligned.add_fix, batch.fixes),
            (aligned.add_heading, batch.headings),
        ):
            for reading in readings:
                add(reading)
        states = [aligned.add_imu(sample) for sample in batch.imu]
        truth, same = simulated.truth(), level.truth()
        wanted = 0.0 if not 2.0 <= truth.t < 4.0 else math.radians(-25.0)
        if not any(edge <= truth.t <= edge + 0.31 for edge in (2.0, 3.69)):
            assert truth.rpy[0] == pytest.approx(wanted, abs=1e-3)
        assert attitude(truth) @ truth.velocity == pytest.approx(attitude(same) @ same.velocity)
        if states[-1] is not None:
            assert states[-1].rpy[0] == pytest.approx(truth.rpy[0], abs=0.03)
    assert states[-1] is not None


def test_soil_sensor_faults() -> None:
    assert steps(with_soil_sensors({"kind": "gpr_dead", "at_s": 0.5}), 20)[-1].gpr is None
    frozen = steps(with_soil_sensors({"kind": "gpr_frozen", "at_s": 0.5}), 20)
    assert np.array_equal(frozen[-1].gpr.traces, frozen[8].gpr.traces)
    assert frozen[-1].gpr.t == frozen[-1].t
    assert not np.array_equal(frozen[8].gpr.traces, frozen[7].gpr.traces)
    dead = steps(with_soil_sensors({"kind": "gpr_channel_dead", "at_s": 0.5, "channel": 3}), 20)[-1].gpr.traces
    assert np.all(dead[:, 3] == 0.0)
    assert np.all(dead[:, [0, 1, 2, 4, 5, 6, 7]] != 0.0)
    coil = steps(with_soil_sensors({"kind": "md_coil_dead", "at_s": 0.5, "coil": 5}), 20)[-1].metal
    assert coil.in_phase.tolist() == coil.quadrature.tolist() == [1, 1, 1, 1, 1, 0]
    assert steps(with_soil_sensors({"kind": "md_coil_dead", "at_s": 0.0, "coil": 77}), 2)[-1].metal.in_phase.all()


def test_lost_commands_stop_the_robot() -> None:
    simulated = world(1, [{"kind": "command_link_lost", "at_s": 2.0, "for_s": 1.5}])
    steps(simulated, 40)
    assert simulated.truth().velocity[0] > 0.4
    steps(simulated, 25)
    assert simulated.truth().velocity[0] == 0.0
    steps(simulated, 25)
    assert simulated.truth().velocity[0] > 0.4


def test_the_battery_falls_faster_while_driving() -> None:
    idle, driving = world(), world()
    for _ in range(200):
        idle.step(None)
    steps(driving, 200)
    assert 0.999 < driving.battery < idle.battery < 1.0
    assert steps(world(1, [{"kind": "low_battery", "at_s": 0.0}]), 1)[0].battery == 0.1


def test_a_restored_world_is_the_same_world() -> None:
    first = world(6)
    steps(first, 100)
    for _ in range(40):
        first.step(None)  # a restored robot stands
    saved = json.loads(json.dumps(first.export()))
    second = world(6)
    second.restore(saved)
    assert second.t == first.t
    assert np.allclose(second.truth().position, first.truth().position)
    ahead = [[sim.step(Twist2(sim.t, 0.4, 0.1)) for _ in range(60)][-1] for sim in (first, second)]
    assert ahead[0].imu[-1].rate == pytest.approx(ahead[1].imu[-1].rate, abs=1e-6)
    assert ahead[0].fixes[-1].latitude == pytest.approx(ahead[1].fixes[-1].latitude, abs=1e-11)
    assert first.truth().position == pytest.approx(second.truth().position, abs=1e-9)
    assert ahead[0].battery == ahead[1].battery


def test_generators_are_independent_of_each_other() -> None:
    streams = generators(3)
    draws = {name: rng.random() for name, rng in streams.items()}
    assert len(set(draws.values())) == len(draws)
    assert generators(3)["gpr"].random() == draws["gpr"]
