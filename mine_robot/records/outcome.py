"""What the journal says about a run, in the words of the records."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mine_robot.core.types import (
    LedgerGrid,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MissionState,
    MissionStatus,
    Pose2,
    Release,
    Remark,
    RemarkKind,
    Target,
)
from mine_robot.mission.journal import OVERRIDE_EVENT, REMARK_EVENT, JournalError
from mine_robot.mission.journal_reader import JournalRecord, read_journal
from mine_robot.records.errors import RecordError
from mine_robot.records.marks import Mark

# A mark once proven stays so, whatever a later attempt says; one that fired may lie there.
STANDING = {MarkStatus.CONFIRMED: 2, MarkStatus.UNVERIFIED: 1, MarkStatus.FAILED: 0}


@dataclass(frozen=True)
class Event:
    """Something the mission did or met at ``t`` s on the clock of the stack."""

    t: float
    kind: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """What the journal says: the last ``state`` with its ``reason``, the events in order, what was found and marked, what people said,
    and which halos they released, at what time in s. ``highest_p`` is the highest probability a target ever had, ``grid_pose`` where the
    robot was when ``grid`` was written.
    """

    state: MissionState
    reason: str
    start_t: float | None = None
    end_t: float | None = None
    events: tuple[Event, ...] = ()
    targets: tuple[Target, ...] = ()
    highest_p: Mapping[int, float] = field(default_factory=dict)
    marks: Mapping[int, Mark] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()
    releases: tuple[tuple[float, Release], ...] = ()
    grid: LedgerGrid | None = None
    grid_pose: Pose2 | None = None

    @property
    def duration_s(self) -> float:
        """From the start to the last entry, s; 0 for a mission that never started."""
        if self.start_t is None or self.end_t is None:
            return 0.0
        return max(self.end_t - self.start_t, 0.0)


def read_outcome(path: Path) -> Outcome:
    """Read the journal at ``path``; raises :class:`RecordError` if it is missing or damaged."""
    try:
        return outcome_of(read_journal(path))
    except JournalError as error:
        raise RecordError(str(error)) from None


def outcome_of(record: JournalRecord) -> Outcome:
    """The outcome of a journal; one without a single state is that of a mission that never started."""
    changes = _changes(record.statuses)
    last = changes[-1] if changes else None
    started = next((status.t for status in changes if status.state is not MissionState.IDLE), None)
    return Outcome(
        state=last.state if last else MissionState.IDLE,
        reason=last.reason if last else "the journal holds no state of the mission",
        start_t=started,
        end_t=_end(record, last),
        events=tuple(sorted(_events(record, changes), key=lambda event: event.t)),
        targets=tuple(sorted(record.targets, key=lambda target: target.id)),
        highest_p=record.highest_p,
        marks=_marks(record.mark_requests, record.mark_results),
        remarks=record.remarks,
        releases=record.releases,
        grid=record.ledger,
        grid_pose=record.ledger_pose,
    )


def _changes(statuses: Sequence[MissionStatus]) -> list[MissionStatus]:
    """The statuses at which the state or its reason changed; the others are heartbeats."""
    changes: list[MissionStatus] = []
    for status in statuses:
        if not changes or (status.state, status.reason) != (changes[-1].state, changes[-1].reason):
            changes.append(status)
    return changes


def _end(record: JournalRecord, last: MissionStatus | None) -> float | None:
    """When the mission ended, or was last heard of."""
    if last is None:
        return None
    if last.state.ended:
        return last.t
    times = [record.statuses[-1].t, *(t for t, _, _ in record.events), *(mark.t for mark in record.mark_results)]
    return max(t for t in times if math.isfinite(t))


def _events(record: JournalRecord, changes: Iterable[MissionStatus]) -> Iterable[Event]:
    for status in changes:
        yield Event(status.t, status.state.value, status.reason)
    for t, kind, data in record.events:
        if kind == OVERRIDE_EVENT:
            yield Event(t, kind, f"{data['what']}, by {data['who']}; known since {data['since']} s")
        elif kind != REMARK_EVENT:
            yield Event(t, kind, _words(data))
    for remark in record.remarks:
        if remark.kind is RemarkKind.RELEASE:
            continue
        of = "the hold" if remark.kind is RemarkKind.ACKNOWLEDGE else f"target {remark.target_id}"
        yield Event(remark.t, f"remark: {remark.kind.value}", f"{of}, {remark.author}: {remark.comment}".rstrip(": "))
    yield from _mark_events(record)


def _mark_events(record: JournalRecord) -> Iterable[Event]:
    """Requests and results, without those that only repeat what was said: a request goes out until it is answered, a result twice."""
    entries: list[MarkRequest | MarkResult] = [*record.mark_requests, *record.mark_results]
    said: dict[int, str] = {}
    for entry in sorted(entries, key=lambda one: one.t):
        event = Event(entry.t, "mark requested", f"target {entry.target_id}")
        if isinstance(entry, MarkResult):
            detail = f"{event.text}: {entry.detail}".rstrip(": ")
            event = Event(entry.t, f"mark {entry.status.value}", detail)
        if said.get(entry.target_id) != event.kind:
            said[entry.target_id] = event.kind
            yield event


def _words(data: Any) -> str:
    """The data of an event as text."""
    if isinstance(data, dict):
        return ", ".join(f"{key}: {_words(value)}" for key, value in data.items())
    if isinstance(data, (list, tuple)):
        return ", ".join(_words(value) for value in data)
    return "" if data is None else str(data)


def _marks(requests: Iterable[MarkRequest], results: Iterable[MarkResult]) -> dict[int, Mark]:
    """One mark a target: the first request and the best result."""
    best: dict[int, MarkResult] = {}
    for result in results:
        known = best.get(result.target_id)
        if known is None or STANDING[result.status] >= STANDING[known.status]:
            best[result.target_id] = result
    asked: dict[int, float] = {}
    for request in requests:
        asked.setdefault(request.target_id, request.t)
    marks = {}
    for target_id in sorted(asked.keys() | best.keys()):
        outcome = best.get(target_id)
        if outcome is None:
            marks[target_id] = Mark(target_id, asked[target_id])
        else:
            place = (outcome.t, outcome.x, outcome.y, outcome.detail)
            marks[target_id] = Mark(target_id, asked.get(target_id, outcome.t), outcome.status, *place)
    return marks
