"""What the simulated world knows and nobody else may see (except the scorer)."""

from __future__ import annotations

from dataclasses import dataclass

from mine_robot.core.types import Array, Pose2


@dataclass(frozen=True, slots=True)
class TrueState:
    """True motion of ``base_link``: ``position`` (3,) m and ``rpy`` (3,) rad in ``map``; the rest in ``base_link``.

    ``velocity`` (3,) m/s, ``rate`` (3,) rad/s, ``acceleration`` (3,) m/s² is the derivative of the velocity seen from ``map``.
    """

    t: float
    position: Array
    rpy: Array
    velocity: Array
    rate: Array
    acceleration: Array

    @property
    def pose(self) -> Pose2:
        """The horizontal part of the pose."""
        return Pose2(float(self.position[0]), float(self.position[1]), float(self.rpy[2]))


@dataclass(frozen=True, slots=True)
class BuriedObject:
    """An object in the ground: ``kind`` names an entry of the catalogue, (x, y) in ``map``, ``depth`` of its top in m."""

    kind: str
    x: float
    y: float
    depth: float
