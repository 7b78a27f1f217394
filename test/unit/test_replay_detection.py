"""``mine-robot replay --only detection`` on a small recording, with and without one of its sensors."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from detection_lane import ROOT, Lane, nav_of, truth
from rclpy.serialization import serialize_message
from typer.testing import CliRunner

from mine_robot.bringup.cli import app
from mine_robot.records.bag import BagWriter
from mine_robot.records.errors import RecordError
from mine_robot.ros import encode
from mine_robot.ros.topics import GPR_SCAN, METAL_SCAN, ODOMETRY
from mine_robot.sim.types import BuriedObject

MINE = BuriedObject("pmn", 1.5, 0.1, 0.06)
MARK_P = 0.01
TOPICS = {"gpr": GPR_SCAN, "metal": METAL_SCAN, "odometry": ODOMETRY}


def record(path: Path, topics: set[str]) -> Path:
    """A drive over one mine, with the named topics."""
    lane = Lane([MINE])
    with BagWriter(path) as bag:
        for name in topics:
            bag.add_topic("/" + TOPICS[name].name, TOPICS[name].type_name)
        for i, line in enumerate(np.arange(-0.3, 2.6, 0.025)):
            state = truth(1.0 + 0.05 * i, float(line) - lane.robot.sweep_ahead)
            messages = {
                "gpr": encode.gpr(lane.gpr.scan(state.t, state)),
                "metal": encode.metal(lane.metal.scan(state.t, state)),
                "odometry": encode.odometry(nav_of(state)),
            }
            for name in sorted(topics, key="odometry metal gpr".index):
                bag.write("/" + TOPICS[name].name, round(state.t * 1e9), serialize_message(messages[name]))
    return path


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
