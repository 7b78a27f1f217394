"""Two robots search a shared field at the same time, in one DDS domain, each in its namespace: neither hears or moves the other."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stack import command, environment, logs, started
from typer.testing import CliRunner

from mine_robot.bringup import cli
from mine_robot.bringup.graph import graph
from mine_robot.core.geodesy import Datum
from mine_robot.records.bag import BagReader
from mine_robot.ros.topics import SERVICES, TOPICS

pytestmark = pytest.mark.system
DOMAIN = 88
MIDDLE = Datum(39.9905, 46.9312)
WIDTH_M, LENGTH_M = 2.4, 2.0  # of each robot's part
MINES = {"robot1": ("tm62", -1.3, 0.2), "robot2": ("pmn", 1.1, -0.1)}  # east and north of the middle, m

# In a process of its own: the test's process may belong to another DDS domain.
LOOK = """
import json, sys, time
import rclpy
rclpy.init()
node = rclpy.create_node("onlooker", namespace="onlooker", start_parameter_services=False, enable_rosout=False)
wanted, wanted_services = map(set, json.loads(sys.argv[1]))
limit = time.monotonic() + 90.0

def ends(name):
    infos = (*node.get_publishers_info_by_topic(name), *node.get_subscriptions_info_by_topic(name))
    return sorted({info.node_namespace for info in infos} - {"/onlooker"})

while time.monotonic() < limit:
    ends_of = {name: ends(name) for name, _ in node.get_topic_names_and_types()}
    known = not any("UNKNOWN" in namespace for namespaces in ends_of.values() for namespace in namespaces)
    services = [name for name, _ in node.get_service_names_and_types()]
    if known and wanted <= ends_of.keys() and wanted_services <= set(services):
        break
    time.sleep(0.2)
print(json.dumps({"ends": ends_of, "services": services}))
rclpy.try_shutdown()
"""


def corner(east: float, north: float) -> list[float]:
    return [round(float(value), 9) for value in MIDDLE.to_wgs84(east, north)[:2]]


def feature(role: str, west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [corner(*xy) for xy in ((west, south), (east, south), (east, north), (west, north), (west, south))]
    return {"type": "Feature", "properties": {"role": role}, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def part(folder: Path, robot: str) -> tuple[Path, Path]:
    """Field and world of a robot: the part west or east of the middle, and the mine in it."""
    kind, east, north = MINES[robot]
    west = -WIDTH_M if east < 0.0 else 0.0
    south = -LENGTH_M / 2.0
    features = [
        feature("hazard_area", west, south, west + WIDTH_M, south + LENGTH_M),
        feature("safe_area", west - 0.5, south - 3.0, west + WIDTH_M + 0.5, south),
    ]
    field, world = folder / f"{robot}.geojson", folder / f"{robot}.yaml"
    field.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    lon, lat = corner(east, north)
    world.write_text(f"soil: dry_sand\nobjects: [{{type: {kind}, lon: {lon}, lat: {lat}, depth_m: 0.05}}]\n")
    return field, world


def names(robot: str) -> set[str]:
    return {f"/{robot}/{topic.name.lstrip('/')}" for topic in TOPICS}


def begin(folder: Path, robot: str, seed: int) -> AbstractContextManager[subprocess.Popen[str]]:
    field, world = part(folder, robot)
    options = ("--scenario", str(world), "--seed", str(seed), "--namespace", robot)
    return started(command(field, folder / robot, *options), DOMAIN)


def test_two_robots_share_a_field_and_a_domain(tmp_path: Path) -> None:
    with ExitStack() as both:
        robots = {robot: both.enter_context(begin(tmp_path, robot, seed)) for seed, robot in enumerate(MINES, start=5)}
        services = [f"/{robot}/{service}" for robot in MINES for service in SERVICES]
        wanted = json.dumps([sorted(set().union(*map(names, MINES))), services])
        look = subprocess.run(
            [sys.executable, "-c", LOOK, wanted], env=environment(DOMAIN), capture_output=True, text=True, timeout=150
        )
        said = {robot: process.communicate(timeout=270)[0] for robot, process in robots.items()}
    for robot, process in robots.items():
        assert process.returncode == 0, said[robot] + logs(tmp_path / robot)
    assert look.returncode == 0, look.stderr
    check_the_graph(json.loads(look.stdout))
    for robot in MINES:
        check_the_run(tmp_path / robot, robot)
    check_the_field(tmp_path)


def check_the_graph(seen: dict[str, Any]) -> None:
    """Every topic belongs to one robot, and only its nodes have ends of it."""
    shared = {"/rosout", "/parameter_events"}  # logs and announcements, of every node of ROS
    assert {name for name in seen["ends"] if name not in shared} == names("robot1") | names("robot2")
    for name, namespaces in seen["ends"].items():
        if name not in shared:
            assert namespaces == ["/" + name.split("/")[1]], name
    for service in SERVICES:
        assert {f"/{robot}/{service}" for robot in MINES} <= set(seen["services"])
        assert f"/{service}" not in seen["services"]


def check_the_run(out: Path, robot: str) -> None:
    """The robot has done its part, knows its own mine, and has heard nobody else."""
    summary = json.loads((out / "summary.json").read_text())
    assert summary["state"] == "complete", summary
    assert summary["coverage"] >= 0.99
    assert summary["unsafe_ground_m2"] == 0
    assert summary["score"]["pd"] == 1.0
    assert summary["score"]["double_marks"] == summary["score"]["detonations"] == 0
    heard = {name for name, _, _ in BagReader(out / "log.mcap").messages(lambda name: True)}
    assert heard <= names(robot)
    assert f"/{robot}/odometry/filtered" in heard
    assert {path.stem for path in (out / "log").glob("*.log")} >= {node.name for node in graph(simulation=True)}


def check_the_field(folder: Path) -> None:
    """Both records together are that of the whole field."""
    runs = [str(folder / robot) for robot in MINES]
    merged = CliRunner().invoke(cli.app, ["merge", *runs, "--out", str(folder / "both")])
    assert merged.exit_code == 0, merged.output
    summary = json.loads((folder / "both" / "summary.json").read_text())
    assert summary["area_m2"] == pytest.approx(2.0 * WIDTH_M * LENGTH_M, rel=0.01)
    assert summary["coverage"] >= 0.99
    rows = list(csv.DictReader((folder / "both" / "targets.csv").open()))
    for _, east, north in MINES.values():
        places = [MIDDLE.to_map(float(row["lon"]), float(row["lat"]))[:2] for row in rows if row["mark"] == "confirmed"]
        assert min(float(np.hypot(*(place - (east, north)))) for place in places) < 0.2
