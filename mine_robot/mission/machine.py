"""The mission's state machine: search, mark what is suspect, go on, go home.

Pure: inputs are stored by ``set_*``, :meth:`Mission.update` moves the time and decides. What is wanted next is never remembered but
worked out from the data (:meth:`Mission._choose`), so that a hold, a pause or a restart resumes with the right thing.
"""

from __future__ import annotations

import math

from mine_robot.core.types import (
    Level,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MissionState,
    Release,
    Remark,
    RemarkKind,
)
from mine_robot.mission.advance import Drive
from mine_robot.mission.planning import Planning
from mine_robot.mission.reactions import Verdict
from mine_robot.mission.situation import MissionOutput
from mine_robot.mission.transitions import TRANSITIONS

S = MissionState
RELEASING = (S.IDLE, S.HOLD, S.PAUSED, S.ESTOP)
STANDING = 0.03  # m/s and rad/s
TARGET_MOVED_M = 0.03  # on the approach, beyond which the way is planned anew: the marker has to stand over it


class Mission(Planning):
    """See the module; :meth:`update` at 10 Hz, commands at any time."""

    # --- commands ---------------------------------------------------------------------------------------------------------
    def start(self) -> tuple[bool, str]:
        """Begin, once, when everything that has to report does; or go on after the robot was lost, as :meth:`resume`."""
        if self._state is S.HOLD:
            return self.resume()
        if self._state is not S.IDLE:
            return False, f"the mission cannot be started: it is in state {self._state.value}"
        if blocking := self._watch.waiting_for(self._now, Verdict.BLOCKS):
            return False, f"the mission cannot be started: {blocking}"
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
        if stranger := self._watch.stranger(self._now):
            return False, f"cannot go on: {stranger}"
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

    # --- remarks ----------------------------------------------------------------------------------------------------------
    def refusal(self, remark: Remark) -> str:
        """Why a remark makes no sense now; empty if it is to be kept."""
        if remark.kind is RemarkKind.ACKNOWLEDGE:
            return (
                "" if self._state is S.HOLD else f"nothing to acknowledge: the mission is in state {self._state.value}"
            )
        if not self._suspects.knows(remark.target_id):
            return f"there is no target {remark.target_id}"
        return self._release_refusal(remark) if remark.kind is RemarkKind.RELEASE else ""

    def _release_refusal(self, remark: Remark) -> str:
        """Why the halo of a known target cannot be taken back now: it takes a robot that stands until a person has it go on, and words."""
        if not (remark.author.strip() and remark.comment.strip()):
            return "a release needs its author and a reason"
        nav = self._nav
        stands = nav is None or (abs(nav.velocity[0]) <= STANDING and abs(nav.rate[2]) <= STANDING)
        if self._state not in RELEASING or not stands:
            return f"halos are released only while the robot stands: pause first (state {self._state.value})"
        return ""

    def releases(self, target_id: int) -> tuple[Release, ...]:
        """What the release of a target takes back, by place."""
        return self._suspects.hazards.releases(target_id)

    def set_remark(self, remark: Remark) -> None:
        """Take a remark that was kept: that a hold was seen is shown as long as it lasts, a release opens a halo; nothing follows from
        the others."""
        if remark.kind is RemarkKind.ACKNOWLEDGE and self._state is S.HOLD:
            self._acknowledged = f"{remark.author}: {remark.comment}".rstrip(": ")
        elif remark.kind is RemarkKind.RELEASE:
            releases = self.releases(remark.target_id)
            self._released += releases
            self._suspects.recall((), releases)
            self._new_health.append(self.target_list())

    # --- update -----------------------------------------------------------------------------------------------------------
    def update(self, t: float) -> MissionOutput:
        """Advance to time ``t`` (a time that is not finite or runs backwards counts as none passed)."""
        self._now = max(self._now, t) if math.isfinite(t) else self._now
        for health in self._new_health:
            self._watch.add(self._now, health)
        self._new_health.clear()
        self._contradiction = ""
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

    # --- states -----------------------------------------------------------------------------------------------------------
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
        target = self._suspects.next(self._position()) or self._suspects.found()
        if target is not None:
            self._replan(f"target {target.id} found")
        elif self._driven():
            self._advance.searched()
            self._replan("the search plan is driven")

    def _approach(self) -> None:
        if not self._suspects.wanted(self._goal_target):
            self._replan(f"target {self._goal_target} is no suspect any more")
        elif self._driven():
            moved = math.dist(self._suspects.place(self._goal_target), self._goal_place)
            if moved > TARGET_MOVED_M:
                self._try_again(f"target {self._goal_target} is now seen {moved:.2f} m from where it was")
            else:
                self._begin_mark()

    def _return(self) -> None:
        target = self._suspects.next(self._position()) if not self._ending else None
        if target is not None:
            self._replan(f"target {target.id} found")
        elif self._driven():
            if self._ending or self._looked_again:
                self._finish()
            else:
                self._looked_again, self._search_done = True, False
                self._replan("home: is anything left to search?")

    # --- marks ------------------------------------------------------------------------------------------------------------
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
