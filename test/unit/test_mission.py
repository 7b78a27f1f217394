"""The course of a mission: lanes, plans, the way home, and what it publishes; time moved by hand."""

from __future__ import annotations

import pytest
from control_plant import limits
from mission_bench import MissionBench, target

from mine_robot.core.types import Goal, Level, MissionState, Plan
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


def test_search_plans_that_gain_nothing_end_the_mission() -> None:
    bench = MissionBench(lanes=99)
    bench.gain_m2 = 0.0
    bench.go()
    assert bench.run(200.0, S.ABORTED) is S.ABORTED
    assert "gained no ground" in bench.status.reason
    assert [goal for goal, _, _ in bench.goals].count(Goal.SEARCH) == 4


@pytest.mark.parametrize(("unproven", "state"), [(0.0, S.DONE), (0.4, S.ABORTED)])
def test_a_search_that_gave_ground_up_is_not_complete(unproven: float, state: MissionState) -> None:
    bench = MissionBench()
    bench.unproven_m2 = unproven
    bench.go()
    assert bench.run(200.0, state) is state
    assert ("0.40 m² were swept twice and are not proven" in bench.status.reason) is (unproven > 0.0)


@pytest.mark.parametrize(
    ("out_of_reach", "state"), [(0.0, S.DONE), (20.0, S.DONE), (20.1, S.ABORTED), (37.0, S.ABORTED)]
)
def test_a_field_that_is_mostly_gaps_is_not_complete(out_of_reach: float, state: MissionState) -> None:
    bench = MissionBench()
    bench.out_of_reach_m2 = out_of_reach
    bench.go()
    assert bench.run(200.0, state) is state
    words = f"ended short: {out_of_reach:.1f} of 40.0 m² are out of reach and listed as gaps"
    assert bench.status.reason.startswith(words) is (state is S.ABORTED)


def test_one_spot_after_the_other_that_cannot_be_proven_does_not_end_the_search() -> None:
    bench = MissionBench(lanes=9)
    bench.gain_m2 = 0.0
    bench.go()
    while not bench.status.state.ended and bench.t < 300.0:
        bench.unproven_m2 = 0.1 * ([goal for goal, _, _ in bench.goals].count(Goal.SEARCH) // 2)
        bench.step()
    assert bench.status.reason.startswith("ended short: 0.50 m² were swept twice")
    assert [goal for goal, _, _ in bench.goals].count(Goal.SEARCH) > 9


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


def test_the_state_is_published_on_change_and_as_heartbeat() -> None:
    bench = MissionBench()
    published = [bench.step().changed for _ in range(21)]
    assert sum(published) == 5
    bench.mission.start()
    assert bench.step().changed


def test_counts_before_anything_happened() -> None:
    output = Mission(MissionParams(), limits()).update(0.0)
    assert (output.status.state, output.status.goal, output.status.goal_target) == (S.IDLE, Goal.NONE, -1)
    assert (output.status.targets, output.mark_requests, output.unmarked) == (0, (), ())
