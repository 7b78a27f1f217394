"""Who watches and who controls: any number of viewers up to a limit, of which one holds control."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from mine_robot.console.store import Cursor
from mine_robot.console.traces import Wish

COMMANDS_A_SECOND = 2.0
COMMANDS_AT_ONCE = 5.0


@dataclass(eq=False)
class Viewer:
    """One open page: its number for people, and the secret that only this page knows."""

    number: int
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    cursor: Cursor = field(default_factory=Cursor)
    wish: Wish | None = None  # what it wants to see of the sensors
    heard: int = 0  # the last column of theirs that it was told
    allowance: float = COMMANDS_AT_ONCE
    refilled: float = 0.0

    def spend(self, now: float) -> bool:
        """Take one command from the allowance; False if the page asks too often."""
        self.allowance = min(self.allowance + (now - self.refilled) * COMMANDS_A_SECOND, COMMANDS_AT_ONCE)
        self.refilled = now
        if self.allowance < 1.0:
            return False
        self.allowance -= 1.0
        return True


class Seats:
    """The viewers; ``changed`` is called with (number of the holder or None, number of viewers, what happened)."""

    def __init__(self, limit: int, changed: Callable[[int | None, int, str], None]) -> None:
        self._limit = limit
        self._changed = changed
        self._viewers: list[Viewer] = []
        self._next = 1
        self._holder: Viewer | None = None

    @property
    def count(self) -> int:
        """Number of viewers."""
        return len(self._viewers)

    @property
    def controlled(self) -> bool:
        """True while a page that is connected has control."""
        return self._holder is not None

    @property
    def sensors_wanted(self) -> bool:
        """True if a page wants to see the sensors."""
        return any(viewer.wish is not None for viewer in tuple(self._viewers))

    def join(self) -> Viewer | None:
        """A seat for a new page; None if all are taken."""
        if len(self._viewers) >= self._limit:
            return None
        viewer = Viewer(self._next)
        self._next += 1
        self._viewers.append(viewer)
        self._tell("")
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """A page is gone; its control is free again, and nothing else happens."""
        if viewer in self._viewers:
            self._viewers.remove(viewer)
            held = self._holder is viewer
            self._holder = None if held else self._holder
            self._tell(f"viewer {viewer.number} is gone: nobody has control" if held else "")

    def find(self, secret: str) -> Viewer | None:
        """The page that knows ``secret``."""
        for viewer in self._viewers:
            if hmac.compare_digest(viewer.secret.encode(), secret.encode("utf-8", "replace")):
                return viewer
        return None

    def controls(self, viewer: Viewer) -> bool:
        """True if this page may command the mission."""
        return self._holder is viewer

    def take(self, viewer: Viewer, *, from_other: bool) -> bool:
        """Give control to ``viewer``; from another page only if it says so."""
        other = self._holder
        if other is viewer:
            return True
        if other is not None and not from_other:
            return False
        self._holder = viewer
        source = f" from viewer {other.number}" if other else ""
        self._tell(f"viewer {viewer.number} took control{source}")
        return True

    def release(self, viewer: Viewer) -> None:
        """Give control up."""
        if self._holder is viewer:
            self._holder = None
            self._tell(f"viewer {viewer.number} gave up control")

    def _tell(self, what: str) -> None:
        self._changed(self._holder.number if self._holder else None, len(self._viewers), what)
