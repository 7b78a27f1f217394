"""``summary.json``: the figures of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mine_robot.core.json_text import to_json
from mine_robot.core.types import MarkStatus, MissionState, Progress
from mine_robot.pipeline.priors import fingerprints
from mine_robot.records.audit import AuditResult
from mine_robot.records.outcome import Outcome
from mine_robot.records.proof import UNSUPPORTED, Verdict
from mine_robot.records.run_data import RunData

NO_VERDICT = Verdict(None)
ALARMS = ("moved_while_stopped", "stranger")  # kinds of events
COMPLETE, ABORTED, INCOMPLETE = "complete", "aborted", "incomplete"


def summarise(
    run: RunData,
    audit: AuditResult | None,
    score: Mapping[str, Any] | None,
    *,
    ended_by: str = "",
    verdict: Verdict = NO_VERDICT,
) -> dict[str, Any]:
    """The summary of ``run``; a figure that nothing recorded supports is None, never 0.

    ``state`` is ``complete`` (the mission came to its end), ``aborted`` or ``incomplete`` (it stopped being recorded
    before, or claims ground that the log does not prove). ``ended_by`` says why the run ended if that was not the
    mission's own doing. ``score`` is there only with truth.
    """
    ground, outcome = run.ground, run.outcome
    state, reason = _ending(outcome, ended_by)
    if state == COMPLETE and verdict.withheld:
        state, reason = INCOMPLETE, f"{verdict.withheld}; by its own word: {reason}"
    summary: dict[str, Any] = {
        "state": state,
        "reason": reason,
        "area_m2": round(ground.hazard_m2, 3),
        "searched_m2": _down(ground.searched_m2, 3),
        "coverage": _down(ground.coverage, 5),
        "gaps_m2": round(ground.gaps_m2, 4),
        "duration_s": round(outcome.duration_s, 2),
        "targets": run.tally.listed,
        "suspects": run.tally.suspects,
        "marks_requested": len(outcome.marks),
        "marks_confirmed": sum(mark.status is MarkStatus.CONFIRMED for mark in outcome.marks.values()),
        "cross_track_rms_m": cross_track_rms(run.log.progress),
        "unsafe_ground_m2": None if audit is None else round(audit.unsafe_ground_m2, 4),
        UNSUPPORTED: None if verdict.unsupported_m2 is None else round(verdict.unsupported_m2, 4),
    }
    if score is not None:
        summary["score"] = dict(score)
    if run.priors.suspicions:
        summary["priors"] = fingerprints(run.directory.priors)
    if alarms := [f"{event.kind}: {event.text}" for event in outcome.events if event.kind in ALARMS]:
        summary["alarms"] = alarms
    if run.simulated:
        summary["simulation"] = True
    return summary


def _ending(outcome: Outcome, ended_by: str) -> tuple[str, str]:
    """State and reason of the run, from the mission's last state and what the runner saw."""
    if outcome.state is MissionState.DONE and not ended_by:
        return COMPLETE, outcome.reason
    reason = ended_by or outcome.reason
    if outcome.state is MissionState.ABORTED:
        return ABORTED, reason
    if not ended_by:
        reason = f"the record ends in state '{outcome.state.value}'" + (f": {reason}" if reason else "")
    return INCOMPLETE, reason


def cross_track_rms(progress: list[Progress]) -> float | None:
    """Root mean square in m of the deviation from the path while searching; None if nothing was searched."""
    searching = [p for p in progress if p.sweeping and not p.stopped and math.isfinite(p.cross_track)]
    if not searching:
        return None
    return round(math.sqrt(sum(p.cross_track**2 for p in searching) / len(searching)), 4)


def _down(value: float, decimals: int) -> float:
    """``value`` rounded down: nothing is cleared by rounding."""
    factor = 10.0**decimals
    return math.floor(value * factor + 1e-3) / factor


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write the summary so that a reader never sees half of it."""
    draft = path.with_suffix(".tmp")
    draft.write_text(to_json(summary, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)
