"""Who the network lets in: a bounded number of connections, so that those who only knock keep nobody from a stop.

A connection is *held* while an answer to a request that passed the checks is being made, or while a page sits on it. Every other one is
a stranger's, whether it has sent nothing, half a header, or waits for its next request. Nobody is refused: a new connection takes the
place of the stranger that has been quiet longest, first among those of its own address. So a flood ousts itself, and a page that is
open, or a stop that comes in between, is never ousted by it.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

STRANGERS = 128  # connections that are not held, in all
STRANGERS_OF_ONE = 32  # the same from one address; a browser opens six
HELD = 256  # beyond it nothing more is held: the files that a process may open are 1024
QUIET_S = 10.0  # that a stranger may take for its handshake, its header, or until its next request

Peer = tuple[str, int]  # address and port of the other side


@dataclass
class _Stranger:
    since: float
    end: Callable[[], None]


class Door:
    """The connections there are. Times are those of one steady clock, s."""

    def __init__(
        self, *, strangers: int = STRANGERS, of_one: int = STRANGERS_OF_ONE, held: int = HELD, quiet_s: float = QUIET_S
    ) -> None:
        self._limit, self._of_one, self._held_max, self._quiet_s = strangers, of_one, held, quiet_s
        self._strangers: OrderedDict[Peer, _Stranger] = OrderedDict()  # the longest quiet first
        self._held: dict[Peer, _Stranger] = {}

    def enter(self, peer: Peer, end: Callable[[], None], now: float) -> None:
        """A new connection, which ``end`` ends; the one that it takes the place of is ended."""
        self._add(peer, _Stranger(now, end))

    def hold(self, peer: Peer) -> None:
        """It is not to be ended; one that is not known stays so."""
        if peer in self._strangers and len(self._held) < self._held_max:
            self._held[peer] = self._strangers.pop(peer)

    def release(self, peer: Peer, now: float) -> None:
        """It may be ended again; it was busy until now."""
        known = self._held.pop(peer, None) or self._strangers.pop(peer, None)
        if known is not None:
            self._add(peer, _Stranger(now, known.end))

    def leave(self, peer: Peer) -> None:
        """It has ended."""
        self._held.pop(peer, None)
        self._strangers.pop(peer, None)

    def sweep(self, now: float) -> None:
        """End what has been quiet for too long."""
        for peer in [peer for peer, one in self._strangers.items() if now - one.since > self._quiet_s]:
            self._oust(peer)

    def _add(self, peer: Peer, stranger: _Stranger) -> None:
        like = [other for other in self._strangers if other[0] == peer[0]]
        if len(like) >= self._of_one:
            self._oust(like[0])
        elif len(self._strangers) >= self._limit:
            self._oust(next(iter(self._strangers)))
        self._strangers[peer] = stranger

    def _oust(self, peer: Peer) -> None:
        self._strangers.pop(peer).end()


class Doorway(socket.socket):
    """A listening socket whose connections go through a :class:`Door`; it takes over ``listener``."""

    def __init__(self, listener: socket.socket, door: Door) -> None:
        super().__init__(fileno=listener.detach())
        self._door = door

    def accept(self) -> tuple[socket.socket, object]:
        """The next connection, which the door knows until it is closed."""
        accepted, address = super().accept()
        peer = (str(address[0]), int(address[1]))
        visitor = _Visitor(accepted, lambda: self._door.leave(peer))
        self._door.enter(peer, visitor.end, time.monotonic())
        return visitor, address


class _Visitor(socket.socket):
    """A connection that says when it is closed."""

    def __init__(self, accepted: socket.socket, left: Callable[[], None]) -> None:
        super().__init__(fileno=accepted.detach())
        self._left = left

    def end(self) -> None:
        """Let whoever reads it find its end, and close it."""
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close, once."""
        left, self._left = self._left, lambda: None
        left()
        super().close()
