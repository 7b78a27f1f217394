"""What pages ask for beside the live picture: evidence, past runs, downloads. It may take seconds, so errands do the work."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, BinaryIO

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mine_robot.console.access import (
    MAX_FIELD,
    Access,
    EmptyBody,
    EvidenceBody,
    LaunchBody,
    PreviewBody,
    Refusal,
    parse,
)
from mine_robot.console.errands import Errands
from mine_robot.console.seats import Seats, Viewer
from mine_robot.console.shelf import Shelf
from mine_robot.console.web import answered, checked, fetched, read_body, spend, viewer_of, who

DOWNLOADS_MAX = 4  # at a time
CHUNK = 65536
# Plans a field, a KML file or a sketch (access.PreviewBody), to the JSON of `mine-robot preview`; raises Refusal.
Preview = Callable[[dict[str, Any]], Awaitable[str]]
# Draws the evidence behind a target as PNG; raises Refusal.
Draw = Callable[[int], Awaitable[bytes]]
# Starts a mission on a field, for a viewer at an address: whether it does, and a word on it; raises Refusal.
Launch = Callable[[dict[str, Any], Viewer, str], Awaitable[tuple[bool, str]]]


class Desk:
    """Serves from the ``shelf`` and runs ``errands``."""

    def __init__(
        self,
        *,
        access: Access,
        seats: Seats,
        errands: Errands,
        shelf: Shelf,
        draw: Draw,
        preview: Preview,
        launch: Launch | None = None,
    ) -> None:
        self._access, self._seats, self._errands, self._shelf = access, seats, errands, shelf
        self._draw, self._preview, self._launch = draw, preview, launch
        self._downloads = 0

    def routes(self) -> list[Route]:
        """The routes of the desk."""
        return [
            Route("/api/evidence", checked(self._access, self.evidence), methods=["POST"]),
            Route("/api/preview", checked(self._access, self.preview), methods=["POST"]),
            Route("/api/launch", checked(self._access, self.launch), methods=["POST"]),
            Route("/api/runs", checked(self._access, self.runs), methods=["POST"]),
            Route("/runs/{run}/export/{format}", fetched(self._access, self.export), methods=["GET"]),
            Route("/runs/{run}/{name}", fetched(self._access, self.download), methods=["GET"]),
        ]

    async def evidence(self, request: Request) -> Response:
        """The picture of the evidence behind a target."""
        viewer = viewer_of(self._seats, request)
        wish = parse(await read_body(request), EvidenceBody)
        spend(viewer)
        return Response(await self._draw(wish.target), media_type="image/png")

    async def preview(self, request: Request) -> Response:
        """Plan and estimate of a field for a later mission; nothing of this one changes."""
        viewer = viewer_of(self._seats, request)
        wish = parse(await read_body(request, MAX_FIELD), PreviewBody)
        spend(viewer)
        content = json.loads(await self._preview(wish.model_dump(exclude_none=True)))
        return JSONResponse({"ok": True, "message": "", **content})

    async def launch(self, request: Request) -> Response:
        """Start a mission on a field: for the page that has control, where no mission runs and missions are offered."""
        viewer = viewer_of(self._seats, request)
        wish = parse(await read_body(request, MAX_FIELD), LaunchBody)
        spend(viewer)
        if not self._seats.controls(viewer):
            raise Refusal(409, "this page does not have control: take it first")
        if self._launch is None:
            raise Refusal(409, "this console starts no missions")
        return answered(await self._launch(wish.field, viewer, who(request.scope)))

    async def runs(self, request: Request) -> Response:
        """The list of the runs."""
        viewer = viewer_of(self._seats, request)
        parse(await read_body(request), EmptyBody)
        spend(viewer)
        return JSONResponse({"ok": True, "message": "", "runs": await asyncio.to_thread(self._shelf.runs)})

    async def download(self, request: Request) -> Response:
        """A file of a run, to be saved and never to be shown here: what is in it is not of this page."""
        run, name = request.path_params["run"], request.path_params["name"]
        if self._downloads >= DOWNLOADS_MAX:
            raise Refusal(429, "too many downloads at a time")
        file = os.fdopen(self._shelf.open(run, name), "rb")
        self._downloads += 1

        def done() -> None:
            self._downloads -= 1
            file.close()

        return _Download(file, done, f"{run}_{name}")

    async def export(self, request: Request) -> Response:
        """An export of a run, zipped."""
        run, kind = request.path_params["run"], request.path_params["format"]
        content = await self._shelf.export(self._errands, run, kind)
        return Response(content, media_type="application/zip", headers=_saved(f"{run}_{kind}.zip"))


class _Download(StreamingResponse):
    """A file on its way; ``done`` is called at the end, however it ends."""

    def __init__(self, file: BinaryIO, done: Callable[[], None], name: str) -> None:
        pieces = iter(partial(file.read, CHUNK), b"")
        super().__init__(pieces, media_type="application/octet-stream", headers=_saved(name))
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._done()


def _saved(name: str) -> dict[str, str]:
    """Headers that make a browser save the answer; ``name`` consists of letters, digits, dots, dashes and underscores."""
    return {"content-disposition": f'attachment; filename="{name}"'}
