"""The continuous frame ``odom`` (REP-105): the way as driven, without the jumps that corrections make in ``map``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mine_robot.core.robot import rotation_from_rpy
from mine_robot.core.types import Array, NavState, wrap_angle


@dataclass(frozen=True)
class OdomPose:
    """Pose of ``base_link`` in ``odom``, and of ``odom`` in ``map``: positions (3,) in m, ``rpy`` (3,) and ``yaw`` in rad."""

    t: float
    position: Array
    rpy: Array
    odom_position: Array
    odom_yaw: float


class OdomTrack:
    """Integrates the estimated velocity and yaw rate; roll and pitch are taken as they are, for gravity does not jump."""

    def __init__(self) -> None:
        self._position: Array = np.zeros(3)
        self._yaw = 0.0
        self._last: NavState | None = None

    def update(self, state: NavState) -> OdomPose:
        """Follow to ``state``; the first one is the origin."""
        last, self._last = self._last, state
        roll, pitch, yaw = state.rpy.tolist()
        if last is not None and state.t > last.t:
            dt = state.t - last.t
            before = self._yaw
            self._yaw = wrap_angle(self._yaw + 0.5 * (_yaw_rate(last) + _yaw_rate(state)) * dt)
            middle = rotation_from_rpy(roll, pitch, before + 0.5 * wrap_angle(self._yaw - before))
            self._position = self._position + middle @ (0.5 * (last.velocity + state.velocity)) * dt
        turn = wrap_angle(yaw - self._yaw)
        odom = state.position - rotation_from_rpy(0.0, 0.0, turn) @ self._position
        return OdomPose(state.t, self._position, np.array([roll, pitch, self._yaw]), odom, turn)


def _yaw_rate(state: NavState) -> float:
    """Rate about the vertical in rad/s."""
    roll, pitch, _ = state.rpy.tolist()
    return (math.sin(roll) * float(state.rate[1]) + math.cos(roll) * float(state.rate[2])) / math.cos(pitch)
