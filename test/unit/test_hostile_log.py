"""A log is always readable: what is refused in it is counted and named, the rest is read. The runner always leaves a summary."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from records_examples import evidence_of, lane, suspect, write_inputs, write_journal, write_log

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from hostile_messages import TEMPLATES, TYPES, Chooser, spoil, spoil_bytes, to_bytes

from mine_robot.bringup import runner
from mine_robot.bringup.operator import Operator, Picture
from mine_robot.core.types import Health, Level
from mine_robot.records.bag import BagReader, BagWriter
from mine_robot.records.finish import finish_run
from mine_robot.records.log_data import read_logs
from mine_robot.records.replay_input import read_samples
from mine_robot.ros import encode
from mine_robot.ros.refusals import Refusals
from mine_robot.ros.topics import DIAGNOSTICS, EVIDENCE, GNSS_FIX, IMU, ODOMETRY, PROGRESS, TARGETS

BYTES = {template.topic: template.data for template in TEMPLATES}


def wild_cloud() -> bytes:
    """A list of targets with a field two gigabytes behind its point."""
    message = TYPES.deserialize_cdr(BYTES[TARGETS], TARGETS.type_name)
    message.fields[1].offset = 2147483644
    return to_bytes(message)


def add(path: Path, messages: list[tuple[Any, bytes]]) -> Path:
    """A further part of the log with ``messages``, of a second or two into the run."""
    with BagWriter(path) as writer:
        for topic in dict.fromkeys(topic for topic, _ in messages):
            writer.add_topic("/" + topic.name, topic.type_name)
        for i, (topic, data) in enumerate(messages):
            writer.write("/" + topic.name, 2_000_000_000 + i, data)
    return path


def test_a_log_with_hostile_messages_gives_the_same_records_and_names_them(tmp_path: Path) -> None:
    nav = lane(0.0)
    for name, hostile in (("sound", False), ("hostile", True)):
        folder = tmp_path / name
        write_inputs(folder)
        write_journal(folder)
        write_log(folder / "log.mcap", nav, evidence_of(nav), [(6.0, [suspect(1, 0.0, 3.0)])])
        if hostile:
            broken = [(TARGETS, wild_cloud())] * 3 + [(EVIDENCE, b""), (ODOMETRY, BYTES[ODOMETRY][:50])]
            add(folder / "log_2.mcap", [*broken, (PROGRESS, BYTES[DIAGNOSTICS]), (EVIDENCE, BYTES[IMU])])
    sound, hostile = (finish_run(tmp_path / name, figures=False) for name in ("sound", "hostile"))
    lines = read_logs([tmp_path / "hostile" / "log_2.mcap"]).problems
    told = [line for line in lines if line.startswith("log_2.mcap: /detection/targets: 3 messages refused: field x")]
    assert len(told) == 1 and len(lines) == 4
    for key in ("state", "searched_m2", "unsafe_ground_m2", "targets"):
        assert sound[key] == hostile[key]


@pytest.mark.parametrize("seed", range(10))
def test_logs_of_spoilt_messages_are_read(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    choose = Chooser(lambda most: int(random.integers(max(most, 1))))
    messages = []
    for topic in (ODOMETRY, EVIDENCE, TARGETS, PROGRESS, IMU, GNSS_FIX):
        sound = TYPES.deserialize_cdr(BYTES[topic], topic.type_name)
        messages += [(topic, to_bytes(spoil(sound, choose))) for _ in range(15)]
        messages += [(topic, spoil_bytes(BYTES[topic], choose)) for _ in range(15)]
        messages.append((topic, BYTES[topic]))
    log = add(tmp_path / "log.mcap", messages)
    data = read_logs([log])
    assert data.nav and data.evidence and data.targets and data.progress
    assert any("refused" in line for line in data.problems)
    remarks = read_samples(log, {}).remarks
    assert any("refused: " in line for line in remarks)
    assert sum(1 for _ in BagReader(log).messages()) < len(messages)


class Seat(Operator):
    """An operator without ROS."""

    def __init__(self) -> None:
        self.picture, self.refusals = Picture(), Refusals()


def test_the_operator_survives_what_is_no_health() -> None:
    seat = Seat()
    take = seat._taker(DIAGNOSTICS, decoder(), seat._on_diagnostics)
    message = encode.diagnostics(5.0, [Health("guard", Level.OK, "")])
    message.status[0].level = b"\x07"
    for data in (serialize_message(message), b"", BYTES[IMU]):
        take(data)
    assert seat.picture.health == {}
    no_message, level = seat.refusals.lines()
    assert "2 messages" in no_message and "level is '7'" in level
    take(BYTES[DIAGNOSTICS])
    assert set(seat.picture.health) == {"coverage", "guard"}


def decoder() -> Any:
    return next(template.decode for template in TEMPLATES if template.topic is DIAGNOSTICS)


def test_an_error_of_the_runner_ends_the_run_with_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = []

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(runner, "environment", lambda prepared: {})
    monkeypatch.setattr(runner, "Processes", lambda *_: SimpleNamespace(stop_all=lambda: stopped.append(True)))
    monkeypatch.setattr(runner, "Operator", fail)
    directory = SimpleNamespace(path=tmp_path, node_logs=tmp_path)
    request = SimpleNamespace(resume=None, console=None, namespace="")
    prepared = SimpleNamespace(request=request, directory=directory, companions={}, nodes=[], number=1)
    ending = runner._conduct(prepared, runner.Console())
    assert ending.reason.startswith("the runner failed: RuntimeError: nobody thought of this") and not ending.hurried
    assert stopped and "in fail" in (tmp_path / "runner.log").read_text()
    assert "Traceback" not in capsys.readouterr().out
