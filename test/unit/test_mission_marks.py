"""Targets on their way to a mark: approach, tries, what is put off, what people say of them."""

from __future__ import annotations

import math

import pytest
from mission_bench import MissionBench, remark, target

from mine_robot.core.types import Goal, Level, MarkRequest, MarkResult, MarkStatus, MissionState, RemarkKind
from mine_robot.mission.suspects import Suspects

S = MissionState


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


def test_a_suspect_that_a_list_calls_harmless_holds_the_mission_and_is_marked_all_the_same() -> None:
    bench = MissionBench().go()
    bench.targets = [target(1)]
    assert bench.run(20.0, S.APPROACH) is S.APPROACH
    bench.targets = [target(1, p=0.1)]
    assert bench.run(20.0, S.HOLD) is S.HOLD
    assert "takes back the suspicion of 1" in bench.status.reason
    bench.targets = [target(1)]
    bench.run(2.0)
    assert bench.mission.resume()[0]
    assert bench.run(20.0, S.MARK) is S.MARK


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


def test_a_target_the_guard_does_not_let_us_reach_is_put_off() -> None:
    bench = MissionBench().go()
    bench.targets = [target(2)]
    assert bench.run(10.0, S.APPROACH) is S.APPROACH
    bench.levels["guard"] = Level.WARN
    assert bench.run(30.0, S.SEARCH) is S.SEARCH
    assert bench.output.unmarked[0][1].startswith("not reached: safety guard")


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


def test_what_is_rather_clutter_is_marked_at_once_however_roughly_it_is_known() -> None:
    suspects = Suspects(threshold=0.004, sigma_max=0.08)
    suspects.set_targets([target(1, p=0.9, sigma=0.1)])
    assert suspects.next(None) is None
    suspects.set_targets([target(1, p=0.9, sigma=0.1), target(2, p=0.05, sigma=0.1)])
    assert suspects.next(None).id == 2


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
