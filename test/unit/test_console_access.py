"""The console's door, over real HTTP and WebSockets against a mission that only notes what it is asked."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from mine_robot.console.access import LOGINS, MAX_BODY, MAX_COMMENT, MAX_FIELD, Access, Refusal
from mine_robot.console.address import Address, ListenError, token_in
from mine_robot.console.app import FILES, Console
from mine_robot.console.desk import Desk
from mine_robot.console.errands import Errands
from mine_robot.console.seats import Seats, Viewer
from mine_robot.console.server import Server
from mine_robot.console.shelf import Shelf
from mine_robot.console.store import Store
from mine_robot.console.traces import Traces
from mine_robot.core.types import GprScan, RemarkKind
from mine_robot.records import map_furniture

TOKEN = "a token of twenty characters"
WAIT_S = 10.0


class House:
    """A console with a mission that only takes notes."""

    def __init__(self, root: Path, token: str = "", *, offers: bool = False) -> None:
        self.launched: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.silent = threading.Event()
        self.store = Store()
        self.seats = Seats(3, lambda *what: None)
        address = Address("127.0.0.1", 0)
        listener = address.bind()
        self.port = listener.getsockname()[1]
        access = Access(tls=False, token=token)
        self.traces = Traces(0.1, 10.0)
        self.drawn: list[int] = []
        self.planned: list[dict[str, Any]] = []
        self.said: list[tuple[str, int, str]] = []
        self.root = root
        shelf = Shelf(root, "now", "run.json", "summary.json", ["report.html", "summary.json"], ["kml"])
        desk = Desk(
            access=access,
            seats=self.seats,
            errands=Errands(),
            shelf=shelf,
            draw=self.draw,
            preview=self.preview,
            launch=self.launch if offers else None,
        )
        console = Console(
            store=self.store,
            traces=self.traces,
            seats=self.seats,
            access=access,
            call=self.call,
            say=self.say,
            desk=desk,
            hello={"boot": "x"},
            rate=50.0,
        )
        self.server = Server(console.app(), address, listener)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, service: str) -> Future[tuple[bool, str]]:
        self.calls.append(service)
        answer: Future[tuple[bool, str]] = Future()
        if not self.silent.is_set():
            answer.set_result((True, "done"))
        return answer

    def say(self, kind: RemarkKind, target: int, comment: str, author: str) -> Future[tuple[bool, str]]:
        self.said.append((kind.value, target, comment))
        return self.call(f"remark by {author}")

    async def preview(self, field: dict[str, Any]) -> str:
        self.planned.append(field)
        return '{"lines": ["2 lanes"]}'

    async def launch(self, field: dict[str, Any], viewer: Viewer, who: str) -> tuple[bool, str]:
        self.launched.append(field)
        return True, f"viewer {viewer.number} of {who}"

    async def draw(self, target: int) -> bytes:
        self.drawn.append(target)
        if target == 13:
            raise Refusal(404, "no scans of it")
        return b"a picture"

    def ask(self, path: str, body: bytes | str = b"{}", method: str = "POST", **changes: str | None) -> tuple[int, Any]:
        headers = {"Origin": self.origin, "Content-Type": "application/json", "X-Console": "page"}
        headers |= {name.replace("_", "-"): value for name, value in changes.items() if value is not None}
        for name in [name for name, value in changes.items() if value is None]:
            headers.pop(name.replace("_", "-"), None)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            self.headers = dict(response.getheaders())
            content = response.read()
        finally:
            connection.close()
        kind = self.headers.get("content-type", "")
        return response.status, json.loads(content) if kind == "application/json" else content.decode()

    def watch(self, **headers: str) -> ClientConnection:
        return connect(f"ws://127.0.0.1:{self.port}/live", origin=self.origin, additional_headers=headers)  # type: ignore[arg-type]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = House(tmp_path)
    yield built
    built.server.close()


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[House]:
    built = House(tmp_path, TOKEN)
    yield built
    built.server.close()


def hello(page: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(page.recv(WAIT_S))["hello"])


def test_the_page_comes_from_here_alone(house: House) -> None:
    for path in FILES:
        code, text = house.ask(path, b"", "GET")
        assert code == 200
        assert "default-src 'none'" in house.headers["content-security-policy"]
        hosts = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", text)
        assert set(hosts) <= {"http://www.w3.org"}, "the name space of SVG is no request"
    for path in ("/../address.py", "/%2e%2e/address.py", "/static/index.html", "//etc/passwd", "/console.css/.."):
        assert house.ask(path, b"", "GET")[0] == 404


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


@pytest.mark.parametrize(
    "path",
    [
        "/api/estop",
        "/api/mission",
        "/api/control",
        "/api/remark",
        "/api/sensors",
        "/api/evidence",
        "/api/runs",
        "/api/preview",
        "/api/login",
    ],
)
@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (403, {"Origin": "http://evil.example"}),
        (403, {"Origin": None}),
        (403, {"Origin": "null"}),
        (403, {"Sec_Fetch_Site": "cross-site"}),
        (403, {"X_Console": None}),
        (415, {"Content_Type": "text/plain"}),
        (421, {"Host": "evil.example:8080", "Origin": "http://evil.example:8080"}),
    ],
)
def test_foreign_pages_change_nothing(house: House, path: str, code: int, changes: dict[str, str | None]) -> None:
    found, answer = house.ask(path, **changes)
    assert found == code, answer
    assert house.calls == house.drawn == []


def test_commands_need_control(house: House) -> None:
    start = json.dumps({"command": "start"})
    assert house.ask("/api/mission", start)[0] == 403, "a page that never connected"
    with house.watch() as one, house.watch() as two:
        first, second = hello(one)["secret"], hello(two)["secret"]
        assert house.ask("/api/mission", start, X_Console=first)[0] == 409
        assert house.ask("/api/control", '{"action": "take"}', X_Console=first)[0] == 200
        assert house.ask("/api/mission", start, X_Console=first)[0] == 200
        assert house.ask("/api/control", '{"action": "take"}', X_Console=second)[0] == 409
        assert house.ask("/api/control", '{"action": "take", "from_other": true}', X_Console=second)[0] == 200
        assert house.ask("/api/mission", '{"command": "pause"}', X_Console=first)[0] == 409
        assert house.calls == ["mission/start"]
        codes = [house.ask("/api/mission", '{"command": "pause"}', X_Console=second)[0] for _ in range(9)]
        assert 429 in codes, "too many commands"


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (422, b""),
        (422, b"{"),
        (422, b"\xff\xfe"),
        (422, b"[]"),
        (422, b'{"command": "reboot"}'),
        (422, b'{"command": 1}'),
        (422, b'{"command": "start", "more": 1}'),
        (422, b"[" * MAX_BODY),
        (413, b" " * (MAX_BODY + 1)),
        (413, b'{"command": "start"}' + b" " * 200_000),
    ],
)
def test_malformed_and_oversized_bodies_change_nothing(house: House, code: int, body: bytes) -> None:
    with house.watch() as page:
        secret = hello(page)["secret"]
        house.ask("/api/control", '{"action": "take"}', X_Console=secret)
        try:
            assert house.ask("/api/mission", body, X_Console=secret)[0] == code
        except (BrokenPipeError, ConnectionResetError):
            assert code == 413, "only a body that is too long may be cut"
    assert house.calls == []


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
        house = House(tmp_path, offers=offers)
        try:
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
        finally:
            house.server.close()


def a_run(root: Path, name: str, *, report: str = "<h1>report</h1>") -> Path:
    folder = root / name
    folder.mkdir()
    (folder / "run.json").write_text('{"started": "2026-01-01T00:00:00+00:00", "simulation": true}')
    (folder / "summary.json").write_text('{"state": "complete", "coverage": 0.5, "targets": 2}')
    (folder / "report.html").write_text(report)
    return folder


def get(house: House, path: str, **changes: str) -> int:
    return house.ask(path, b"", "GET", Origin=None, **changes)[0]


def test_past_runs_are_listed_and_their_records_saved_never_shown(house: House) -> None:
    a_run(house.root, "field-1")
    (house.root / "no_run").mkdir()
    with house.watch() as page:
        code, answer = house.ask("/api/runs", X_Console=hello(page)["secret"])
    assert code == 200
    assert [row["name"] for row in answer["runs"]] == ["field-1"]
    row = answer["runs"][0]
    assert (row["state"], row["coverage"], row["files"], row["formats"]) == (
        "complete",
        0.5,
        ["report.html", "summary.json"],
        ["kml"],
    )
    assert house.ask("/runs/field-1/report.html", b"", "GET") == (200, "<h1>report</h1>")
    assert house.headers["content-disposition"] == 'attachment; filename="field-1_report.html"'
    assert house.headers["content-type"] == "application/octet-stream"
    assert get(house, "/runs/field-1/report.html", Sec_Fetch_Site="cross-site") == 403
    assert [get(house, "/runs/field-1/report.html") for _ in range(20)] == [200] * 20


@pytest.mark.parametrize(
    "path",
    [
        "/runs/../secret/report.html",
        "/runs/%2e%2e/report.html",
        "/runs/..%2fsecret/report.html",
        "/runs/field-1/../../secret/report.html",
        "/runs/field-1/..%2f..%2fsecret%2freport.html",
        "/runs/field-1/%2fetc%2fpasswd",
        "/runs//etc/passwd",
        "/runs/%2fetc/passwd",
        "/runs/field-1/journal.sqlite",
        "/runs/field-1/report.html%00.png",
        "/runs/./report.html",
        "/runs/linked/report.html",
        "/runs/links/report.html",
        "/runs/pipe/report.html",
        "/runs/bare/report.html",
        "/runs/field-1/export/exe",
        "/runs/..%2fsecret/export/kml",
        "/runs/linked/export/kml",
    ],
)
def test_no_path_leads_out_of_the_runs(house: House, tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    a_run(house.root, "field-1")
    secret = a_run(tmp_path_factory.mktemp("secret"), "secret", report="secret")
    (house.root / "linked").symlink_to(secret)
    for name in ("links", "pipe"):
        (a_run(house.root, name) / "report.html").unlink()
    (house.root / "links" / "report.html").symlink_to(secret / "report.html")
    os.mkfifo(house.root / "pipe" / "report.html")
    (house.root / "bare").mkdir()
    (house.root / "bare" / "report.html").write_text("no run")
    assert get(house, path) == 404


def test_a_broken_run_hides_no_other(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "now", "run.json", "summary.json", ["report.html"], ["kml"])
    a_run(tmp_path, "now")
    for name, text in (("a", "["), ("b", "[" * 100_000), ("c", "[]"), ("d", '{"coverage": "much"}'), ("e", "\xff")):
        (a_run(tmp_path, name) / "summary.json").write_text(text, encoding="latin-1")
    (a_run(tmp_path, "f") / "run.json").write_text("{")
    rows = {row["name"]: row for row in shelf.runs()}
    assert set(rows) == {"now", "a", "b", "c", "d", "e"} and rows["now"]["running"]
    assert rows["d"]["coverage"] is None and rows["a"]["formats"] == []


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


def test_the_stream_refuses_strangers_talk_and_crowds(house: House) -> None:
    with connect(f"ws://127.0.0.1:{house.port}/live", origin="http://evil.example") as page:  # type: ignore[arg-type]
        with pytest.raises(ConnectionClosed) as refused:
            page.recv(WAIT_S)
        assert refused.value.rcvd is not None and refused.value.rcvd.code == 4403
    with pytest.raises(InvalidStatus):
        connect(f"ws://127.0.0.1:{house.port}/live", additional_headers={"Host": "evil.example"})
    with house.watch() as page:
        hello(page)
        page.send("anything")
        with pytest.raises(ConnectionClosed):
            while True:
                page.recv(WAIT_S)
    pages = [house.watch() for _ in range(3)]
    for page in pages:
        hello(page)
    with house.watch() as page, pytest.raises(ConnectionClosed):
        page.recv(WAIT_S)
    for page in pages:
        page.close()


def test_a_console_for_others_asks_for_the_token(locked: House) -> None:
    assert locked.ask("/", b"", "GET")[0] == 200, "the page itself tells nothing"
    assert locked.ask("/api/estop")[0] == 401
    assert locked.ask("/api/estop", Cookie="console=guess")[0] == 401
    with locked.watch() as page, pytest.raises(ConnectionClosed):
        page.recv(WAIT_S)
    assert locked.ask("/api/login", json.dumps({"token": "wrong"}))[0] == 401
    assert locked.calls == []
    a_run(locked.root, "field-1")
    assert get(locked, "/runs/field-1/report.html") == get(locked, "/runs/field-1/export/kml") == 401
    assert locked.ask("/api/login", json.dumps({"token": TOKEN}))[0] == 200
    cookie = locked.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=strict"))
    value = cookie.split(";")[0]
    assert TOKEN not in value
    assert locked.ask("/api/estop", Cookie=value)[0] == 200
    assert get(locked, "/runs/field-1/report.html", Cookie=value) == 200
    with locked.watch(Cookie=value) as page:
        assert hello(page)["boot"] == "x"


def test_every_refusal_is_logged_with_its_reason(locked: House, caplog: pytest.LogCaptureFixture) -> None:
    locked.ask("/api/login", json.dumps({"token": TOKEN}))
    cookie = locked.headers["set-cookie"].split(";")[0]
    attempts: list[tuple[str, bytes, dict[str, str]]] = [
        ("foreign origin", b"{}", {"Origin": "http://evil.example"}),
        ("log in with the token", b"{}", {}),
        ("the body is longer than", b" " * (MAX_BODY + 1), {"Cookie": cookie}),
        ("Invalid JSON", b"{", {"Cookie": cookie}),
        ("not a name of this machine", b"{}", {"Host": "evil.example"}),
    ]
    with locked.watch(Cookie=cookie) as page:
        secret = hello(page)["secret"]
        for reason, body, changes in attempts:
            caplog.clear()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                locked.ask("/api/mission", body, **{"X_Console": secret, **changes})
            lines = [record.getMessage() for record in caplog.records if record.name == "console"]
            assert len(lines) == 1 and reason in lines[0] and "refused '/api/mission' from 127.0.0.1" in lines[0], (
                reason
            )
    caplog.clear()
    assert get(locked, "/runs/field-1/report.html", Sec_Fetch_Site="cross-site") == 403
    assert "the request comes from another site" in caplog.text
    assert locked.calls == []


def test_a_server_that_ends_by_itself_says_why(caplog: pytest.LogCaptureFixture) -> None:
    address = Address("127.0.0.1", 0)
    listener = address.bind()
    listener.close()  # so that it cannot start
    server = Server(Console.app, address, listener)  # type: ignore[arg-type]
    server._thread.join(WAIT_S)
    assert not server.alive and "the web server failed" in caplog.text
    assert "ended by itself" in caplog.text and "Traceback" in caplog.text


def test_guessing_tokens_is_slow() -> None:
    access = Access(tls=True, token=TOKEN)
    for second in range(LOGINS):
        with pytest.raises(Refusal, match="wrong token"):
            access.login("guess", float(second))
    with pytest.raises(Refusal, match="wait"):
        access.login(TOKEN, LOGINS + 1.0)
    assert access.login(TOKEN, 100.0)


def test_beyond_this_machine_only_with_tls(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "192.0.2.7", "robot.example", "::"):
        with pytest.raises(ListenError, match="TLS"):
            Address(host, 8080).check()
    for host in ("127.0.0.1", "localhost", "::1"):
        Address(host, 8080).check()
    with pytest.raises(ListenError, match="no such file"):
        Address("0.0.0.0", 8080, str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")).check()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ListenError, match="cannot listen"):
            Address("127.0.0.1", taken.getsockname()[1]).bind()


def test_the_token_is_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = token_in(path)
    assert len(token) >= 16 and token_in(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("short\n")
    with pytest.raises(ListenError):
        token_in(path)
