"""What the directory of a run becomes: its summary, tables, map, report and score."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from records_examples import SOUTH, SUSPECTS, evidence_of, lane, read_page, write_inputs, write_journal, write_log
from shapely.geometry import shape

from mine_robot.core.types import MissionState
from mine_robot.mission.journal import Journal
from mine_robot.records.errors import RecordError
from mine_robot.records.finish import finish_run, score_run
from mine_robot.records.run_data import load_run

KEYS = {
    "state",
    "reason",
    "area_m2",
    "searched_m2",
    "coverage",
    "gaps_m2",
    "duration_s",
    "targets",
    "suspects",
    "marks_requested",
    "marks_confirmed",
    "cross_track_rms_m",
    "unsafe_ground_m2",
    "unsupported_m2",
}
SCORE_KEYS = {
    "pd",
    "n_hazards",
    "false_alarms_per_m2",
    "mark_error_p95_m",
    "position_rmse_m",
    "detonations",
    "double_marks",
}
FILES = {"summary.json", "clearance.geojson", "targets.csv", "trajectory.csv", "map.png", "report.html"}


def write_world(folder: Path) -> None:
    (folder / "sim").mkdir()
    rows = [f"{s.t:.3f},{s.pose.x + 0.01:.5f},{s.pose.y:.5f},{s.pose.yaw:.6f}" for s in lane(0.0)]
    (folder / "sim/truth.csv").write_text("\n".join(["t,x,y,yaw", *rows, "13.0,0."]))
    objects = [
        {"kind": "pmn", "x": 0.0, "y": 3.1, "depth": 0.05},
        {"kind": "nail", "x": 1.0, "y": 1.0, "depth": 0.02},
    ]
    world = {"seed": 3, "objects": objects, "fired": [[8.5, 1, 0.02, 3.03]]}
    (folder / "sim/world.json").write_text(json.dumps(world))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A small simulated run to its end."""
    folder = tmp_path_factory.mktemp("run")
    write_inputs(folder)
    write_journal(folder)
    write_world(folder)
    nav = lane(0.0)
    write_log(folder / "log.mcap", nav, evidence_of(nav), [(6.0, SUSPECTS)])
    return folder, finish_run(folder)


def test_summary_has_exactly_the_promised_keys(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = finished
    assert set(summary) == KEYS | {"score", "simulation"}
    assert set(summary["score"]) >= SCORE_KEYS
    assert json.loads((folder / "summary.json").read_text()) == summary
    assert {path.name for path in folder.iterdir()} >= FILES


def test_summary_says_what_was_recorded(finished: tuple[Path, dict[str, Any]]) -> None:
    _, summary = finished
    assert (summary["state"], summary["reason"], summary["simulation"]) == ("complete", "all searched", True)
    assert summary["area_m2"] == pytest.approx(36.0, abs=0.01)
    assert summary["searched_m2"] == pytest.approx(36.0, abs=0.05)
    assert summary["searched_m2"] + summary["gaps_m2"] == pytest.approx(summary["area_m2"], abs=0.01)
    assert summary["duration_s"] == 60.0
    assert (summary["targets"], summary["marks_requested"], summary["marks_confirmed"]) == (2, 1, 1)
    assert summary["cross_track_rms_m"] == pytest.approx(0.01)
    assert summary["unsafe_ground_m2"] == 0.0
    score = summary["score"]
    assert (score["pd"], score["n_hazards"], score["detonations"], score["double_marks"]) == (1.0, 1, 0, 0)
    assert score["position_rmse_m"] == pytest.approx(0.01, abs=1e-4)
    assert score["mark_error_p95_m"] == pytest.approx(math.hypot(0.02, 0.07), abs=1e-6)


def test_a_rejection_is_in_the_report_and_the_halo_and_the_ground_stay_as_they_are(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, summary = finished
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Remarks of the operator" in page and "&lt;b&gt;a can&lt;/b&gt;" in page and "is no hazard" in page
    run = load_run(folder)
    silent = tmp_path / "run"
    shutil.copytree(folder, silent)
    (silent / "journal.sqlite").unlink()
    write_journal(silent, remarks=False)
    without = load_run(silent)
    assert run.outcome.remarks and not without.outcome.remarks
    assert run.suspects() == without.suspects() and run.outcome.marks == without.outcome.marks
    assert run.ground.searched.equals(without.ground.searched)
    assert finish_run(silent) == summary


def test_tables_hold_every_pose_and_target(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = finished
    with (folder / "trajectory.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "t",
        "lat",
        "lon",
        "h",
        "east",
        "north",
        "up",
        "roll",
        "pitch",
        "yaw",
        "sigma_e",
        "sigma_n",
        "sigma_yaw",
    ]
    assert len(rows) == len(lane(0.0))
    assert float(rows[0]["lat"]) == pytest.approx(40.0 + (SOUTH - 1.5) / 111_035.0, abs=1e-7)
    assert float(rows[-1]["north"]) == pytest.approx(2.0, abs=1e-3)
    assert float(rows[0]["sigma_e"]) == pytest.approx(0.01)
    with (folder / "targets.csv").open() as file:
        targets = list(csv.DictReader(file))
    assert [row["id"] for row in targets] == ["1", "2"]
    assert (targets[0]["class"], targets[0]["mark"], targets[0]["mark_error_m"]) == ("ap_metal", "confirmed", "0.050")
    assert targets[1]["mark"] == ""


def test_clearance_is_geojson_in_wgs84(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = finished
    collection = json.loads((folder / "clearance.geojson").read_text())
    kinds = [feature["properties"]["kind"] for feature in collection["features"]]
    assert {kind: kinds.count(kind) for kind in ("halo", "target", "mark")} == {"halo": 1, "target": 2, "mark": 1}
    searched = [shape(f["geometry"]) for f in collection["features"] if f["properties"]["kind"] == "searched"]
    metres = sum(area.area for area in searched) * 111_035.0 * 111_320.0 * math.cos(math.radians(40.0))
    assert metres == pytest.approx(summary["searched_m2"], rel=5e-3)
    assert all(f["properties"]["imsma_id"] == "AZ-1" for f in collection["features"])
    assert all(area.exterior.is_ccw for area in searched)
    assert collection["simulation"] is True


def test_report_is_one_file_that_says_simulation(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = finished
    page = read_page(folder / "report.html")
    headings = (
        "Summary",
        "Map",
        "Area",
        "Method",
        "Devices and targets",
        "Marks",
        "Gaps",
        "Confidence",
        "Course of the mission",
    )
    for word in ("SIMULATION", "AZ-1", "paint seen", "SHA-256", "cause: gnss", "2026-03-04 05:06 UTC", *headings):
        assert word in page.text
    assert "data:image/png;base64," in (folder / "report.html").read_text()
    assert "script" not in page.tags


def test_map_is_a_page(finished: tuple[Path, dict[str, Any]]) -> None:
    data = (finished[0] / "map.png").read_bytes()
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    assert data.startswith(b"\x89PNG")
    assert width / height == pytest.approx(math.sqrt(2.0), rel=0.01)


@pytest.mark.parametrize(
    ("end", "ended_by", "state", "reason"),
    [
        (MissionState.DONE, "", "complete", "said"),
        (MissionState.ABORTED, "", "aborted", "said"),
        (MissionState.ABORTED, "Ctrl-C", "aborted", "Ctrl-C"),
        (MissionState.SEARCH, "the guard died", "incomplete", "the guard died"),
        (MissionState.DONE, "the guard died", "incomplete", "the guard died"),
    ],
)
def test_state_and_reason(tmp_path: Path, end: MissionState, ended_by: str, state: str, reason: str) -> None:
    write_inputs(tmp_path)
    write_journal(tmp_path, end=end, reason="said")
    summary = finish_run(tmp_path, figures=False, ended_by=ended_by)
    assert (summary["state"], summary["reason"]) == (state, reason)


def test_resumed_run_counts_both_parts_of_its_log(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    write_journal(tmp_path)
    first, second = lane(0.0, end=0.0), lane(0.0, t=100.0, start=0.0)
    write_log(tmp_path / "log.mcap", first, evidence_of(first))
    write_log(tmp_path / "log_2.mcap", second, evidence_of(second))
    summary = finish_run(tmp_path, figures=False)
    assert summary["unsafe_ground_m2"] == 0.0
    with (tmp_path / "trajectory.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(first) + len(second)


def test_searched_ground_without_evidence_in_the_log_is_pointed_out(finished: tuple[Path, dict[str, Any]]) -> None:
    """The journal of the example claims the whole area, its log holds a single lane."""
    unproven = 36.0 - 1.2 * (2.0 + 1.15 - SOUTH)
    assert f"{unproven:.1f}" in read_page(finished[0] / "report.html").text
    assert "not supported by the log" in read_page(finished[0] / "report.html").text


def test_unsafe_driving_shows_in_the_summary(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    write_journal(tmp_path)
    write_log(tmp_path / "log.mcap", lane(0.0))  # no evidence at all
    summary = finish_run(tmp_path)
    assert summary["unsafe_ground_m2"] == pytest.approx(2 * (0.18 + 0.06) * (2.0 + 0.48 - SOUTH), rel=0.03)


def test_score_against_a_scenario(tmp_path: Path) -> None:
    """A real test lane has no world of its own; the journal's marks count."""
    write_inputs(tmp_path, simulation=False)
    write_journal(tmp_path)
    with pytest.raises(RecordError, match="no truth"):
        score_run(tmp_path)
    scenario = tmp_path / "lane.yaml"
    scenario.write_text(
        "objects:\n  - {type: pmn, east: 0.0, north: 3.0, depth_m: 0.05}\n  - {type: tm62, east: -1.0, north: 0.0, depth_m: 0.1}\n"
    )
    result = score_run(tmp_path, scenario)
    assert (result["pd"], result["n_hazards"], result["position_rmse_m"]) == (0.5, 2, None)
    assert result["mark_error_p95_m"] == pytest.approx(0.05)


def test_alarms_are_in_the_summary_and_in_the_report(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    write_journal(tmp_path)
    write_world(tmp_path)
    nav = lane(0.0)
    write_log(tmp_path / "log.mcap", nav, evidence_of(nav), [(6.0, SUSPECTS)])
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.event(
            20.0, "moved_while_stopped", {"what": "moved 0.12 m while told to stand", "who": "/<b>teleop</b>"}
        )
        journal.event(21.0, "guard/stop", {"what": "stopped at the guard by service"})
    summary = finish_run(tmp_path, figures=False)
    assert summary["alarms"] == ["moved_while_stopped: what: moved 0.12 m while told to stand, who: /<b>teleop</b>"]
    assert {"moved_while_stopped", "guard/stop"} <= {event.kind for event in load_run(tmp_path).outcome.events}
