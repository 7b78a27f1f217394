"""After a stop nothing moves, whatever the mission says in whatever order, but for an emergency stop after it and a resume after that."""

from __future__ import annotations

import math
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from control_plant import limits, robot, status

from mine_robot.control.guard import GuardDecision
from mine_robot.control.params import GuardParams
from mine_robot.control.stops import Stops
from mine_robot.core.types import MissionState, Twist2, WheelSample

LIMITS, ROBOT = limits(), robot()
STAMPS = st.one_of(st.floats(-20.0, 40.0), st.sampled_from([math.nan, math.inf, -math.inf, 10.0]))
STATUSES = st.tuples(st.sampled_from(list(MissionState)), STAMPS)
CAUSES = st.sampled_from(["service", "foreign"])
EVENTS = st.lists(st.one_of(STATUSES, CAUSES, st.just("wheels")), max_size=25)


@given(EVENTS, CAUSES, EVENTS)
def test_only_an_emergency_stop_and_then_a_resume_let_anything_pass(before: list, cause: str, after: list) -> None:
    stops = Stops(GuardParams(), LIMITS, ROBOT)
    stops.set_mission(status(0.0, MissionState.SEARCH))
    stopped_t: float | None = None
    taken_t: float | None = None
    t = 10.0
    for event in (*before, cause, *after):
        t += 0.05
        if event == "wheels":
            stops.add_wheels(WheelSample(t, 0.0, 0.0))
        elif event in ("service", "foreign"):
            if event == "service":
                stops.stop(t)
            else:
                stops.add_foreign(t, None, list)
            if event == "service" or stopped_t is None:
                stopped_t, taken_t = t, None
        else:
            state, stamp = event
            stops.set_mission(status(stamp, state))
            if stopped_t is not None:
                if state is MissionState.ESTOP and stamp >= stopped_t:
                    taken_t = stamp
                elif state is not MissionState.ESTOP and taken_t is not None and stamp > taken_t:
                    stopped_t = taken_t = None
        twist = stops.pass_on(t, GuardDecision(Twist2(t, 0.5, 0.2), "")).twist
        if stopped_t is not None:
            assert (twist.speed, twist.yaw_rate) == (0.0, 0.0)
