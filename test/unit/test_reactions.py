"""Every row of the table of safety reactions, with time moved by hand: what it does, how soon, and when it ends."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from control_plant import limits, nav_state
from mission_bench import COMPONENTS, MissionBench

from mine_robot.core.types import Health, Level, MissionState
from mine_robot.mission.machine import Mission
from mine_robot.mission.params import Fitted, MissionParams
from mine_robot.mission.reactions import (
    BEGUN,
    DRIVING,
    REACTIONS,
    REQUIRED,
    WATCHED,
    Action,
    HealthWatch,
    Reaction,
    tilt_of,
)
from mine_robot.pipeline.ground_watch import GroundWatch
from mine_robot.pipeline.loading import load_field

S = MissionState
SMALL_FIELD = Path(__file__).parents[1] / "data" / "small_field.geojson"
FITTED = {"emergency_stop": True, "command_link": True, "battery": True}
TICK = 0.1
REACHED = {Action.HOLD: {S.HOLD}, Action.ESTOP: {S.ESTOP}, Action.REPLAN: {S.PLAN}, Action.RETURN: {S.PLAN, S.RETURN}}
CASES = [
    pytest.param(row, state, id=f"{row.event} in {state.value}") for row in REACTIONS for state in sorted(row.states)
]


class FaultBench(MissionBench):
    """A bench on which a component reports a fault."""

    def __init__(self, **changes: float) -> None:
        super().__init__(drive_time=300.0, lanes=9, hold_timeout=1000.0, **changes)
        self.faults: dict[str, Health] = {}

    def fail(self, row: Reaction) -> None:
        values = dict([row.value]) if row.value else {}
        self.levels.pop(row.component, None)
        self.faults[row.component] = Health(row.component, row.level, "it failed", values)

    def mend(self, row: Reaction) -> None:
        self.faults[row.component] = Health(row.component, Level.OK, "well")

    def step(self):
        for health in self.faults.values():
            self.mission.set_health(health)
        # The pose brings its own report of the tilt; a fault of it comes after.
        set_nav = self.mission.set_nav
        self.mission.set_nav = lambda nav: (set_nav(nav), [self.mission.set_health(h) for h in self.faults.values()])
        try:
            return super().step()
        finally:
            del self.mission.set_nav

    def reach(self, state: MissionState) -> FaultBench:
        if state is S.HOLD:
            self.go()
            self.levels["command_link"] = Level.WARN
            self.run(1.0)
        elif state is S.RETURN:
            self.lanes = 0
            self.go(state)
        else:
            self.drive_time = 3.0 if state is S.MARK else self.drive_time
            super().reach(state)
        assert self.status.state is state
        return self


@pytest.mark.parametrize(("row", "state"), CASES)
def test_each_row_reacts_in_time(row: Reaction, state: MissionState) -> None:
    bench = FaultBench().reach(state)
    bench.fail(row)
    began = bench.t
    request = bench.status.request_t
    before = bench.status
    bench.run(row.after + 0.2)
    if row.confirm and state is S.HOLD:
        bench.mend(row)
        bench.levels.pop("command_link", None)
        bench.levels["command_link"] = Level.OK
        bench.run(5.0)
        assert bench.status.state is S.HOLD, "a person has to say so"
        return
    if state is S.RETURN and row.action is Action.RETURN:
        assert bench.status.state is S.RETURN or bench.status.request_t > request
    elif state is S.HOLD and row.action is Action.RETURN:
        assert bench.status.state is S.HOLD  # first the hold has to end
        bench.levels["command_link"] = Level.OK
        assert bench.run(5.0, S.RETURN) is S.RETURN
        return
    else:
        assert bench.status.state in REACHED[row.action], bench.status
    assert bench.t - began <= row.limit + 1e-9
    assert bench.status != before
    assert "it failed" in bench.status.reason


@pytest.mark.parametrize(
    "row", [row for row in REACTIONS if row.action is Action.HOLD and S.SEARCH in row.states], ids=lambda r: r.event
)
def test_a_hold_ends_when_its_cause_has_been_gone_for_the_time_of_the_row(row: Reaction) -> None:
    bench = FaultBench().reach(S.SEARCH)
    bench.fail(row)
    bench.run(1.5)
    assert bench.status.state is S.HOLD
    assert not bench.mission.resume()[0]
    bench.mend(row)
    bench.run(row.clear - TICK)
    assert bench.status.state is S.HOLD
    bench.run(1.0)
    if row.confirm:
        assert bench.status.reason.startswith("waiting for the operator")
        assert bench.mission.resume()[0]
    assert bench.run(3.0, S.SEARCH) is S.SEARCH


@pytest.mark.parametrize("command", ["start", "resume"])
def test_who_was_lost_for_long_waits_for_a_person_and_who_was_not_goes_on(command: str) -> None:
    lost = Health("localization", Level.ERROR, "lost: sigma 0.40 m", {"state": "LOST"})
    for seconds, waits in ((1.0, False), (4.0, True)):
        bench = FaultBench().reach(S.SEARCH)
        bench.levels.pop("localization")
        bench.faults["localization"] = lost
        bench.run(seconds)
        bench.faults["localization"] = Health("localization", Level.OK, "RTK fixed")
        assert bench.run(10.0, S.SEARCH) is (S.HOLD if waits else S.SEARCH)
        if waits:
            bench.faults["localization"] = lost
            bench.step()
            assert not getattr(bench.mission, command)()[0]  # lost again meanwhile
            bench.faults["localization"] = Health("localization", Level.OK, "RTK fixed")
            bench.run(2.0)
            assert getattr(bench.mission, command)()[0]
            assert bench.run(3.0, S.SEARCH) is S.SEARCH


def test_an_emergency_stop_is_latched_until_a_person_resumes_and_only_when_its_cause_is_gone() -> None:
    button = next(row for row in REACTIONS if row.component == "emergency_stop")
    bench = FaultBench().reach(S.SEARCH)
    bench.fail(button)
    bench.run(0.2)
    bench.mend(button)
    assert bench.run(30.0) is S.ESTOP
    bench.fail(button)
    bench.run(0.2)
    bench.mission.resume()
    assert bench.run(0.3) is S.ESTOP  # pressed still: stopped again at once
    bench.mend(button)
    bench.run(0.2)
    assert bench.mission.resume()[0]
    assert bench.run(3.0, S.SEARCH) is S.SEARCH


@pytest.mark.parametrize("row", [row for row in REACTIONS if row.alarm], ids=lambda row: row.event)
def test_an_alarm_is_said_even_if_the_robot_is_in_an_emergency_stop_already_and_again(row: Reaction) -> None:
    bench = FaultBench().reach(S.SEARCH)
    bench.mission.estop()
    bench.run(1.0)
    assert "it failed" not in bench.status.reason
    for words in ("it failed", "it failed again"):
        bench.faults[row.component] = Health(row.component, Level.ERROR, words)
        bench.run(0.2)
        assert bench.status.state is S.ESTOP
        assert bench.status.reason == f"emergency stop: {row.label}: {words}"
    bench.faults[row.component] = Health(row.component, Level.WARN, "the mission's emergency stop holds the robot")
    bench.run(1.0)
    assert bench.status.reason.endswith("again")  # as long as nobody has resumed
    assert bench.mission.resume()[0]
    assert bench.run(3.0, S.SEARCH) is S.SEARCH


def test_the_most_severe_action_wins() -> None:
    for first, second in itertools.permutations(REACTIONS, 2):
        if S.SEARCH not in first.states & second.states or first.component == second.component:
            continue
        bench = FaultBench().reach(S.SEARCH)
        bench.fail(first)
        bench.fail(second)
        bench.run(first.after + second.after + 0.8)
        worst = max(first.action, second.action)
        if worst >= Action.HOLD:
            assert bench.status.state in REACHED[worst], (first.event, second.event)


@pytest.mark.parametrize("component", sorted(WATCHED))
def test_silence_is_a_fault_of_whoever_has_spoken(component: str) -> None:
    bench = FaultBench().reach(S.SEARCH)
    bench.faults[component] = Health(component, Level.OK, "well")
    bench.run(3.0)
    assert bench.status.state is S.SEARCH
    bench.levels.pop(component, None)
    del bench.faults[component]
    bench.run(1.8)
    worst = max(row.action for row in REACTIONS if row.component == component and row.up_to is Level.STALE)
    assert worst >= Action.HOLD and bench.status.state in REACHED[worst]
    assert "no report" in bench.status.reason


def test_tilt_comes_with_the_pose() -> None:
    level = nav_state(1.0, 0.0, 0.0, 0.0)
    for rpy, worst in (((0.1, -0.2, 3.0), Level.OK), ((0.5, 0.0, 0.0), Level.ERROR), ((0.0, -0.5, 0.0), Level.ERROR)):
        nav = type(level)(1.0, level.position, np.array(rpy), level.velocity, level.rate, level.covariance)
        assert tilt_of(nav, 0.4).level is worst
    broken = type(level)(1.0, level.position, np.full(3, math.nan), level.velocity, level.rate, level.covariance)
    assert tilt_of(broken, 0.4).level is Level.OK


def test_the_table_is_sound() -> None:
    assert len({row.event for row in REACTIONS}) == len(REACTIONS)
    assert set(REQUIRED) <= WATCHED
    assert set(COMPONENTS) <= WATCHED
    for row in REACTIONS:
        assert row.limit >= row.after
        assert row.states <= BEGUN
        assert row.states
        assert not row.confirm or row.action is Action.HOLD
    assert DRIVING < BEGUN


@pytest.mark.parametrize("first", range(40_000, 47_000, 100))
def test_the_time_after_which_a_row_acts_is_no_tick_longer_by_rounding(first: int) -> None:
    """Of all pairs of ticks 0.2 s apart, four in ten are less than that by the last bit."""
    row = next(row for row in REACTIONS if row.event == "tilt")
    watch = HealthWatch(1.5)
    fired = []
    for t in (first / 1000, (first + 100) / 1000, (first + 200) / 1000):
        watch.add(t, Health("tilt", Level.ERROR, "30 degrees"))
        watch.update(t)
        fired.append(row in watch.fired(t, S.SEARCH, 0.0))
    assert fired == [False, False, True]


@pytest.mark.parametrize("component", sorted(REQUIRED))
@pytest.mark.parametrize("spoke", [False, True])
def test_no_start_while_something_required_says_nothing(component: str, spoke: bool) -> None:
    """Never heard, or silent again: the start is refused in words, and what is missing starts nothing by coming back."""
    bench = MissionBench()
    if spoke:
        bench.run(1.0)
    bench.silent = {component}
    bench.run(2.0)
    accepted, words = bench.mission.start()
    assert not accepted and REQUIRED[component][0] in words and "no report" in words
    assert bench.run(1.0) is S.IDLE
    readiness = bench.mission.readiness()
    assert readiness.level is Level.ERROR and readiness.values[component].startswith("blocks: no report")
    bench.silent = set()
    assert bench.run(2.0) is S.IDLE, "nobody started it"
    assert bench.mission.start()[0] and bench.run(5.0, S.SEARCH) is S.SEARCH


@pytest.mark.parametrize("component", ["emergency_stop", "geofence"])
def test_no_start_with_what_would_stop_the_robot_at_once(component: str) -> None:
    bench = MissionBench()
    bench.levels[component], bench.messages[component] = Level.ERROR, "pressed"
    bench.run(1.0)
    assert not bench.mission.start()[0]
    assert bench.mission.readiness().values[component] == "blocks: pressed"


@pytest.mark.parametrize("component", ["emergency_stop", "command_link", "battery"])
def test_what_is_not_fitted_by_configuration_is_said_and_waited_for_by_nobody(component: str) -> None:
    bench = MissionBench()
    bench.mission = Mission(MissionParams(), limits(), Fitted(**{**FITTED, component: False}).absent)
    bench.silent = {component}
    bench.run(1.0)
    assert bench.mission.readiness().values[component] == "absent: not fitted"
    assert bench.mission.start()[0] and bench.run(5.0, S.SEARCH) is S.SEARCH
    # One that speaks all the same is believed, and its silence is a fault again.
    bench.silent = set()
    bench.run(1.0)
    bench.silent = {component}
    assert bench.run(3.0) in (S.HOLD, S.ESTOP)


def test_the_place_is_known_before_the_geofence_says_so() -> None:
    field = load_field(SMALL_FIELD)
    watch = GroundWatch(field, limits())
    (_, fence) = watch.reports(100.0)
    assert fence.level is Level.STALE
    for t, x, y, then, level in (
        (100.0, math.nan, 0.0, 100.0, Level.STALE),
        (100.0, 0.0, 0.0, 101.0, Level.OK),
        (100.0, 0.0, 0.0, 102.0, Level.STALE),
        (102.0, 99.0, 0.0, 102.0, Level.ERROR),
        (102.0, 99.0, 0.0, 110.0, Level.ERROR),
    ):
        nav = nav_state(t, 0.0, 0.0, 0.0)
        watch.set_nav(replace(nav, position=np.array([x, y, 0.0])))
        assert watch.reports(then)[1].level is level
