"""A console with a mission that only takes notes, for tests over real HTTP and WebSockets."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from mine_robot.console.access import Access, Refusal
from mine_robot.console.address import Address
from mine_robot.console.app import Console
from mine_robot.console.desk import Desk
from mine_robot.console.door import Door
from mine_robot.console.errands import Errands
from mine_robot.console.seats import Seats, Viewer
from mine_robot.console.server import Server
from mine_robot.console.shelf import Shelf
from mine_robot.console.store import Store
from mine_robot.console.traces import Traces
from mine_robot.core.types import RemarkKind

TOKEN = "a token of twenty characters"

WAIT_S = 10.0


class House:
    """A console with a mission that only takes notes."""

    def __init__(
        self,
        root: Path,
        token: str = "",
        *,
        offers: bool = False,
        door: Callable[[], Door] = Door,
        scene: dict[str, Any] | None = None,
    ) -> None:
        self.launched: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.silent = threading.Event()
        self.store = Store()
        self.seats = Seats(3, self.on_seats)
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
            hello={"boot": "x", **({} if scene is None else {"scene": scene})},
            rate=50.0,
        )
        self.server = Server(console.app(), address, listener, door)

    def __enter__(self) -> House:
        return self

    def __exit__(self, *how: object) -> None:
        self.server.close()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on_seats(self, holder: int | None, count: int, what: str) -> None:
        """Who watches and who has control."""

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


def hello(page: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(page.recv(WAIT_S))["hello"])


def a_run(root: Path, name: str, *, report: str = "<h1>report</h1>") -> Path:
    folder = root / name
    folder.mkdir()
    (folder / "run.json").write_text('{"started": "2026-01-01T00:00:00+00:00", "simulation": true}')
    (folder / "summary.json").write_text('{"state": "complete", "coverage": 0.5, "targets": 2}')
    (folder / "report.html").write_text(report)
    return folder


def get(house: House, path: str, **changes: str) -> int:
    return house.ask(path, b"", "GET", Origin=None, **changes)[0]
