"""``mine-robot replay --only detection`` on a small recording, with and without one of its sensors."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from detection_lane import ROOT
from detection_log import MINE, record
from typer.testing import CliRunner

from mine_robot.bringup.cli import app
from mine_robot.records.errors import RecordError

MARK_P = 0.01


def replay(log: Path, out: Path, *options: str) -> tuple[int, str, list[dict[str, str]]]:
    result = CliRunner().invoke(app, ["replay", str(log), "--only", "detection", "--out", str(out), *options])
    table = out / "targets.csv"
    if isinstance(result.exception, RecordError):  # what `main` turns into one line
        return 2, str(result.exception), []
    return result.exit_code, result.output, list(csv.DictReader(table.open())) if table.exists() else []


def suspects(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [
        row
        for row in rows
        if math.hypot(float(row["east"]) - MINE.x, float(row["north"]) - MINE.y) < 0.15
        and float(row["p_hazard"]) >= MARK_P
    ]


@pytest.mark.parametrize("topics", [{"gpr", "metal", "odometry"}, {"gpr", "odometry"}, {"metal", "odometry"}])
def test_a_mine_is_found_in_a_recording_with_either_sensor(tmp_path: Path, topics: set[str]) -> None:
    params = tmp_path / "low.yaml"
    params.write_text(f"/**:\n  ros__parameters:\n    limits:\n      mark_p_hazard: {MARK_P}\n")
    options = ("--field", str(ROOT / "test/data/small_field.geojson"), "--params", str(params))
    code, output, rows = replay(record(tmp_path / "log.mcap", topics), tmp_path / "out", *options)
    assert code == 0, output
    found = suspects(rows)
    assert len(found) == 1 and set(rows[0]) >= {"id", "lat", "lon", "depth_m", "sigma_m", "class", "llr_gpr", "llr_md"}
    assert abs(float(found[0]["lat"])) > 1.0
    assert (tmp_path / "out" / f"target_{int(found[0]['id']):03d}.png").exists() == ("gpr" in topics)


def test_without_poses_the_line_says_what_is_missing(tmp_path: Path) -> None:
    code, output, rows = replay(record(tmp_path / "log.mcap", {"gpr"}), tmp_path / "out")
    assert code == 2 and "odometry/filtered" in output and not rows


def test_without_a_datum_positions_are_metric_only(tmp_path: Path) -> None:
    code, output, rows = replay(record(tmp_path / "log.mcap", {"gpr", "metal", "odometry"}), tmp_path / "out")
    assert code == 0 and "latitude and longitude stay empty" in output
    assert suspects(rows)[0]["lat"] == ""
