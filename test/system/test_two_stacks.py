"""Two stacks in one DDS domain, as from two machines: the second is refused, and neither hears the other."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from stack import SMALL_FIELD, command, environment, logs, started

from mine_robot.bringup.prepare import recorded_number
from mine_robot.core.types import MissionState
from mine_robot.mission.journal import JournalError
from mine_robot.mission.journal_reader import is_blank, read_journal
from mine_robot.records.bag import BagReader
from mine_robot.records.run_directory import RunDirectory

pytestmark = pytest.mark.system
DOMAIN = 92
LIMIT_S = 120.0

# On another machine nothing of this one's claims is known; BLIND has not found the first when it looks before it begins, either.
ELSEWHERE = """
import contextlib
from mine_robot.bringup import cli, runner
runner.hold_the_robot = lambda namespace: contextlib.nullcontext()
cli.main()
"""
BLIND = ELSEWHERE.replace("cli.main", "runner.refuse_strangers = lambda request, number: None\ncli.main")


def second(out: Path, program: str) -> subprocess.CompletedProcess[str]:
    words = command(SMALL_FIELD, out, program=("-c", program))
    there = {**environment(DOMAIN), "ROS_DOMAIN_ID": hex(DOMAIN)}
    return subprocess.run(words, env=there, capture_output=True, text=True, timeout=LIMIT_S)


def states(out: Path) -> list[MissionState]:
    try:
        blank = is_blank(out / "journal.sqlite")
        return [] if blank else [status.state for status in read_journal(out / "journal.sqlite").statuses]
    except JournalError:
        return []


def test_a_second_stack_ends_itself_with_one_line_and_the_first_goes_on_or_stands(tmp_path: Path) -> None:
    first, early, late = (tmp_path / name for name in ("first", "early", "late"))
    with started(command(SMALL_FIELD, first, "--rate", "0.5"), DOMAIN) as process:
        limit = time.monotonic() + LIMIT_S
        while MissionState.SEARCH not in states(first):
            assert time.monotonic() < limit, logs(first)
            time.sleep(0.2)  # a wait with a limit: there is no event to wait for across processes
        refused = second(early, ELSEWHERE)
        undisturbed = states(first)
        blind = second(late, BLIND)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    # It looked before it began: one line, no run directory, and the first has noticed nothing.
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1 and "of another stack publishes" in refused.stderr
    assert not early.exists()
    assert undisturbed[-1] is MissionState.SEARCH
    # It did not see the first in time: its mission says so, it ends, and has nothing of the first.
    assert blind.returncode == 2, blind.stdout + blind.stderr
    assert "of another stack publishes" in blind.stderr.splitlines()[-1]
    assert json.loads((late / "summary.json").read_text())["searched_m2"] == 0.0
    assert MissionState.ALIGN not in states(late)
    # The first one stood, and has nothing of the second.
    assert {MissionState.HOLD, MissionState.ESTOP} & set(states(first)[len(undisturbed) - 1 :]), states(first)
    assert [kind for _, kind, _ in read_journal(first / "journal.sqlite").events].count("stranger") > 0
    ours = str(recorded_number(RunDirectory(first)))
    for name, _, message in BagReader(first / "log.mcap").messages(lambda name: name == "/diagnostics"):
        runs = {pair.value for status in message.status for pair in status.values if pair.key == "run"}
        assert runs <= {ours}, name
