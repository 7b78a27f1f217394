"""When the mission stands: safety reactions, and how a hold ends."""

from __future__ import annotations

from mine_robot.core.types import (
    Level,
    MissionState,
)
from mine_robot.mission.reactions import BEGUN, Action
from mine_robot.mission.situation import Situation

S = MissionState
APPROACH_REPLANS = 2  # new plans for one target before it is put off


class Holding(Situation):
    """Acts on the table of reactions, waits for causes to go and for people to come."""

    def _react(self) -> None:
        if self._state is S.ESTOP:
            for row in self._watch.alarms()[:1]:  # the robot stands: what is said of it changes
                self._reason = f"emergency stop: {self._words(row)}"
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
            self._acknowledged = ""  # of what has cleared; that a person has to come is news

    def _resume(self, why: str) -> None:
        if not self._started:
            self._to(S.IDLE, "waiting for start")
        elif not self._aligned:
            self._to(S.ALIGN, "waiting for the components")
        else:
            self._replan(why)
