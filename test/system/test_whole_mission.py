"""A small mission through the real processes, judged by what it achieved; and what happens when it cannot end well."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stack import SMALL_FIELD, FinishedRun, command, environment, leftovers, logs, run

pytestmark = pytest.mark.system
SCENARIO = SMALL_FIELD.with_name("small_scenario.yaml")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    out = tmp_path_factory.mktemp("mission") / "run"
    return run(SMALL_FIELD, out, "--scenario", str(SCENARIO), domain=81)


def test_the_mission_is_complete_and_safe(finished: FinishedRun) -> None:
    assert finished.code == 0, finished.output + logs(finished.directory)
    summary = finished.summary
    assert summary["state"] == "complete"
    assert summary["simulation"] is True
    assert summary["coverage"] >= 0.99
    assert summary["unsafe_ground_m2"] == 0
    assert summary["marks_confirmed"] == summary["marks_requested"] >= 2
    score = summary["score"]
    assert score["pd"] == 1.0
    assert score["n_hazards"] == 2
    assert score["detonations"] == 0
    assert score["double_marks"] == 0
    assert score["mark_error_p95_m"] < 0.12
    assert score["position_rmse_m"] < 0.03


def test_the_summary_has_exactly_the_keys_of_the_contract(finished: FinishedRun) -> None:
    wanted = {
        "state",
        "reason",
        "area_m2",
        "searched_m2",
        "coverage",
        "gaps_m2",
        "duration_s",
        "targets",
        "marks_requested",
        "marks_confirmed",
        "cross_track_rms_m",
        "unsafe_ground_m2",
    }
    assert wanted <= set(finished.summary)


def test_searched_ground_and_listed_gaps_make_up_the_area(finished: FinishedRun) -> None:
    summary = finished.summary
    assert summary["area_m2"] == pytest.approx(27.0, rel=0.01)
    assert summary["searched_m2"] + summary["gaps_m2"] == pytest.approx(summary["area_m2"], rel=0.005)


def test_everything_is_recorded(finished: FinishedRun) -> None:
    names = {path.name for path in finished.directory.iterdir()}
    assert names >= {
        "summary.json",
        "journal.sqlite",
        "log.mcap",
        "clearance.geojson",
        "targets.csv",
        "trajectory.csv",
        "map.png",
        "report.html",
        "field.geojson",
        "parameters.yaml",
        "robot.urdf",
        "scenario.yaml",
        "run.json",
    }
    with (finished.directory / "trajectory.csv").open() as file:
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
    assert len(rows) > 500
    features = json.loads((finished.directory / "clearance.geojson").read_text())["features"]
    assert features
    assert "SIMULATION" in (finished.directory / "report.html").read_text()


def test_nothing_is_left_running(finished: FinishedRun) -> None:
    assert leftovers(finished.directory) == []


def test_the_death_of_a_node_ends_the_run_with_the_reason(tmp_path: Path) -> None:
    scenario = tmp_path / "kill.yaml"
    scenario.write_text("seed: 3\nfaults: [{kind: node_kill, at_s: 12.0, node: detector}]\n")
    ended = run(SMALL_FIELD, tmp_path / "run", "--scenario", str(scenario), domain=82)
    assert ended.code == 1, ended.output
    assert "node 'detector' died (killed by SIGKILL)" in ended.summary["reason"]
    assert ended.summary["state"] != "complete"
    assert leftovers(ended.directory) == []


def test_ctrl_c_ends_everything_and_keeps_the_records(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with subprocess.Popen(
        command(SMALL_FIELD, out, "--rate", "2"),
        env=environment(83),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        wait_for_search(out)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert "Traceback" not in output
    summary = json.loads((out / "summary.json").read_text())
    assert "Ctrl-C" in summary["reason"]
    assert leftovers(out) == []


def wait_for_search(out: Path, limit_s: float = 90.0) -> None:
    """Until the journal says that the robot searches."""
    from mine_robot.mission.journal import JournalError
    from mine_robot.mission.journal_reader import read_journal

    limit = time.monotonic() + limit_s
    while time.monotonic() < limit:
        try:
            if any(status.state.value == "search" for status in read_journal(out / "journal.sqlite").statuses):
                return
        except JournalError:
            pass
        time.sleep(0.2)  # a wait with a limit: there is no event to wait for across processes
    raise AssertionError("the mission did not begin to search: " + logs(out))


def test_the_records_can_be_made_and_scored_again(finished: FinishedRun) -> None:
    for words in (("report",), ("score",), ("score", "--scenario", str(SCENARIO))):
        done = subprocess.run(
            [sys.executable, "-m", "mine_robot.bringup.cli", words[0], str(finished.directory), *words[1:]],
            env=environment(81),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        if words[0] == "score":
            assert json.loads(done.stdout)["pd"] == 1.0
