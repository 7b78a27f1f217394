"""The marker's end of the line to the actuator: numbered commands, the answer to the last one, and when it was last heard."""

from __future__ import annotations

import math
from collections.abc import Callable

from mine_robot.core.actuator_protocol import Ack, Decoder, Frame, encode


class ActuatorLine:
    """Sends one command at a time and finds its answer; times are those of the caller."""

    def __init__(self, ack_timeout: float) -> None:
        """``ack_timeout``: s after which an answer is not waited for any longer."""
        self._timeout = ack_timeout
        self._decoder = Decoder()
        self._sequence = 0
        self._asked: tuple[int, float] | None = None  # sequence and time of the command whose answer is awaited
        self.heard = -math.inf  # time of the last valid frame
        self.state: Ack | None = None  # the newest
        self.answer: Ack | None = None  # to the command sent last, if it came with the last bytes

    @property
    def rejected(self) -> int:
        """Damaged frames so far."""
        return self._decoder.rejected

    def receive(self, t: float, data: bytes) -> None:
        """Take what the line delivered by ``t``."""
        self.answer = None
        for frame in self._decoder.feed(data):
            if isinstance(frame, Ack):
                self.heard, self.state = t, frame
                if self._asked is not None and frame.sequence == self._asked[0]:
                    self.answer = frame

    def send(self, t: float, command: Callable[[int], Frame]) -> bytes:
        """The bytes of ``command``, which gets the next sequence number."""
        self._sequence = (self._sequence + 1) % 256
        self._asked = (self._sequence, t)
        return encode(command(self._sequence))

    def waits(self, t: float) -> bool:
        """True while the answer to the last command may still come."""
        return self._asked is not None and self.answer is None and t - self._asked[1] < self._timeout

    def idle(self, t: float) -> float:
        """Time in s since the last command; infinite if there was none."""
        return t - self._asked[1] if self._asked is not None else math.inf
