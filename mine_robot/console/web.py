"""What every request goes through: the checks before it, and the form of the answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from mine_robot.console.access import MAX_BODY, Access, Refusal
from mine_robot.console.seats import Seats, Viewer

LOG = logging.getLogger("console")
HOLD = "mine_robot.hold"  # in the scope of a request: keeps its connection from being ended
BODY_S = 10.0  # that a page may take to send what it asks
Handler = Callable[[Request], Awaitable[Response]]


def checked(access: Access, act: Handler, *, login: bool = True) -> Handler:
    """``act`` after the checks that every request that changes something or costs something has to pass; ``login``: the token too."""

    async def handle(request: Request) -> Response:
        try:
            access.check_change(request.headers)
            if login:
                access.check_login(request.headers)
                hold(request.scope)
            return await act(request)
        except Refusal as refusal:
            return refused(request.scope, refusal)
        except ClientDisconnect:
            return Response(status_code=400)

    return handle


def fetched(access: Access, act: Handler) -> Handler:
    """``act``, a download, after its checks: for who has logged in, and from our own page."""

    async def handle(request: Request) -> Response:
        try:
            access.check_fetch(request.headers)
            access.check_login(request.headers)
            hold(request.scope)
            return await act(request)
        except Refusal as refusal:
            return refused(request.scope, refusal)

    return handle


def hold(scope: Scope) -> None:
    """Who asks may come in: until it is answered, no flood of others ends this connection."""
    scope.get(HOLD, lambda: None)()


def viewer_of(seats: Seats, request: Request) -> Viewer:
    """The connected page that asks; raises :class:`Refusal` for any other."""
    viewer = seats.find(request.headers.get("x-console", ""))
    if viewer is None:
        raise Refusal(403, "this page is not known: it has to connect first")
    return viewer


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """The body, of which no more than the limit is ever read, and for which nobody waits long."""

    async def read() -> bytes:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise Refusal(413, f"the body is longer than {limit} bytes")
        return body

    try:
        return await asyncio.wait_for(read(), BODY_S)
    except asyncio.TimeoutError:
        raise Refusal(408, f"the body did not come within {BODY_S:.0f} s") from None


def spend(viewer: Viewer) -> None:
    """Raise :class:`Refusal` if a page asks too often."""
    if not viewer.spend(time.monotonic()):
        raise Refusal(429, "too many requests")


def answered(answer: tuple[bool, str]) -> JSONResponse:
    """Whether something was done, and a word on it."""
    return JSONResponse({"ok": answer[0], "message": answer[1]}, 200 if answer[0] else 409)


def refused(scope: Scope, refusal: Refusal) -> JSONResponse:
    """A refusal, noted."""
    note(scope, refusal)
    return JSONResponse({"ok": False, "message": refusal.reason}, refusal.status)


def note(scope: Scope, refusal: Refusal) -> None:
    """Write a refusal into the log."""
    LOG.warning("refused %s from %s: %d %s", repr(scope["path"][:80]), who(scope), refusal.status, refusal.reason)


def who(scope: Scope) -> str:
    """The address that asks."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"
