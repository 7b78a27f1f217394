"""What stands in the report: its course of the mission, and the pictures of the suspects."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from records_examples import SUSPECTS, evidence_of, lane, read_page, write_inputs, write_journal, write_log

from mine_robot.core.types import (
    Goal,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MissionState,
    MissionStatus,
    Remark,
    RemarkKind,
)
from mine_robot.mission.journal import Journal
from mine_robot.records.finish import finish_run
from mine_robot.records.outcome import read_outcome
from mine_robot.records.report import write_report
from mine_robot.records.run_data import load_run
from mine_robot.records.run_directory import RunDirectory


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run whose log has no scans."""
    folder = tmp_path_factory.mktemp("report")
    write_inputs(folder)
    write_journal(folder)
    nav = lane(0.0)
    write_log(folder / "log.mcap", nav, evidence_of(nav), [(6.0, SUSPECTS)])
    return folder


def test_a_mark_is_asked_for_and_answered_once_in_the_course(run: Path) -> None:
    events = [(event.t, event.kind) for event in load_run(run).outcome.events if event.kind.startswith("mark ")]
    assert events == [(7.0, "mark requested"), (9.0, "mark confirmed")]


def test_a_second_attempt_is_an_event_of_its_own(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        for t, status in ((2.0, MarkStatus.FAILED), (6.0, MarkStatus.CONFIRMED)):
            journal.mark_request(MarkRequest(t, 1, 0.0, 3.0))
            journal.mark_result(MarkResult(t + 1.0, 1, status, 0.0, 3.0, ""))
    events = [(event.t, event.kind) for event in read_outcome(tmp_path / "journal.sqlite").events]
    assert events == [(2.0, "mark requested"), (3.0, "mark failed"), (6.0, "mark requested"), (7.0, "mark confirmed")]


def test_pictures_are_in_the_report_and_a_log_without_scans_has_none(run: Path, tmp_path: Path) -> None:
    summary = finish_run(run)
    assert "Pictures of the suspects" not in read_page(run / "report.html").text
    write_report(tmp_path / "report.html", load_run(run), summary, None, None, pictures={1: b"PNG"})
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Pictures of the suspects" in page and 'alt="Target 1" src="data:image/png;base64,UE5H"' in page


def test_a_robots_report_has_local_time_with_zone_and_elapsed_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its course once began with t / s 1796074271.4."""
    monkeypatch.setenv("TZ", "<+04>-4")
    time.tzset()
    try:
        write_inputs(tmp_path, simulation=False)
        began = RunDirectory(tmp_path).clock().began
        with Journal(tmp_path / "journal.sqlite") as journal:
            for t, state in ((3.0, MissionState.SEARCH), (3700.0, MissionState.ABORTED)):
                journal.status(MissionStatus(began + t, state, "because", Goal.NONE, -1, 0.0))
            journal.remark(Remark(began + 60.0, "a", RemarkKind.CONFIRM, 1, "seen", "viewer 1"))
        finish_run(tmp_path)
        page = read_page(tmp_path / "report.html").text
    finally:
        monkeypatch.undo()
        time.tzset()
    for words in (
        "2026-03-04 09:06:10 +04",
        "2026-03-04 09:07:07 +04",
        "2026-03-04 10:07:47 +04",
        "1:01:40",
        "elapsed",
    ):
        assert words in page
    assert "t / s" not in page and str(int(began))[:8] not in page


def test_counts_are_named_and_those_of_the_mission(run: Path) -> None:
    summary = finish_run(run)
    counted = load_run(run).tally
    assert (summary["suspects"], summary["targets"]) == (counted.suspects, counted.listed)
    page = read_page(run / "report.html").text
    assert f"suspect targets of {counted.listed} listed" in page
