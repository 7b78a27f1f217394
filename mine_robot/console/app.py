"""The web application: one page, one stream to it, and its requests. What it needs of ROS and of records comes as functions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from mine_robot.console.access import (
    COOKIE,
    SECURITY_HEADERS,
    Access,
    ControlBody,
    LoginBody,
    MissionBody,
    Refusal,
    RemarkBody,
    SensorsBody,
    parse,
)
from mine_robot.console.desk import Desk
from mine_robot.console.seats import Seats, Viewer
from mine_robot.console.store import Store
from mine_robot.console.traces import Traces, Wish
from mine_robot.console.web import (
    LOG,
    Handler,
    answered,
    checked,
    hold,
    note,
    read_body,
    refused,
    spend,
    viewer_of,
    who,
)
from mine_robot.core.json_text import to_json
from mine_robot.core.types import RemarkKind

ANSWER_S = 2.0  # longest wait for an answer of the mission
BUDGET_BYTES_S = 80_000  # for one viewer, of the 100 kB/s it may cost
# The only files there are, by the only paths there are: nothing of a request ever becomes a path.
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/console.css": ("console.css", "text/css; charset=utf-8"),
    "/console.js": ("console.js", "text/javascript; charset=utf-8"),
    "/keys.js": ("keys.js", "text/javascript; charset=utf-8"),
    "/words.js": ("words.js", "text/javascript; charset=utf-8"),
    "/stop.js": ("stop.js", "text/javascript; charset=utf-8"),
    "/editor.js": ("editor.js", "text/javascript; charset=utf-8"),
    "/panel.js": ("panel.js", "text/javascript; charset=utf-8"),
    "/planner.js": ("planner.js", "text/javascript; charset=utf-8"),
    "/sensors.js": ("sensors.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/map.js": ("map.js", "text/javascript; charset=utf-8"),
}
# Calls a service of the mission: its name to (success, message).
Call = Callable[[str], "Future[tuple[bool, str]]"]
# Gives a remark to the mission: kind, target, comment, author, to (kept, message).
Say = Callable[[RemarkKind, int, str, str], "Future[tuple[bool, str]]"]


class Console:
    """The requests of the page and the stream to it."""

    def __init__(
        self,
        *,
        store: Store,
        traces: Traces,
        seats: Seats,
        access: Access,
        call: Call,
        say: Say,
        desk: Desk,
        hello: dict[str, Any],
        rate: float,
    ) -> None:
        self._store, self._traces, self._seats, self._access = store, traces, seats, access
        self._call, self._say, self._desk = call, say, desk
        self._hello, self._period = hello, 1.0 / rate
        self._stopping: asyncio.Task[tuple[bool, str]] | None = None

    def app(self) -> ASGIApp:
        """The application, checks and headers around every answer; the emergency stop is looked for first."""
        routes: list[Any] = [
            Route("/api/estop", checked(self._access, self.estop), methods=["POST"]),
            Route("/api/mission", checked(self._access, self.mission), methods=["POST"]),
            Route("/api/control", checked(self._access, self.control), methods=["POST"]),
            Route("/api/remark", checked(self._access, self.remark), methods=["POST"]),
            Route("/api/sensors", checked(self._access, self.sensors), methods=["POST"]),
            Route("/api/login", checked(self._access, self.login, login=False), methods=["POST"]),
            *self._desk.routes(),
            WebSocketRoute("/live", self.live),
        ]
        folder = files("mine_robot.console") / "static"
        for path, (name, kind) in FILES.items():
            routes.append(Route(path, _file((folder / name).read_bytes(), kind), methods=["GET"]))
        return _Guarded(Starlette(routes=routes), self._access)

    # --- requests -----------------------------------------------------------------------------------------------------------
    async def estop(self, request: Request) -> Response:
        """Stop at once: for every page, with or without control, as often as wanted; calls at the same time are one call."""
        if self._stopping is None or self._stopping.done():
            LOG.warning("emergency stop from %s", who(request.scope))
            self._stopping = asyncio.create_task(self._answer("mission/estop"))
        return answered(await asyncio.shield(self._stopping))

    async def mission(self, request: Request) -> Response:
        """Start, pause, resume, abort: for the page that has control."""
        viewer = viewer_of(self._seats, request)
        command = parse(await read_body(request), MissionBody)
        spend(viewer)
        self._controlling(viewer)
        LOG.info("%s from viewer %d, %s", command.command, viewer.number, who(request.scope))
        return answered(await self._answer(f"mission/{command.command}"))

    async def remark(self, request: Request) -> Response:
        """Confirm or reject a target, acknowledge a hold: for the page that has control; it is kept and moves nothing."""
        viewer = viewer_of(self._seats, request)
        body = parse(await read_body(request), RemarkBody)
        spend(viewer)
        self._controlling(viewer)
        author = f"viewer {viewer.number}, {who(request.scope)}"
        LOG.info("%s of target %d from %s", body.kind, body.target, author)
        return answered(await _awaited(self._say(RemarkKind(body.kind), body.target, body.comment, author)))

    async def control(self, request: Request) -> Response:
        """Take control or give it up."""
        viewer = viewer_of(self._seats, request)
        wish = parse(await read_body(request), ControlBody)
        spend(viewer)
        if wish.action == "release":
            self._seats.release(viewer)
        elif not self._seats.take(viewer, from_other=wish.from_other):
            raise Refusal(409, "another page has control")
        return answered((True, "control taken" if wish.action == "take" else "control given up"))

    async def sensors(self, request: Request) -> Response:
        """Show the sensors' scans to this page, or no longer."""
        viewer = viewer_of(self._seats, request)
        wish = parse(await read_body(request), SensorsBody)
        spend(viewer)
        viewer.wish, viewer.heard = (Wish(wish.channel, wish.processed) if wish.on else None), 0
        return answered((True, "shown" if wish.on else "not shown"))

    async def login(self, request: Request) -> Response:
        """Exchange the token for a cookie that scripts cannot read."""
        wish = parse(await read_body(request), LoginBody)
        response = answered((True, "welcome"))
        value = self._access.login(wish.token, time.monotonic(), who(request.scope)) if self._access.needs_token else ""
        response.set_cookie(COOKIE, value, httponly=True, secure=True, samesite="strict", path="/")
        return response

    def _controlling(self, viewer: Viewer) -> None:
        if not self._seats.controls(viewer):
            raise Refusal(409, "this page does not have control: take it first")

    async def _answer(self, service: str) -> tuple[bool, str]:
        return await _awaited(self._call(service))

    # --- the stream ---------------------------------------------------------------------------------------------------------
    async def live(self, socket: WebSocket) -> None:
        """Everything the page shows: a greeting, then changes at the rate of the page. The page has nothing to say here."""
        try:
            self._access.check_origin(socket.headers)
            self._access.check_login(socket.headers)
        except Refusal as refusal:
            note(socket.scope, refusal)
            # A WebSocket that is refused before it is accepted tells the page nothing; 4401 lets it ask for the token.
            await socket.accept()
            await socket.close(4000 + refusal.status, refusal.reason[:100])
            return
        viewer = self._seats.join()
        await socket.accept()
        if viewer is None:
            await socket.close(4429, "too many viewers")
            return
        hold(socket.scope)
        try:
            await _first_done(self._send(socket, viewer), _listen(socket))
        finally:
            self._seats.leave(viewer)

    async def _send(self, socket: WebSocket, viewer: Viewer) -> None:
        hello = {**self._hello, "viewer": viewer.number, "secret": viewer.secret, "now": time.monotonic()}
        await socket.send_text(to_json({"hello": hello}))
        budget = int(BUDGET_BYTES_S * self._period)
        while True:
            await socket.send_text(self._store.compose(viewer.cursor, budget, time.monotonic()))
            if viewer.wish is not None:
                text, viewer.heard = self._traces.compose(viewer.wish, viewer.heard)
                if text:
                    await socket.send_text(text)
            await asyncio.sleep(self._period)


async def _awaited(answer: Future[tuple[bool, str]]) -> tuple[bool, str]:
    """What the mission answers, if it does in time."""
    try:
        return await asyncio.wait_for(asyncio.wrap_future(answer), ANSWER_S)
    except asyncio.TimeoutError:
        return False, f"no answer of the mission within {ANSWER_S:.0f} s"


async def _listen(socket: WebSocket) -> None:
    """Wait for the end of a page; one that talks is no page of ours."""
    message = await socket.receive()
    if message["type"] == "websocket.receive":
        await socket.close(1008, "nothing is to be said here")


async def _first_done(*works: Awaitable[None]) -> None:
    """Run until one of ``works`` is done, end the others; a connection that breaks is an end as well."""
    tasks = [asyncio.ensure_future(work) for work in works]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        expected = (WebSocketDisconnect, asyncio.CancelledError, RuntimeError, OSError)
        if isinstance(outcome, BaseException) and not isinstance(outcome, expected):
            raise outcome


def _file(content: bytes, kind: str) -> Handler:
    async def serve(request: Request) -> Response:
        return Response(content, media_type=kind)

    return serve


class _Guarded:
    """Checks the Host of everything and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        try:
            self._access.check_host(Headers(scope=scope))
        except Refusal as refusal:
            if scope["type"] == "http":
                await refused(scope, refusal)(scope, receive, send_with_headers)
            else:
                note(scope, refusal)
                await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send_with_headers)
