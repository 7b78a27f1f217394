"""The running system: an emergency stop is obeyed within 100 ms of its own time and makes the actuator safe; a killed run goes on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stack import ROOT, SMALL_FIELD, command, environment, logs, run

from mine_robot.core.types import MissionState
from mine_robot.mission.journal import JournalError
from mine_robot.mission.journal_reader import JournalRecord, is_blank, read_journal
from mine_robot.records.bag import BagReader
from mine_robot.ros import decode

sys.path.insert(0, str(ROOT / "benchmarks"))
from kill_campaign import plot, world

pytestmark = pytest.mark.system
LIMIT_S = 150.0
ESTOP_S = 0.1

CALL = """
import sys, time
import rclpy
from std_srvs.srv import Trigger
rclpy.init()
node = rclpy.create_node("hand")
client = node.create_client(Trigger, sys.argv[1])
assert client.wait_for_service(timeout_sec=60.0)
future = client.call_async(Trigger.Request())
rclpy.spin_until_future_complete(node, future, timeout_sec=60.0)
print(future.result().success)
rclpy.try_shutdown()
"""

JUMP = """
import time
import rclpy
from mine_robot.ros import encode
from mine_robot.ros.messages import message_class
from mine_robot.ros.qos import profile
from mine_robot.ros.topics import CLOCK
rclpy.init()
node = rclpy.create_node("stranger")
voice = node.create_publisher(message_class(CLOCK.type_name), CLOCK.name, profile(CLOCK.delivery))
while voice.get_subscription_count() < 8:
    time.sleep(0.05)
for _ in range(20):
    voice.publish(encode.clock(3600.0))
    time.sleep(0.05)
rclpy.try_shutdown()
"""

REVERSED = """
from mine_robot.bringup import cli, graph
graph.GRAPH = graph.GRAPH[::-1]
cli.main()
"""


def begin(out: Path, domain: int, *options: str, field: Path = SMALL_FIELD) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(field, out, *options),
        env=environment(domain),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def record(out: Path) -> JournalRecord | None:
    try:
        return None if is_blank(out / "journal.sqlite") else read_journal(out / "journal.sqlite")
    except JournalError:
        return None


def wait_for(out: Path, what) -> None:
    limit = time.monotonic() + LIMIT_S
    while time.monotonic() < limit:
        found = record(out)
        if found is not None and what(found):
            return
        time.sleep(0.1)  # a wait with a limit: there is no event to wait for across processes
    raise AssertionError("the mission did not come so far: " + logs(out))


def node_of(out: Path, name: str) -> int:
    """Process of a node of the run."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            if b"mine_robot.nodes" in words and name.encode() in words and str(out).encode() in b" ".join(words):
                return int(entry.name)
    raise AssertionError(f"no node {name}")


def searching(found: JournalRecord) -> bool:
    return any(status.state is MissionState.SEARCH for status in found.statuses)


def drives(found: JournalRecord) -> bool:
    return searching(found) and found.ledger is not None and bool((found.ledger.cells == 10).any())


def test_an_emergency_stop_is_obeyed_within_100_ms_and_makes_the_actuator_safe(tmp_path: Path) -> None:
    out = tmp_path / "run"
    # Time at half its pace: among other tests a process waits longer for its turn than it does on a robot.
    with begin(out, 85, "--rate", "0.5") as process:
        try:
            wait_for(out, drives)
            called = subprocess.run(
                [sys.executable, "-c", CALL, "mission/estop"],
                env=environment(85),
                capture_output=True,
                text=True,
                timeout=120,
            )
            wait_for(out, lambda found: found.statuses[-1].state is MissionState.ESTOP)
            time.sleep(4.0)  # wall time in which the stack has to go on standing
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=90)
    assert called.stdout.strip() == "True", called.stderr
    stopped = next(t for t, kind, _ in read_journal(out / "journal.sqlite").events if kind == "mission/estop")
    twists, safe = [], False
    for name, _, message in BagReader(out / "log.mcap").messages(lambda name: name in ("/cmd_vel", "/diagnostics")):
        if name == "/cmd_vel":
            twists.append(decode.twist(message))
        else:
            t, reports = decode.diagnostics(message)
            safe |= t > stopped and any(report.message == "the actuator is made safe" for report in reports)
    assert any(twist.t < stopped and twist.speed != 0.0 for twist in twists), "the robot was not driving"
    after = [twist for twist in twists if twist.t > stopped + ESTOP_S]
    assert len(after) > 5
    assert all(twist.speed == 0.0 and twist.yaw_rate == 0.0 for twist in after)
    assert safe, "the marker was not made safe"


def test_a_stop_at_the_guard_waits_for_no_mission_and_one_that_wakes_up_goes_to_its_emergency_stop(
    tmp_path: Path,
) -> None:
    out = tmp_path / "run"
    with begin(out, 79, "--rate", "1") as process:
        try:
            wait_for(out, drives)
            mission = node_of(out, "mission")
            os.kill(mission, signal.SIGSTOP)
            try:
                called = subprocess.run(
                    [sys.executable, "-c", CALL, "guard/stop"],
                    env=environment(79),
                    capture_output=True,
                    text=True,
                    timeout=60,
                )
            finally:
                os.kill(mission, signal.SIGCONT)
            wait_for(out, lambda found: found.statuses[-1].state is MissionState.ESTOP)
            time.sleep(2.0)  # wall time in which the stack has to go on standing
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=90)
    assert called.stdout.strip() == "True", called.stderr
    events = read_journal(out / "journal.sqlite").events
    stop = next(data for _, kind, data in events if kind == "guard/stop")
    twists = [
        decode.twist(message) for _, _, message in BagReader(out / "log.mcap").messages(lambda name: name == "/cmd_vel")
    ]
    stopped = float(stop["stopped_t"])
    assert any(twist.t < stopped and twist.speed != 0.0 for twist in twists), "the robot was not driving"
    after = [twist for twist in twists if twist.t > stopped + ESTOP_S]
    assert len(after) > 5
    assert all(twist.speed == 0.0 and twist.yaw_rate == 0.0 for twist in after)


def test_a_clock_that_jumps_stops_the_robot_with_one_line_and_loses_nothing(tmp_path: Path) -> None:
    """Someone else's time on /clock: an hour ahead, and back again with the next word of the simulator."""
    out, field, scenario = tmp_path / "run", plot(tmp_path), tmp_path / "scenario.yaml"
    scenario.write_text(json.dumps(world(3)))
    with begin(out, 87, "--scenario", str(scenario), field=field) as process:
        wait_for(out, lambda found: drives(found) and len(found.targets) > 0)
        before = read_journal(out / "journal.sqlite")
        subprocess.run([sys.executable, "-c", JUMP], env=environment(87), capture_output=True, timeout=120, check=True)
        output = process.communicate(timeout=90)[0]
    assert process.returncode == 1, output
    assert (
        "the clock was set ahead by" in output or "the clock was set back by" in output
    )  # whichever node says so first
    assert "Traceback" not in output + logs(out)
    after = read_journal(out / "journal.sqlite")
    assert {target.id for target in before.targets} <= {target.id for target in after.targets}
    assert len(after.mark_requests) >= len(before.mark_requests)
    assert not after.damaged


@pytest.mark.timeout(600)
def test_a_run_whose_processes_are_all_killed_goes_on_and_loses_nothing(tmp_path: Path) -> None:
    """Before that two nodes are killed that are started again and rejoin; afterwards the nodes start in the opposite order."""
    out, field, scenario = tmp_path / "run", plot(tmp_path), tmp_path / "scenario.yaml"
    kills = [{"kind": "node_kill", "at_s": at, "node": node} for at, node in ((4.0, "marker"), (6.0, "recorder"))]
    scenario.write_text(json.dumps({**world(3), "faults": kills}))
    with begin(out, 86, "--scenario", str(scenario), field=field) as process:
        wait_for(out, lambda found: drives(found) and len(found.targets) > 0)
        os.kill(process.pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=30)
    assert all(f"node '{node}' is started again" in output for node in ("marker", "recorder")), output
    before = read_journal(out / "journal.sqlite")
    resumed = run(field, tmp_path / "unused", "--resume", str(out), domain=86, resumed=out, program=("-c", REVERSED))
    assert resumed.code == 0, resumed.output + logs(out)
    assert [part.name for part in sorted(out.glob("*.mcap"))] == ["log.mcap", "log_2.mcap", "log_3.mcap"]
    after = read_journal(out / "journal.sqlite")
    assert {target.id for target in before.targets} <= {target.id for target in after.targets}
    assert any(kind == "resumed" for _, kind, _ in after.events)
    marked = [target for _, target, _, _ in json.loads((out / "sim" / "world.json").read_text())["fired"]]
    assert len(marked) == len(set(marked)) > 0
    assert resumed.summary["score"]["double_marks"] == 0
    again = run(field, tmp_path / "unused", "--resume", str(out), domain=86, resumed=out)
    assert again.code == 2
    assert "nothing to resume" in again.output
