"""The door of a node for one topic: bytes in; what they say out, or a refusal.

Time is the clock of the stack, on which the rates of :mod:`mine_robot.ros.gate` are meant: simulated time may run many times as fast as
the wall's, and stand still while it waits, and then nobody has anything new to say.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from mine_robot.ros.checks import DecodeError
from mine_robot.ros.gate import BURST_S, GATE, QUEUE, Row
from mine_robot.ros.refusals import Refusals
from mine_robot.ros.topics import Delivery, Topic
from mine_robot.ros.wire import deserialiser

Decode = Callable[[Any], Any]
# Every message of the stack but the clock begins with a std_msgs/Header; 4 bytes of CDR encapsulation precede it.
STAMPS = {0: struct.Struct(">iI"), 1: struct.Struct("<iI")}
HEAD = 12
REFUSED = object()


def RAW(data: bytes) -> bytes:
    """The decoder of those who want serialised messages."""
    return data


def stamp(data: bytes) -> float:
    """The header stamp of a serialised message in s; raises :class:`DecodeError` if it is none."""
    if len(data) < HEAD or data[0] != 0 or data[1] not in STAMPS:
        raise DecodeError("no message")
    sec, nanosec = STAMPS[data[1]].unpack_from(data, 4)
    if sec < 0 or nanosec >= 1_000_000_000:
        raise DecodeError("the stamp is no time")
    return float((sec * 1_000_000_000 + nanosec) / 1e9)


class Flow:
    """A bucket that fills with ``rate`` a second and holds what may come at once."""

    def __init__(self, rate: float, now: Callable[[], float]) -> None:
        self._rate, self._now = rate, now
        self._most = self._left = max(BURST_S * rate, float(QUEUE))
        self._t = now()

    def passes(self) -> bool:
        """True if one more message is within the rate. The clock is looked at only where that is in question."""
        if self._left < 1.0:
            t = self._now()
            self._left = min(self._left + self._rate * max(t - self._t, 0.0), self._most)
            self._t = t
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Intake:
    """What a node takes of ``topic``: :meth:`take` gives the content or :data:`REFUSED`, and the refusal is in ``refusals``."""

    def __init__(self, topic: Topic, decode: Decode, now: Callable[[], float], refusals: Refusals) -> None:
        self._topic, self._decode, self._now, self._refusals = topic, decode, now, refusals
        self.row: Row = GATE[topic]
        self._read = deserialiser(topic.type_name)
        self._flow = Flow(self.row.rate_max, now)
        self._clock = self._last = float("-inf")
        self._kept: bytes | None = None

    def take(self, data: bytes) -> Any:
        """The content of a message."""
        if not self._flow.passes():
            return self._flood(data)
        self._kept = None
        try:
            return self._content(data)
        except DecodeError as error:
            return self.refuse(str(error))

    def take_kept(self) -> Any:
        """The newest message of a state that came too soon, once its time has come; else :data:`REFUSED`."""
        if self._kept is None or not self._flow.passes():
            return REFUSED
        data, self._kept = self._kept, None
        try:
            return self._content(data)
        except DecodeError as error:
            return self.refuse(str(error))

    def refuse(self, reason: str) -> Any:
        """Count a refusal."""
        self._refusals.note(self._topic.name, reason, safety=self.row.safety)
        return REFUSED

    def _flood(self, data: bytes) -> Any:
        """Too many: of a state the newest waits, as it would in a queue of depth 1."""
        if self._topic.delivery is Delivery.STATE:
            self._kept = data
        return self.refuse(f"more than {self.row.rate_max:g} messages a second")

    def _content(self, data: bytes) -> Any:
        row = self.row
        if len(data) > row.bytes_max:
            raise DecodeError(f"more than {row.bytes_max} bytes")
        t = stamp(data) if self._topic.stamped else self._last
        if self._decode is RAW:
            return data
        if self._topic.stamped:
            self._check_time(t)
        content = self._decode(self._read(data))
        self._last = t
        return content

    def _check_time(self, t: float) -> None:
        """Raise :class:`DecodeError` if a stamp lies ahead of the clock, or does not come after the last one where it has to.

        The clock is looked at only where an earlier look leaves it in question; before simulated time runs (0) it is not known.
        """
        ahead = self.row.ahead if self.row.ahead is not None else float("inf")
        late = self.row.ordered and t <= self._last
        if not late and t - self._clock <= ahead:
            return
        self._clock = self._now()
        if self._clock > 0.0:
            if t - self._clock > ahead:
                raise DecodeError("the stamp lies in the future")
            if self._last - self._clock > ahead:  # taken before the clock was known
                return
        if late:
            raise DecodeError("the stamp does not come after the one before")
