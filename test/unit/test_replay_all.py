"""The whole stack over a recording: the mine of a short drive, twice the same, and what other settings change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from replay_drive import record_run
from typer.testing import CliRunner

from mine_robot.bringup.cli import app


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_run(tmp_path_factory.mktemp("replay") / "run")


@pytest.fixture(scope="module")
def replayed(run: Path) -> Path:
    assert replay(run, "--out", run.parent / "first").exit_code == 0
    return run.parent / "first"


def replay(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["replay", *(str(argument) for argument in arguments)])


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_sensors_alone_give_track_ground_and_the_mine(replayed: Path) -> None:
    summary = json.loads((replayed / "summary.json").read_text())
    assert summary["score"]["n_found"] == summary["score"]["n_hazards"] == 1
    assert summary["score"]["position_rmse_m"] < 0.05
    assert 1.0 < summary["searched_m2"] < summary["area_m2"]
    assert set(content(replayed)) >= {"trajectory.csv", "health.csv", "targets.csv", "summary.json"}
    assert len(list(replayed.glob("target_*.png"))) == summary["suspects"] > 0


def test_two_replays_are_the_same_to_the_byte(run: Path, replayed: Path, tmp_path: Path) -> None:
    assert replay(run / "log.mcap", "--out", tmp_path / "again").exit_code == 0
    assert content(tmp_path / "again") == content(replayed)


def test_against_itself_nothing_changed(run: Path, replayed: Path, tmp_path: Path) -> None:
    result = replay(run, "--out", tmp_path / "again", "--compare", replayed)
    assert result.exit_code == 0, result.output
    difference = json.loads((tmp_path / "again" / "compare.json").read_text())
    assert [difference[key] for key in ("gained", "lost", "moved", "changed")] == [[], [], [], []]
    assert difference["track_m"] == {"rms": 0.0, "largest": 0.0}
    assert difference["roc"]["new"] == difference["roc"]["old"] != []
    assert (tmp_path / "again" / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_a_setting_changes_the_result_and_the_comparison_says_how(run: Path, replayed: Path, tmp_path: Path) -> None:
    deaf = ("--set", "detection.gpr.threshold=10", "--set", "detector.md.threshold=12")
    result = replay(run, "--out", tmp_path / "deaf", *deaf, "--compare", replayed)
    assert result.exit_code == 0, result.output
    assert "  lost 1: " in result.output
    difference = json.loads((tmp_path / "deaf" / "compare.json").read_text())
    assert max(target["p_hazard"] for target in difference["lost"]) > 0.1 and difference["roc"]["new"] == []
    assert difference["searched_m2"][1] > difference["searched_m2"][0]  # without its halo


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--set", "detector.gpr.treshold=3"], "did you mean 'detector.gpr.threshold'?"),
        (["--set", "detector.gpr.threshold=99"], "must be 0.5 to 10, got 99"),
        (["--set", "detector.gpr.threshold"], "must look like NAME=VALUE"),
        (["--set", "detector.gpr.threshold=["], "detector.gpr.threshold=[: not YAML"),
        (["--set", "nothing.at.all=1"], "'nothing.at.all' is not a parameter"),
        (["--compare", "nowhere"], "holds no result to compare with"),
        (["--only", "marking"], "must be one of all, localization, detection"),
    ],
)
def test_bad_options_are_one_line(run: Path, options: list[str], words: str, tmp_path: Path) -> None:
    error = str(replay(run, "--out", tmp_path / "out", *options).exception)
    assert words in error and "\n" not in error
    assert not (tmp_path / "out").exists()


def test_the_records_of_a_run_are_never_overwritten(run: Path) -> None:
    assert "is the run itself" in str(replay(run, "--out", run).exception)
