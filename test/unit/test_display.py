"""What the operator reads in the terminal: nothing is cleared by rounding."""

from __future__ import annotations

import datetime
import io
import math
from pathlib import Path

import pytest
from control_plant import limits
from hypothesis import given
from hypothesis import strategies as st
from mission_bench import MissionBench, target
from rich.console import Console

from mine_robot.bringup.display import _line, show_summary
from mine_robot.bringup.operator import Picture
from mine_robot.core.clock import RunClock, duration
from mine_robot.core.tally import Tally
from mine_robot.core.types import Goal, Health, Level, MissionState, MissionStatus
from mine_robot.mission.journal import Journal
from mine_robot.pipeline.recall import recall
from mine_robot.records.outcome import read_outcome

SUMMARY = {
    "state": "complete",
    "reason": "all reachable ground searched",
    "area_m2": 119.1,
    "searched_m2": 113.9,
    "gaps_m2": 5.2,
    "duration_s": 1374.0,
    "targets": 20,
    "suspects": 16,
    "marks_confirmed": 16,
    "marks_requested": 16,
    "unsafe_ground_m2": 0.0,
    "cross_track_rms_m": None,
}


@pytest.mark.parametrize(
    ("share", "shown"), [(1.0, "100.00 %"), (0.99999, "99.99 %"), (0.523, "52.30 %"), (0.0, "0.00 %")]
)
def test_the_searched_share_is_rounded_down(share: float, shown: str) -> None:
    """A mission that left a hand's breadth was once summed up as 100.00 %, while its map said 99.99 %."""
    out = io.StringIO()
    show_summary(Console(file=out, width=120), {**SUMMARY, "coverage": share}, "runs/one")
    assert f"({shown} of what can be reached)" in out.getvalue()
    health = Health("coverage", Level.OK, "", {"coverage": f"{share:.6f}", "remaining_s": "10"})
    assert f"{shown} searched" in _line(Picture(health={"coverage": health}))


def test_the_terminal_says_local_time_with_zone_and_elapsed_time_of_a_robot_and_elapsed_time_of_a_simulation() -> None:
    """A robot's line began with 29934571:14."""
    status = MissionStatus(1796074271.4, MissionState.SEARCH, "", Goal.NONE, -1, 0.0, targets=3, listed=7)
    zone = datetime.timezone(datetime.timedelta(hours=4))
    robot = RunClock(simulated=False, began=1796074271.4 - 5425.0, zone=zone)
    line = _line(Picture(mission=status, t=status.t), robot)
    assert line.startswith("01:31:11 UTC+04:00, 1:30:25 elapsed  ") and "3 suspects of 7 listed" in line
    assert _line(Picture(mission=status, t=754.0), RunClock(simulated=True)).startswith("12:34  ")
    assert _line(Picture(), robot).startswith("0:00  "), "nothing was heard yet"


@pytest.mark.parametrize("there", [(), ("summary.json",), ("summary.json", "map.png", "report.html", "log.mcap")])
def test_only_files_that_there_are_are_named(tmp_path: Path, there: tuple[str, ...]) -> None:
    """After Ctrl-C neither map nor report exists, and both were named."""
    for name in there:
        (tmp_path / name).touch()
    out = io.StringIO()
    show_summary(Console(file=out, width=120), {**SUMMARY, "coverage": 0.5}, tmp_path)
    (line,) = (line for line in out.getvalue().splitlines() if line.startswith("In "))
    assert line == f"In {tmp_path}: {', '.join(there) or 'nothing'}"
    assert ("mine-robot report" in out.getvalue()) is ("map.png" not in there)


@given(st.floats(), st.floats(), st.booleans())
def test_any_time_is_said_in_words(t: float, began: float, simulated: bool) -> None:
    clock = RunClock(simulated, began)
    for words in (clock.both(t), clock.date(t), clock.time(t), clock.elapsed(t), clock.span(began, t), clock.moment(t)):
        assert words and "\n" not in words


def test_the_clock_of_an_unknown_log_is_told_by_its_times() -> None:
    assert RunClock.seen(86400.0).simulated and RunClock.seen(math.nan).simulated
    assert not RunClock.seen(1796074271.4).simulated
    assert [duration(s) for s in (0.4, 59.6, 3599.0, 3600.0, 90061.0, -3.0)] == [
        "0:00", "1:00", "59:59", "1:00:00", "25:01:01", "-0:03"
    ]  # fmt: skip


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 9), st.floats(0.0, 1.0) | st.just(math.nan)), max_size=5), max_size=9)
)
def test_suspects_are_those_ever_declared_and_counts_never_shrink(lists: list[list[tuple[int, float]]]) -> None:
    tally, before = Tally(0.5), (0, 0)
    for targets in lists:
        tally.add(targets)
        assert before[0] <= tally.suspects <= tally.listed >= before[1]
        before = tally.suspects, tally.listed
    seen = [target for targets in lists for target in targets]
    assert tally.suspected == {number for number, p in seen if p >= 0.5}
    assert tally.listed == len({number for number, _ in seen})


def test_mission_and_records_count_alike_before_and_after_a_restart(tmp_path: Path) -> None:
    """Page and terminal say what the mission counts; the report once counted those that are suspects at the end."""
    lists = [[target(1, p=0.9), target(2, p=0.001)], [target(1, p=0.001), target(3, p=0.9), target(4, x=math.nan)]]
    bench = MissionBench()
    with Journal(tmp_path / "journal.sqlite") as journal:
        for t, listed in enumerate(lists):
            bench.targets = listed
            bench.step()
            journal.targets(float(t), listed)
        journal.status(bench.status)
    memory = recall(tmp_path / "journal.sqlite")
    again = MissionBench()
    again.mission.restore(memory.requests, memory.results, memory.highest_p)
    again.targets = list(memory.targets)
    again.step()
    assert (bench.status.targets, bench.status.listed) == (3, 4) == (again.status.targets, again.status.listed)
    outcome = read_outcome(tmp_path / "journal.sqlite")
    tally = Tally(limits().mark_p_hazard)
    tally.add(outcome.highest_p.items())
    assert (tally.suspects, tally.listed) == (3, 4)
