"""What the mission wants next, and how it gets a plan for it."""

from __future__ import annotations

from mine_robot.core.types import (
    Goal,
    MissionState,
    Plan,
)
from mine_robot.mission.advance import SAME_STAMP
from mine_robot.mission.holding import Holding
from mine_robot.mission.situation import NO_TARGET

S = MissionState
MAX_PLAN_REQUESTS = 3


class Planning(Holding):
    """Chooses goals from what is known now, asks for plans and takes the answers."""

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
        self._suspects.plan()
        if target != self._goal_target:
            self._approach_replans = 0
        self._goal, self._goal_target, self._goal_place = goal, target, self._suspects.place(target)
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
            self._ending = self._ending or "no way out over searched ground, the robot has to be fetched"
            self._finish()

    def _search_planned(self, plan: Plan) -> None:
        if not plan.steps:
            self._search_done = True
            self._replan("all reachable ground is searched")
            return
        if self._advance.gains():
            self._looked_again = False
            self._to(S.SEARCH, "searching")
        else:
            self._ending = f"{self._advance.fruitless} search plans in a row gained no ground"
            self._replan(self._ending)

    def _finish(self) -> None:
        if self._unproven_m2 > 0.0 and not self._ending:
            self._ending = f"{self._unproven_m2:.2f} m² were swept twice and are not proven"
        if self._out_of_reach_m2 > self._params.out_of_reach_max * self._hazard_m2 and not self._ending:
            self._ending = (
                f"{self._out_of_reach_m2:.1f} of {self._hazard_m2:.1f} m² are out of reach and listed as gaps"
            )
        rest = "; ".join(f"target {target_id} {why}" for target_id, why in self._suspects.unmarked)
        parts = [f"ended short: {self._ending}" if self._ending else "all reachable ground searched"]
        parts.append(f"not marked for certain: {rest}" if rest else "")
        self._to(S.ABORTED if self._ending else S.DONE, "; ".join(part for part in parts if part))
