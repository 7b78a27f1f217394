"""Holds what a run claims to have searched against what its log proves, from the raw scans on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mine_robot.core.types import Cell
from mine_robot.pipeline.loading import ParameterFiles
from mine_robot.pipeline.parameters import DetectorNodeParams
from mine_robot.records.audit import AuditResult, audit
from mine_robot.records.bag import FLUSH_PERIOD
from mine_robot.records.errors import RecordError
from mine_robot.records.recompute import recompute
from mine_robot.records.run_data import RunData, load_run
from mine_robot.records.run_directory import RunDirectory, read_json

UNSUPPORTED = "unsupported_m2"  # in the summary; None where the log has no raw scans to hold it against
ROUNDING_M2 = 0.05  # twenty cells; honest missions have none at all (docs/records.md)


@dataclass(frozen=True)
class Verdict:
    """``unsupported_m2`` m² that were claimed as searched are not proven by the log, None if that cannot be said; ``withheld`` is why the
    run is not called complete, ``note`` what the report says of it.
    """

    unsupported_m2: float | None
    note: str = ""
    withheld: str = ""


def audit_run(run: RunData) -> AuditResult | None:
    """The audit of a run's log; None if no track was recorded, which proves nothing.

    The evidence is worked out from the raw scans. Where the log has none of a sensor it cannot be, and what was claimed has to do.
    """
    if not run.log.nav:
        return None
    proof = recompute(run.directory.logs(), _detector(run), run.robot)
    if proof.lacking:
        run.log.problems.append(
            f"the log has no message of {' and '.join(proof.lacking)}: whether the sensors saw the ground that is called searched "
            "cannot be checked, it rests on the detector's word"
        )
    evidence = run.log.evidence if proof.lacking else proof.evidence
    claimed = () if proof.lacking else run.log.evidence
    log, releases = run.log, run.outcome.releases
    checked = audit(run.field, run.robot, run.limits, log.nav, evidence, log.targets, releases, claimed)
    return replace(checked, recomputed=not proof.lacking)


def judge(run: RunData, checked: AuditResult | None) -> Verdict:
    """What the audit means for the run."""
    claimed = run.ground.searched
    unsupported = claimed.area if checked is None else checked.unsupported_m2(claimed)
    known = None if checked is None or not checked.recomputed else unsupported
    if unsupported <= _allowed(run):
        return Verdict(known)
    words = f"{unsupported:.2f} m² that were claimed as searched ({claimed.area:.2f} m² by the journal) are not supported by the log"
    return Verdict(known, words, words if known is not None else "")


def only_proven(run: RunData, checked: AuditResult | None) -> RunData:
    """The run with only that ground searched which the raw scans prove; where the log has none, as the journal has it."""
    grid = run.outcome.grid
    if checked is None or not checked.recomputed or grid is None:
        return run
    west, south, east, north = checked.raster.bounds
    x, y = checked.unproven_at(run.ground.searched)
    refuted = np.zeros(grid.cells.shape, dtype=bool)
    refuted[((y - grid.y0) / grid.resolution).astype(int), ((x - grid.x0) / grid.resolution).astype(int)] = True
    columns = grid.x0 + (np.arange(grid.cells.shape[1]) + 0.5) * grid.resolution
    rows = grid.y0 + (np.arange(grid.cells.shape[0]) + 0.5) * grid.resolution
    refuted |= (columns < west) | (columns > east) | ((rows < south) | (rows > north))[:, None]
    cells = np.where(refuted & (grid.cells == np.int8(Cell.SEARCHED)), np.int8(Cell.PENDING), grid.cells)
    return replace(run, outcome=replace(run.outcome, grid=replace(grid, cells=cells)))


def load_proven(path: Path, *, logs: bool = True) -> RunData:
    """As :func:`load_run`, with only proven ground searched: for what leaves the run directory.

    A summary that was written after everything else knows whether there is a difference.
    """
    files = RunDirectory(path)
    try:
        written = files.summary.stat().st_mtime_ns
        fresh = all(source.stat().st_mtime_ns <= written for source in (files.journal, *files.logs()))
        if fresh and not read_json(files.summary).get(UNSUPPORTED, 1.0):
            return load_run(path, logs=logs)
    except (OSError, RecordError):
        pass  # worked out anew
    run = load_run(path)
    return only_proven(run, audit_run(run))


def _allowed(run: RunData) -> float:
    """Disagreement in m² that is no contradiction: rounding, and what a power cut takes from the log at each interruption."""
    interruptions = sum(event.kind == "resumed" for event in run.outcome.events)
    second = run.robot.sweep_width * run.limits.search_speed * FLUSH_PERIOD
    return ROUNDING_M2 + interruptions * second


def _detector(run: RunData) -> DetectorNodeParams:
    files = ParameterFiles([run.directory.copied("parameters") or run.directory.parameters])
    params: DetectorNodeParams = files.build("detector")
    return params
