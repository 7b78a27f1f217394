"""What the mission does when something fails, stands or jumps: holds, stops, new plans, aborts."""

from __future__ import annotations

import math

import pytest
from mission_bench import MissionBench, remark, target

from mine_robot.core.types import Goal, Level, MissionState, RemarkKind

S = MissionState


@pytest.mark.parametrize("component", ["localization", "gpr", "metal_detector", "coverage", "command_link", "journal"])
def test_a_fault_while_searching_holds_until_it_has_been_clear_for_a_second(component: str) -> None:
    bench = MissionBench(drive_time=60.0).go()
    bench.levels[component], bench.messages[component] = Level.ERROR, "no signal"
    bench.step()
    assert bench.status.state is S.HOLD
    assert "no signal" in bench.status.reason
    bench.run(5.0)
    assert not bench.mission.resume()[0]
    bench.levels[component] = Level.OK
    bench.run(0.9)
    assert bench.status.state is S.HOLD
    assert bench.run(3.0, S.SEARCH) is S.SEARCH


def test_a_flickering_fault_does_not_end_the_hold() -> None:
    bench = MissionBench(drive_time=60.0).go()
    for index in range(60):
        bench.levels["localization"] = Level.WARN if index % 6 == 0 else Level.OK
        bench.step()
        assert bench.status.state is S.HOLD


@pytest.mark.parametrize("component", ["localization", "follower", "guard", "coverage"])
def test_silence_holds_and_then_aborts(component: str) -> None:
    bench = MissionBench(hold_timeout=20.0, drive_time=60.0).go()
    bench.silent = {component}
    assert bench.run(1.4) is S.SEARCH
    assert bench.run(0.4) is S.HOLD
    assert "no report" in bench.status.reason
    assert bench.run(21.0) is S.ABORTED
    assert "gave up after" in bench.status.reason


def test_a_dead_radar_does_not_keep_the_robot_from_driving_home() -> None:
    bench = MissionBench(lanes=0).go(S.RETURN)
    bench.levels["gpr"] = Level.ERROR
    assert bench.run(20.0, S.DONE) is S.DONE


def test_a_hold_in_the_middle_of_an_approach_resumes_the_approach() -> None:
    bench = MissionBench().go()
    bench.targets = [target(2)]
    assert bench.run(10.0, S.APPROACH) is S.APPROACH
    bench.levels["localization"] = Level.WARN
    bench.run(2.0)
    bench.levels["localization"] = Level.OK
    bench.run(1.5)
    assert (bench.status.goal, bench.status.goal_target) == (Goal.TARGET, 2)
    assert bench.run(60.0, S.DONE) is S.DONE
    assert bench.status.marks_confirmed == 1


def test_a_guard_that_keeps_stopping_gets_new_plans_and_then_a_person() -> None:
    bench = MissionBench(lanes=99, drive_time=60.0, max_replans=3).go()
    bench.levels["guard"], bench.messages["guard"] = Level.WARN, "ground not searched yet ahead of the tracks"
    assert bench.run(60.0, S.HOLD) is S.HOLD
    assert bench.visited.count(S.PLAN) == 4
    assert "again and again" in bench.status.reason
    bench.levels["guard"] = Level.OK
    assert bench.mission.resume()[0]
    assert bench.run(5.0, S.SEARCH) is S.SEARCH


def test_a_robot_that_does_not_get_ahead_gets_a_new_plan() -> None:
    bench = MissionBench(lanes=99, drive_time=60.0).go()
    bench.drives = False
    bench.run(25.0)
    assert bench.visited.count(S.PLAN) == 2


def test_a_low_battery_ends_the_search_short() -> None:
    bench = MissionBench(lanes=9).go()
    bench.levels["battery"], bench.messages["battery"] = Level.WARN, "12 % left"
    assert bench.run(60.0, S.ABORTED) is S.ABORTED
    assert S.RETURN in bench.visited
    assert bench.status.reason == "ended short: battery: 12 % left"


def test_pause_and_estop_stand_until_resumed() -> None:
    bench = MissionBench(lanes=9).go()
    for command, state in ((bench.mission.pause, S.PAUSED), (bench.mission.estop, S.ESTOP)):
        assert command()[0]
        bench.levels["localization"] = Level.ERROR
        assert bench.run(3.0) is state
        bench.levels["localization"] = Level.OK
        bench.run(2.0)
        assert bench.mission.resume()[0]
        assert bench.run(10.0, S.SEARCH) is S.SEARCH
    assert bench.mission.abort()[0]
    assert bench.run(1.0) is S.ABORTED
    assert bench.mission.estop()[0]
    assert bench.run(1.0) is S.ABORTED


def test_an_estop_before_the_start_leads_back_to_waiting() -> None:
    bench = MissionBench()
    bench.step()
    bench.mission.estop()
    assert bench.run(1.0) is S.ESTOP
    bench.mission.resume()
    assert bench.run(1.0) is S.IDLE


@pytest.mark.parametrize("t", [math.nan, math.inf, -5.0])
def test_a_broken_clock_changes_nothing(t: float) -> None:
    bench = MissionBench().go()
    assert bench.mission.update(t).status.state is S.SEARCH
    assert bench.mission.update(t).status.t == bench.t


def test_that_a_hold_was_seen_is_shown_as_long_as_it_lasts_and_ends_nothing() -> None:
    bench = MissionBench().go()
    assert "nothing to acknowledge" in bench.mission.refusal(remark(RemarkKind.ACKNOWLEDGE))
    bench.mission.set_remark(remark(RemarkKind.ACKNOWLEDGE))
    assert bench.step().status.acknowledged == ""
    bench.levels["localization"] = Level.ERROR
    assert bench.run(20.0, S.HOLD) is S.HOLD
    assert bench.status.acknowledged == ""
    assert bench.mission.refusal(remark(RemarkKind.ACKNOWLEDGE)) == ""
    bench.mission.set_remark(remark(RemarkKind.ACKNOWLEDGE))
    assert bench.step().changed and bench.status.acknowledged == "viewer 1: seen"
    assert bench.run(5.0) is S.HOLD, "to have seen it mends nothing"
    bench.levels["localization"] = Level.OK
    bench.run(20.0, S.SEARCH)
    assert bench.status.acknowledged == ""


@pytest.mark.parametrize("state", [S.SEARCH, S.APPROACH, S.RETURN])
def test_a_clock_set_forward_by_an_hour_loses_and_doubles_nothing(state: MissionState) -> None:
    """What is silent for the hour is silent for a moment; every target is marked once, and the mission comes to its end."""
    bench = MissionBench(lanes=2)
    bench.reach(state)
    bench.answers_marks = bench.drives = True
    bench.silent = {"guard"}
    bench.t += 3600.0
    bench.run(0.2)
    assert not bench.status.state.drives, "a component that has not spoken since"
    bench.silent = set()
    bench.levels = dict.fromkeys(bench.levels, Level.OK)
    bench.targets = [target(1)]
    assert bench.run(60.0, S.DONE) is S.DONE
    assert [request.target_id for request in bench.requests] == [1]


def test_a_clock_set_forward_during_a_hold_ends_the_mission_with_the_reason() -> None:
    bench = MissionBench().reach(S.HOLD)
    bench.t += 3600.0
    assert bench.run(1.0, S.ABORTED) is S.ABORTED
    assert bench.status.reason.startswith("gave up after 36")
