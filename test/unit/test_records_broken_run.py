"""What a run directory becomes that is empty, cut short, broken or hostile: records that say so, or one clear error."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
from records_examples import evidence_of, lane, read_page, write_inputs, write_journal, write_log

from mine_robot.core.types import Target, TargetClass
from mine_robot.mission.journal import Journal
from mine_robot.records.errors import RecordError
from mine_robot.records.finish import finish_run, score_run


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    name = "<script>alert(1)</script> $\\frac{1}{0}$ {{ 7*7 }} \u202e Ağdam"
    write_inputs(tmp_path, simulation=False, name=name, imsma_id='"><img src=x onerror=alert(1)>')
    write_journal(tmp_path, reason="<b>ended</b>")
    write_log(tmp_path / "log.mcap", lane(0.0))
    summary = finish_run(tmp_path)
    page = read_page(tmp_path / "report.html")
    assert "script" not in page.tags and "b" in page.tags
    assert page.tags.count("img") == 1  # the map
    assert name in page.text and "<b>ended</b>" in page.text
    assert "SIMULATION" not in page.text and "simulation" not in summary
    collection = json.loads((tmp_path / "clearance.geojson").read_text())
    assert collection["name"] == name


@pytest.mark.parametrize("figures", [True, False])
def test_run_that_never_started_says_so(tmp_path: Path, figures: bool) -> None:
    write_inputs(tmp_path)
    Journal(tmp_path / "journal.sqlite").close()
    summary = finish_run(tmp_path, figures=figures)
    assert summary["state"] == "incomplete"
    assert "no state of the mission" in summary["reason"]
    assert (summary["searched_m2"], summary["coverage"], summary["targets"], summary["duration_s"]) == (
        0.0,
        0.0,
        0,
        0.0,
    )
    assert summary["gaps_m2"] == pytest.approx(summary["area_m2"], abs=1e-2)
    assert summary["unsafe_ground_m2"] is None and summary["cross_track_rms_m"] is None
    assert "score" not in summary
    assert (tmp_path / "report.html").exists() == figures


def test_killed_run_is_incomplete_and_its_log_is_used(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    write_journal(tmp_path, end=None)
    nav = lane(0.0)
    write_log(tmp_path / "whole.mcap", nav, evidence_of(nav))
    data = (tmp_path / "whole.mcap").read_bytes()
    (tmp_path / "log.mcap").write_bytes(data[: len(data) * 2 // 3])
    summary = finish_run(tmp_path)
    assert summary["state"] == "incomplete"
    assert summary["reason"] == "the record ends in state 'search': searching"
    assert summary["duration_s"] == 8.0  # from ALIGN at 2 s to the last event at 10 s
    assert summary["unsafe_ground_m2"] == 0.0
    assert "cut short" in read_page(tmp_path / "report.html").text


@pytest.mark.parametrize("resumed", [False, True])
def test_what_a_frozen_recorder_missed_is_said_and_not_proven(tmp_path: Path, resumed: bool) -> None:
    """Not so where the run itself stood still and was resumed."""
    write_inputs(tmp_path)
    write_journal(tmp_path)
    if resumed:
        with Journal(tmp_path / "journal.sqlite") as journal:
            journal.event(5.0, "resumed", {})
    whole = lane(0.0)
    nav = [state for state in whole if not 4.0 < state.t < 7.0]
    write_log(tmp_path / "log.mcap", nav, evidence_of(nav))
    summary = finish_run(tmp_path)
    page = read_page(tmp_path / "report.html").text
    assert ("the log has no pose from 4.0 s to 7.0 s, in which the robot moved by" in page) is not resumed
    assert summary["unsafe_ground_m2"] > 0.0
    write_log(tmp_path / "log_2.mcap", whole, evidence_of(whole))
    assert finish_run(tmp_path)["unsafe_ground_m2"] == 0.0
    assert "has no pose" not in read_page(tmp_path / "report.html").text


def test_records_that_cannot_be_written_are_one_clear_error(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    write_journal(tmp_path)
    (tmp_path / "targets.csv").mkdir()
    with pytest.raises(RecordError, match="cannot be written"):
        finish_run(tmp_path, figures=False)


def test_targets_without_figures_are_listed_as_unknown(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    nan = math.nan
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.targets(1.0, [Target(7, nan, nan, nan, nan, nan, nan, nan, nan, 0.9, TargetClass.UNKNOWN)])
        journal.targets(1.0, [Target(8, 0.0, 0.0, nan, nan, nan, nan, nan, nan, 0.9, TargetClass.UNKNOWN)])
    assert finish_run(tmp_path)["targets"] == 2
    with (tmp_path / "targets.csv").open() as file:
        row = next(csv.DictReader(file))
    assert (row["id"], row["lat"], row["depth_m"], row["p_hazard"]) == ("7", "", "", "0.9000")
    json.loads((tmp_path / "clearance.geojson").read_text(), parse_constant=pytest.fail)


@pytest.mark.parametrize("content", [None, b"", b"not a database at all, not even close to one"])
def test_missing_or_broken_journal_is_one_clear_error(tmp_path: Path, content: bytes | None) -> None:
    write_inputs(tmp_path)
    if content is not None:
        (tmp_path / "journal.sqlite").write_bytes(content)
    with pytest.raises(RecordError, match=r"journal\.sqlite") as error:
        finish_run(tmp_path)
    assert "\n" not in str(error.value)


def test_missing_inputs_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="not a run directory"):
        finish_run(tmp_path / "nowhere")
    with pytest.raises(RecordError, match=r"run\.json does not exist"):
        finish_run(tmp_path)
    write_inputs(tmp_path)
    (tmp_path / "field.geojson").write_text("{")
    with pytest.raises(RecordError, match=r"field\.geojson: not JSON"):
        finish_run(tmp_path)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"objects": 3}', '{"objects": [{"kind": "unheard_of", "x": 0, "y": 0, "depth": 0}]}']
)
def test_broken_world_costs_the_score_and_nothing_else(tmp_path: Path, content: str) -> None:
    write_inputs(tmp_path)
    write_journal(tmp_path)
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim/world.json").write_text(content)
    summary = finish_run(tmp_path, figures=content == "{")
    assert "score" not in summary and summary["state"] == "complete"
    if content == "{":
        assert "no score" in read_page(tmp_path / "report.html").text
    with pytest.raises(RecordError, match=r"world\.json"):
        score_run(tmp_path)
