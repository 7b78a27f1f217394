"""The mission's state machine: search, mark what is suspect, go on, go home.

Pure: inputs are stored by ``set_*``, :meth:`Mission.update` moves the time and decides. What is wanted next is never remembered but
worked out from the data (:meth:`Mission._choose`), so that a hold, a pause or a restart resumes with the right thing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mine_robot.core.limits import Limits
from mine_robot.core.types import (
    Goal,
    Health,
    Level,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MissionState,
    MissionStatus,
    NavState,
    Plan,
    Progress,
    Target,
)
from mine_robot.mission.advance import SAME_STAMP, Advance, Drive
from mine_robot.mission.params import MissionParams
from mine_robot.mission.reactions import BEGUN, DRIVING, Action, HealthWatch, Reaction, tilt_of
from mine_robot.mission.suspects import Suspects
from mine_robot.mission.transitions import TRANSITIONS

S = MissionState
NO_TARGET = -1
APPROACH_REPLANS = 2  # new plans for one target before it is put off
MAX_PLAN_REQUESTS = 3


@dataclass(frozen=True)
class MissionOutput:
    """``status`` now; publish it if ``changed`` (a change, or the heartbeat). ``unmarked``: suspects without a proven mark, and why."""

    status: MissionStatus
    changed: bool
    mark_requests: tuple[MarkRequest, ...]
    unmarked: tuple[tuple[int, str], ...]


class Mission:
    """See the module; :meth:`update` at 10 Hz, commands at any time."""

    def __init__(self, params: MissionParams, limits: Limits) -> None:
        self._params = params
        self._now = -math.inf
        self._watch = HealthWatch(params.health_age)
        self._suspects = Suspects(limits.mark_p_hazard)
        self._new_health: list[Health] = []
        self._new_results: list[MarkResult] = []
        self._plan: Plan | None = None
        self._progress: Progress | None = None
        self._nav: NavState | None = None
        self._state, self._reason, self._entered = S.IDLE, "waiting for start", -math.inf
        self._started = self._aligned = False
        self._goal, self._goal_target, self._request_t = Goal.NONE, NO_TARGET, 0.0
        self._asked = 0  # requests sent in this PLAN state
        self._asked_at = -math.inf
        self._search_done = False
        self._ending = ""
        self._advance = Advance(params)
        self._approach_replans = 0
        self._held: set[Reaction] = set()
        self._operator = ""  # why the robot waits for a person
        self._marker_given_up = False  # nobody came to mend it: do not wait at every target
        self._mark: MarkRequest | None = None
        self._sent_at = -math.inf
        self._published: MissionStatus | None = None

    # --- commands ------------------------------------------------------------------------------------------------
    def start(self) -> tuple[bool, str]:
        """Begin, once; or go on after the robot was lost, as :meth:`resume`."""
        if self._state is S.HOLD:
            return self.resume()
        if self._state is not S.IDLE:
            return False, f"the mission cannot be started: it is in state {self._state.value}"
        self._started = True
        self._to(S.ALIGN, "waiting for the components")
        return True, "started"

    def pause(self) -> tuple[bool, str]:
        """Stand until resumed."""
        if S.PAUSED not in TRANSITIONS[self._state]:
            return False, f"nothing to pause: the mission is in state {self._state.value}"
        self._to(S.PAUSED, "paused by the operator")
        return True, "paused"

    def resume(self) -> tuple[bool, str]:
        """Go on after a pause, an emergency stop or a hold for the operator."""
        if self._state is S.HOLD:
            blocking = [row for row in self._held if not self._watch.cleared(self._now, row)]
            if blocking:
                return False, f"still holding: {self._words(blocking[0])}"
            self._operator = ""
            self._advance.forgive()
        elif self._state not in (S.PAUSED, S.ESTOP):
            return False, f"nothing to resume: the mission is in state {self._state.value}"
        self._resume("resumed by the operator")
        return True, "resumed"

    def abort(self) -> tuple[bool, str]:
        """End the mission where the robot stands."""
        if self._state.ended:
            return False, f"the mission has ended already ({self._state.value})"
        self._to(S.ABORTED, "aborted by the operator")
        return True, "aborted"

    def estop(self) -> tuple[bool, str]:
        """Emergency stop; left only by :meth:`resume` or :meth:`abort`."""
        if self._state.ended:
            return True, "the mission has ended, the robot stands"
        if self._state is not S.ESTOP:
            self._to(S.ESTOP, "emergency stop: resume to go on")
        return True, "emergency stop"

    # --- inputs --------------------------------------------------------------------------------------------------
    def set_health(self, health: Health) -> None:
        """Take a component's report; its age counts from the next update."""
        self._new_health.append(health)

    def set_targets(self, targets: tuple[Target, ...]) -> None:
        """Take the newest list of targets."""
        self._suspects.set_targets(targets)

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

    def restore(self, requests: Iterable[MarkRequest], results: Iterable[MarkResult]) -> None:
        """Take over the marks of a killed run from its journal, before :meth:`start`."""
        self._suspects.restore(requests, results)

    # --- update --------------------------------------------------------------------------------------------------
    def update(self, t: float) -> MissionOutput:
        """Advance to time ``t`` (a time that is not finite or runs backwards counts as none passed)."""
        self._now = max(self._now, t) if math.isfinite(t) else self._now
        for health in self._new_health:
            self._watch.add(self._now, health)
        self._new_health.clear()
        self._watch.update(self._now)
        self._take_results()
        self._react()
        requests: list[MarkRequest] = []
        if self._state is S.MARK:
            requests = self._marking()
        else:
            handler = {
                S.ALIGN: self._align,
                S.PLAN: self._planning,
                S.SEARCH: self._search,
                S.APPROACH: self._approach,
                S.HOLD: self._hold,
                S.RETURN: self._return,
            }.get(self._state)
            if handler is not None:
                handler()
                if self._state is S.MARK:
                    requests = self._marking()
        return self._output(requests)

    def _output(self, requests: list[MarkRequest]) -> MissionOutput:
        status = MissionStatus(
            t=self._now,
            state=self._state,
            reason=self._reason,
            goal=self._goal,
            goal_target=self._goal_target,
            request_t=self._request_t,
            targets=self._suspects.count,
            marks_requested=self._suspects.requested,
            marks_confirmed=self._suspects.confirmed,
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
        self._asked = 0
        if state in DRIVING:
            self._advance.begin(self._now)
        if state is not S.HOLD:
            self._held.clear()
            self._operator = ""

    # --- reactions -----------------------------------------------------------------------------------------------
    def _react(self) -> None:
        if self._state not in BEGUN:
            return
        fired = self._watch.fired(self._now, self._state, self._entered)
        holds = {row for row in fired if row.action is Action.HOLD}
        first = fired[0].action if fired else None
        if first is Action.ESTOP:
            self._to(S.ESTOP, f"emergency stop: {self._words(fired[0])}")
        elif holds and self._state is S.HOLD:
            self._held |= holds
        elif first is Action.HOLD:
            self._to(S.HOLD, f"holding: {self._words(fired[0])}")
            self._held = holds
        elif first is Action.RETURN and not self._ending:
            self._ending = self._words(fired[0])
            if not self._held:  # else home once the hold is over
                self._replan(f"driving home: {self._ending}")
        elif first is Action.REPLAN:
            self._try_again(self._words(fired[0]))

    def _words(self, row: Reaction) -> str:
        return f"{row.label}: {self._watch.health(row.component, self._now).message}"

    def _try_again(self, why: str) -> None:
        """Ask for a new plan because the present one cannot be driven; give up after some."""
        allowed = self._advance.may_replan(self._now)
        if self._state is S.APPROACH:
            self._approach_replans += 1
            if self._approach_replans > APPROACH_REPLANS:
                self._suspects.put_off(self._goal_target, f"not reached: {why}")
                self._approach_replans = 0
        elif not allowed:
            self._wait_for_operator(f"{why}, again and again")
            return
        self._replan(f"new plan: {why}")

    def _wait_for_operator(self, why: str) -> None:
        self._to(S.HOLD, f"waiting for the operator: {why}")
        self._operator = why

    def _hold(self) -> None:
        """Leave the hold when its cause is gone, or give up after a time."""
        waited = self._now - self._entered
        marker_hold = self._operator.startswith("marker")
        if self._held:
            if all(self._watch.cleared(self._now, row) for row in self._held):
                self._cleared()
        elif marker_hold and self._watch.health("marker", self._now).level < Level.ERROR:
            self._resume("the marker works again")
        elif marker_hold and waited > self._params.marker_wait:
            self._suspects.put_off(self._goal_target, self._operator)
            self._marker_given_up = True
            self._replan(f"going on without a mark at target {self._goal_target}: {self._operator}")
        if self._state is S.HOLD and waited > self._params.hold_timeout:
            self._to(S.ABORTED, f"gave up after {waited:.0f} s: {self._reason}")

    def _cleared(self) -> None:
        """The cause of the hold is gone: go on, or have a person say so."""
        unsure = [row.event for row in self._held if row.confirm]
        if not unsure:
            self._resume("the fault has cleared")
        elif not self._operator:
            self._operator = unsure[0]
            self._reason, self._entered = f"waiting for the operator: {unsure[0]}, look and resume", self._now

    def _resume(self, why: str) -> None:
        if not self._started:
            self._to(S.IDLE, "waiting for start")
        elif not self._aligned:
            self._to(S.ALIGN, "waiting for the components")
        else:
            self._replan(why)

    # --- goals ---------------------------------------------------------------------------------------------------
    def _replan(self, reason: str) -> None:
        self._to(S.PLAN, reason)

    def _choose(self) -> tuple[Goal, int]:
        """What to do next, from what is known now."""
        if self._ending:
            return Goal.HOME, NO_TARGET
        target = self._suspects.next(self._position())
        if target is None and self._search_done and self._suspects.retry():
            target = self._suspects.next(self._position())
        if target is not None:
            return Goal.TARGET, target.id
        return (Goal.HOME if self._search_done else Goal.SEARCH), NO_TARGET

    def _position(self) -> tuple[float, float] | None:
        if self._nav is None or not (math.isfinite(self._nav.position[0]) and math.isfinite(self._nav.position[1])):
            return None
        return float(self._nav.position[0]), float(self._nav.position[1])

    def _planning(self) -> None:
        """Ask for a plan once the robot stands, and act on the answer."""
        if self._asked == 0:
            if self._stands() or self._now - self._entered > self._params.stop_timeout:
                self._ask()
            return
        if self._plan is not None and abs(self._plan.t - self._request_t) < SAME_STAMP:
            self._planned(self._plan)
        elif self._now - self._asked_at > self._params.plan_timeout:
            if self._asked >= MAX_PLAN_REQUESTS:
                self._wait_for_operator("no plan from coverage")
            else:
                self._ask()

    def _stands(self) -> bool:
        progress = self._progress
        return progress is not None and progress.stopped and progress.t >= self._entered

    def _ask(self) -> None:
        if self._now <= self._request_t:
            return  # two requests never share a stamp
        goal, target = self._choose()
        if target != self._goal_target:
            self._approach_replans = 0
        self._goal, self._goal_target = goal, target
        self._request_t = self._asked_at = self._now
        self._asked += 1
        what = {
            Goal.SEARCH: "planning the search",
            Goal.TARGET: f"planning the way to target {target}",
            Goal.HOME: "planning the way home",
        }[goal]
        self._reason = f"{what} ({self._reason})" if self._asked == 1 else f"{what} (request {self._asked})"

    def _planned(self, plan: Plan) -> None:
        """Act on the answer. No steps: nothing left to search, or no way; a robot that stands right gets a step of no length."""
        if self._goal is Goal.SEARCH:
            self._search_planned(plan)
        elif self._goal is Goal.TARGET:
            target = self._goal_target
            if plan.steps:
                self._to(S.APPROACH, f"driving the marker over target {target}")
            else:
                self._suspects.put_off(target, "not reachable over searched ground")
                self._replan(f"target {target} is not reachable")
        elif plan.steps:
            self._to(S.RETURN, f"driving home: {self._ending or 'all reachable ground is searched'}")
        else:
            self._finish("no way home")

    def _search_planned(self, plan: Plan) -> None:
        if not plan.steps:
            self._search_done = True
            self._replan("all reachable ground is searched")
            return
        if self._advance.gains(plan):
            self._to(S.SEARCH, "searching")
        else:
            self._ending = f"{self._advance.fruitless} search plans in a row gained no ground"
            self._replan(self._ending)

    def _finish(self, remark: str = "") -> None:
        rest = "; ".join(f"target {target_id} {why}" for target_id, why in self._suspects.unmarked)
        parts = [f"ended short: {self._ending}" if self._ending else "all reachable ground searched", remark]
        parts.append(f"not marked for certain: {rest}" if rest else "")
        self._to(S.ABORTED if self._ending else S.DONE, "; ".join(part for part in parts if part))

    # --- states --------------------------------------------------------------------------------------------------
    def _align(self) -> None:
        missing = self._watch.waiting_for(self._now)
        if not missing and self._suspects.unsettled:
            missing = f"the marker to settle target {self._suspects.unsettled[0]} from before the restart"
        if missing:
            self._reason = f"waiting for {missing}"
        else:
            self._aligned = True
            self._replan("all components are ready")

    def _driven(self) -> bool:
        """True if the plan is driven to its end; a robot that does not get ahead gets a new plan."""
        drive = self._advance.drive(self._now, self._progress, self._request_t)
        if drive is Drive.STALLED:
            self._try_again(f"the robot has not got ahead for {self._params.stall_timeout:.0f} s")
        return drive is Drive.DONE

    def _search(self) -> None:
        target = self._suspects.next(self._position())
        if target is not None:
            self._replan(f"target {target.id} found")
        elif self._driven():
            self._advance.searched()
            self._replan("the search plan is driven")

    def _approach(self) -> None:
        if not self._suspects.wanted(self._goal_target):
            self._replan(f"target {self._goal_target} is no suspect any more")
        elif self._driven():
            self._begin_mark()

    def _return(self) -> None:
        target = self._suspects.next(self._position()) if not self._ending else None
        if target is not None:
            self._replan(f"target {target.id} found")
        elif self._driven():
            self._finish()

    # --- marks ---------------------------------------------------------------------------------------------------
    def _begin_mark(self) -> None:
        self._mark = self._suspects.request(self._now, self._goal_target)
        self._sent_at = -math.inf
        if self._mark is None:
            self._replan(f"target {self._goal_target} is gone")
        else:
            self._to(S.MARK, f"marking target {self._goal_target}")

    def _marking(self) -> list[MarkRequest]:
        """Repeat the request until there is a result (the marker knows repetitions by their stamp)."""
        if self._mark is None or self._now - self._entered > self._params.mark_timeout:
            self._suspects.no_result(
                self._goal_target, f"no result from the marker in {self._params.mark_timeout:.0f} s"
            )
            self._replan(f"the marker does not answer for target {self._goal_target}")
            return []
        if self._now - self._sent_at < self._params.mark_resend:
            return []
        self._sent_at = self._now
        return [self._mark]

    def _take_results(self) -> None:
        results, self._new_results = self._new_results, []
        for result in results:
            if not self._suspects.record(result):
                continue
            self._advance.forgive()
            if self._state is S.MARK and result.target_id == self._goal_target:
                self._marked(result)

    def _marked(self, result: MarkResult) -> None:
        words = f"target {result.target_id} {result.status.value}: {result.detail}"
        marker = self._watch.health("marker", self._now)
        broken = marker.level >= Level.ERROR
        self._marker_given_up = self._marker_given_up and broken
        if result.status is MarkStatus.FAILED and broken and self._suspects.wanted(result.target_id):
            if not self._marker_given_up:
                self._wait_for_operator(f"marker: {marker.message}")
                return
            self._suspects.put_off(result.target_id, f"marker: {marker.message}")
        self._replan(words)
