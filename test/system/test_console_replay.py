"""Training: a recorded run on the page as if it were live, by itself and in a real browser."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from rich.console import Console
from stack import CLI, SMALL_FIELD, started
from test_console_browser import (  # noqa: F401
    CHROMIUM,
    STEP_MS,
    browser,
    open_page,
    picture,
    playwright,
    port,
    start,
)

from mine_robot.bringup.prepare import RunRequest, prepare_run
from mine_robot.bringup.training import Playback, serve_training
from mine_robot.console.address import Address
from mine_robot.console.store import Cursor, Store
from mine_robot.console.traces import Traces
from mine_robot.console.view import View
from mine_robot.core.types import (
    Goal,
    Health,
    Level,
    MissionState,
    MissionStatus,
    NavState,
    RemarkKind,
    Target,
    TargetClass,
)
from mine_robot.pipeline.loading import LoadError
from mine_robot.records.bag import BagWriter
from mine_robot.records.errors import RecordError
from mine_robot.records.log_source import LogSource
from mine_robot.ros import encode
from mine_robot.ros.topics import CMD, DIAGNOSTICS, MISSION_STATE, ODOMETRY, TARGETS

END_S = 60.0


def recorded(folder: Path, namespace: str = "") -> Path:
    """A run of a minute: 5 s idle, then a drive north at 0.1 m/s, a target at 20 s, done at the end."""
    directory = prepare_run(RunRequest(SMALL_FIELD, out=folder)).directory
    messages: list[tuple[float, Any, Any]] = []
    for t in np.arange(0.0, END_S, 0.5):
        covariance = np.diag([1e-4] * 3 + [1e-6] * 3)
        at = np.array([0.0, 0.1 * max(t - 5.0, 0.0) - 3.0, 0.0])
        pose = NavState(t, at, np.array([0.0, 0.0, np.pi / 2]), np.array([0.1, 0.0, 0.0]), np.zeros(3), covariance)
        messages.append((t, ODOMETRY, encode.odometry(pose)))
        messages.append((t, DIAGNOSTICS, encode.diagnostics(t, (Health("gpr", Level.OK, "all channels"),))))
    for t, state in ((0.0, MissionState.IDLE), (5.0, MissionState.SEARCH), (END_S, MissionState.DONE)):
        status = MissionStatus(t, state, f"recorded {state.value}", Goal.NONE, -1, 0.0)
        messages.append((t, MISSION_STATE, encode.mission_status(status)))
    target = Target(3, 0.0, 1.0, 0.0, 0.02, 0.02, 0.1, 4.0, 2.0, 0.9, TargetClass.AT)
    messages.append((20.0, TARGETS, encode.targets(20.0, [target])))
    with BagWriter(directory.log) as writer:
        for topic in {topic.name: topic for _, topic, _ in messages}.values():
            writer.add_topic(name_of(topic, namespace), topic.type_name)
        for t, topic, message in sorted(messages, key=lambda one: one[0]):
            writer.write(name_of(topic, namespace), round(t * 1e9), serialize_message(message))
    return directory.path


def name_of(topic: Any, namespace: str) -> str:
    return f"{namespace}/{topic.name.lstrip('/')}"


class Session:
    """A replay without a server and without a clock."""

    def __init__(self, run: Path) -> None:
        self.store, self.now = Store(), 0.0
        self.source = LogSource(run)
        view, traces = View(self.store, mark_p=0.5), Traces(0.1, 10.0)
        self.playback = Playback(self.source, view, traces, lambda: False, lambda: self.now)

    def play(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.2)):
            self.now += 0.2
            self.playback.advance(0.2)

    @property
    def entries(self) -> dict[str, Any]:
        return dict(json.loads(self.store.compose(Cursor(), 10**6, self.now))["entries"])

    @property
    def state(self) -> str:
        return str(self.entries["mission"]["state"])


@pytest.mark.parametrize("namespace", ["", "/robot2"])
def test_the_page_sees_what_was_recorded_when_a_person_lets_it_go_on(tmp_path: Path, namespace: str) -> None:
    session = Session(recorded(tmp_path / "run", namespace))
    playback = session.playback
    assert session.state == "idle" and session.entries["pose"]["y"] == pytest.approx(-3.0)
    session.play(30.0)
    assert playback.t == pytest.approx(5.0), "it waits for Start"
    assert playback.command("mission/resume")[0] is False
    assert playback.command("mission/start")[0] is True
    session.play(10.0)
    assert session.state == "search" and session.entries["pose"]["y"] == pytest.approx(-2.0, abs=0.06)
    assert "target/3" not in session.entries
    for stop, state in (("pause", "paused"), ("estop", "estop")):
        assert playback.command(f"mission/{stop}")[0] is True
        at = playback.t
        session.play(20.0)
        assert session.state == state and playback.t == at and "REPLAY" in session.entries["mission"]["reason"]
        assert playback.command("mission/start")[0] is False
        assert playback.command("mission/resume")[0] is True and session.state == "search"
    session.play(6.0)
    assert session.entries["target/3"][4] == pytest.approx(0.9)
    assert playback.remark(RemarkKind.REJECT, 3, "a can", "viewer 1") == (True, "REPLAY: shown here, kept nowhere")
    assert session.entries["remark/3"]["comment"] == "a can"
    session.play(60.0)
    assert session.state == "done" and not playback.plays
    assert [playback.command(f"mission/{one}")[0] for one in ("estop", "resume", "start")] == [False] * 3
    assert session.source.problems == []


def test_an_aborted_replay_stays_so(tmp_path: Path) -> None:
    session = Session(recorded(tmp_path / "run"))
    session.playback.command("mission/start")
    session.play(2.0)
    assert session.playback.command("mission/abort")[0] is True
    assert session.playback.command("mission/resume")[0] is False
    session.play(60.0)
    assert session.state == "aborted" and not session.playback.plays


def test_what_is_no_recording_of_a_run_is_one_line(tmp_path: Path) -> None:
    run = recorded(tmp_path / "run")
    (run / "log.mcap").unlink()
    with BagWriter(run / "log.mcap") as writer:
        writer.add_topic(f"/{CMD.name}", CMD.type_name)
    for wrong, rate, words in (
        (run, 1.0, "the log holds nothing"),
        (run, 0.0, "from 0.2 to 100 times"),
        (tmp_path, 1.0, "run.json"),
        (tmp_path / "none", 1.0, "run.json"),
    ):
        with pytest.raises((LoadError, RecordError)) as refused:
            serve_training(wrong, rate, Address("127.0.0.1", 0), Console())
        assert words in str(refused.value) and "\n" not in str(refused.value)


@pytest.fixture
def replay(tmp_path: Path, port: int) -> Iterator[subprocess.Popen[str]]:  # noqa: F811
    words = ["console", "--replay", str(recorded(tmp_path / "run")), "--rate", "2", "--port", str(port)]
    with started([sys.executable, *CLI, *words], 93) as process:
        yield process


@pytest.mark.system
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (apt install chromium)")
def test_a_replay_says_so_everywhere(replay: subprocess.Popen[str], browser: Any, port: int) -> None:  # noqa: F811
    asked: list[str] = []
    page, expect = open_page(browser, port, 1280, 800, asked), playwright.expect
    expect(page.locator("#kind")).to_have_text("REPLAY")
    expect(page).to_have_title("REPLAY SIMULATION Small test plot – console")
    start(page)
    expect(page.locator("#reason")).to_have_text("recorded search")
    page.keyboard.press("Escape")
    expect(page.locator("#state")).to_have_text("e-stop", timeout=STEP_MS)
    expect(page.locator("#estop-answer")).to_contain_text("no robot was stopped")
    picture(page, "replay_page")
    assert not [what for what in asked if what.startswith("error")]
    replay.send_signal(signal.SIGTERM)
    said, _ = replay.communicate(timeout=30)
    assert replay.returncode == 0 and "emergency stop from 127.0.0.1" in said, said
