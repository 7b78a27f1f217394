"""Framing of the actuator's protocol: examples a firmware author can check against, and garbage."""

from __future__ import annotations

import binascii

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mine_robot.core.actuator_protocol import (
    MAX_FRAME,
    Ack,
    ActuatorState,
    Decoder,
    Fire,
    Move,
    Outcome,
    Safe,
    StatusQuery,
    Tool,
    encode,
)

U8 = st.integers(0, 255)
MOVES = st.builds(Move, U8, st.integers(-32768, 32767).map(lambda value: value * 1e-4))
U16, U32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
FIRES = st.builds(Fire, U8, U8, st.sampled_from(Tool), U16, U32, U8)
ACKS = st.builds(
    Ack,
    U8,
    st.sampled_from(Outcome),
    st.sampled_from(ActuatorState),
    st.integers(-9000, 9000).map(lambda value: value * 1e-4),
    st.booleans(),
    st.integers(0, 65535).map(lambda value: value / 1e3),
    st.integers(0, 100).map(lambda value: value / 100),
    U8,
    U16,
    U32,
    U8,
)
FRAMES = st.one_of(MOVES, FIRES, ACKS, st.builds(StatusQuery, U8), st.builds(Safe, U8, st.booleans()))


def test_bytes_on_the_line() -> None:
    assert binascii.crc_hqx(b"123456789", 0xFFFF) == 0x29B1
    crc = binascii.crc_hqx(b"\x03\x07", 0xFFFF).to_bytes(2, "big")
    assert encode(StatusQuery(7)) == b"\x05\x03\x07" + crc + b"\0"
    fire = encode(Fire(1, 9, Tool.FLAG, 0x0102, 300, 2))
    assert fire.count(0) == 1
    assert fire.endswith(b"\0")
    assert fire[:7] == b"\x07\x02\x01\x09\x01\x01\x02"  # six bytes before the first zero of the id


@given(st.lists(FRAMES, max_size=8), st.integers(1, 9))
@settings(max_examples=150, deadline=None)
def test_any_frames_survive_any_chunks(frames: list, size: int) -> None:
    data = b"".join(encode(frame) for frame in frames)
    decoder = Decoder()
    received = [frame for at in range(0, len(data), size) for frame in decoder.feed(data[at : at + size])]
    assert received == pytest.approx(frames) if not frames else len(received) == len(frames)
    for sent, got in zip(frames, received, strict=True):
        assert type(sent) is type(got)
        for name in type(sent).__slots__:
            assert getattr(got, name) == pytest.approx(getattr(sent, name), abs=1e-9)
    assert decoder.rejected == 0


@given(st.lists(st.binary(max_size=200), max_size=6), FIRES)
@settings(max_examples=150, deadline=None)
def test_garbage_never_raises_and_a_good_frame_after_it_is_read(chunks: list[bytes], frame: Fire) -> None:
    decoder = Decoder()
    for chunk in chunks:
        decoder.feed(chunk)
    assert decoder.feed(b"\0" + encode(frame))[-1] == frame


@given(FRAMES, st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_a_damaged_byte_is_never_read_as_another_frame(frame, where: int, flip: int) -> None:
    data = bytearray(encode(frame))
    data[where % len(data)] ^= flip
    decoder = Decoder()
    assert decoder.feed(bytes(data) + b"\0") in ([], [frame])


def test_noise_without_an_end_does_not_fill_the_memory() -> None:
    decoder = Decoder()
    for _ in range(1000):
        decoder.feed(b"\x55" * 37)
    assert len(decoder._buffer) <= MAX_FRAME
    assert decoder.feed(b"\0" + encode(StatusQuery(1))) == [StatusQuery(1)]
    assert decoder.rejected == 1


@pytest.mark.parametrize(
    "frame",
    [Move(0, 99.0), Fire(0, 0, 0, 0, -1, 1), Fire(0, 0, 0, 0, 2**32, 1), StatusQuery(256), Fire(0, 0, 0, 2**16, 1, 2)],
)
def test_values_that_do_not_fit_are_refused(frame) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode(frame)


def test_paint_is_empty_only_when_it_is() -> None:
    ack = Ack(0, Outcome.DONE, ActuatorState.IDLE, 0.0, True, 1.0, 0.001, 3, 1, 1, 1)
    assert Decoder().feed(encode(ack))[0].paint == 0.01
