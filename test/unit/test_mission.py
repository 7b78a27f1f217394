"""The mission's flow, its reactions and its commands; time moved by hand."""

from __future__ import annotations

import math

import pytest
from control_plant import limits
from mission_bench import MissionBench, target

from mine_robot.core.types import (
    Goal,
    Level,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MissionState,
    Plan,
    Remark,
    RemarkKind,
)
from mine_robot.mission.machine import Mission
from mine_robot.mission.params import MissionParams

S = MissionState


def test_waits_for_start_then_for_every_component_and_says_so() -> None:
    bench = MissionBench()
    assert bench.run(1.0) is S.IDLE
    bench.levels["localization"] = Level.ERROR
    bench.messages["localization"] = "heading not known yet"
    assert bench.mission.start() == (True, "started")
    assert bench.run(1.0) is S.ALIGN
    assert bench.status.reason == "waiting for localisation: heading not known yet"
    bench.silent = {"guard"}
    bench.run(2.0)
    bench.levels["localization"] = Level.OK
    bench.run(1.0)
    assert bench.status.reason.startswith("waiting for safety guard: no report for")
    bench.silent = set()
    assert bench.run(2.0, S.SEARCH) is S.SEARCH


def test_searches_lane_after_lane_and_drives_home() -> None:
    bench = MissionBench(lanes=2).go()
    assert bench.run(60.0, S.DONE) is S.DONE
    assert [goal for goal, _, _ in bench.goals] == [Goal.SEARCH] * 3 + [Goal.HOME, Goal.SEARCH, Goal.HOME]
    assert bench.visited[1:] == [S.PLAN, S.SEARCH, S.PLAN, S.SEARCH, S.PLAN, S.RETURN, S.PLAN, S.RETURN, S.DONE]
    assert bench.status.reason == "all reachable ground searched"
    stamps = [t for _, _, t in bench.goals]
    assert stamps == sorted(set(stamps))


def test_a_robot_that_cannot_get_out_has_not_completed_its_mission() -> None:
    """It once called a field complete after two finds, with nine tenths of it not searched."""
    bench = MissionBench(lanes=1)
    bench.way_home = False
    bench.go()
    assert bench.run(60.0, S.ABORTED) is S.ABORTED
    assert "has to be fetched" in bench.status.reason


def test_what_could_not_be_reached_is_looked_at_again_from_home() -> None:
    """A mission once went home from a tight place with a quarter of its field left, which could be reached from anywhere else."""
    bench = MissionBench(lanes=1).go()
    assert bench.run(60.0, S.RETURN) is S.RETURN
    bench.lanes = 1
    assert bench.run(60.0, S.DONE) is S.DONE
    assert [goal for goal, _, _ in bench.goals].count(Goal.SEARCH) == 5  # a lane, none, a lane, none, none from home


def test_asks_for_a_plan_only_when_the_robot_stands() -> None:
    bench = MissionBench().go()
    bench._answer = lambda old: None
    bench.targets = [target(3)]
    before = bench.status.request_t
    bench.run(2.0)
    assert bench.status.state is S.PLAN
    assert bench.status.request_t == before
    bench.run(2.0)
    assert bench.status.request_t > before  # the wait is bounded
    assert (bench.status.goal, bench.status.goal_target) == (Goal.TARGET, 3)


def test_a_suspect_interrupts_the_search_and_is_marked() -> None:
    bench = MissionBench().go()
    bench.targets = [target(4, p=0.3), target(7)]
    assert bench.run(20.0, S.MARK) is S.MARK
    assert bench.run(20.0, S.SEARCH) is S.SEARCH
    assert [request.target_id for request in bench.requests] == [7]
    assert (bench.status.targets, bench.status.marks_requested, bench.status.marks_confirmed) == (1, 1, 1)
    assert bench.output.unmarked == ()
    assert bench.run(60.0, S.DONE) is S.DONE
    assert len(bench.requests) == 1


def test_the_nearest_suspect_comes_first() -> None:
    bench = MissionBench().go()
    bench.targets = [target(1, x=9.0), target(2, x=4.0), target(3, x=-2.0), target(4, x=math.nan)]
    bench.run(120.0, S.DONE)
    assert [request.target_id for request in bench.requests] == [3, 2, 1]
    assert bench.status.state is S.DONE


def test_a_suspect_that_turns_out_harmless_is_not_marked() -> None:
    bench = MissionBench().go()
    bench.targets = [target(1)]
    assert bench.run(20.0, S.APPROACH) is S.APPROACH
    bench.targets = [target(1, p=0.1)]
    assert bench.run(20.0, S.SEARCH) is S.SEARCH
    assert bench.requests == []


def test_an_unreachable_target_is_tried_again_at_the_end_and_then_reported() -> None:
    bench = MissionBench().go()
    bench.targets, bench.unreachable = [target(5)], {5}
    assert bench.run(90.0, S.DONE) is S.DONE
    assert [goal for goal, _, _ in bench.goals].count(Goal.TARGET) == 2
    assert bench.output.unmarked == ((5, "not reachable over searched ground"),)
    assert "target 5 not reachable over searched ground" in bench.status.reason


def test_an_unreachable_target_that_becomes_reachable_is_marked_before_going_home() -> None:
    bench = MissionBench(lanes=5).go()
    bench.targets, bench.unreachable = [target(5)], {5}
    bench.run(6.0)
    bench.unreachable = set()
    assert bench.run(90.0, S.DONE) is S.DONE
    assert bench.status.marks_confirmed == 1


def test_an_unverified_mark_is_recorded_and_not_repeated() -> None:
    bench = MissionBench().go()
    bench.targets, bench.mark_status = [target(2)], lambda request: MarkStatus.UNVERIFIED
    assert bench.run(90.0, S.DONE) is S.DONE
    assert len(bench.requests) == 1
    assert bench.output.unmarked == ((2, "unverified: test unverified"),)
    assert (bench.status.marks_requested, bench.status.marks_confirmed) == (1, 0)


def test_a_failed_mark_is_approached_and_tried_once_more() -> None:
    bench = MissionBench().go()
    bench.targets, bench.mark_status = [target(2)], lambda request: MarkStatus.FAILED
    assert bench.run(90.0, S.DONE) is S.DONE
    assert len({request.t for request in bench.requests}) == 2
    assert bench.output.unmarked == ((2, "failed: test failed"),)


def test_a_broken_marker_holds_for_the_operator_and_goes_on_when_mended() -> None:
    bench = MissionBench().go()
    bench.levels["marker"], bench.messages["marker"] = Level.ERROR, "the paint is empty"
    bench.targets, bench.mark_status = [target(2)], lambda request: MarkStatus.FAILED
    assert bench.run(20.0, S.HOLD) is S.HOLD
    assert bench.status.reason == "waiting for the operator: marker: the paint is empty"
    bench.levels["marker"], bench.mark_status = Level.OK, lambda request: MarkStatus.CONFIRMED
    assert bench.run(90.0, S.DONE) is S.DONE
    assert bench.status.marks_confirmed == 1


def test_a_marker_nobody_mends_puts_targets_off_and_waits_only_once() -> None:
    bench = MissionBench(lanes=3, marker_wait=10.0).go()
    bench.levels["marker"], bench.messages["marker"] = Level.ERROR, "the paint is empty"
    bench.targets, bench.mark_status = [target(1), target(2), target(3)], lambda request: MarkStatus.FAILED
    assert bench.run(200.0, S.DONE) is S.DONE
    assert bench.visited.count(S.HOLD) == 1
    assert [row[0] for row in bench.output.unmarked] == [1, 2, 3]


def test_a_marker_that_never_answers_is_not_waited_for_forever() -> None:
    bench = MissionBench(mark_timeout=10.0).go()
    bench.targets, bench.answers_marks = [target(2)], False
    assert bench.run(90.0, S.DONE) is S.DONE
    assert len({request.t for request in bench.requests}) == 1
    assert len(bench.requests) == 5
    assert "no result" in bench.output.unmarked[0][1]


def test_a_late_or_repeated_result_counts_once() -> None:
    bench = MissionBench().go()
    bench.targets = [target(2)]
    bench.run(12.0)
    assert bench.status.marks_confirmed == 1
    result = MarkResult(bench.t, 2, MarkStatus.FAILED, 0, 0, "a stray repetition")
    bench.mission.set_mark_result(result)
    bench.mission.set_mark_result(MarkResult(bench.t, 99, MarkStatus.CONFIRMED, 0, 0, "nobody asked"))
    bench.step()
    assert (bench.status.marks_confirmed, bench.output.unmarked) == (1, ())


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


def test_a_target_the_guard_does_not_let_us_reach_is_put_off() -> None:
    bench = MissionBench().go()
    bench.targets = [target(2)]
    assert bench.run(10.0, S.APPROACH) is S.APPROACH
    bench.levels["guard"] = Level.WARN
    assert bench.run(30.0, S.SEARCH) is S.SEARCH
    assert bench.output.unmarked[0][1].startswith("not reached: safety guard")


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


def test_search_plans_that_gain_nothing_end_the_mission() -> None:
    bench = MissionBench(lanes=99)
    bench.gain_m2 = 0.0
    bench.go()
    assert bench.run(200.0, S.ABORTED) is S.ABORTED
    assert "gained no ground" in bench.status.reason
    assert [goal for goal, _, _ in bench.goals].count(Goal.SEARCH) == 4


def test_a_planner_that_does_not_answer_is_asked_again_and_then_a_person() -> None:
    bench = MissionBench(plan_timeout=5.0).reach(S.PLAN)
    assert bench.run(30.0, S.HOLD) is S.HOLD
    assert "no plan" in bench.status.reason
    assert len(bench.goals) == 3


def test_an_old_plan_is_ignored() -> None:
    bench = MissionBench().reach(S.PLAN)
    bench.run(2.0)
    bench.mission.set_plan(Plan(bench.status.request_t - 1.0, ()))
    bench.step()
    assert bench.status.state is S.PLAN


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


def test_restored_marks_are_not_repeated_and_open_ones_are() -> None:
    bench = MissionBench()
    bench.mission.restore(
        (MarkRequest(1.0, 1, 5, 0), MarkRequest(2.0, 2, 5, 0), MarkRequest(3.0, 3, 5, 0)),
        (MarkResult(1.5, 1, MarkStatus.CONFIRMED, 5, 0, ""), MarkResult(2.5, 2, MarkStatus.UNVERIFIED, 5, 0, "")),
    )
    bench.targets = [target(1), target(2), target(3)]
    bench.go(S.ALIGN)
    bench.run(5.0)
    assert bench.status.reason == "waiting for the marker to settle target 3 from before the restart"
    for _ in range(2):  # a repetition changes nothing
        bench.mission.set_mark_result(MarkResult(bench.t, 3, MarkStatus.FAILED, 0, 0, "not fired before the restart"))
    bench.run(60.0, S.DONE)
    assert bench.status.state is S.DONE
    assert {request.target_id for request in bench.requests} == {3}
    assert (bench.status.marks_requested, bench.status.marks_confirmed) == (3, 2)


@pytest.mark.parametrize(("status", "asked"), [(MarkStatus.CONFIRMED, 1), (MarkStatus.FAILED, 2)])
def test_an_unverified_mark_is_reconciled_when_the_marker_settles_it(status: MarkStatus, asked: int) -> None:
    bench = MissionBench(lanes=4, drive_time=10.0).go()
    bench.targets, bench.mark_status = [target(2)], lambda request: MarkStatus.UNVERIFIED
    bench.run(25.0, S.MARK)
    bench.run(15.0, S.SEARCH)
    assert bench.output.unmarked == ((2, "unverified: test unverified"),)
    bench.mark_status = lambda request: MarkStatus.CONFIRMED
    bench.mission.set_mark_result(MarkResult(bench.t, 2, status, 0, 0, "found on the actuator's record"))
    assert bench.run(90.0, S.DONE) is S.DONE
    assert (len(bench.requests), bench.status.marks_confirmed, bench.output.unmarked) == (asked, 1, ())


def test_the_state_is_published_on_change_and_as_heartbeat() -> None:
    bench = MissionBench()
    published = [bench.step().changed for _ in range(21)]
    assert sum(published) == 5
    bench.mission.start()
    assert bench.step().changed


@pytest.mark.parametrize("t", [math.nan, math.inf, -5.0])
def test_a_broken_clock_changes_nothing(t: float) -> None:
    bench = MissionBench().go()
    assert bench.mission.update(t).status.state is S.SEARCH
    assert bench.mission.update(t).status.t == bench.t


def test_counts_before_anything_happened() -> None:
    output = Mission(MissionParams(), limits()).update(0.0)
    assert (output.status.state, output.status.goal, output.status.goal_target) == (S.IDLE, Goal.NONE, -1)
    assert (output.status.targets, output.mark_requests, output.unmarked) == (0, (), ())


def test_the_way_is_planned_anew_for_a_target_that_moved_on_the_approach() -> None:
    bench = MissionBench(lanes=9).go()
    bench.targets = [target(1)]
    assert bench.run(20.0, S.APPROACH) is S.APPROACH
    bench.targets = [target(1, x=5.1)]
    assert bench.run(20.0, S.MARK) is S.MARK
    assert [goal for goal, _, _ in bench.goals].count(Goal.TARGET) == 2
    bench.step()
    assert [round(request.x, 3) for request in bench.requests] == [5.1]


def test_a_target_that_never_settles_is_put_off_and_tried_again_at_the_end() -> None:
    bench = MissionBench(lanes=2).go()
    bench.targets = [target(1)]
    for _ in range(3):
        assert bench.run(20.0, S.APPROACH) is S.APPROACH
        bench.targets = [target(1, x=bench.targets[0].x + 0.1)]
        bench.run(20.0, S.PLAN)
    assert bench.run(60.0, S.DONE) is S.DONE
    assert bench.status.marks_confirmed == 1


def remark(kind: RemarkKind, target_id: int = -1, comment: str = "seen") -> Remark:
    return Remark(1.0, "a1", kind, target_id, comment, "viewer 1")


def test_a_rejected_target_is_marked_all_the_same() -> None:
    said, silent = MissionBench(lanes=1).go(), MissionBench(lanes=1).go()
    for bench in (said, silent):
        bench.targets = [target(3)]
        bench.step()
    rejection = remark(RemarkKind.REJECT, 3)
    assert said.mission.refusal(rejection) == ""
    said.mission.set_remark(rejection)
    assert said.mission.refusal(remark(RemarkKind.CONFIRM, 4)) == "there is no target 4"
    for bench in (said, silent):
        assert bench.run(60.0, S.DONE) is S.DONE
    assert said.visited == silent.visited and said.goals == silent.goals
    assert [request.target_id for request in said.requests] == [3]


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


def test_a_target_that_is_known_roughly_is_marked_when_the_search_is_done() -> None:
    bench = MissionBench(lanes=3).go()
    bench.targets = [target(1, sigma=0.1)]
    bench.run(1.0, S.PLAN)
    assert bench.status.reason == "target 1 found"  # a new plan round its halo, at once
    assert bench.run(90.0, S.APPROACH) is S.APPROACH
    assert bench.lanes == 0 and not bench.requests
    assert bench.run(60.0, S.DONE) is S.DONE
    assert [goal for goal, _, _ in bench.goals] == [Goal.SEARCH] * 4 + [Goal.TARGET, Goal.HOME, Goal.SEARCH, Goal.HOME]
    assert bench.status.marks_confirmed == 1


@pytest.mark.parametrize("sigma", [0.02, math.nan])
def test_a_target_that_was_seen_better_is_marked_at_once(sigma: float) -> None:
    bench = MissionBench(lanes=9).go()
    bench.targets = [target(1, sigma=0.1)]
    bench.run(3.0)
    assert Goal.TARGET not in [goal for goal, _, _ in bench.goals]
    bench.targets = [target(1, x=5.1, sigma=sigma)]
    assert bench.run(20.0, S.MARK) is S.MARK
    bench.step()
    assert [round(request.x, 3) for request in bench.requests] == [5.1]


def test_a_target_that_waits_for_a_better_look_is_named_when_the_mission_ends_before() -> None:
    bench = MissionBench(lanes=9).go()
    bench.targets = [target(1, sigma=0.1)]
    bench.run(3.0)
    bench.mission.abort()
    assert dict(bench.step().unmarked) == {1: "waits for a better look"}
