"""The robot on Gazebo's ground: it rests, drives, turns and can be moved, and the same drive is the same twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from sim_drive import FIELD, ROOT

from mine_robot.core.types import Pose2
from mine_robot.gazebo import lockstep
from mine_robot.gazebo.lockstep import LockStep
from mine_robot.gazebo.place import GazeboError, gazebo11
from mine_robot.gazebo.vehicle import GazeboVehicle
from mine_robot.gazebo.world_file import write_world
from mine_robot.pipeline.loading import expand_urdf
from mine_robot.sim.terrain import Terrain, TerrainSpec
from mine_robot.sim.types import TrueState

REASON = gazebo11().missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)
START = Pose2(2.0, -2.0, 0.3)
TERRAIN = Terrain(TerrainSpec(roughness_m=0.02, slope_deg=4.0, aspect_deg=30.0), np.random.default_rng(2))
DT = 0.01


@contextmanager
def robot(folder: Path) -> Iterator[GazeboVehicle]:
    folder.mkdir(exist_ok=True)
    write_world(folder / "world.sdf", expand_urdf(ROOT / "urdf" / "mine_robot.urdf.xacro"), FIELD, TERRAIN, START)
    vehicle = GazeboVehicle(LockStep(gazebo11(), folder / "world.sdf", folder / "log"), TERRAIN)
    try:
        yield vehicle
    finally:
        vehicle.close()


def drive(vehicle: GazeboVehicle, seconds: float, speed: float, yaw_rate: float, grip: float = 1.0) -> list[TrueState]:
    return [vehicle.step(vehicle.state.t + DT, DT, (speed, yaw_rate), 1.0 - grip) for _ in range(round(seconds / DT))]


def test_it_rests_on_the_ground_drives_turns_slips_and_is_moved(tmp_path: Path) -> None:
    with robot(tmp_path) as vehicle:
        start = vehicle.state
        assert np.hypot(*(start.position[:2] - (START.x, START.y))) < 0.02
        assert start.position[2] == pytest.approx(float(TERRAIN.height(start.position[:2])), abs=0.01)
        ahead = drive(vehicle, 4.0, 0.4, 0.0)
        assert ahead[-1].velocity[0] == pytest.approx(0.4, rel=0.05)
        assert np.hypot(*(ahead[-1].position - start.position)[:2]) == pytest.approx(1.6, rel=0.05)
        turned = drive(vehicle, 4.0, 0.0, 0.5)[-1]
        assert 0.2 < turned.rate[2] < 0.5, "slip takes a share of a turn, to the left as it was meant"
        spinning = drive(vehicle, 3.0, 0.4, 0.0, grip=0.25)[-1]
        assert spinning.velocity[0] == pytest.approx(0.1, rel=0.1)
        stopped = drive(vehicle, 2.0, 0.0, 0.0)[-1]
        assert np.abs(stopped.velocity).max() < 0.005
        vehicle.shift(1.0, -0.5)
        moved = drive(vehicle, 1.0, 0.0, 0.0)[-1]
        assert moved.position[:2] - stopped.position[:2] == pytest.approx([1.0, -0.5], abs=0.03)
        vehicle.restore({"pose": [START.x, START.y, START.yaw], "t": 50.0})
        assert vehicle.state.t == 50.0
        assert np.hypot(*(vehicle.state.position[:2] - (START.x, START.y))) < 0.02


def test_the_same_drive_is_the_same_twice(tmp_path: Path) -> None:
    tracks = []
    for name in ("a", "b"):
        with robot(tmp_path / name) as vehicle:
            states = drive(vehicle, 1.5, 0.4, 0.1) + drive(vehicle, 1.5, -0.2, 0.3)
            tracks.append([(*state.position, *state.rpy) for state in states])
    assert tracks[0] == tracks[1]


def test_a_world_that_gazebo_cannot_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockstep, "START_TIMEOUT_S", 5.0)
    (tmp_path / "world.sdf").write_text("no world")
    with pytest.raises(GazeboError, match="gzserver"):
        LockStep(gazebo11(), tmp_path / "world.sdf", tmp_path / "log")
