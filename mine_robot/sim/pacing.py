"""Simulated time that never outruns the stack.

Every consumer acknowledges how far it has come by the time stamp of something it publishes anyway: the guard by ``cmd_vel``, the
detector by its evidence, the others by their health reports. The world takes its next step only when every consumer that was
heard is at most its *lead* behind. A consumer that falls silent is waited for with patience, then left behind until it is
heard again, so that a dead node cannot stop the world: the robot must show that it stops.
"""

from __future__ import annotations

from collections.abc import Mapping


class Pacer:
    """Decides when simulated time may go on.

    ``leads`` maps each consumer to the simulated seconds it may lag; ``patience`` is the wall-clock time in s to wait for a silent one.
    """

    def __init__(self, leads: Mapping[str, float], patience: float) -> None:
        self._leads = dict(leads)
        self._patience = patience
        self._heard: dict[str, float] = {}
        self._left_behind: set[str] = set()
        self._waiting_since: float | None = None

    def hear(self, consumer: str, t: float) -> None:
        """A consumer has come as far as simulated time ``t``."""
        if consumer in self._leads:
            self._heard[consumer] = max(t, self._heard.get(consumer, t))
            self._left_behind.discard(consumer)

    @property
    def missing(self) -> set[str]:
        """Consumers that were never heard."""
        return set(self._leads) - set(self._heard)

    def waits_for(self, t: float, wall: float) -> set[str]:
        """Consumers that hold back the step to ``t``; empty if it may be taken. ``wall`` is the wall-clock time in s."""
        late = {
            name
            for name, heard in self._heard.items()
            if name not in self._left_behind and heard < t - self._leads[name] - 1e-6
        }
        if not late:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = wall
        elif wall - self._waiting_since > self._patience:
            self._left_behind |= late
            self._waiting_since = None
            return set()
        return late

    @property
    def left_behind(self) -> frozenset[str]:
        """Consumers that fell silent and are no longer waited for."""
        return frozenset(self._left_behind)
