"""The robot in a Gazebo server of either generation, as the simulated world sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from mine_robot.core.types import Array, Pose2
from mine_robot.gazebo.place import GazeboError
from mine_robot.gazebo.scenery import lying
from mine_robot.gazebo.world_file import PHYSICS_STEP_S
from mine_robot.sim.terrain import Terrain
from mine_robot.sim.types import TrueState

SETTLING_STEPS = 100  # from a little above the ground until it rests on its tracks


@dataclass(frozen=True)
class Placement:
    """Where ``base_link`` is: ``position`` (3,) m in ``map``; ``attitude`` turns its vectors into ``map``."""

    position: Array
    attitude: Rotation


class Server(Protocol):
    """A Gazebo server with one robot, in lock step. Every call raises :class:`GazeboError` if it ends or does not answer."""

    def advance(self, speed: float, yaw_rate: float) -> Placement:
        """One physics step with the tracks turning for ``speed`` m/s and ``yaw_rate`` rad/s; slip takes its share."""

    def put(self, pose: Array) -> None:
        """Put the robot at ``pose`` (6,): x, y, z, roll, pitch, yaw."""

    def close(self) -> None:
        """End the server and the connections."""


class GazeboVehicle:
    """A :class:`~mine_robot.sim.vehicle.Motion` whose every step is one physics step of a Gazebo server.

    Gazebo has a clock of its own, which begins anew with each server; only steps are counted here. Its pose is the truth; velocities
    and accelerations are differences of poses, so that they fit together as the inertial unit needs them.
    """

    def __init__(self, gazebo: Server, terrain: Terrain) -> None:
        """Come to rest on ``terrain``, where the server's world has put the robot."""
        self._terrain, self._gazebo = terrain, gazebo
        self.state = self._settle(0.0)

    def shift(self, east: float, north: float) -> None:
        """Be moved by somebody, m."""
        pose = self.state.pose
        self._put(Pose2(pose.x + east, pose.y + north, pose.yaw))

    def step(self, t: float, dt: float, tracks: tuple[float, float], lost_grip: float = 0.0) -> TrueState:
        """Advance by one physics step, which ``dt`` has to be. Raises :class:`GazeboError` if the server is gone."""
        if abs(dt - PHYSICS_STEP_S) > 1e-9:
            raise ValueError(f"Gazebo steps by {PHYSICS_STEP_S} s, not {dt} s")
        speed, yaw_rate = (value * (1.0 - min(max(lost_grip, 0.0), 1.0)) for value in tracks)
        self.state = _moved(t, dt, self.state, self._gazebo.advance(speed, yaw_rate))
        return self.state

    def export(self) -> dict[str, Any]:
        """State as plain numbers."""
        pose = self.state.pose
        return {"pose": [pose.x, pose.y, pose.yaw], "t": self.state.t}

    def restore(self, data: dict[str, Any]) -> None:
        """Take up the state of :meth:`export`, standing still."""
        self._put(Pose2(*data["pose"]))
        self.state = self._settle(data["t"])

    def close(self) -> None:
        """End the server."""
        self._gazebo.close()

    def _put(self, pose: Pose2) -> None:
        self._gazebo.put(lying(self._terrain, pose))

    def _settle(self, t: float) -> TrueState:
        """Come to rest before the world's time goes on."""
        for _ in range(SETTLING_STEPS):
            placement = self._gazebo.advance(0.0, 0.0)
        depth = float(placement.position[2] - self._terrain.height(placement.position[:2]))
        if abs(depth) > 0.2:
            raise GazeboError(f"the robot does not rest on the ground in Gazebo: it is {depth:.2f} m above it")
        return _still(t, placement)


def _still(t: float, placement: Placement) -> TrueState:
    nothing = np.zeros(3)
    return TrueState(t, placement.position, _rpy(placement), nothing, nothing, nothing)


def _moved(t: float, dt: float, before: TrueState, placement: Placement) -> TrueState:
    """The motion that leads from one true state to a placement ``dt`` s later."""
    was = Rotation.from_euler("xyz", before.rpy)
    to_map = placement.attitude
    velocity = (placement.position - before.position) / dt
    turn = (was.inv() * to_map).as_rotvec() / dt
    acceleration = (velocity - was.apply(before.velocity)) / dt
    back = to_map.inv()
    return TrueState(t, placement.position, _rpy(placement), back.apply(velocity), turn, back.apply(acceleration))


def _rpy(placement: Placement) -> Any:
    rpy = placement.attitude.as_euler("xyz")
    if not all(math.isfinite(value) for value in (*rpy, *placement.position)):
        raise GazeboError("Gazebo reports a pose that is not finite")
    return rpy
