"""What a run claims is held against the raw scans of its log, and only what they prove counts."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from records_examples import SOUTH, evidence_of, lane, ledger, status, write_inputs, write_log

from mine_robot.core.types import Cell, GprScan, MetalScan, MissionState, NavState, SweepEvidence
from mine_robot.mission.journal import Journal
from mine_robot.records.export import export_run
from mine_robot.records.finish import finish_run
from mine_robot.records.proof import ROUNDING_M2, load_proven

NAV = lane(0.0)
LANE_M2 = 1.0 * (2.0 - SOUTH)  # of the ledger below


def scans_of(nav: Sequence[NavState], *, dead: tuple[float, float] = (9e9, 9e9)) -> list[GprScan | MetalScan]:
    """Scans of a healthy head 0.06 m above the ground at every pose; between the times ``dead`` the radar freezes."""
    rng = np.random.default_rng(1)
    found: list[GprScan | MetalScan] = []
    last = None
    for state in nav:
        traces = rng.normal(0.0, 0.05, (128, 8)).astype(np.float32)
        traces[11:14] += np.array([5.0, 10.0, 5.0], dtype=np.float32)[:, None]
        traces = last if last is not None and dead[0] <= state.t <= dead[1] else traces
        last = traces
        places = np.column_stack([np.zeros(6), np.linspace(0.5, -0.5, 6), np.zeros(6)])
        found += [
            GprScan(state.t, traces),
            MetalScan(state.t, places, rng.normal(0.0, 1.0, 6), rng.normal(0.0, 1.0, 6)),
        ]
    return found


def finished(
    folder: Path, claimed: Sequence[SweepEvidence], scans: Sequence[GprScan | MetalScan], *, north: float = 2.0
) -> dict:
    """The summary of a run whose ledger has the lane up to ``north`` m as searched."""
    write_inputs(folder)
    write_log(folder / "log.mcap", NAV, claimed, scans=scans)
    grid = ledger(north)
    grid.cells[:, :40][grid.cells[:, :40] == Cell.SEARCHED] = Cell.PENDING
    grid.cells[:, 60:][grid.cells[:, 60:] == Cell.SEARCHED] = Cell.PENDING
    with Journal(folder / "journal.sqlite") as journal:
        journal.status(status(2.0, MissionState.SEARCH, "searching"))
        journal.ledger(grid)
        journal.status(status(62.0, MissionState.DONE, "all searched"))
    return finish_run(folder, figures=False)


def test_an_honest_run_is_proven_to_the_last_cell(tmp_path: Path) -> None:
    summary = finished(tmp_path, evidence_of(NAV), scans_of(NAV))
    assert (summary["state"], summary["unsupported_m2"]) == ("complete", 0.0)
    assert summary["searched_m2"] == pytest.approx(LANE_M2, abs=0.01)


def test_forged_evidence_and_a_ledger_that_believed_it_are_found_out(tmp_path: Path) -> None:
    """Seen: forged lines made ground searched in the audit's eyes too, and the mission complete."""
    forged = [dataclasses.replace(e, t=e.t + 0.01, x=1.3) for e in evidence_of(NAV)]
    summary = finished(tmp_path, [*evidence_of(NAV), *forged], scans_of(NAV), north=4.4)
    assert summary["state"] == "incomplete" and "not supported by the log" in summary["reason"]
    beyond = 1.0 * (4.4 - (2.0 + 1.15))  # the ledger's
    assert summary["unsupported_m2"] > beyond + ROUNDING_M2
    assert summary["searched_m2"] == pytest.approx(1.0 * (2.0 + 1.15 - SOUTH), abs=0.05)
    assert load_proven(tmp_path).ground.searched_m2 == pytest.approx(summary["searched_m2"], abs=0.01)
    export_run(tmp_path, ["geojson"], tmp_path / "out")
    clearance = json.loads((tmp_path / "clearance.geojson").read_text())
    areas = [f["properties"]["area_m2"] for f in clearance["features"] if f["properties"]["kind"] == "searched"]
    assert sum(areas) == pytest.approx(summary["searched_m2"], abs=0.01)


def test_lies_far_away_do_not_blunt_the_audit(tmp_path: Path) -> None:
    far = [dataclasses.replace(e, t=e.t + 0.01, x=e.x + 1e7) for e in evidence_of(NAV)[:50]]
    summary = finished(tmp_path, [*evidence_of(NAV), *far], scans_of(NAV))
    assert (summary["state"], summary["unsupported_m2"]) == ("complete", 0.0)


def test_what_a_frozen_radar_passed_is_not_searched_whatever_was_said(tmp_path: Path) -> None:
    summary = finished(tmp_path, evidence_of(NAV), scans_of(NAV, dead=(8.0, 10.0)))
    assert summary["state"] == "incomplete"
    assert summary["unsupported_m2"] == pytest.approx(1.2 * 2.1 * 0.5, rel=0.15)
    assert summary["searched_m2"] < LANE_M2 - 0.9


def test_a_log_without_raw_scans_says_what_it_cannot_prove(tmp_path: Path) -> None:
    write = tmp_path / "run"
    summary = finished(write, evidence_of(NAV), [])
    assert summary["unsupported_m2"] is None and summary["state"] == "complete"
    half = finished(tmp_path / "half", evidence_of(NAV), [s for s in scans_of(NAV) if isinstance(s, GprScan)])
    assert half["unsupported_m2"] is None
    report = load_proven(write)
    assert report.ground.searched_m2 == pytest.approx(LANE_M2, abs=0.01)


def test_driving_in_an_emergency_stop_counts_in_the_audit(tmp_path: Path) -> None:
    """A foreign command drove the robot 2.7 m after the stop: nobody asked for it, it rolled all the same."""
    write_inputs(tmp_path)
    drive = lane(0.0, t=100.0, start=SOUTH - 0.4, end=SOUTH + 2.3)
    write_log(tmp_path / "log.mcap", drive)
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.status(status(2.0, MissionState.ESTOP, "emergency stop: resume to go on"))
    summary = finish_run(tmp_path, figures=False)
    assert summary["unsafe_ground_m2"] > 2 * 0.18 * 2.0
    assert math.isfinite(summary["unsafe_ground_m2"])
