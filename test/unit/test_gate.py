"""What may be in a topic: the cases that killed nodes, what has to pass all the same, rates, stamps, and how a refusal shows."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mine_robot.core.types import INPUT_REFUSED, Health, Level, Target, TargetClass
from mine_robot.coverage.ledger import MAX_CELLS
from mine_robot.mission.reactions import REACTIONS
from mine_robot.ros import decode
from mine_robot.ros.checks import DecodeError, Range, plain_text
from mine_robot.ros.gate import BURST_S, GATE, QUEUE
from mine_robot.ros.intake import REFUSED, Flow, Intake, stamp
from mine_robot.ros.refusals import OTHER, REASONS_MAX, SHOWN_MOST, SHOWN_S, Refusals
from mine_robot.ros.topics import CMD_RAW, IMU, LEDGER, MISSION_STATE, ODOMETRY, TARGETS, Topic

FLOATS = ("x", "y", "z", "sigma_x", "sigma_y", "depth", "llr_gpr", "llr_md", "p_hazard")
HEADER = SimpleNamespace(stamp=SimpleNamespace(sec=100, nanosec=0), frame_id="map")
ORIENTATION = SimpleNamespace(x=0.0, y=0.0, z=0.0, w=1.0)


def cloud(**changes: Any) -> SimpleNamespace:
    """A list of one target, as it comes over the wire, with parts of it changed."""
    names = [("id", "u4"), *((name, "f4") for name in FLOATS), ("class", "u4")]
    row = np.zeros(1, [(name, "<" + kind) for name, kind in names])
    row["id"], row["p_hazard"], row["class"] = 7, 0.75, 3
    for name in changes.keys() & {name for name, _ in names}:
        row[name] = changes.pop(name)
    kinds = {"u4": 6, "f4": 7}
    fields = [
        SimpleNamespace(name=name, offset=4 * i, datatype=kinds[kind], count=1) for i, (name, kind) in enumerate(names)
    ]
    for name, change in changes.pop("field", {}).items():
        setattr(fields[1], name, change)
    message = SimpleNamespace(
        header=HEADER,
        height=1,
        width=1,
        fields=fields,
        is_bigendian=False,
        point_step=44,
        row_step=44,
        data=row.tobytes(),
    )
    return SimpleNamespace(**{**vars(message), **changes})


def grid(**changes: Any) -> SimpleNamespace:
    place = SimpleNamespace(position=SimpleNamespace(x=0.0, y=0.0, z=0.0), orientation=ORIENTATION)
    info = SimpleNamespace(resolution=0.1, width=3, height=2, origin=place)
    data = np.array([-1, 0, 10, 50, 75, 100], np.int8)
    for name in changes.keys() & vars(info).keys():
        setattr(info, name, changes.pop(name))
    return SimpleNamespace(**{"header": HEADER, "info": info, "data": data, **changes})


def image(**changes: Any) -> SimpleNamespace:
    message = {
        "header": HEADER,
        "height": 4,
        "width": 2,
        "encoding": "32FC1",
        "is_bigendian": 0,
        "step": 8,
        "data": bytes(32),
    }
    return SimpleNamespace(**{**message, **changes})


def report(**changes: Any) -> SimpleNamespace:
    status = SimpleNamespace(**{"name": "guard", "level": 0, "message": "", "values": [], **changes})
    return SimpleNamespace(header=HEADER, status=[status])


def pair(key: str, value: str) -> SimpleNamespace:
    return SimpleNamespace(key=key, value=value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": math.nan}, "target 7 of probability 0.75 has no place"),
        ({"y": 2e5}, "y is 200000"),
        ({"sigma_x": -0.1}, "sigma_x is -0.1"),
        ({"p_hazard": 1.5}, "p_hazard is 1.5, expected 0 to 1"),
        ({"p_hazard": math.nan}, "p_hazard is nan"),
        ({"class": 200}, "class is 200"),
        ({"id": 4_000_000_000}, "id is 4e"),
        ({"field": {"offset": 2147483644}}, "field x of the point cloud at byte 2147483644"),
        ({"field": {"offset": 42}}, "does not fit into its 44 bytes"),
        ({"field": {"offset": 2}}, "field x of the point cloud at byte 2"),
        ({"field": {"datatype": 0}}, "datatype 0"),
        ({"field": {"count": 12}}, "12 x datatype 7"),
        ({"field": {"name": "id"}}, "no field x"),
        ({"point_step": 0}, "points of 0 bytes"),
        ({"width": 2**31, "height": 2**31}, "expected 0 to 20000"),
        ({"width": 2}, "has 44 bytes"),
        ({"width": 1, "height": 2, "data": bytes(88), "row_step": 4096}, "has 88 bytes"),
    ],
)  # fmt: skip
def test_target_lists_that_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        decode.targets(cloud(**changes))


def test_ids_that_are_no_ids_are_refused() -> None:
    fields = cloud().fields
    fields[0].datatype = 7  # a float
    for number in (math.nan, 7.5, -1.0, 1e9, math.inf):
        data = bytearray(cloud().data)
        data[:4] = np.float32(number).tobytes()
        with pytest.raises(DecodeError, match="id is"):
            decode.targets(cloud(fields=fields, data=bytes(data)))
    twice = cloud(width=2, data=cloud().data * 2)
    with pytest.raises(DecodeError, match="two targets have one id"):
        decode.targets(twice)


def test_what_the_consumers_know_as_not_known_passes() -> None:
    """A depth that no radar saw, a place-holder of a damaged record, a sensor that reads nothing."""
    (found,) = decode.targets(cloud(depth=math.nan, sigma_x=math.inf))
    assert math.isnan(found.depth)
    (lost,) = decode.targets(cloud(x=math.nan, y=math.nan, p_hazard=0.0))
    assert isinstance(lost, Target) and lost.kind is TargetClass.AT
    assert np.isnan(decode.gpr(image(data=np.full(8, np.nan, "<f4").tobytes())).traces).all()
    big = cloud(is_bigendian=True, data=np.frombuffer(cloud(x=3.0).data, "<u4").astype(">u4").tobytes())
    assert decode.targets(big)[0].x == 3.0


@pytest.mark.parametrize(
    "changes",
    [
        {"data": np.zeros(5, np.int8)}, {"data": np.full(6, 7, np.int8)}, {"resolution": 0.0}, {"resolution": math.nan},
        {"width": 0, "data": np.zeros(0, np.int8)}, {"width": 2**31, "height": 2**31},
    ],
)  # fmt: skip
def test_ledgers_that_are_refused(changes: dict[str, Any]) -> None:
    assert decode.ledger(grid()).cells.shape == (2, 3)
    with pytest.raises(DecodeError):
        decode.ledger(grid(**changes))


def test_the_largest_ledger_of_a_field_passes() -> None:
    assert GATE[LEDGER].items[1] >= MAX_CELLS
    assert GATE[LEDGER].bytes_max >= MAX_CELLS + 1000


@pytest.mark.parametrize(
    "changes",
    [
        {"step": 4}, {"step": 16}, {"height": 5}, {"height": 0, "data": b""}, {"width": 0, "step": 0, "data": b""},
        {"height": 2**31, "step": 0, "data": b""}, {"step": 2**31}, {"encoding": "x\x1b[2J" * 1000},
    ],
)  # fmt: skip
def test_scans_that_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DecodeError) as error:
        decode.gpr(image(**changes))
    assert str(error.value).isprintable() and len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"level": 7}, "level is '7', expected one of 0, 1, 2, 3"),
        ({"level": b"\x07"}, "level is '7'"),
        ({"name": "n" * 1000}, "1000 characters"),
        ({"message": "m" * 100_000}, "100000 characters"),
        ({"values": [pair("k", "v")] * 1000}, "1000 values"),
        ({"values": [pair("searched_m2", "plenty")]}, "searched_m2 is 'plenty', expected a number"),
        ({"values": [pair("searched_m2", "nan")]}, "searched_m2 is nan"),
        ({"values": [pair("unproven_m2", "-1")]}, "unproven_m2 is -1"),
    ],
)  # fmt: skip
def test_health_that_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        decode.diagnostics(report(**changes))


def test_text_from_outside_is_one_line_of_text() -> None:
    _, (health,) = decode.diagnostics(report(message="a\nb\x1b[2J\0\u202e\ud800", values=[pair("k\t", "şüşə")]))
    assert health.message == "a b\ufffd[2J\ufffd\ufffd\ufffd"
    assert health.values == {"k ": "şüşə"}
    health.message.encode()  # no half of a character is left
    assert plain_text("می‌خواهم، שלום") == "می‌خواهم، שלום"


@pytest.mark.parametrize("stamp_", [(-1, 0), (0, 1_000_000_000), (0, 2**32 - 1)])
def test_stamps_that_are_no_times(stamp_: tuple[int, int]) -> None:
    with pytest.raises(DecodeError, match="is no time"):
        decode.seconds(SimpleNamespace(sec=stamp_[0], nanosec=stamp_[1]))


def test_an_orientation_that_nobody_filled_in_is_refused_and_one_that_is_lost_is_not() -> None:
    zero = SimpleNamespace(x=0.0, y=0.0, z=0.0, w=0.0)
    with pytest.raises(DecodeError, match="no rotation"):
        decode.yaw_pitch_roll(zero)
    for value in (math.nan, math.inf, 1e308):
        assert all(map(math.isnan, decode.yaw_pitch_roll(SimpleNamespace(x=value, y=0.0, z=0.0, w=1.0))))


# --- rates and stamps ------------------------------------------------------------------------------------------------------
class Door:
    """An intake whose messages are as many bytes as a stamp needs, and whose clock is set by hand."""

    def __init__(self, topic: Topic) -> None:
        self.t, self.refusals = 1000.0, Refusals()
        self.intake = Intake(topic, lambda data: data, lambda: self.t, self.refusals)
        self.intake._read = lambda data: stamp(data)

    def take(self, t: float) -> Any:
        return self.intake.take(b"\0\1\0\0" + int(t).to_bytes(4, "little") + round(t % 1 * 1e9).to_bytes(4, "little"))


def test_what_comes_at_the_permitted_rate_passes_however_fast_time_runs() -> None:
    for speed in (0.1, 1.0, 100.0):  # simulated against wall time: of no account
        door = Door(ODOMETRY)
        period = speed / GATE[ODOMETRY].rate_max
        for i in range(5000):
            door.t = 1000.0 + i * period / speed
            assert door.take(door.t) is not REFUSED


def test_a_frozen_node_takes_its_whole_queue() -> None:
    for topic in (TARGETS, CMD_RAW, IMU):
        flow = Flow(GATE[topic].rate_max, lambda: 0.0)
        assert all(flow.passes() for _ in range(QUEUE))


def test_a_flood_is_refused_and_counted() -> None:
    door = Door(CMD_RAW)
    taken = sum(door.take(1000.0 + 1e-5 * i) is not REFUSED for i in range(10_000))
    assert taken == BURST_S * GATE[CMD_RAW].rate_max
    assert door.refusals.lines() == [f"cmd_vel_raw: {10_000 - taken} messages refused: more than 500 messages a second"]
    door.t += 1.0
    assert door.take(door.t) is not REFUSED


def test_of_a_flooded_state_the_newest_comes_when_it_may() -> None:
    door = Door(MISSION_STATE)
    for i in range(1000):
        door.take(1000.0 + 1e-3 * i)
    assert door.intake.take_kept() is REFUSED
    door.t += 1.0
    assert door.intake.take_kept() == pytest.approx(1000.999)
    assert door.intake.take_kept() is REFUSED


def test_stamps_of_the_future_and_of_the_past_are_refused() -> None:
    door = Door(ODOMETRY)
    assert door.take(1000.0) == 1000.0
    for t, words in ((1000.0, "one before"), (999.0, "one before"), (1006.0, "future"), (3e9 - 2**31, "future")):
        assert door.take(t) is REFUSED
        assert words in door.refusals.lines()[-1]
    assert door.take(1000.05) == 1000.05


def test_before_the_clock_runs_nothing_is_known_of_stamps_and_a_wild_one_does_not_last() -> None:
    door = Door(ODOMETRY)
    door.t = 0.0
    assert door.take(2e9) == 2e9
    assert door.take(50.0) is REFUSED
    door.t = 50.0
    assert door.take(50.05) == 50.05


@pytest.mark.parametrize("data", [b"", b"\0\1\0\0", b"\7\1\0\0" + bytes(8), b"\0\1\0\0" + b"\xff" * 8, bytes(5000)])
def test_bytes_without_a_stamp_and_too_many_are_refused(data: bytes) -> None:
    door = Door(ODOMETRY)
    assert door.intake.take(data) is REFUSED
    assert len(door.refusals.lines()) == 1


# --- how it shows ------------------------------------------------------------------------------------------------------------
def test_a_refusal_shows_in_the_health_for_a_while() -> None:
    told: list[str] = []
    refusals, well = Refusals(told.append), Health("guard", Level.OK, "commands pass", {"stops": "0"})
    assert refusals.onto(well, 10.0) == well
    refusals.note("detection/targets", "p_hazard is 7")
    refusals.note("detection/targets", "p_hazard is 7")
    shown = refusals.onto(well, 10.1)
    assert (shown.level, shown.values["refused detection/targets"]) == (Level.WARN, "2, the last: p_hazard is 7")
    assert shown.message == "commands pass; detection/targets refused: p_hazard is 7"
    assert told == ["detection/targets refused: p_hazard is 7"]
    assert any(row.applies(shown) for row in REACTIONS if row.value == INPUT_REFUSED)
    assert refusals.onto(Health("guard", Level.ERROR, "no pose"), 10.2).level is Level.ERROR
    later = refusals.onto(well, 10.1 + SHOWN_S)
    assert (later.level, later.message) == (Level.OK, "commands pass")
    assert "refused detection/targets" in later.values


def test_what_safety_does_not_depend_on_warns_and_holds_nothing() -> None:
    refusals = Refusals()
    refusals.note("mission/remark", "kind is 'x'", safety=False)
    shown = refusals.onto(Health("mission", Level.OK, "running"), 1.0)
    assert shown.level is Level.WARN
    assert not any(row.applies(shown) for row in REACTIONS if row.component == "mission")


def test_whoever_sends_a_thousand_kinds_of_nonsense_fills_no_memory_and_no_report() -> None:
    refusals = Refusals()
    for i in range(1000):
        refusals.note("x", f"reason {i}")
    lines = refusals.lines()
    assert len(refusals._counts["x"]) == REASONS_MAX + 1
    assert len(lines) == SHOWN_MOST + 1
    assert lines[-1] == f"x: {1000 - SHOWN_MOST} messages refused: {OTHER}"


def test_a_range_says_what_it_allows() -> None:
    assert str(Range(0, 5, whole=True)) == "whole, 0 to 5"
    assert str(Range(-1.0, 1.0, "m", unknown=True)) == "-1 to 1 m, or not known"
    with pytest.raises(DecodeError, match="n is inf"):
        Range(0.0, 1.0).check("n", math.inf)
