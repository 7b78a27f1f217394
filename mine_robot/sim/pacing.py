"""Simulated time that never outruns the stack.

Every consumer acknowledges how far it has come by the time stamp of something it publishes anyway: the guard by ``cmd_vel``, the
detector by its evidence, the others by their health reports. A consumer whose acknowledgements follow each other within its *lead* is in
flow, and the world takes its next step only when every consumer in flow is at most its lead behind. Whoever falls silent is waited
for with patience and then left behind until it flows again, so that a dead node cannot stop the world: the robot must show that it stops.
While somebody is not in flow, the world runs in real time at most, so that whoever lives can keep up.
"""

from __future__ import annotations

from collections.abc import Mapping

TOLERANCE_S = 1e-6


class Pacer:
    """Decides when simulated time may go on.

    ``leads`` maps each consumer to the simulated seconds it may lag; ``patience`` is the wall-clock time in s to wait for a silent one.
    """

    def __init__(self, leads: Mapping[str, float], patience: float) -> None:
        self._leads = dict(leads)
        self._patience = patience
        self._heard: dict[str, float] = {}
        self._flowing: set[str] = set()
        self._left_behind: set[str] = set()
        self._waiting_since: float | None = None

    def hear(self, consumer: str, t: float) -> None:
        """A consumer has come as far as simulated time ``t``."""
        lead = self._leads.get(consumer)
        before = self._heard.get(consumer)
        if lead is None or (before is not None and t <= before):
            return
        self._heard[consumer] = t
        if before is not None and t - before <= lead + TOLERANCE_S:
            self._flowing.add(consumer)
            self._left_behind.discard(consumer)

    @property
    def all_flow(self) -> bool:
        """True if every consumer is in flow; otherwise the world should run in real time at most."""
        return len(self._flowing) == len(self._leads)

    @property
    def left_behind(self) -> frozenset[str]:
        """Consumers that flowed once, fell silent and are no longer waited for."""
        return frozenset(self._left_behind)

    def waits_for(self, t: float, wall: float) -> set[str]:
        """Consumers that hold back the step to ``t``; empty if it may be taken. ``wall`` is the wall-clock time in s."""
        late = {name for name in self._flowing if self._heard[name] < t - self._leads[name] - TOLERANCE_S}
        if not late:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = wall
        elif wall - self._waiting_since > self._patience:
            self._flowing -= late
            self._left_behind |= late
            self._waiting_since = None
            return set()
        return late
