"""Sweeps of one parameter over a recording."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from replay_drive import ROOT, record_run
from typer.testing import CliRunner

from mine_robot.bringup.cli import app
from mine_robot.core.parameters import ParameterSpec
from mine_robot.pipeline.loading import LoadError, ParameterFiles
from mine_robot.records.tune import sweep_values

NUMBER = ParameterSpec("x", float, False, "m", 0.0, 10.0, "", 1.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_run(tmp_path_factory.mktemp("tune") / "run")


def tune(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["tune", *(str(argument) for argument in arguments)])


def test_a_sweep_shows_the_effect_and_leaves_overlays_that_a_run_takes(run: Path, tmp_path: Path) -> None:
    result = tune(run, "--param", "detection.gpr.threshold", "--range", "2:10:2", "--out", tmp_path)
    assert result.exit_code == 0, f"{result.output} {result.exception!r}"
    rows = list(csv.DictReader((tmp_path / "tune.csv").open()))
    assert [float(row["value"]) for row in rows] == [2.0, 2.5, 10.0]  # the one in force among them
    assert int(rows[0]["n_found"]) == 1 and int(rows[0]["targets"]) >= int(rows[-1]["targets"])
    assert (tmp_path / "tune.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "10" / "targets.csv").is_file()
    overlay = tmp_path / "overlay_10.yaml"
    assert yaml.safe_load(overlay.read_text()) == {"detector": {"ros__parameters": {"gpr": {"threshold": 10.0}}}}
    files = ParameterFiles([ROOT / "config/robot.yaml", overlay])
    files.check()
    assert files.build("detector").gpr.threshold == 10.0
    assert CliRunner().invoke(app, ["check", str(overlay)]).exit_code == 0


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("detection.gpr.treshold", "2:4:3", "did you mean 'detector.gpr.threshold'?"),
        ("nonsense", "2:4:3", "'nonsense' is not a parameter"),
        ("follower.path_gain", "1:2:2", "nothing would change"),
        ("detector.gpr.channel_offsets_m", "1:2:2", "only a number can be swept"),
        ("detector.gpr.threshold", "2:4", "must look like FIRST:LAST:COUNT"),
        ("detector.gpr.threshold", "2:4:3:5", "must look like FIRST:LAST:COUNT"),
        ("detector.gpr.threshold", "a:4:3", "must look like FIRST:LAST:COUNT"),
        ("detector.gpr.threshold", "2:nan:3", "must look like FIRST:LAST:COUNT"),
        ("detector.gpr.threshold", "2:2:3", "two different ends"),
        ("detector.gpr.threshold", "2:4:1", "2 to 200 values"),
        ("detector.gpr.threshold", "2:40:3", "must be 0.5 to 10, got 21"),
        ("planner.directions", "1:4:3", "takes whole numbers"),
    ],
)
def test_a_bad_sweep_is_one_line_before_any_work(name: str, values: str, words: str, run: Path, tmp_path: Path) -> None:
    error = str(tune(run, "--param", name, "--range", values, "--out", tmp_path / "out").exception)
    assert words in error and "\n" not in error
    assert not (tmp_path / "out").exists()


@given(st.floats(0.0, 10.0), st.floats(0.0, 10.0), st.integers(2, 50))
def test_a_range_has_its_ends_and_stays_between_them(first: float, last: float, count: int) -> None:
    if first == last:
        with pytest.raises(LoadError):
            sweep_values(NUMBER, f"{first}:{last}:{count}")
        return
    values = sweep_values(NUMBER, f"{first}:{last}:{count}")
    assert len(values) == count
    assert values[0] == pytest.approx(first, rel=1e-5) and values[-1] == pytest.approx(last, rel=1e-5)
    assert values in (sorted(values), sorted(values, reverse=True))
