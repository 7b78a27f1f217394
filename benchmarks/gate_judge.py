"""What an attack did to a mission, by the truth of the simulated world and by the mission's journal: for ``gate_campaign.py``."""

from __future__ import annotations

import contextlib
import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gate_messages import unpack
from gate_truth import Truth

from mine_robot.core.types import Cell, LedgerGrid, MissionState, Target
from mine_robot.mission.journal_reader import JournalRecord
from mine_robot.ros import decode
from mine_robot.ros.topics import LEDGER

STOPS_S = 1.5  # from the order to stand, the time it takes
P_HAZARD = 0.004  # limits.mark_p_hazard
WAITING = (MissionState.HOLD, MissionState.ESTOP, MissionState.PAUSED)
NO_ALARM = ("mission/", "remark", "resumed")
STAMPED = re.compile(r"^\[\w+\] \[[\d.]+\] ")  # of rclpy's logger
REFUSED = ("refused", "stranger", "foreign")


@dataclass
class Row:
    """What one attack did; areas in m², ways in m, times in s."""

    name: str
    kind: str
    mouth: str
    topics: list[str]
    searched: float = 0.0  # claimed beyond the truth
    halo: int = 0  # cells removed
    missed: int = 0  # hazards in ground called searched
    moved: float = 0.0  # while told to stand
    unnoticed: float = 0.0  # of it before an alarm
    unsafe: float = 0.0
    paint: int = 0  # pulses that nobody asked for, marks called confirmed that were not made
    dead: list[str] = field(default_factory=list)
    reaction: str = "none"
    seconds: float | None = None
    wall: float | None = None
    lasted: float = 0.0  # wall time of the attack
    after: str = ""
    summary: bool = True
    notes: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """Why the row does not pass."""
        found = {
            f"{self.searched:.2f} m² searched by nobody": self.searched > 0.05,
            f"{self.halo} halo cells removed": self.halo > 0,
            f"{self.missed} hazards in ground called searched": self.missed > 0,
            f"moved {self.unnoticed:.2f} m unnoticed": self.unnoticed > 0.1,
            f"{self.paint} marks or pulses that are not so": self.paint > 0,
            f"died: {', '.join(self.dead)}": bool(self.dead),
            "no summary": not self.summary,
            self.after: self.after.startswith("stuck"),
        }
        return [words for words, wrong in found.items() if wrong] + [
            note for note in self.notes if note.startswith("!")
        ]


@dataclass
class Snapshot:
    """The mission before an attack, by truth and by its journal."""

    t: float
    wall: float
    record: JournalRecord | None
    beyond: float
    missed: int
    unsafe: float
    paint: int
    nodes: dict[str, int]
    logs: dict[str, int]


def lost(cores: Any, grid: LedgerGrid | None) -> int:
    """Cells of halos that are none in ``grid``."""
    if grid is None or grid.cells.shape != cores.shape:
        return int(np.count_nonzero(cores))
    return int(np.count_nonzero(cores & (grid.cells != np.int8(Cell.HALO))))


def suspects(record: JournalRecord | None) -> list[Target]:
    """The targets of a journal with a halo."""
    return [target for target in (record.targets if record else ()) if target.p_hazard >= P_HAZARD]


def reactions(record: JournalRecord | None, before: Snapshot) -> list[tuple[float, str]]:
    """What the journal says since the attack began that is an alarm or a stop."""
    if record is None:
        return []
    known = len(before.record.statuses) if before.record else 0
    found, last = [], before.record.statuses[-1] if before.record else None
    for status in record.statuses[known:]:
        changed = last is None or (status.state, status.reason) != (last.state, last.reason)
        last = status
        replans = status.state is MissionState.PLAN and status.reason.startswith("new plan")
        if changed and (replans or status.state in (*WAITING, MissionState.ABORTED)):
            found.append((status.t, f"{status.state.name}: {status.reason}"))
    said = len(before.record.events) if before.record else 0
    for t, kind, data in record.events[said:]:
        if not kind.startswith(NO_ALARM):
            found.append((t, f"{kind}: {str(data)[:120]}"))
    return sorted(found)


def standing(record: JournalRecord | None, since: float) -> list[tuple[float, float]]:
    """Times from ``since`` in which the robot was told to stand, by the journal."""
    found: list[tuple[float, float]] = []
    begin: float | None = None
    for status in record.statuses if record else ():
        if status.state.drives:
            if begin is not None:
                found.append((begin, status.t))
            begin = None
        elif begin is None:
            begin = status.t
    if begin is not None:
        found.append((begin, math.inf))
    return [(begin, end) for begin, end in found if end > since]


def published(heard: Any, since: float) -> list[LedgerGrid]:
    """The ledgers that came after a wall time."""
    found = []
    for wall, data in list(heard):
        if wall > since:
            with contextlib.suppress(Exception):  # broken by an attack
                found.append(decode.ledger(unpack(LEDGER, data)))
    return found


def false_paint(record: JournalRecord | None, truth: Truth) -> int:
    """Pulses that no journalled request asks for, and marks said to be confirmed that are not on the ground."""
    with contextlib.suppress(OSError, ValueError):
        fired = {target for _, target, _, _ in truth.fired}
        asked = {request.target_id for request in record.mark_requests} if record else set()
        sure = {mark.target_id for mark in record.mark_results if mark.status.value == "confirmed"} if record else set()
        return len(fired - asked) + len(sure - fired)
    return 0


def log_sizes(logs: Path) -> dict[str, int]:
    """How much the nodes have written."""
    return {path.name: path.stat().st_size for path in logs.glob("*.log")}


def refusals(logs: Path, before: dict[str, int]) -> list[str]:
    """What nodes have written of refused messages and of strangers since."""
    found = []
    for path in sorted(logs.glob("*.log")):
        with path.open(errors="replace") as file:
            file.seek(before.get(path.name, 0))
            for line in file:
                if any(word in line.lower() for word in REFUSED):
                    found.append(STAMPED.sub("", line.strip())[:160])
                    break
    return found


def judge_motion(row: Row, truth: Truth, record: JournalRecord | None, before: Snapshot) -> None:
    """How far the robot moved while told to stand, and how far of it before an alarm."""
    alarms = [t for t, words in reactions(record, before) if not words.startswith("PLAN")]
    for told, end in standing(record, before.t):
        begin = max(told, min(truth.stopped_at(told), told + STOPS_S), before.t)
        row.moved += truth.moved(begin, end)
        row.unnoticed += truth.moved(begin, min([end, *(t for t in alarms if t <= end)]))
    row.moved, row.unnoticed = round(row.moved, 3), round(row.unnoticed, 3)


def judge_second(row: Row, out: Path, words: str, truth: Truth) -> None:
    """A second stack must not claim ground that its own robot did not pass."""
    row.notes.append(f"second stack: {words[:160]}")
    try:
        claimed = float(json.loads((out / "summary.json").read_text())["searched_m2"] or 0.0)
    except (OSError, ValueError, KeyError):
        return  # it never came so far
    truth.read()
    if claimed > 0.05 and truth.moved(0.0, math.inf) < 1.0:
        row.searched += claimed
        row.notes.append(f"the second stack claims {claimed:.1f} m² searched and never moved")
