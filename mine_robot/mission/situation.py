"""What the mission knows: its inputs, its state and what it wants, and how it says so. The decisions are in the classes built on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from mine_robot.core.limits import Limits
from mine_robot.core.types import (
    HAZARD_M2,
    OUT_OF_REACH,
    SEARCHED,
    UNPROVEN,
    Goal,
    Health,
    Level,
    MarkRequest,
    MarkResult,
    MissionState,
    MissionStatus,
    NavState,
    Plan,
    Progress,
    Release,
    Target,
)
from mine_robot.mission.advance import Advance
from mine_robot.mission.params import MissionParams
from mine_robot.mission.reactions import DRIVING, READINESS, HealthWatch, Reaction, Verdict, tilt_of
from mine_robot.mission.suspects import Suspects
from mine_robot.mission.transitions import TRANSITIONS

S = MissionState
NO_TARGET = -1


def target_list_health(fault: str) -> Health:
    """Health report ``targets`` of a list that contradicts what was declared, or of one that does not."""
    if not fault:
        return Health("targets", Level.OK, "the list of targets holds what was declared")
    words = f"{fault}; every halo stays. Find out who sent it; a person may release a target, with a reason"
    return Health("targets", Level.ERROR, words)


@dataclass(frozen=True)
class MissionOutput:
    """``status`` now; publish it if ``changed`` (a change, or the heartbeat). ``unmarked``: suspects without a proven mark, and why."""

    status: MissionStatus
    changed: bool
    mark_requests: tuple[MarkRequest, ...]
    unmarked: tuple[tuple[int, str], ...]


class Situation:
    """Inputs are stored by ``set_*``; only :meth:`_to` changes the state, along the table of transitions."""

    def __init__(self, params: MissionParams, limits: Limits, absent: frozenset[str] = frozenset()) -> None:
        """``absent``: components that this robot does not have (:class:`~mine_robot.mission.params.Fitted`)."""
        self._params = params
        self._now = -math.inf
        self._watch = HealthWatch(params.health_age, absent)
        self._suspects = Suspects(limits.mark_p_hazard, params.mark_sigma_max)
        self._contradiction = ""  # of lists of targets since the last update
        self._released: tuple[Release, ...] = ()
        self._new_health: list[Health] = []
        self._new_results: list[MarkResult] = []
        self._plan: Plan | None = None
        self._progress: Progress | None = None
        self._nav: NavState | None = None
        self._state, self._reason, self._entered = S.IDLE, "waiting for start", -math.inf
        self._started = self._aligned = False
        self._goal, self._goal_target, self._request_t = Goal.NONE, NO_TARGET, 0.0
        self._goal_place = (math.nan, math.nan)  # of the target, when the way to it was planned
        self._asked = 0  # requests sent in this PLAN state
        self._asked_at = -math.inf
        self._search_done = False
        self._looked_again = False  # from home: what the last place did not allow may be reachable from there
        self._ending = ""
        self._unproven_m2 = 0.0
        self._out_of_reach_m2, self._hazard_m2 = 0.0, math.inf
        self._advance = Advance(params)
        self._approach_replans = 0
        self._held: set[Reaction] = set()
        self._operator = ""  # why the robot waits for a person
        self._acknowledged = ""  # by whom the present hold was seen
        self._marker_given_up = False  # nobody came to mend it: do not wait at every target
        self._mark: MarkRequest | None = None
        self._sent_at = -math.inf
        self._published: MissionStatus | None = None

    def set_health(self, health: Health) -> None:
        """Take a component's report; its age counts from the next update. That of the coverage says how much ground is searched."""
        self._new_health.append(health)
        if SEARCHED in health.values:
            self._unproven_m2 = float(health.values.get(UNPROVEN, 0.0))
            self._out_of_reach_m2 = float(health.values.get(OUT_OF_REACH, 0.0))
            self._hazard_m2 = float(health.values.get(HAZARD_M2, math.inf))
            # To give ground up is to get ahead.
            self._advance.set_ground(float(health.values[SEARCHED]) + self._unproven_m2)

    def set_targets(self, targets: tuple[Target, ...]) -> None:
        """Take the newest list of targets; one that contradicts what was declared counts, even if the next comes with it."""
        self._suspects.set_targets(targets)
        self._contradiction = self._suspects.hazards.fault or self._contradiction
        self._new_health.append(target_list_health(self._contradiction))

    def recall_targets(self, history: Iterable[Target], releases: Iterable[Release]) -> None:
        """Take over what a killed run knew of the targets, word by word, and what people took back of it."""
        self._released = tuple(releases)
        self._suspects.recall(history, self._released)

    def target_list(self) -> Health:
        """Health report ``targets``: ERROR if the newest list contradicts what was declared."""
        return target_list_health(self._suspects.hazards.fault)

    def set_plan(self, plan: Plan) -> None:
        """Take a plan; only the answer to the newest request counts."""
        self._plan = plan

    def set_progress(self, progress: Progress) -> None:
        """Take the follower's progress."""
        self._progress = progress

    def set_nav(self, nav: NavState) -> None:
        """Take the pose: it decides which suspect is nearest, and how far the robot is tilted."""
        self._nav = nav
        self._new_health.append(tilt_of(nav, self._params.tilt_max))

    def set_mark_result(self, result: MarkResult) -> None:
        """Take the marker's result."""
        self._new_results.append(result)

    def restore(
        self,
        requests: Iterable[MarkRequest],
        results: Iterable[MarkResult],
        highest_p: Mapping[int, float] = MappingProxyType({}),
    ) -> None:
        """Take over the marks of a killed run from its journal, before :meth:`start`, and how probable each target ever was."""
        self._suspects.restore(requests, results, highest_p)

    def readiness(self) -> Health:
        """What keeps the mission from being started: the checklist of the console, a value a component."""
        blocking = self._watch.waiting_for(self._now, Verdict.BLOCKS)
        missing = blocking or self._watch.waiting_for(self._now)
        level, words = (Level.ERROR if blocking else Level.WARN, missing) if missing else (Level.OK, "ready")
        if self._state is not S.IDLE:
            level, words = Level.OK, "started"
        lines = {
            check.component: f"{check.verdict.value}: {check.message}" for check in self._watch.checklist(self._now)
        }
        return Health(READINESS, level, words, lines)

    def _output(self, requests: list[MarkRequest]) -> MissionOutput:
        status = MissionStatus(
            t=self._now,
            state=self._state,
            reason=self._reason,
            goal=self._goal,
            goal_target=self._goal_target,
            request_t=self._request_t,
            targets=self._suspects.tally.suspects,
            listed=self._suspects.tally.listed,
            marks_requested=self._suspects.requested,
            marks_confirmed=self._suspects.confirmed,
            acknowledged=self._acknowledged,
            released=self._released,
        )
        old = self._published
        due = old is None or self._now - old.t >= self._params.heartbeat
        changed = due or replace(status, t=old.t) != old  # type: ignore[union-attr]
        if changed:
            self._published = status
        return MissionOutput(status, changed, tuple(requests), self._suspects.unmarked)

    def _to(self, state: MissionState, reason: str) -> None:
        if state not in TRANSITIONS[self._state]:
            raise AssertionError(f"no transition from {self._state.value} to {state.value}")
        self._state, self._reason, self._entered = state, reason, self._now
        self._asked, self._acknowledged = 0, ""
        if state in DRIVING:
            self._advance.begin(self._now)
        if state is not S.HOLD:
            self._held.clear()
            self._operator = ""

    def _replan(self, reason: str) -> None:
        self._to(S.PLAN, reason)

    def _words(self, row: Reaction) -> str:
        return f"{row.label}: {self._watch.health(row.component, self._now).message}"

    def _position(self) -> tuple[float, float] | None:
        if self._nav is None or not (math.isfinite(self._nav.position[0]) and math.isfinite(self._nav.position[1])):
            return None
        return float(self._nav.position[0]), float(self._nav.position[1])
