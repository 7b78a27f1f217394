"""The web server in a thread of its own."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from mine_robot.console.address import BACKLOG, Address
from mine_robot.console.door import Door, Doorway
from mine_robot.console.store import Store
from mine_robot.console.web import HOLD

LOG = logging.getLogger("console")
JOIN_S = 3.0
MAX_MESSAGE = 1024  # bytes a page may send on the stream, on which it has nothing to say
PING_S = 5.0


class Server:
    """Serves ``app`` until :meth:`close`."""

    def __init__(
        self, app: ASGIApp, address: Address, listener: socket.socket, door: Callable[[], Door] = Door
    ) -> None:
        self._door = door()
        config = uvicorn.Config(
            _at(self._door, app),
            loop="asyncio",  # whose sockets may be our own
            backlog=BACKLOG,
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            server_header=False,
            lifespan="off",
            proxy_headers=False,
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE,
            ws_ping_interval=PING_S,
            ws_ping_timeout=PING_S,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
            ssl_certfile=address.certificate or None,
            ssl_keyfile=address.key or None,
        )
        self._server = _Swept(config, self._door)
        self._thread = threading.Thread(target=self._run, args=(listener,), name="web", daemon=True)
        self._thread.start()

    def _run(self, listener: socket.socket) -> None:
        try:
            self._server.run([Doorway(listener, self._door)])
        except BaseException:  # uvicorn leaves by SystemExit too, of which a thread says nothing
            LOG.exception("the web server failed")
        if not self._server.should_exit:
            LOG.error("the web server has ended by itself")

    @property
    def alive(self) -> bool:
        """False once the server has ended by itself."""
        return self._thread.is_alive()

    def say_last(self, store: Store, phase: str, seconds: float) -> None:
        """Give pages ``seconds`` to hear the last words, and that the end of the connection is meant: ``phase`` is what follows."""
        store.put("phase", phase, live=True)
        if self.alive:
            time.sleep(seconds)

    def close(self) -> None:
        """Stop serving; open pages see the connection end and try again."""
        self._server.should_exit = True
        self._thread.join(JOIN_S)


class _Swept(uvicorn.Server):
    """A server that ends quiet connections."""

    def __init__(self, config: uvicorn.Config, door: Door) -> None:
        super().__init__(config)
        self._door = door

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        self._door.sweep(time.monotonic())
        return await super().on_tick(counter)


def _at(door: Door, app: ASGIApp) -> ASGIApp:
    """``app``, which may hold the connection of a request (:func:`mine_robot.console.web.hold`) until it is answered."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client is None:
            await app(scope, receive, send)
            return
        peer = (str(client[0]), int(client[1]))
        try:
            await app({**scope, HOLD: lambda: door.hold(peer)}, receive, send)
        finally:
            door.release(peer, time.monotonic())

    return served
