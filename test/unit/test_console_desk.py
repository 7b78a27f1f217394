"""What pages ask of the console and get, over real HTTP and WebSockets."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console_house import WAIT_S, House, hello

from mine_robot.console.access import MAX_COMMENT, MAX_FIELD
from mine_robot.core.types import GprScan
from mine_robot.records import map_furniture


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as built:
        yield built


def test_the_colours_are_those_of_the_map_of_the_report(house: House) -> None:
    text = house.ask("/map.js", b"", "GET")[1]
    colours = dict(re.findall(r'([A-Z_]+): "(#[0-9A-F]{6})"', text.split("};")[0]))
    assert len(colours) >= 9
    assert colours == {name: getattr(map_furniture, name) for name in colours}


def test_an_emergency_stop_needs_neither_control_nor_a_seat(house: House) -> None:
    assert house.ask("/api/estop") == (200, {"ok": True, "message": "done"})
    assert house.calls == ["mission/estop"]


def test_a_mission_that_does_not_answer_is_not_called_stopped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mine_robot.console.app.ANSWER_S", 0.05)
    house.silent.set()
    code, answer = house.ask("/api/estop")
    assert code == 409 and not answer["ok"] and "no answer" in answer["message"]


def test_remarks_need_control_and_fit_their_schema(house: House) -> None:
    wish = {"kind": "reject", "target": 4, "comment": "a can\n\u202eof \x00fish " + "ə" * 200}
    with house.watch() as page:
        secret = hello(page)["secret"]
        assert house.ask("/api/remark", json.dumps(wish), X_Console=secret)[0] == 409
        house.ask("/api/control", '{"action": "take"}', X_Console=secret)
        assert house.ask("/api/remark", json.dumps(wish), X_Console=secret)[0] == 200
        assert house.said == [("reject", 4, "a can  of  fish " + "ə" * 200)]
        assert house.calls == ["remark by viewer 1, 127.0.0.1"]
    with house.watch() as page:
        secret = hello(page)["secret"]
        house.ask("/api/control", '{"action": "take", "from_other": true}', X_Console=secret)
        long = json.dumps({**wish, "comment": "x" * (MAX_COMMENT + 1)})
        for body in ('{"kind": "clear", "target": 4}', '{"kind": "reject", "target": "4"}', long):
            assert house.ask("/api/remark", body, X_Console=secret)[0] == 422
    assert len(house.said) == 1


def scan(t: float) -> GprScan:
    return GprScan(t, np.sin(np.arange(100.0)[:, None] + t) * np.ones((1, 3)))


def test_sensors_are_shown_to_the_page_that_asks_and_to_no_other(house: House) -> None:
    with house.watch() as one, house.watch() as two:
        secret = hello(one)["secret"]
        hello(two)
        assert not house.seats.sensors_wanted
        wish = {"on": True, "channel": 1, "processed": False}
        assert house.ask("/api/sensors", json.dumps(wish), X_Console=secret)[0] == 200
        assert house.seats.sensors_wanted
        house.traces.gpr(scan(1.0))
        message: dict[str, Any] = {}
        while "sensors" not in message:
            message = json.loads(one.recv(WAIT_S))
        assert (message["sensors"]["gpr"]["channel"], message["sensors"]["gpr"]["processed"]) == (1, False)
        assert house.ask("/api/sensors", '{"on": false}', X_Console=secret)[0] == 200
        house.store.put("end", 1)
        seen: dict[str, Any] = {}
        while "end" not in seen.get("entries", {}):
            seen = json.loads(two.recv(WAIT_S))
            assert "sensors" not in seen
        assert not house.seats.sensors_wanted
        for body in ('{"on": 1}', '{"on": true, "channel": -1}', '{"on": true, "channel": 1e9}', "{}"):
            assert house.ask("/api/sensors", body, X_Console=secret)[0] in (422, 429)


def test_the_evidence_is_for_pages_that_are_connected_and_has_limits(house: House) -> None:
    assert house.ask("/api/evidence", '{"target": 4}')[0] == 403
    with house.watch() as page:
        secret = hello(page)["secret"]
        assert house.ask("/api/evidence", '{"target": 4}', X_Console=secret) == (200, "a picture")
        assert house.headers["content-type"] == "image/png"
        assert house.ask("/api/evidence", '{"target": 13}', X_Console=secret)[0] == 404
        for body in ('{"target": -1}', '{"target": "4"}', '{"target": "../4"}', '{"target": 1e99}', "{}"):
            assert house.ask("/api/evidence", body, X_Console=secret)[0] == 422
        assert 429 in [house.ask("/api/evidence", '{"target": 4}', X_Console=secret)[0] for _ in range(9)]
    assert set(house.drawn) == {4, 13}


def test_a_field_to_plan_has_a_limit_of_size_and_a_form(house: House) -> None:
    field = {"type": "FeatureCollection", "features": [{"x": "y" * 100_000}]}
    with house.watch() as page:
        secret = hello(page)["secret"]
        code, answer = house.ask("/api/preview", json.dumps({"field": field}), X_Console=secret)
        assert (code, answer["lines"]) == (200, ["2 lanes"])
        for body in (
            "{}",
            '{"field": []}',
            '{"field": {}, "sketch": {}}',
            '{"kml": 7}',
            '{"kml": "<kml/>", "roles": {"0": "clear"}}',
            "[" * 1000,
        ):
            assert house.ask("/api/preview", body, X_Console=secret)[0] == 422
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            assert house.ask("/api/preview", b" " * (MAX_FIELD + 1), X_Console=secret)[0] == 413
    assert house.ask("/api/preview", json.dumps({"field": field}))[0] == 403
    assert house.planned == [{"field": field, "roles": {}}]


def test_a_mission_starts_only_where_it_is_offered_and_by_the_page_with_control(tmp_path: Path) -> None:
    for offers in (False, True):
        with House(tmp_path, offers=offers) as house:
            assert house.ask("/api/launch", '{"field": {}}')[0] == 403
            with house.watch() as page:
                secret = hello(page)["secret"]
                assert house.ask("/api/launch", '{"field": {}}', X_Console=secret)[0] == 409
                house.ask("/api/control", '{"action": "take"}', X_Console=secret)
                for body in ("{}", '{"field": 1}', '{"field": {}, "sim": "none"}'):
                    assert house.ask("/api/launch", body, X_Console=secret)[0] == 422
                assert house.ask("/api/launch", '{"field": {}}', X_Console=secret, Origin="http://evil")[0] == 403
            assert house.launched == []
            with house.watch() as page:
                secret = hello(page)["secret"]
                house.ask("/api/control", '{"action": "take"}', X_Console=secret)
                assert house.ask("/api/launch", '{"field": {"a": 1}}', X_Console=secret)[0] == (200 if offers else 409)
            assert house.launched == ([{"a": 1}] if offers else [])


def test_the_stream_tells_changes_and_a_page_that_goes_gives_control_up(house: House) -> None:
    with house.watch() as page:
        secret = hello(page)["secret"]
        house.ask("/api/control", '{"action": "take"}', X_Console=secret)
        house.store.put("pose", {"x": 1.5}, live=True)
        seen: dict[str, Any] = {}
        while "pose" not in seen:
            seen |= json.loads(page.recv(WAIT_S))["entries"]
        assert seen["pose"] == {"x": 1.5}
    with house.watch() as other:
        words = hello(other)
        for _ in range(1000):
            if house.seats.count == 1:
                break
            other.recv(WAIT_S)
        assert house.ask("/api/control", '{"action": "take"}', X_Console=words["secret"])[0] == 200
