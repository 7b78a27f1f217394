"""The console's door: who gets in, who may command, and what is refused."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_house import TOKEN, WAIT_S, House, a_run, get, hello
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from mine_robot.console.access import LOGINS, MAX_BODY, Access, Refusal
from mine_robot.console.address import Address, ListenError, token_in
from mine_robot.console.app import FILES, Console
from mine_robot.console.server import Server


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as built:
        yield built


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, TOKEN) as built:
        yield built


def test_the_page_comes_from_here_alone(house: House) -> None:
    for path in FILES:
        code, text = house.ask(path, b"", "GET")
        assert code == 200
        assert "default-src 'none'" in house.headers["content-security-policy"]
        hosts = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", text)
        assert set(hosts) <= {"http://www.w3.org"}, "the name space of SVG is no request"
    for path in ("/../address.py", "/%2e%2e/address.py", "/static/index.html", "//etc/passwd", "/console.css/.."):
        assert house.ask(path, b"", "GET")[0] == 404


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
