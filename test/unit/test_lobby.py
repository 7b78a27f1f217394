"""Missions that a page starts: where, and that it is one at a time."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_examples import SUSPECTS, evidence_of, lane, write_inputs, write_journal, write_log
from rich.console import Console

from mine_robot.bringup.alone import hold_the_robot
from mine_robot.bringup.lobby import Offer, _locked, _new_file, _place, serve_lobby
from mine_robot.bringup.prepare import RunRequest, prepare_run
from mine_robot.bringup.resources import resource
from mine_robot.bringup.solo import Solo
from mine_robot.console.address import Address
from mine_robot.console.store import Cursor
from mine_robot.console.traces import Traces
from mine_robot.core.tally import in_words
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_field
from mine_robot.records.finish import finish_run
from mine_robot.records.run_directory import RunDirectory

ROOT = Path(__file__).parents[2]
FIELD = ROOT / "test/data/small_field.geojson"


HERE, ELSEWHERE = (
    str(first + os.getpid() % 50) for first in (110, 160)
)  # the same test may run elsewhere on this machine


@pytest.fixture(autouse=True)
def own_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", HERE)


def test_two_missions_on_the_same_topics_are_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    with hold_the_robot(""), hold_the_robot("/robot2"):
        with pytest.raises(LoadError, match=f"ROS_DOMAIN_ID {HERE} "):
            hold_the_robot("/")
        with pytest.raises(LoadError, match="in robot2"):
            hold_the_robot("robot2")
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("ROS_DOMAIN_ID", ELSEWHERE)
            hold_the_robot("").close()
    hold_the_robot("").close()


def test_a_mission_that_was_killed_holds_nothing() -> None:
    words = "from mine_robot.bringup.alone import hold_the_robot; import os; hold = hold_the_robot(''); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", words]).returncode == -9
    hold_the_robot("").close()


def test_a_second_run_is_refused_before_anything_happens(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mine_robot.bringup.cli", "run", str(FIELD), "--out", str(tmp_path / "run")]
    with hold_the_robot(""):
        refused = subprocess.run(words, capture_output=True, text=True)
    assert refused.returncode == 2 and "another mission is running" in refused.stderr
    assert not (tmp_path / "run").exists()


def test_the_page_shows_the_newest_field_that_is_one(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="holds no field file"):
        _place(tmp_path)
    shutil.copy(FIELD, tmp_path / "old.geojson")
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    shutil.copy(FIELD, run / "field.geojson")
    (tmp_path / "broken.geojson").write_text("{")
    for age, path in enumerate([tmp_path / "broken.geojson", run / "field.geojson", tmp_path / "old.geojson"]):
        os.utime(path, (1e9 - age, 1e9 - age))
    assert _place(tmp_path) == run / "field.geojson"


@given(name=st.text(max_size=80))
def test_whatever_a_field_is_called_its_file_lies_in_the_folder(name: str) -> None:
    path = _new_file(Path("/missions"), name)
    assert path.parent == Path("/missions") and path.suffix == ".geojson" and len(path.name) < 80
    assert path.stem.replace("_", "").replace("-", "").isalnum() and path.stem.isascii()


def test_one_console_offers_missions_in_a_folder(tmp_path: Path) -> None:
    def offer(folder: Path, sim: str = "builtin", scenario: Path | None = None) -> Any:
        return Offer(folder, sim, scenario, 1.0, (), "", Address("127.0.0.1", 0))

    with pytest.raises(LoadError, match="No such file"):
        serve_lobby(offer(tmp_path / "none"), Console())
    with pytest.raises(LoadError, match="holds no field file"):
        serve_lobby(offer(tmp_path), Console())
    shutil.copy(FIELD, tmp_path)
    for sim in ("", "gazebo"):
        with pytest.raises(LoadError, match="--sim builtin or --sim none"):
            serve_lobby(offer(tmp_path, sim), Console())
    with pytest.raises(LoadError, match="no such file"):
        serve_lobby(offer(tmp_path, "builtin", tmp_path / "none.yaml"), Console())
    with pytest.raises(LoadError, match="the real robot has none"):
        serve_lobby(offer(tmp_path, "none", FIELD), Console())
    with _locked(tmp_path), pytest.raises(LoadError, match="another console offers"):
        serve_lobby(offer(tmp_path), Console())


def test_a_run_of_a_kml_field_holds_it_as_geojson(tmp_path: Path) -> None:
    content = json.loads(FIELD.read_text())
    marks = [
        f"<Placemark><name>{one['properties']['role']}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>"
        + " ".join(f"{x!r},{y!r}" for x, y in one["geometry"]["coordinates"][0])
        + "</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
        for one in content["features"]
    ]
    path = tmp_path / "field.KML"
    path.write_text(f"<kml><Document>{''.join(marks)}</Document></kml>")
    prepared = prepare_run(RunRequest(path, out=tmp_path / "run"))
    assert load_field(prepared.directory.field).hazard.equals(load_field(FIELD).hazard)


def test_a_mission_is_started_with_what_the_command_line_said(tmp_path: Path) -> None:
    address = Address("0.0.0.0", 8081, "/c.pem", "/k.pem", "/token")
    words = Offer(tmp_path, "none", None, 0.0, (Path("/p.yaml"),), "/robot1", address).words()
    said = dict(itertools.pairwise(words))
    assert said["--sim"] == "none" and said["--rate"] == "max" and said["--namespace"] == "/robot1"
    assert said["--params"] == "/p.yaml" and said["--console-token"] == "/token" and said["--console-key"] == "/k.pem"
    assert "--wait" in words and "--scenario" not in words


def test_a_console_in_the_background_of_a_script_is_ended_by_ctrl_c_too(tmp_path: Path) -> None:
    """A shell begins such a process with SIGINT ignored."""
    shutil.copy(FIELD, tmp_path / "survey.geojson")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["console", "--missions", str(tmp_path), "--sim", "builtin", "--port", str(port)]
    with subprocess.Popen(
        [sys.executable, "-m", "mine_robot.bringup.cli", *words],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    ) as console:
        assert console.stdout is not None and "Missions in" in console.stdout.readline()
        console.send_signal(signal.SIGINT)
        console.communicate(timeout=60)
    assert console.returncode == 0


def test_the_page_before_missions_shows_the_ground_and_the_result_of_the_last_one(tmp_path: Path) -> None:
    """After the end the field looked unsearched."""
    run = tmp_path / "run"
    write_inputs(run)
    write_journal(run)
    nav = lane(0.0)
    write_log(run / "log.mcap", nav, evidence_of(nav), [(6.0, SUSPECTS)])
    summary = finish_run(run, figures=False)
    params = ParameterFiles([resource("config/robot.yaml")]).build("console")
    solo = Solo(params, resource("config/robot.yaml"), tmp_path, tmp_path / "token", Traces(0.1, 10.0))
    solo.show_result(RunDirectory(run))
    shown = json.loads(solo.store.compose(Cursor(), 10**9, 1.0))["entries"]
    assert any(key.startswith("tile/") for key in shown) and any(key.startswith("mark/") for key in shown)
    assert in_words(summary["suspects"], summary["targets"]) in shown["result"]
    assert summary["state"] in shown["result"] and summary["reason"] in shown["result"]
    (run / "summary.json").unlink()
    solo.show_result(RunDirectory(run))  # a run without records is no reason not to offer the next one
    solo.show_result(RunDirectory(tmp_path / "none"))
