"""The console's door: a flood of connections ousts itself, and wrong tokens lock nobody else out."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from console_house import TOKEN, WAIT_S, House, hello
from hypothesis import given
from hypothesis import strategies as st

from mine_robot.console.access import ADDRESSES, LOGIN_WAIT_MAX_S, LOGIN_WAIT_S, LOGINS, Access, Refusal
from mine_robot.console.door import Door

STEPS = st.lists(
    st.tuples(st.sampled_from(["enter", "hold", "release", "leave", "sweep"]), st.integers(0, 3), st.integers(0, 30)),
    max_size=200,
)


@given(STEPS)
def test_strangers_are_few_the_newest_stays_and_who_is_held_stays(steps: list[tuple[str, int, int]]) -> None:
    door = Door(strangers=8, of_one=4, held=5, quiet_s=20.0)
    there: dict[tuple[str, int], str] = {}
    for now, (what, host, port) in enumerate(steps):
        peer = (f"192.0.2.{host}", port)
        if what == "enter" and peer not in there:
            door.enter(peer, lambda peer=peer: there.__setitem__(peer, "ended"), float(now))
            there[peer] = "stranger"
        elif what == "hold" and there.get(peer) == "stranger":
            full = list(there.values()).count("held") >= 5
            door.hold(peer)
            there[peer] = "stranger" if full else "held"
        elif what == "release" and there.get(peer) in ("held", "stranger"):
            there[peer] = "stranger"
            door.release(peer, float(now))
        elif what == "leave":
            door.leave(peer)
            there.pop(peer, None)
        elif what == "sweep":
            door.sweep(float(now))
        if what in ("enter", "release") and there.get(peer) != "held":
            assert there.get(peer) in (None, "stranger", "ended")
        strangers = [one for one, how in there.items() if how == "stranger"]
        assert len(strangers) <= 8
        assert max((len([1 for one in strangers if one[0] == name]) for name, _ in strangers), default=0) <= 4
    door.sweep(len(steps) + 100.0)
    assert "stranger" not in there.values(), "quiet for too long"
    assert list(there.values()).count("held") <= 5


def test_the_longest_quiet_of_the_same_address_goes_first() -> None:
    door, ended = Door(strangers=4, of_one=2), []
    for now, peer in enumerate([("a", 1), ("b", 1), ("b", 2), ("b", 3), ("c", 1), ("d", 1)]):
        door.enter(peer, lambda peer=peer: ended.append(peer), float(now))
    assert ended == [("b", 1), ("a", 1)]


@pytest.fixture
def small() -> Door:
    return Door(strangers=20, of_one=12, quiet_s=0.2)


@pytest.fixture
def house(tmp_path: Path, small: Door) -> Iterator[House]:
    with House(tmp_path, door=lambda: small) as built:
        yield built


@pytest.mark.parametrize(
    "sent", [b"", b"POST /api/estop HTTP/1.1\r\nHost: ", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_half_open_connections_keep_nobody_from_a_stop(house: House, sent: bytes) -> None:
    with ExitStack() as open_, house.watch() as page:
        hello(page)
        sockets = []
        for _ in range(60):
            knock = open_.enter_context(socket.create_connection(("127.0.0.1", house.port), timeout=WAIT_S))
            knock.sendall(sent)
            sockets.append(knock)
        assert house.ask("/api/estop")[0] == 200
        page.recv(WAIT_S)  # the page that was open stays so
        for knock in sockets:  # and every other one is ended, by the flood or for its silence
            try:
                while knock.recv(4096):
                    pass
            except ConnectionError:
                pass
        page.recv(WAIT_S)
    assert house.calls == ["mission/estop"]


def test_a_body_that_does_not_come_is_not_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mine_robot.console.web.BODY_S", 0.1)
    with house.watch() as page:
        head = (
            f"POST /api/mission HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\nOrigin: {house.origin}\r\n"
            f"Content-Type: application/json\r\nX-Console: {hello(page)['secret']}\r\nContent-Length: 20\r\n\r\n{{"
        )
        with socket.create_connection(("127.0.0.1", house.port), timeout=WAIT_S) as slow:
            slow.sendall(head.encode())
            assert slow.recv(4096).startswith(b"HTTP/1.1 408")


def test_wrong_tokens_lock_out_their_own_address_alone_and_ever_longer() -> None:
    access, now = Access(tls=True, token=TOKEN), 0.0
    for wait in (LOGIN_WAIT_S, 2 * LOGIN_WAIT_S, 4 * LOGIN_WAIT_S):
        while True:
            with pytest.raises(Refusal) as refused:
                access.login("guess", now, "192.0.2.1")
            if refused.value.status == 429:
                break
        assert f"wait {wait:.0f} s" in refused.value.reason
        assert access.login(TOKEN, now, "192.0.2.2"), "another address is none of it"
        with pytest.raises(Refusal):
            access.login(TOKEN, now + wait - 0.1, "192.0.2.1")
        now += wait
    for _ in range(200):
        now += LOGIN_WAIT_MAX_S
        with pytest.raises(Refusal, match="wrong"):
            access.login("guess", now, "192.0.2.1")
    assert access.login(TOKEN, now + LOGIN_WAIT_MAX_S, "192.0.2.1"), "the wait is bounded"
    with pytest.raises(Refusal, match="wrong"):
        access.login("guess", now + LOGIN_WAIT_MAX_S, "192.0.2.1")


def test_addresses_that_are_one_owners_count_as_one_and_memory_is_bounded() -> None:
    access = Access(tls=True, token=TOKEN)
    for host in range(LOGINS):
        with pytest.raises(Refusal, match="wrong"):
            access.login("guess", 0.0, f"2001:db8::{host:x}")
    with pytest.raises(Refusal, match="wait"):
        access.login(TOKEN, 0.0, "2001:db8::ffff")
    assert access.login(TOKEN, 0.0, "2001:db8:0:1::1")
    for host in range(2 * ADDRESSES):
        with pytest.raises(Refusal, match="wrong"):
            access.login("guess", 0.0, f"198.51.{host // 250}.{host % 250}")
    assert len(access._attempts._wrong) <= ADDRESSES


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_behind_a_proxy_on_this_machine_the_right_token_is_let_in(address: str) -> None:
    access = Access(tls=True, token=TOKEN)
    answers = []
    for _ in range(20):
        with pytest.raises(Refusal) as refused:
            access.login("guess", 0.0, address)
        answers.append(refused.value.status)
    assert answers == [401] * LOGINS + [429] * (20 - LOGINS)
    assert access.login(TOKEN, 0.0, address)


def test_a_signed_in_page_and_its_stop_do_not_suffer_from_wrong_tokens(tmp_path: Path) -> None:
    with House(tmp_path, TOKEN) as house:
        assert house.ask("/api/login", json.dumps({"token": TOKEN}))[0] == 200
        cookie = house.headers["set-cookie"].split(";")[0]
        codes = {house.ask("/api/login", json.dumps({"token": "wrong"}))[0] for _ in range(LOGINS + 2)}
        assert codes == {401, 429}
        assert house.ask("/api/estop", Cookie=cookie)[0] == 200
        with house.watch(Cookie=cookie) as page:
            assert hello(page)["boot"] == "x"
