"""Past poses of the IMU, for measurements that arrive late."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from mine_robot.core.robot import rotation_from_rpy
from mine_robot.core.types import Array
from mine_robot.localization.models import PastPose

NEAR_S = 0.02  # 1 cm at search speed


@dataclass(frozen=True, slots=True)
class _Entry:
    """A pose as predicted, with the corrections made until then."""

    pose: PastPose
    shift: Array
    turn: float


class PoseHistory:
    """Keeps the poses of the last ``span`` s; corrections of the present pose carry over to the past ones.

    Without that, a late measurement would be compared with a pose that lacks what was learned since, and apply it twice.
    """

    def __init__(self, span: float) -> None:
        self._span = span
        self._entries: deque[_Entry] = deque()
        self._shift: Array = np.zeros(3)
        self._turn = 0.0

    def add(self, pose: PastPose) -> None:
        """Remember the present pose."""
        self._entries.append(_Entry(pose, self._shift, self._turn))
        while self._entries[0].pose.t < pose.t - self._span:
            self._entries.popleft()

    def correct(self, shift: Array, turn: float) -> None:
        """Note a correction of the present pose: ``shift`` (3,) m in ``map`` and ``turn`` rad about the vertical."""
        self._shift = self._shift + shift
        self._turn += turn

    def at(self, t: float) -> PastPose | None:
        """The pose nearest to ``t`` as it is seen now; None if there is none so near that the robot could not have moved."""
        entry = min(self._entries, key=lambda item: abs(item.pose.t - t), default=None)
        if entry is None or abs(entry.pose.t - t) > NEAR_S:
            return None
        rotation = rotation_from_rpy(0.0, 0.0, self._turn - entry.turn)
        pose = entry.pose
        return PastPose(pose.t, pose.position + self._shift - entry.shift, rotation @ pose.attitude)
