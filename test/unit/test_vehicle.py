"""The simulated vehicle and the inertial unit it carries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sim_drive import FIELD, ROBOT, attitude, world

from mine_robot.core.geodesy import normal_gravity
from mine_robot.core.parameters import build
from mine_robot.core.robot import rotation_from_rpy
from mine_robot.core.types import Pose2, Twist2
from mine_robot.sim.navigation import ImuModel
from mine_robot.sim.params import ImuParams, VehicleParams
from mine_robot.sim.terrain import Terrain, TerrainSpec
from mine_robot.sim.types import TrueState
from mine_robot.sim.vehicle import Tracks, Vehicle

DT = 0.01


class Robot:
    """Tracks and the vehicle they drive."""

    def __init__(self, seed: int, spec: TerrainSpec, params: VehicleParams) -> None:
        rng = np.random.default_rng(seed)
        self.terrain = Terrain(spec, rng)
        self.tracks = Tracks(params, 0.62)
        self.vehicle = Vehicle(params, self.terrain, spec.slip, Pose2(1.0, -2.0, 0.7), rng)

    @property
    def state(self) -> TrueState:
        return self.vehicle.state

    def step(self, lost_grip: float = 0.0) -> TrueState:
        t = self.state.t + DT
        return self.vehicle.step(t, DT, self.tracks.step(t, DT), lost_grip)


def vehicle(seed: int = 0, spec: TerrainSpec | None = None, **overrides: float) -> Robot:
    return Robot(seed, spec if spec is not None else TerrainSpec(), build(VehicleParams, overrides))


def run(robot: Robot, seconds: float, speed: float, yaw_rate: float) -> list[TrueState]:
    states = []
    for _ in range(round(seconds / DT)):
        robot.tracks.command(Twist2(robot.state.t, speed, yaw_rate))
        states.append(robot.step())
    return states


def test_it_reaches_the_speed_within_its_acceleration() -> None:
    robot = vehicle(spec=TerrainSpec(roughness_m=0.0, slip=0.0), slip_sigma=0.0)
    states = run(robot, 2.0, 0.5, 0.0)
    assert states[-1].velocity[0] == pytest.approx(0.5, abs=0.005)
    assert max(abs(state.acceleration[0]) for state in states) <= 2.5 + 1e-6
    assert np.hypot(*(states[-1].position[:2] - (1.0, -2.0))) == pytest.approx(0.9, abs=0.1)


def test_it_stops_within_the_stopping_distance_of_the_limits() -> None:
    from sim_drive import LIMITS

    robot = vehicle()
    before = run(robot, 3.0, LIMITS.drive_speed, 0.0)[-1]
    after = run(robot, 3.0, 0.0, 0.0)[-1]
    assert np.hypot(*(after.position - before.position)[:2]) < LIMITS.stopping_distance(LIMITS.drive_speed)
    assert np.all(after.velocity == 0.0)
    assert np.all(after.rate == 0.0)


@pytest.mark.parametrize("speed", [0.5, -0.5])
def test_across_a_slope_it_slips_downhill_in_both_directions(speed: float) -> None:
    spec = TerrainSpec(roughness_m=0.0, slope_deg=5.0, aspect_deg=0.0)  # rises to the north
    robot = vehicle(spec=spec, slip_sigma=0.0, skid_sigma=0.0)
    robot.vehicle.restore({**robot.vehicle.export(), "pose": [0.0, 0.0, 0.0]})
    state = run(robot, 3.0, speed, 0.0)[-1]
    assert state.position[1] == pytest.approx(-0.1 * math.tan(math.radians(5.0)) * abs(state.position[0]), rel=0.02)


def test_it_stops_by_itself_when_commands_cease() -> None:
    robot = vehicle()
    run(robot, 2.0, 0.5, 0.0)
    for _ in range(100):
        robot.step()
    assert robot.tracks.twist == (0.0, 0.0)
    robot.tracks.command(Twist2(robot.state.t - 0.5, 0.5, 0.0))  # an old command is none
    assert robot.step().velocity[0] == 0.0
    robot.tracks.command(Twist2(robot.state.t, math.nan, 0.0))
    assert np.isfinite(robot.step().position).all()


def test_slip_takes_speed_and_yaw_rate_but_not_from_the_encoders() -> None:
    robot = vehicle(spec=TerrainSpec(roughness_m=0.0, slip=0.05), slip_sigma=0.0)
    turning = run(robot, 3.0, 0.4, 0.5)[-1]
    assert robot.tracks.twist == pytest.approx((0.4, 0.5), abs=1e-3)
    assert 0.3 < turning.rate[2] < 0.48
    straight = run(vehicle(spec=TerrainSpec(roughness_m=0.0, slip=0.05), slip_sigma=0.0), 3.0, 0.4, 0.0)[-1]
    assert turning.velocity[0] < straight.velocity[0] < 0.4
    stuck = vehicle()
    for _ in range(300):
        stuck.tracks.command(Twist2(stuck.state.t, 0.5, 0.0))
        stuck.step(1.0)
    assert abs(stuck.state.velocity[0]) < 1e-3
    assert stuck.tracks.twist[0] == pytest.approx(0.5, abs=1e-3)


def test_it_lies_on_the_ground_and_its_motion_is_consistent() -> None:
    robot = vehicle(3, TerrainSpec(roughness_m=0.04, wavelength_m=4.0, slope_deg=8.0))
    states = run(robot, 20.0, 0.5, 0.25)
    for before, after in zip(states[500::97], states[501::97]):
        turn = attitude(before).T @ attitude(after)
        rate = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / (2.0 * DT)
        assert np.allclose(rate, 0.5 * (before.rate + after.rate), atol=2e-3)
        moved = (after.position - before.position) / DT
        assert np.allclose(moved, attitude(after) @ after.velocity, atol=5e-3)
        assert abs(after.velocity[2]) < 1e-9
        ahead = after.position + attitude(after) @ np.array([0.02, 0.0, 0.0])
        assert ahead[2] == pytest.approx(float(robot.terrain.height(ahead[:2])), abs=1e-4)


def test_a_standing_unit_feels_gravity_only() -> None:
    simulated = world(overrides={"imu.accel_bias": 0.0, "imu.gyro_bias": 0.0})
    samples = [sample for _ in range(20) for sample in simulated.step(None).imu]
    force = np.mean([sample.force for sample in samples], axis=0)
    gravity = normal_gravity(FIELD.datum.latitude)
    assert np.linalg.norm(force) == pytest.approx(gravity, abs=0.01)
    assert attitude(simulated.truth()) @ force == pytest.approx([0.0, 0.0, gravity], abs=0.02)
    assert np.abs(np.mean([sample.rate for sample in samples], axis=0)).max() < 1e-3


def test_a_perfect_unit_leads_back_to_the_true_path() -> None:
    quiet = dict.fromkeys(("gyro_noise", "accel_noise", "gyro_bias", "accel_bias", "vibration"), 0.0)
    quiet |= {"gyro_bias_walk": 0.0, "accel_bias_walk": 0.0}
    robot = vehicle(5, TerrainSpec(roughness_m=0.04))
    unit = ImuModel(build(ImuParams, quiet), ROBOT, FIELD.datum, np.random.default_rng(0))
    state = robot.state
    unit.sample(state)
    turned = rotation_from_rpy(*state.rpy)
    velocity, position = np.zeros(3), state.position + turned @ ROBOT.imu
    gravity = np.array([0.0, 0.0, normal_gravity(FIELD.datum.latitude)])
    for state in run(robot, 20.0, 0.5, 0.3):
        sample = unit.sample(state)
        angle = np.linalg.norm(sample.rate) * DT
        x, y, z = sample.rate * DT
        skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        step = np.eye(3) + skew * np.sinc(angle / np.pi) + 0.5 * skew @ skew
        middle = 0.5 * (turned + turned @ step)
        turned = turned @ step
        before, velocity = velocity, velocity + (middle @ sample.force - gravity) * DT
        position = position + 0.5 * (before + velocity) * DT
    assert np.allclose(turned, attitude(state), atol=1e-3)
    assert np.allclose(position, state.position + attitude(state) @ ROBOT.imu, atol=0.05)
