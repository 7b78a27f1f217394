"""Protocol between the marker's computer and the actuator's firmware, over any byte stream (serial line, 115200 8N1).

**Framing.** A frame is ``COBS(payload + crc) + 0x00``. COBS (Cheshire & Baker, IEEE/ACM ToN 7(2), 1999) removes every
zero byte, so that a zero always ends a frame and a receiver recovers at the next one after garbage. ``crc`` is
CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xFFFF, no reflection; "123456789" gives 0x29B1) of the payload, high byte
first. All numbers are big-endian.

**Commands** (computer to actuator): ``kind (u8), sequence (u8), arguments``.

======  ====  =============================================  =====================================================
kind    code  arguments                                      effect
======  ====  =============================================  =====================================================
MOVE    0x01  position (i16) in 0.1 mm, left > 0             drive the slide there; refused beyond its reach
FIRE    0x02  permit (u8), tool (u8: 0 paint, 1 flag),       one pulse of paint or one flag, if the slide stands
              run (u16), target id (u32), attempt (u8)
STATUS  0x03                                                 none
SAFE    0x04  on (u8)                                        1: stop slide and pulse, refuse MOVE and FIRE until 0
======  ====  =============================================  =====================================================

**Reply** (actuator to computer, one for every command, kind ACK 0x81): ``kind (u8), sequence (u8) of the command,
result (u8), state (u8), slide position measured (i16, 0.1 mm), position switch (u8: 1 = slide stands where the last MOVE
sent it), current of the last pulse (u16, mA), paint level (u8, percent, rounded up), flags left (u8), last run (u16),
last target (u32), last attempt (u8)``. ``result`` is 0 done or begun, 1 busy, 2 refused; ``state`` is 0 idle, 1 moving,
2 firing, 3 made safe. Attempt 0 means that nothing was ever fired.

**Rules for the firmware.** A command is acknowledged at once; the outcome of a movement or a pulse is read with STATUS.
FIRE with the run, target and attempt of the last pulse is a repetition: it is acknowledged and *not* fired again. Any
other FIRE is refused unless its permit is the sequence number of the command answered last, and that answer is at most
1 s old: so a command that was held up on the line can never fire on a robot that has driven on. Last run, target and
attempt are stored before the pulse begins, its current when it ends (65535, unknown, until then); they survive a power
cut, so that the computer can always find out whether a command whose acknowledgement was lost was carried out. After
power-up the actuator is safe off (state 0).
"""

from __future__ import annotations

import binascii
import math
import struct
from dataclasses import dataclass
from enum import IntEnum

MAX_FRAME = 64  # bytes on the line; what is longer is garbage
POSITION_UNIT = 1e-4  # m
UNKNOWN_CURRENT = 65.535  # A; a pulse that has not ended, or was cut off
PERMIT_S = 1.0  # age at which the permit to fire has lapsed
_ACK = struct.Struct(">BBBBhBHBBHIB")
_FIRE = struct.Struct(">BBBBHIB")


class Kind(IntEnum):
    """First byte of a payload."""

    MOVE = 0x01
    FIRE = 0x02
    STATUS = 0x03
    SAFE = 0x04
    ACK = 0x81


class Outcome(IntEnum):
    """What became of a command."""

    DONE = 0
    BUSY = 1
    REFUSED = 2


class ActuatorState(IntEnum):
    """What the actuator does at the moment."""

    IDLE = 0
    MOVING = 1
    FIRING = 2
    SAFE = 3


class Tool(IntEnum):
    """What marks the ground."""

    PAINT = 0
    FLAG = 1


@dataclass(frozen=True, slots=True)
class Move:
    """Drive the slide to ``position`` m, left positive."""

    sequence: int
    position: float


@dataclass(frozen=True, slots=True)
class Fire:
    """One pulse for ``target_id`` of ``run``; ``attempt`` counts its pulses from 1, ``permit`` is the last answer's sequence."""

    sequence: int
    permit: int
    tool: Tool
    run: int
    target_id: int
    attempt: int


@dataclass(frozen=True, slots=True)
class StatusQuery:
    """Ask for the measured state."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Safe:
    """Make the actuator safe, or ready again."""

    sequence: int
    on: bool


@dataclass(frozen=True, slots=True)
class Ack:
    """Reply to the command of the same ``sequence``, with what the actuator measures.

    ``position`` in m, ``pulse_current`` of the last pulse in A, ``paint`` 0 to 1, ``flags`` left. ``last_attempt`` 0: nothing was
    fired yet.
    """

    sequence: int
    outcome: Outcome
    state: ActuatorState
    position: float
    in_position: bool
    pulse_current: float
    paint: float
    flags: int
    last_run: int
    last_target: int
    last_attempt: int


Frame = Move | Fire | StatusQuery | Safe | Ack


def encode(frame: Frame) -> bytes:
    """The bytes of ``frame`` on the line; raise :class:`ValueError` if a value does not fit its field."""
    try:
        payload = _payload(frame)
    except struct.error as error:
        raise ValueError(f"{frame} does not fit the protocol: {error}") from None
    return _stuff(payload + binascii.crc_hqx(payload, 0xFFFF).to_bytes(2, "big")) + b"\0"


def _payload(frame: Frame) -> bytes:
    if isinstance(frame, Move):
        return struct.pack(">BBh", Kind.MOVE, frame.sequence, round(frame.position / POSITION_UNIT))
    if isinstance(frame, Fire):
        return _FIRE.pack(
            Kind.FIRE, frame.sequence, frame.permit, frame.tool, frame.run, frame.target_id, frame.attempt
        )
    if isinstance(frame, StatusQuery):
        return struct.pack(">BB", Kind.STATUS, frame.sequence)
    if isinstance(frame, Safe):
        return struct.pack(">BBB", Kind.SAFE, frame.sequence, frame.on)
    return _ACK.pack(
        Kind.ACK,
        frame.sequence,
        frame.outcome,
        frame.state,
        round(frame.position / POSITION_UNIT),
        frame.in_position,
        round(frame.pulse_current * 1e3),
        math.ceil(frame.paint * 100.0 - 1e-6),
        frame.flags,
        frame.last_run,
        frame.last_target,
        frame.last_attempt,
    )


class Decoder:
    """Cuts a byte stream into frames; what is damaged is dropped and counted in :attr:`rejected`."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._overrun = False
        self.rejected = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes of the stream and return the frames they complete."""
        frames = []
        *complete, rest = data.split(b"\0")
        for part in complete:
            raw = bytes(self._buffer) + part
            overrun, self._overrun = self._overrun, False
            self._buffer.clear()
            frame = None if overrun else _parse(raw)
            if frame is not None:
                frames.append(frame)
            elif raw or overrun:
                self.rejected += 1
        self._buffer += rest
        if len(self._buffer) > MAX_FRAME:
            self._overrun = True
            self._buffer.clear()
        return frames


def _parse(raw: bytes) -> Frame | None:
    """One frame without its final zero; None if it is damaged or unknown."""
    if len(raw) > MAX_FRAME:
        return None
    data = _unstuff(raw)
    if data is None or len(data) < 4 or binascii.crc_hqx(data[:-2], 0xFFFF) != int.from_bytes(data[-2:], "big"):
        return None
    payload = data[:-2]
    try:
        kind = Kind(payload[0])
        if kind is Kind.MOVE:
            _, sequence, position = struct.unpack(">BBh", payload)
            return Move(sequence, position * POSITION_UNIT)
        if kind is Kind.FIRE:
            _, sequence, permit, tool, run, target, attempt = _FIRE.unpack(payload)
            return Fire(sequence, permit, Tool(tool), run, target, attempt)
        if kind is Kind.STATUS:
            return StatusQuery(struct.unpack(">BB", payload)[1])
        if kind is Kind.SAFE:
            _, sequence, on = struct.unpack(">BBB", payload)
            return Safe(sequence, bool(on))
        _, sequence, outcome, state, position, switch, current, paint, flags, *last = _ACK.unpack(payload)
        return Ack(
            sequence,
            Outcome(outcome),
            ActuatorState(state),
            position * POSITION_UNIT,
            bool(switch),
            current / 1e3,
            paint / 100.0,
            flags,
            *last,
        )
    except (ValueError, struct.error):
        return None


def _stuff(data: bytes) -> bytes:
    """COBS of ``data`` (shorter than 254 bytes): each block is its length plus one, then its bytes, the zero left out."""
    return b"".join(bytes([len(block) + 1]) + block for block in data.split(b"\0"))


def _unstuff(data: bytes) -> bytes | None:
    """Inverse of :func:`_stuff`; None if the block lengths do not add up."""
    blocks, at = [], 0
    while at < len(data):
        length = data[at]
        if length == 0 or at + length > len(data):
            return None
        blocks.append(data[at + 1 : at + length])
        at += length
    return b"\0".join(blocks)
