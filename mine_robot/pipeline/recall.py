"""What a run remembers of itself: the journal, in the words of those who continue from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mine_robot.core.types import LedgerGrid, MarkRequest, MarkResult, Pose2, Release, Remark, Target
from mine_robot.mission.journal_reader import JournalRecord, is_blank, read_journal


@dataclass(frozen=True)
class Memory:
    """State of a run when it was interrupted; empty for one that begins.

    ``highest_p`` is the highest probability each target ever had, ``history`` all that was said of the targets, in order, ``released`` the
    halos that people took back. ``grid`` is the last ledger and ``grid_pose`` where the robot was then, ``home`` where the run began,
    ``unresolved`` the mark requests without a result, ``remarks`` what people said, ``damaged`` what of the journal could not be read.
    """

    targets: tuple[Target, ...] = ()
    highest_p: Mapping[int, float] = field(default_factory=dict)
    history: tuple[Target, ...] = ()
    released: tuple[Release, ...] = ()
    grid: LedgerGrid | None = None
    grid_pose: Pose2 | None = None
    home: Pose2 | None = None
    requests: tuple[MarkRequest, ...] = ()
    results: tuple[MarkResult, ...] = ()
    unresolved: tuple[MarkRequest, ...] = ()
    remarks: tuple[Remark, ...] = ()
    began: bool = False
    damaged: tuple[str, ...] = ()


def recall(journal: Path) -> Memory:
    """Read the memory of a run; a journal that is not there yet is an empty one.

    Raises :class:`mine_robot.mission.journal.JournalError` if it cannot be read: nothing may be forgotten in silence.
    """
    return Memory() if is_blank(journal) else memory_of(read_journal(journal))


def memory_of(record: JournalRecord) -> Memory:
    """The memory in a journal. If an entry was damaged, a target may be missing: then no ground counts as searched."""
    home = record.info.get("home")
    return Memory(
        targets=record.targets,
        highest_p=record.highest_p,
        history=record.history,
        released=tuple(release for _, release in record.releases),
        grid=None if record.damaged else record.ledger,
        grid_pose=record.ledger_pose,
        home=None if home is None else Pose2(*(float(value) for value in home)),
        requests=record.mark_requests,
        results=record.mark_results,
        unresolved=record.unresolved,
        remarks=record.remarks,
        began=bool(record.statuses),
        damaged=record.damaged,
    )
