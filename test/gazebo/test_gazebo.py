"""The stack drives a robot in a real Gazebo server; without Gazebo these tests skip, and `make test` ends with saying so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import gazebo_plot
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "system"))
from stack import SMALL_FIELD, FinishedRun, command, leftovers, logs, run, started

from mine_robot.core.types import MissionState
from mine_robot.gazebo.place import gazebo11
from mine_robot.mission.journal import JournalError
from mine_robot.mission.journal_reader import is_blank, read_journal
from mine_robot.records.bag import BagReader
from mine_robot.ros import decode

REASON = gazebo11().missing()
pytestmark = [pytest.mark.system, pytest.mark.skipif(bool(REASON), reason=REASON)]
LIMIT_S = 150.0


@pytest.mark.timeout(1000)
def test_a_mission_in_gazebo_is_complete_and_safe(tmp_path: Path) -> None:
    field, scenario = gazebo_plot.write(tmp_path)
    done = run(field, tmp_path / "run", "--scenario", str(scenario), "--sim", "gazebo", domain=68, timeout=900)
    assert done.code == 0, done.output + logs(done.directory)
    assert "Simulator: Gazebo 11" in done.output
    summary = done.summary
    assert summary["state"] == "complete"
    assert summary["area_m2"] >= 60.0
    assert summary["coverage"] >= 0.99
    assert summary["unsafe_ground_m2"] == 0
    score = summary["score"]
    assert (score["pd"], score["n_hazards"], score["detonations"], score["double_marks"]) == (1.0, 3, 0, 0)
    assert summary["marks_confirmed"] >= 3
    assert score["position_rmse_m"] < 0.05
    assert summary["cross_track_rms_m"] < 0.05
    assert leftovers(done.directory) == []


def test_a_killed_gazebo_stops_the_robot_and_ends_the_run(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with started(command(SMALL_FIELD, out, "--sim", "gazebo"), 69) as process:
        wait_until_it_drives(out)
        os.kill(gzserver(out), signal.SIGKILL)
        said, _ = process.communicate(timeout=90)
    assert process.returncode == 1, said
    assert "gzserver died (killed by SIGKILL)" in said
    assert "gzserver died (killed by SIGKILL)" in FinishedRun(1, said, out).summary["reason"]
    commands = [
        decode.twist(message) for _, _, message in BagReader(out / "log.mcap").messages(lambda name: name == "/cmd_vel")
    ]
    assert any(twist.speed != 0.0 for twist in commands), "the robot was not driving"
    assert (commands[-1].speed, commands[-1].yaw_rate) == (0.0, 0.0)
    assert leftovers(out) == []


def test_a_killed_parent_takes_gazebo_with_it(tmp_path: Path) -> None:
    world = tmp_path / "world.sdf"
    world.write_text("<sdf version='1.6'><world name='default'/></sdf>")
    code = (
        "import sys, time; from pathlib import Path; from mine_robot.gazebo.place import gazebo11\n"
        "from mine_robot.gazebo.server import Server\n"
        "Server(gazebo11(), Path(sys.argv[1]), Path(sys.argv[1]).with_suffix('.log')); print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(world)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        server = gzserver(tmp_path)
        parent.kill()
    wait_until(lambda: not Path(f"/proc/{server}/cmdline").exists() or not Path(f"/proc/{server}/cmdline").read_bytes())


def wait_until(true) -> None:
    limit = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.1)  # a wait with a limit: there is no event to wait for across processes


def wait_until_it_drives(out: Path) -> None:
    def drives() -> bool:
        try:
            record = None if is_blank(out / "journal.sqlite") else read_journal(out / "journal.sqlite")
        except JournalError:
            return False
        if record is None or record.ledger is None or not (record.ledger.cells == 10).any():
            return False
        return record.statuses[-1].state is MissionState.SEARCH

    wait_until(drives)


def gzserver(folder: Path) -> int:
    """The Gazebo server whose world lies in ``folder``."""
    found: list[int] = []

    def look() -> bool:
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = entry.read_bytes().decode(errors="replace")
            except OSError:
                continue
            if "gzserver" in line.split("\0")[0] and str(folder) in line:
                found.append(int(entry.parent.name))
        return bool(found)

    wait_until(look)
    return found[0]
