"""Commands to the base that are not the guard's own."""

from __future__ import annotations

from collections import Counter, deque

REMEMBERED = 600  # own commands that may still be on their way back; more than any queue of a reader holds


class OwnCommands:
    """Tells the guard's own commands, as bytes of the wire, from those of anybody else; each of its own comes back once."""

    def __init__(self) -> None:
        self._order: deque[bytes] = deque()
        self._expected: Counter[bytes] = Counter()

    def sent(self, data: bytes) -> None:
        """The guard is about to send this."""
        self._order.append(data)
        self._expected[data] += 1
        if len(self._order) > REMEMBERED:
            self._forget(self._order.popleft())

    def foreign(self, data: bytes) -> bool:
        """True if what is heard was not sent by the guard, or was heard before."""
        if data not in self._expected:
            return True
        # In order, as a rule the oldest: what was sent before it was lost on the way.
        while self._order and self._order[0] != data:
            self._forget(self._order.popleft())
        self._forget(self._order.popleft())
        return False

    def _forget(self, data: bytes) -> None:
        self._expected[data] -= 1
        if not self._expected[data]:
            del self._expected[data]
