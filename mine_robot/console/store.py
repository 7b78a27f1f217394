"""The newest of everything viewers are to know, encoded once, and what each viewer has not been told yet.

An entry is a key with a JSON value; an entry that changes replaces its former self, so that a slow viewer is late but never behind a queue.
Live entries (pose, state, health) go out first and whole; the rest (ledger tiles, targets, plan) in order of change, as far as the
viewer's budget of bytes allows.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from mine_robot.core.json_text import to_json


@dataclass
class Cursor:
    """How far a viewer has been told: the versions of the last live entry and of the last other one."""

    live: int = 0
    bulk: int = 0


class Store:
    """Entries with versions; one thread writes, others compose messages."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = 0
        # The values are (version, '"key":value'), the last changed last.
        self._live: OrderedDict[str, tuple[int, str]] = OrderedDict()
        self._bulk: OrderedDict[str, tuple[int, str]] = OrderedDict()

    def put(self, key: str, value: Any, *, live: bool = False) -> None:
        """Set an entry; one that is as before stays. Figures that are not finite become null: unknown."""
        text = f"{to_json(key)}:{to_json(value, compact=True)}"
        entries = self._live if live else self._bulk
        with self._lock:
            before = entries.get(key)
            if before is None or before[1] != text:
                self._version += 1
                entries[key] = (self._version, text)
                entries.move_to_end(key)

    def compose(self, cursor: Cursor, budget: int, now: float) -> str:
        """The next message for a viewer, whose ``cursor`` moves on; ``now`` is the server's time in s.

        Other than live entries are added while the message is shorter than ``budget`` bytes, at least one; ``more`` says that some wait.
        """
        with self._lock:
            live = _newer(self._live, cursor.live)
            waiting = _newer(self._bulk, cursor.bulk)
        size = sum(len(text.encode()) for _, text in live)
        taken = 0
        for _, text in waiting:
            if taken and size >= budget:
                break
            size += len(text.encode())
            taken += 1
        cursor.live = live[-1][0] if live else cursor.live
        cursor.bulk = waiting[taken - 1][0] if taken else cursor.bulk
        entries = ",".join(text for _, text in (*live, *waiting[:taken]))
        more = "true" if taken < len(waiting) else "false"
        return f'{{"now":{now:.3f},"more":{more},"entries":{{{entries}}}}}'


def _newer(entries: OrderedDict[str, tuple[int, str]], version: int) -> list[tuple[int, str]]:
    """Entries after ``version``, oldest change first."""
    found = []
    for entry in reversed(entries.values()):
        if entry[0] <= version:
            break
        found.append(entry)
    found.reverse()
    return found
