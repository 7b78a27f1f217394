"""The web application: one page, one stream to it, and its requests. What it needs of ROS and of records comes as functions."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from mine_robot.console.access import (
    COOKIE,
    MAX_BODY,
    SECURITY_HEADERS,
    Access,
    ControlBody,
    EvidenceBody,
    LoginBody,
    MissionBody,
    Refusal,
    SensorsBody,
    parse,
)
from mine_robot.console.seats import Seats, Viewer
from mine_robot.console.store import Store
from mine_robot.console.traces import Traces, Wish

ANSWER_S = 2.0  # longest wait for an answer of the mission
BUDGET_BYTES_S = 80_000  # for one viewer, of the 100 kB/s it may cost
LOG = logging.getLogger("console")
# The only files there are, by the only paths there are: nothing of a request ever becomes a path.
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/console.css": ("console.css", "text/css; charset=utf-8"),
    "/console.js": ("console.js", "text/javascript; charset=utf-8"),
    "/panel.js": ("panel.js", "text/javascript; charset=utf-8"),
    "/sensors.js": ("sensors.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/map.js": ("map.js", "text/javascript; charset=utf-8"),
}
# Calls a service of the mission: its name to (success, message).
Call = Callable[[str], "Future[tuple[bool, str]]"]
# Draws the evidence behind a target as PNG; raises Refusal.
Draw = Callable[[int], Awaitable[bytes]]
Handler = Callable[[Request], Awaitable[Response]]


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
        draw: Draw,
        hello: dict[str, Any],
        rate: float,
    ) -> None:
        self._store, self._traces, self._seats, self._access = store, traces, seats, access
        self._call, self._draw = call, draw
        self._hello, self._period = hello, 1.0 / rate
        self._stopping: asyncio.Task[tuple[bool, str]] | None = None

    def app(self) -> ASGIApp:
        """The application, checks and headers around every answer; the emergency stop is looked for first."""
        routes: list[Any] = [
            Route("/api/estop", self._handler(self.estop), methods=["POST"]),
            Route("/api/mission", self._handler(self.mission), methods=["POST"]),
            Route("/api/control", self._handler(self.control), methods=["POST"]),
            Route("/api/sensors", self._handler(self.sensors), methods=["POST"]),
            Route("/api/evidence", self._handler(self.evidence), methods=["POST"]),
            Route("/api/login", self._handler(self.login), methods=["POST"]),
            WebSocketRoute("/live", self.live),
        ]
        folder = files("mine_robot.console") / "static"
        for path, (name, kind) in FILES.items():
            routes.append(Route(path, _file((folder / name).read_bytes(), kind), methods=["GET"]))
        return _Guarded(Starlette(routes=routes), self._access)

    def _handler(self, act: Handler) -> Handler:
        """``act`` after the checks that every request that changes something has to pass."""

        async def handle(request: Request) -> Response:
            try:
                self._access.check_change(request.headers)
                if act != self.login:
                    self._access.check_login(request.headers)
                return await act(request)
            except Refusal as refusal:
                return _refused(request.scope, refusal)
            except ClientDisconnect:
                return Response(status_code=400)

        return handle

    # --- requests -----------------------------------------------------------------------------------------------------------
    async def estop(self, request: Request) -> Response:
        """Stop at once: for every page, with or without control, as often as wanted; calls at the same time are one call."""
        if self._stopping is None or self._stopping.done():
            LOG.warning("emergency stop from %s", _who(request.scope))
            self._stopping = asyncio.create_task(self._answer("mission/estop"))
        return _answered(await asyncio.shield(self._stopping))

    async def mission(self, request: Request) -> Response:
        """Start, pause, resume, abort: for the page that has control."""
        viewer = self._viewer(request)
        command = parse(await _body(request), MissionBody)
        _spend(viewer)
        if not self._seats.controls(viewer):
            raise Refusal(409, "this page does not have control: take it first")
        LOG.info("%s from viewer %d, %s", command.command, viewer.number, _who(request.scope))
        return _answered(await self._answer(f"mission/{command.command}"))

    async def control(self, request: Request) -> Response:
        """Take control or give it up."""
        viewer = self._viewer(request)
        wish = parse(await _body(request), ControlBody)
        _spend(viewer)
        if wish.action == "release":
            self._seats.release(viewer)
        elif not self._seats.take(viewer, from_other=wish.from_other):
            raise Refusal(409, "another page has control")
        return _answered((True, "control taken" if wish.action == "take" else "control given up"))

    async def sensors(self, request: Request) -> Response:
        """Show the sensors' scans to this page, or no longer."""
        viewer = self._viewer(request)
        wish = parse(await _body(request), SensorsBody)
        _spend(viewer)
        viewer.wish, viewer.heard = (Wish(wish.channel, wish.processed) if wish.on else None), 0
        return _answered((True, "shown" if wish.on else "not shown"))

    async def evidence(self, request: Request) -> Response:
        """The picture of the evidence behind a target."""
        viewer = self._viewer(request)
        wish = parse(await _body(request), EvidenceBody)
        _spend(viewer)
        return Response(await self._draw(wish.target), media_type="image/png")

    async def login(self, request: Request) -> Response:
        """Exchange the token for a cookie that scripts cannot read."""
        wish = parse(await _body(request), LoginBody)
        response = _answered((True, "welcome"))
        value = self._access.login(wish.token, time.monotonic()) if self._access.needs_token else ""
        response.set_cookie(COOKIE, value, httponly=True, secure=True, samesite="strict", path="/")
        return response

    def _viewer(self, request: Request) -> Viewer:
        viewer = self._seats.find(request.headers.get("x-console", ""))
        if viewer is None:
            raise Refusal(403, "this page is not known: it has to connect first")
        return viewer

    async def _answer(self, service: str) -> tuple[bool, str]:
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._call(service)), ANSWER_S)
        except asyncio.TimeoutError:
            return False, f"no answer of the mission within {ANSWER_S:.0f} s"

    # --- the stream ---------------------------------------------------------------------------------------------------------
    async def live(self, socket: WebSocket) -> None:
        """Everything the page shows: a greeting, then changes at the rate of the page. The page has nothing to say here."""
        try:
            self._access.check_origin(socket.headers)
            self._access.check_login(socket.headers)
        except Refusal as refusal:
            _note(socket.scope, refusal)
            # A WebSocket that is refused before it is accepted tells the page nothing; 4401 lets it ask for the token.
            await socket.accept()
            await socket.close(4000 + refusal.status, refusal.reason[:100])
            return
        viewer = self._seats.join()
        await socket.accept()
        if viewer is None:
            await socket.close(4429, "too many viewers")
            return
        try:
            await _first_done(self._send(socket, viewer), _listen(socket))
        finally:
            self._seats.leave(viewer)

    async def _send(self, socket: WebSocket, viewer: Viewer) -> None:
        hello = {**self._hello, "viewer": viewer.number, "secret": viewer.secret, "now": time.monotonic()}
        await socket.send_text(json.dumps({"hello": hello}))
        budget = int(BUDGET_BYTES_S * self._period)
        while True:
            await socket.send_text(self._store.compose(viewer.cursor, budget, time.monotonic()))
            if viewer.wish is not None:
                text, viewer.heard = self._traces.compose(viewer.wish, viewer.heard)
                if text:
                    await socket.send_text(text)
            await asyncio.sleep(self._period)


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


async def _body(request: Request) -> bytes:
    """The body, of which no more than the limit is ever read."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refusal(413, f"the body is longer than {MAX_BODY} bytes")
    return body


def _spend(viewer: Viewer) -> None:
    """Raise :class:`Refusal` if a page asks too often."""
    if not viewer.spend(time.monotonic()):
        raise Refusal(429, "too many requests")


def _file(content: bytes, kind: str) -> Handler:
    async def serve(request: Request) -> Response:
        return Response(content, media_type=kind)

    return serve


def _answered(answer: tuple[bool, str]) -> JSONResponse:
    return JSONResponse({"ok": answer[0], "message": answer[1]}, 200 if answer[0] else 409)


def _refused(scope: Scope, refusal: Refusal) -> JSONResponse:
    _note(scope, refusal)
    return JSONResponse({"ok": False, "message": refusal.reason}, refusal.status)


def _note(scope: Scope, refusal: Refusal) -> None:
    LOG.warning("refused %s from %s: %d %s", repr(scope["path"][:80]), _who(scope), refusal.status, refusal.reason)


def _who(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


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
                await _refused(scope, refusal)(scope, receive, send_with_headers)
            else:
                _note(scope, refusal)
                await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send_with_headers)
