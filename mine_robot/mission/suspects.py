"""Which targets are to be marked, which are, and why some are not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mine_robot.core.hazards import Hazards
from mine_robot.core.tally import Tally
from mine_robot.core.types import MarkRequest, MarkResult, MarkStatus, Release, Target


@dataclass
class _Entry:
    requested: MarkRequest | None = None
    outcome: MarkStatus | None = None
    why: str = ""
    failures: int = 0
    closed: bool = False  # nothing more is tried
    deferred: bool = False  # tried again when the search is finished
    retried: bool = False
    unsettled: bool = False  # asked for before a restart: the marker has yet to say what became of it
    planned: bool = False  # a plan was asked for since it became a suspect


class Suspects:
    """Bookkeeping of the marks; a suspect is a target whose ``p_hazard`` reaches ``threshold``.

    A mark cannot be moved, and a body that only the end of the array has passed may lie a hand's breadth beyond. So a suspect whose place
    is not known within a sigma of ``sigma_max`` m waits for a better look, or for the end of the search; its halo is closed meanwhile. What
    is rather clutter is marked at once: every halo closes ways, and nobody digs it up by its mark.
    """

    MAX_FAILURES = 2
    LIKELY_P = 0.1

    def __init__(self, threshold: float, sigma_max: float) -> None:
        self._threshold, self._sigma_max = threshold, sigma_max
        self._better_looks_come = True
        self.hazards = Hazards(threshold)
        self._targets: dict[int, Target] = {}
        self._entries: dict[int, _Entry] = {}
        self.tally = Tally(threshold)

    def set_targets(self, targets: Iterable[Target]) -> None:
        """Take the newest list; targets whose position is not finite cannot be approached and are skipped, what it lacks stays known."""
        targets = tuple(targets)
        self.tally.add((target.id, target.p_hazard) for target in targets)
        self.hazards.take(targets)
        self._renew()

    def recall(self, history: Iterable[Target], releases: Iterable[Release]) -> None:
        """Take over what an earlier process knew of the targets, and what people have taken back of it."""
        self.hazards.recall(history, releases)
        self._renew()

    def _renew(self) -> None:
        known = self.hazards.targets
        self._targets = {target.id: target for target in known if math.isfinite(target.x) and math.isfinite(target.y)}
        for target in self._targets.values():
            if target.p_hazard >= self._threshold:
                self._entries.setdefault(target.id, _Entry())

    def restore(
        self,
        requests: Iterable[MarkRequest],
        results: Iterable[MarkResult],
        highest_p: Mapping[int, float] = MappingProxyType({}),
    ) -> None:
        """Take over what an earlier process asked for and got; a request without a result waits for the marker to settle it.

        ``highest_p`` is the highest probability that each target ever had.
        """
        self.tally.add(highest_p.items())
        answered: dict[int, float] = {}
        asked = {request.target_id: request for request in requests}
        for request in asked.values():
            self._entries.setdefault(request.target_id, _Entry()).requested = request
        for result in results:
            self.record(result, restored=True)
            answered[result.target_id] = result.t
        for request in asked.values():
            entry = self._entries[request.target_id]
            entry.unsettled = not entry.closed and answered.get(request.target_id, -math.inf) < request.t

    def wanted(self, target_id: int) -> bool:
        """True if the target is (still) a suspect that has to be marked."""
        target, entry = self._targets.get(target_id), self._entries.get(target_id)
        open_ = entry is not None and not (entry.closed or entry.deferred or entry.unsettled)
        return open_ and target is not None and self.hazards.closed(target_id)

    def _waits(self, target: Target) -> bool:
        """True if its place is not known well enough yet."""
        rough = max(target.sigma_x, target.sigma_y) > self._sigma_max
        return self._better_looks_come and rough and target.p_hazard >= self.LIKELY_P

    def found(self) -> Target | None:
        """A suspect for which no plan was asked yet, if only because it waits: the present plan may lead through its halo."""
        new = (target for target in self._targets.values() if self.wanted(target.id))
        return next((target for target in new if not self._entries[target.id].planned), None)

    def plan(self) -> None:
        """A plan is being asked for, which takes in all that is known now."""
        for entry in self._entries.values():
            entry.planned = True

    def next(self, position: tuple[float, float] | None) -> Target | None:
        """The suspect to mark next, nearest to ``position`` first."""
        candidates = [target for target in self._targets.values() if self.wanted(target.id) and not self._waits(target)]
        if position is None:
            return min(candidates, key=lambda target: target.id, default=None)
        x, y = position
        return min(candidates, key=lambda target: (math.hypot(target.x - x, target.y - y), target.id), default=None)

    def knows(self, target_id: int) -> bool:
        """True for a target that the detector holds or that was a suspect."""
        return target_id in self._targets or target_id in self._entries

    def place(self, target_id: int) -> tuple[float, float]:
        """Where the target is believed to be now; not a number if it is gone."""
        target = self._targets.get(target_id)
        return (math.nan, math.nan) if target is None else (target.x, target.y)

    def request(self, t: float, target_id: int) -> MarkRequest | None:
        """A new request for the target where it is believed to be now; None if it is gone."""
        target = self._targets.get(target_id)
        if target is None:
            return None
        request = MarkRequest(t, target_id, target.x, target.y)
        self._entries[target_id].requested = request
        return request

    def record(self, result: MarkResult, *, restored: bool = False) -> bool:
        """Take a result; False if it says nothing new (a repetition, or a failure older than the request).

        Proof counts whenever it comes, and an unverified mark that turns out not to have been fired is open again.
        """
        entry = self._entries.get(result.target_id)
        if entry is None or entry.requested is None:
            return False
        failed = result.status is MarkStatus.FAILED
        outdated = failed and result.t < entry.requested.t and not restored
        given_up = entry.closed and entry.outcome is MarkStatus.FAILED and result.status is not MarkStatus.CONFIRMED
        if outdated or given_up or entry.outcome is MarkStatus.CONFIRMED:
            return False
        entry.outcome, entry.why = result.status, result.detail
        entry.failures += failed and not entry.unsettled  # what a restart cut short is no failure
        entry.unsettled = False
        entry.closed = not failed or entry.failures >= self.MAX_FAILURES
        return True

    def no_result(self, target_id: int, why: str) -> None:
        """The marker never answered: the mark may be on the ground or not."""
        entry = self._entries[target_id]
        entry.outcome, entry.why, entry.closed = MarkStatus.UNVERIFIED, why, True

    def put_off(self, target_id: int, why: str) -> None:
        """Try the target again when the search is finished; the second time it stays unmarked."""
        entry = self._entries.setdefault(target_id, _Entry())
        entry.why, entry.deferred = why, True
        entry.closed = entry.closed or entry.retried

    def retry(self) -> bool:
        """The search is finished: open the targets that were put off, once, and those that wait; False if there are none."""
        waiting = [target for target in self._targets.values() if self.wanted(target.id) and self._waits(target)]
        self._better_looks_come = False
        again = [entry for entry in self._entries.values() if entry.deferred and not entry.closed and not entry.retried]
        for entry in again:
            entry.deferred, entry.retried = False, True
        return bool(again or waiting)

    @property
    def unsettled(self) -> tuple[int, ...]:
        """Targets whose mark a restart cut short and the marker has not settled yet."""
        return tuple(target_id for target_id, entry in self._entries.items() if entry.unsettled)

    @property
    def requested(self) -> int:
        """Targets for which a mark was asked for."""
        return sum(entry.requested is not None for entry in self._entries.values())

    @property
    def confirmed(self) -> int:
        """Targets whose mark is proven."""
        return sum(entry.outcome is MarkStatus.CONFIRMED for entry in self._entries.values())

    @property
    def unmarked(self) -> tuple[tuple[int, str], ...]:
        """Suspects without a proven mark: id and why, in order of the ids."""
        rows = []
        for target_id, entry in sorted(self._entries.items()):
            target = self._targets.get(target_id)
            suspect = self.hazards.closed(target_id)
            if entry.outcome is MarkStatus.CONFIRMED or not (suspect or entry.requested is not None):
                continue
            word = {MarkStatus.UNVERIFIED: "unverified: ", MarkStatus.FAILED: "failed: ", None: ""}[entry.outcome]
            rough = target is not None and self._waits(target)
            rows.append((target_id, word + (entry.why or ("waits for a better look" if rough else "not tried yet"))))
        return tuple(rows)
