"""What the stack has said so far, for those who want to sound like it: for the attacks of ``gate_campaign.py``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import gate_messages as hostile
from rclpy.serialization import serialize_message

from mine_robot.core.types import (
    LedgerGrid,
    MissionStatus,
    NavState,
    Remark,
    RemarkKind,
    SweepEvidence,
    Target,
    TargetClass,
    Twist2,
)
from mine_robot.ros import decode
from mine_robot.ros.topics import LEDGER, MISSION_STATE, ODOMETRY, TARGETS, Topic


class Scene:
    """What the stack has said so far, for those who want to sound like it."""

    def __init__(self, heard: dict[Topic, deque[tuple[float, bytes]]], now: Callable[[], float]) -> None:
        self._heard, self._now = heard, now
        self._known_targets: tuple[Target, ...] | None = None

    @property
    def t(self) -> float:
        """The time of the stack, s."""
        return self._now()

    def last(self, topic: Topic) -> bytes | None:
        """The newest message."""
        return self._heard[topic][-1][1] if self._heard[topic] else None

    def history(self, topic: Topic) -> list[tuple[float, bytes]]:
        """Messages with the wall time at which they came."""
        return list(self._heard[topic])

    def bytes(self, message: Any) -> bytes:
        """A message of rclpy as bytes."""
        return bytes(serialize_message(message))

    def _read(self, topic: Topic, read: Callable[[Any], Any]) -> Any:
        for _, data in reversed(self.history(topic)):
            try:
                return read(hostile.unpack(topic, data))
            except Exception:  # an attack may have been heard here
                continue
        return None

    @property
    def nav(self) -> NavState:
        """The newest pose."""
        found = self._read(ODOMETRY, decode.odometry)
        assert isinstance(found, NavState)
        return found

    @property
    def grid(self) -> LedgerGrid:
        """The newest ledger."""
        found = self._read(LEDGER, decode.ledger)
        assert isinstance(found, LedgerGrid)
        return found

    @property
    def suspects(self) -> tuple[Target, ...]:
        """The newest targets."""
        return tuple(self._read(TARGETS, decode.targets) or ())

    @property
    def known_targets(self) -> tuple[Target, ...]:
        """The targets when the attack first asked: what it says itself is heard too."""
        if self._known_targets is None:
            self._known_targets = self.suspects
        return self._known_targets

    def forget(self) -> None:
        """Another attack begins."""
        self._known_targets = None

    @property
    def status(self) -> MissionStatus:
        """The newest state of the mission."""
        found = self._read(MISSION_STATE, decode.mission_status)
        assert isinstance(found, MissionStatus)
        return found

    def twist(self, speed: float, rate: float = 0.0) -> Twist2:
        """A command of now."""
        return Twist2(self.t, speed, rate)

    def target(self, number: int, x: float, y: float, p: float = 0.99) -> Target:
        """A target."""
        return Target(number, x, y, 0.0, 0.02, 0.02, 0.05, 8.0, 8.0, p, TargetClass.AT)

    def line(self, t: float, x: float, y: float, yaw: float) -> SweepEvidence:
        """A searched line that satisfies every limit."""
        return SweepEvidence(t, x, y, yaw, 0.01, 0.05, 0.4, True, True)

    def remark(self, kind: RemarkKind, target: int) -> Remark:
        """What nobody said."""
        return Remark(self.t, "x-1", kind, target, "seen, all clear", "operator")
