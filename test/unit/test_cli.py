"""The command line: bad input ends with exit code 2 and one clear line, without starting anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "config" / "missions" / "demo_field.geojson"


def mine_robot(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mine_robot.bringup.cli", *map(str, arguments)]
    # A domain of its own: another mission may be running on this machine.
    here = {**os.environ, "ROS_DOMAIN_ID": str(110 + os.getpid() % 50)}
    return subprocess.run(command, cwd=cwd, env=here, capture_output=True, text=True, timeout=120)


def refused(*arguments: object, cwd: Path) -> str:
    done = mine_robot(*arguments, cwd=cwd)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not (cwd / "runs").exists()
    return done.stderr


def test_check_accepts_what_is_shipped(tmp_path: Path) -> None:
    files = [
        DEMO,
        *ROOT.glob("config/*.yaml"),
        *ROOT.glob("config/scenarios/*.yaml"),
        ROOT / "urdf" / "mine_robot.urdf.xacro",
    ]
    done = mine_robot("check", *files, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": ok") == len(files)


def test_a_field_that_cannot_be_used(tmp_path: Path) -> None:
    field = json.loads(DEMO.read_text())
    field["features"] = [item for item in field["features"] if item["properties"]["role"] != "safe_area"]
    path = tmp_path / "bad.geojson"
    path.write_text(json.dumps(field))
    for command in (("check", path), ("run", path), ("plan", path, "--out", tmp_path / "p.geojson")):
        assert f"{path}: no feature with properties.role 'safe_area'" in refused(*command, cwd=tmp_path)


def test_a_missing_file(tmp_path: Path) -> None:
    assert "nowhere.geojson: no such file" in refused("run", "nowhere.geojson", cwd=tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("s.yaml", "sed: 3", ["'sed'", "'seed'"]),
        ("s.yaml", "faults: [{kind: gnss_dropuot, at_s: 1}]", ["gnss_dropuot", "gnss_dropout"]),
        ("s.yaml", "soil: moon", ["moon", "loam"]),
        ("p.yaml", "/**: {ros__parameters: {limits: {hallo_radius: 1.0}}}", ["hallo_radius", "limits.halo_radius"]),
        ("p.yaml", "guard: {ros__parameters: {limits: {halo_radius: 99.0}}}", ["halo_radius", "0.1 to 2 m"]),
        ("x.txt", "", ["not a field"]),
    ],
)
def test_check_names_key_and_remedy(tmp_path: Path, name: str, text: str, words: list[str]) -> None:
    path = tmp_path / name
    path.write_text(text)
    message = refused("check", path, cwd=tmp_path)
    for word in [str(path), *words]:
        assert word in message


def test_bad_options(tmp_path: Path) -> None:
    assert "--rate" in refused("run", DEMO, "--rate", "-3", cwd=tmp_path)
    assert "--sim" in refused("run", DEMO, "--sim", "moon", cwd=tmp_path)
    assert "--console" in refused("run", DEMO, "--wait", cwd=tmp_path)
    assert "namespace robot-1" in refused("run", DEMO, "--namespace", "robot-1", cwd=tmp_path)
    assert "only with TLS" in refused("run", DEMO, "--console", "--console-host", "0.0.0.0", cwd=tmp_path)
    assert "no run directory" in refused("console", tmp_path, "--port", "18473", cwd=tmp_path)


def test_an_output_folder_in_use(tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").write_text("")
    assert "not empty" in refused("run", DEMO, "--out", tmp_path / "used", cwd=tmp_path)


def test_plan_writes_the_contracts_file(tmp_path: Path) -> None:
    out, plot = tmp_path / "plan.geojson", tmp_path / "plan.png"
    field = ROOT / "test" / "data" / "small_field.geojson"
    done = mine_robot("plan", field, "--out", out, "--plot", plot, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    plan = json.loads(out.read_text())
    assert json.loads(done.stdout) == plan["summary"]
    assert {"lanes", "length_m", "duration_s", "coverage", "gaps_m2", "planning_s"} <= set(plan["summary"])
    assert {"sweep_width_m", "sweep_ahead_m", "contact_patches", "tolerance_m"} <= set(plan["robot"])
    orders = [item["properties"]["order"] for item in plan["features"] if "order" in item["properties"]]
    assert orders == sorted(orders)
    assert plan["summary"]["coverage"] >= 0.99
    assert plot.stat().st_size > 10_000


def test_the_threshold_follows_from_what_the_operator_wants(tmp_path: Path) -> None:
    table = mine_robot("threshold", cwd=tmp_path)
    rows = [[float(value) for value in line.split()] for line in table.stdout.splitlines()[1:]]
    assert table.returncode == 0 and len(rows) >= 10
    wanted = rows[len(rows) // 2]
    done = mine_robot("threshold", "--pd", wanted[1], "--out", "own.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"mark_p_hazard: {max(p for p, pd, _ in rows if pd >= wanted[1]):g}" in (tmp_path / "own.yaml").read_text()
    assert mine_robot("check", "own.yaml", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--pd", "1.1"), "calibration ends"),
        (("--false-alarms", "-1"), "calibration ends"),
        (("--pd", "0.9", "--false-alarms", "0.1"), "only one"),
        (("--out", "x.yaml"), "what is wanted"),
        (("--pd", "0.9", "--out", "no/x.yaml"), "No such file"),
    ],
)
def test_a_threshold_that_nothing_fulfils(tmp_path: Path, arguments: tuple[str, ...], word: str) -> None:
    assert word in refused("threshold", *arguments, cwd=tmp_path)
