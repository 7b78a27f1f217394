"""Marks targets: wait for standstill, move the nozzle over the target, fire, and believe only what the actuator measured.

The sequence never assumes. A command without an answer is resolved by asking for the state, a pulse is numbered so that
a repeated command cannot fire twice, and a mark that may or may not be on the ground is reported as unverified, never as
failed, and settled as soon as the actuator's record can be read (:mod:`mine_robot.marking.doubts`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection
from enum import Enum

import numpy as np

from mine_robot.core.actuator_protocol import (
    UNKNOWN_CURRENT,
    Ack,
    ActuatorState,
    Fire,
    Frame,
    Move,
    Outcome,
    Safe,
    StatusQuery,
    Tool,
)
from mine_robot.core.robot import Robot
from mine_robot.core.types import Health, Level, MarkRequest, MarkResult, MarkStatus, MissionState, NavState
from mine_robot.marking.doubts import NOWHERE, Doubt, Doubts
from mine_robot.marking.line import ActuatorLine
from mine_robot.marking.params import MarkerParams
from mine_robot.marking.standstill import Standstill
from mine_robot.marking.supply import empty, low

MAX_TARGET_ID = 2**32 - 1


class _Phase(Enum):
    IDLE = "idle"
    STAND = "waiting for standstill"
    QUERY = "asking for the state"
    MOVE = "moving the slide"
    SETTLE = "waiting for the slide"
    FIRE = "about to fire"
    WATCH = "waiting for the pulse"


class Marker:
    """The mark sequence; :meth:`update` runs it at about 10 Hz, over :mod:`mine_robot.core.actuator_protocol`."""

    def __init__(
        self, params: MarkerParams, robot: Robot, unresolved: Collection[MarkRequest] = (), run: int = 0
    ) -> None:
        """``unresolved`` are requests from before a restart without a result: each gets one before anything is fired.

        ``run`` is the number under which the actuator remembers this run's pulses.
        """
        self._params = params
        self._robot = robot
        self._run_number = run
        self._tool = Tool.PAINT if params.tool == "paint" else Tool.FLAG
        self._line = ActuatorLine(params.ack_timeout)
        self._doubts = Doubts(params, run, unresolved)
        self._queue: deque[MarkRequest] = deque()
        self._again: deque[MarkResult] = deque()
        self._results: dict[int, tuple[float, MarkResult]] = {}
        self._asked_for = {request.target_id: request.t for request in unresolved}
        self._request: MarkRequest | None = None
        self._began: float | None = None
        self._standstill = Standstill(params)
        self._mission: MissionState | None = None
        self._safe_asked: bool | None = None  # what the actuator was told last and has not confirmed
        self._enter(_Phase.IDLE, 0.0)
        self._reset()

    def request(self, request: MarkRequest) -> None:
        """Ask for a mark; an id marked already, or the same request again (same stamp), is answered as before."""
        waiting = [self._request, *self._queue]
        if any(other is not None and other.target_id == request.target_id for other in waiting):
            return
        known = self._results.get(request.target_id)
        if known and (known[1].status is not MarkStatus.FAILED or known[0] == request.t):
            self._again.append(known[1])
        else:
            self._queue.append(request)

    def set_mission(self, state: MissionState) -> None:
        """Take the mission's state: marks are made in MARK only, and the actuator is made safe by an emergency stop."""
        self._mission = state

    def update(self, t: float, nav: NavState | None, received: bytes) -> tuple[bytes, MarkResult | None]:
        """Bytes for the actuator, and a result if one is due; ``received`` is what the line delivered."""
        self._began = t if self._began is None else self._began
        self._line.receive(t, received)
        self._standstill.add(t, nav)
        safety = self._safety(t)
        if (result := self._unasked(t, nav)) is not None:
            return safety or b"", result
        if safety is not None:
            return safety, None
        if self._request is None and self._queue and self._may_mark:
            self._request = self._queue.popleft()
            self._asked_for[self._request.target_id] = self._request.t
            self._reset()
            self._enter(_Phase.STAND, t)
        if self._request is None:
            due = self._line.idle(t) >= self._params.poll_interval
            return (self._line.send(t, StatusQuery) if due else b""), None
        outcome = self._link_lost(t) or self._run(t, nav, self._line.answer)
        if isinstance(outcome, MarkResult):
            return b"", self._done(t, outcome)
        return outcome, None

    def health(self, t: float) -> Health:
        """Health report ``marker``: ERROR without link or supply, WARN while it runs low or the actuator is made safe."""
        state = self._line.state
        values = {
            "phase": self._phase.value,
            "target": str(self._request.target_id) if self._request else "-",
            "paint": f"{state.paint:.2f}" if state else "-",
            "flags": str(state.flags) if state else "-",
            "pulse_current_a": f"{state.pulse_current:.2f}" if state else "-",
            "rejected_frames": str(self._line.rejected),
        }
        if state is None:
            return Health("marker", Level.ERROR, "the actuator has not answered yet", values)
        if t - self._line.heard > self._params.link_timeout:
            return Health("marker", Level.ERROR, f"no answer of the actuator for {t - self._line.heard:.1f} s", values)
        if none_left := empty(self._tool, state):
            return Health("marker", Level.ERROR, none_left, values)
        if self._doubts:
            return Health("marker", Level.WARN, "settling marks whose fate is not known", values)
        if state.state is ActuatorState.SAFE:
            return Health("marker", Level.WARN, "the actuator is made safe", values)
        if few_left := low(self._tool, state, self._params):
            return Health("marker", Level.WARN, few_left, values)
        return Health("marker", Level.OK, self._phase.value, values)

    # --- what interrupts ------------------------------------------------------------------------------------------
    @property
    def _may_mark(self) -> bool:
        return self._mission in (None, MissionState.MARK)

    def _unasked(self, t: float, nav: NavState | None) -> MarkResult | None:
        """A result that does not come from the sequence: a repetition, an interrupted mark, a doubt settled."""
        if self._again and self._request is None:
            return self._again.popleft()
        if (interrupted := self._interrupt(t)) is not None:
            return self._done(t, interrupted)
        settled = self._settle_doubt(t, nav)
        if settled is not None:
            self._results[settled.target_id] = (self._asked_for.get(settled.target_id, settled.t), settled)
        return settled

    def _interrupt(self, t: float) -> MarkResult | None:
        """Drop what is under way once the mission does not mark any more; a pulse under way is seen to its end."""
        if self._may_mark:
            return None
        self._queue.clear()
        if self._request is None:
            return None
        if self._mission is MissionState.ESTOP and self._armed:
            return self._give_up(t, "emergency stop")
        if not self._armed:
            self._request = None
            self._enter(_Phase.IDLE, t)
        return None

    def _safety(self, t: float) -> bytes | None:
        """The command that makes the actuator safe or ready again, until its state says so; None if nothing is to do."""
        safe = self._mission is MissionState.ESTOP
        state = self._line.state
        if (state is not None and (state.state is ActuatorState.SAFE) == safe) or (state is None and not safe):
            self._safe_asked = None
            return None
        if self._safe_asked is safe and self._line.waits(t):
            return b""
        self._safe_asked = safe
        return self._line.send(t, lambda sequence: Safe(sequence, safe))

    def _settle_doubt(self, t: float, nav: NavState | None) -> MarkResult | None:
        """The actuator's answer settles a doubt; where the nozzle is counts only while the robot stands."""
        answer = self._line.answer
        if answer is None or not self._doubts:
            return None
        place = self._nozzle_at(nav, answer) if nav is not None and self._standstill.lasts(t) else None
        return self._doubts.settle(t, answer, place)

    def _link_lost(self, t: float) -> MarkResult | None:
        silent = t - max(self._line.heard, self._began or 0.0, self._opened)
        if silent <= self._params.link_timeout or self._phase is _Phase.STAND:
            return None
        return self._give_up(t, f"no answer of the actuator for {silent:.1f} s")

    # --- sequence ------------------------------------------------------------------------------------------------
    def _reset(self) -> None:
        self._armed = False  # a command to fire was sent and its fate is not known
        self._pulses = 0
        self._attempt = 0
        self._offset = math.nan
        self._nozzle = NOWHERE
        self._flags_before = 0
        self._opened = -math.inf  # when the conversation of this request began
        self._first_fire = math.nan

    def _enter(self, phase: _Phase, t: float) -> None:
        self._phase = phase
        self._entered = t
        self._fresh = True  # nothing was sent in this phase yet

    def _run(self, t: float, nav: NavState | None, answer: Ack | None) -> bytes | MarkResult:
        steps = {
            _Phase.STAND: self._stand,
            _Phase.QUERY: self._query,
            _Phase.MOVE: self._move,
            _Phase.SETTLE: self._settle,
            _Phase.FIRE: self._fire,
            _Phase.WATCH: self._watch,
        }
        return steps[self._phase](t, nav, answer)

    def _ask(self, t: float, command: Callable[[int], Frame], answer: Ack | None) -> tuple[bytes, Ack | None]:
        """Send ``command`` unless its answer is here or may still come; an answer counts only if this phase asked."""
        if not self._fresh and answer is not None:
            return b"", answer
        if not self._fresh and self._line.waits(t):
            return b"", None
        self._fresh = False
        return self._line.send(t, command), None

    def _stand(self, t: float, nav: NavState | None, _: Ack | None) -> bytes | MarkResult:
        if nav is None or not self._standstill.lasts(t):
            if t - self._entered > self._params.standstill_timeout:
                return self._give_up(t, "the robot does not stand still" if nav is not None else "no pose")
            return b""
        assert self._request is not None
        place = np.array([self._request.x, self._request.y])
        if not np.all(np.isfinite(place)) or not 0 <= self._request.target_id <= MAX_TARGET_ID:
            return self._give_up(t, "the request is not valid")
        ahead, self._offset = (float(value) for value in nav.pose.to_body(place))
        along = ahead - float(self._robot.marker[0])
        if abs(along) > self._params.along_tolerance or abs(self._offset) > self._robot.marker_reach:
            return self._give_up(t, f"out of reach: {along:+.2f} m along the robot, slide at {self._offset:+.2f} m")
        self._opened = max(self._opened, t)
        self._enter(_Phase.QUERY, t)
        return self._query(t, nav, None)

    def _query(self, t: float, nav: NavState | None, answer: Ack | None) -> bytes | MarkResult:
        data, state = self._ask(t, StatusQuery, answer)
        if state is None:
            return data
        if state.state is ActuatorState.FIRING:
            self._enter(_Phase.QUERY, t)
            return b""
        if self._doubts:
            return b""  # nothing is fired before the actuator's record is settled
        if self._armed and self._is_ours(state):
            self._enter(_Phase.WATCH, t)  # the pulse came after all, where the robot stood then
            return b""
        if none_left := empty(self._tool, state):
            return self._give_up(t, none_left)
        assert self._request is not None
        if not self._armed:
            fired_before = (state.last_run, state.last_target) == (self._run_number, self._request.target_id)
            self._attempt = state.last_attempt % 255 + 1 if fired_before else 1
        self._enter(_Phase.MOVE, t)
        return self._move(t, nav, None)

    def _move(self, t: float, _: NavState | None, answer: Ack | None) -> bytes | MarkResult:
        offset = self._offset
        data, state = self._ask(t, lambda sequence: Move(sequence, offset), answer)
        if state is None:
            return data
        if state.outcome is Outcome.REFUSED:
            return self._give_up(t, f"the actuator refuses the slide position {offset:+.3f} m")
        self._enter(_Phase.SETTLE if state.outcome is Outcome.DONE else _Phase.MOVE, t)
        return b""

    def _settle(self, t: float, nav: NavState | None, answer: Ack | None) -> bytes | MarkResult:
        data, state = self._ask(t, StatusQuery, answer)
        if state is not None:
            close = abs(state.position - self._offset) <= self._params.slide_tolerance
            if state.state is ActuatorState.IDLE and state.in_position and close:
                self._enter(_Phase.FIRE, t)
                return self._fire(t, nav, None)
            data = self._line.send(t, StatusQuery)
        if t - self._entered > self._params.move_timeout:
            return self._give_up(t, f"the slide did not reach {self._offset:+.3f} m")
        return data

    def _fire(self, t: float, nav: NavState | None, _: Ack | None) -> bytes | MarkResult:
        seen = self._line.state
        if nav is None or not self._standstill.lasts(t) or seen is None:
            self._enter(_Phase.STAND, t)
            return b""
        assert self._request is not None
        ahead, offset = nav.pose.to_body(np.array([self._request.x, self._request.y]))
        moved = max(abs(offset - self._offset), abs(ahead - self._robot.marker[0]) - self._params.along_tolerance)
        if moved > 2.0 * self._params.slide_tolerance:
            self._enter(_Phase.STAND, t)
            return b""
        self._nozzle = self._nozzle_at(nav, seen)
        if not self._armed:
            self._pulses += 1
            self._first_fire, self._flags_before = t, seen.flags
        self._armed = True
        what = (seen.sequence, self._tool, self._run_number, self._request.target_id, self._attempt)
        self._enter(_Phase.WATCH, t)
        return self._ask(t, lambda sequence: Fire(sequence, *what), None)[0]

    def _watch(self, t: float, nav: NavState | None, answer: Ack | None) -> bytes | MarkResult:
        """Wait for the pulse; its outcome is read from the state, whether or not the command was acknowledged."""
        assert self._request is not None
        data, state = self._ask(t, StatusQuery, answer)
        if state is None:
            return data
        if self._is_ours(state):
            if state.state is not ActuatorState.FIRING:
                return self._judge(t, state)
        elif t - self._first_fire <= self._params.fire_timeout:  # the command did not arrive, or came too early
            self._enter(_Phase.FIRE, t)
            return self._fire(t, nav, None)
        else:
            self._armed = False
            return self._give_up(t, "the actuator does not fire")
        if t - self._first_fire > self._params.fire_timeout + self._params.link_timeout:
            return self._give_up(t, "the pulse does not end")
        return self._line.send(t, StatusQuery)

    def _judge(self, t: float, state: Ack) -> bytes | MarkResult:
        """The pulse is over: was there paint on the ground?"""
        self._armed = False
        current = f"pulse current {state.pulse_current:.2f} A"
        if state.pulse_current < self._params.pulse_current_min:
            if self._pulses < self._params.attempts:
                self._attempt = self._attempt % 255 + 1
                self._enter(_Phase.FIRE, t)
                return b""
            return self._give_up(t, f"the nozzle is jammed ({current}, {self._pulses} attempts)")
        if state.pulse_current >= UNKNOWN_CURRENT:
            return self._finish(t, MarkStatus.UNVERIFIED, "the pulse was cut off")
        if self._tool is Tool.FLAG and state.flags >= self._flags_before:
            return self._finish(t, MarkStatus.UNVERIFIED, f"no flag has left the magazine ({current})")
        if self._tool is Tool.PAINT and state.paint <= 0.0:
            return self._finish(t, MarkStatus.UNVERIFIED, f"the tank was empty after the pulse ({current})")
        if not state.in_position or abs(state.position - self._offset) > self._params.slide_tolerance:
            return self._finish(t, MarkStatus.UNVERIFIED, f"the slide stood at {state.position:+.3f} m after the pulse")
        left = f"paint {state.paint:.0%}" if self._tool is Tool.PAINT else f"{state.flags} flags left"
        return self._finish(t, MarkStatus.CONFIRMED, f"{current}, {left}")

    def _is_ours(self, state: Ack) -> bool:
        """True if the actuator's last pulse is the one asked for."""
        assert self._request is not None
        wanted = (self._run_number, self._request.target_id, self._attempt)
        return (state.last_run, state.last_target, state.last_attempt) == wanted

    def _nozzle_at(self, nav: NavState, state: Ack) -> tuple[float, float]:
        """Where the nozzle is in ``map``."""
        x, y = nav.pose.to_map(np.array([float(self._robot.marker[0]), state.position]))
        return float(x), float(y)

    def _give_up(self, t: float, why: str) -> MarkResult:
        """Failed, unless a pulse may have been fired: then it is settled once the actuator answers again."""
        assert self._request is not None
        if self._armed:
            self._doubts.add(Doubt(self._request, self._attempt, self._nozzle))
            return self._finish(t, MarkStatus.UNVERIFIED, f"{why} after the command to fire")
        if self._request.target_id in self._doubts:
            return self._finish(t, MarkStatus.UNVERIFIED, f"{why}, and it may have been fired before")
        return self._finish(t, MarkStatus.FAILED, why)

    def _finish(self, t: float, status: MarkStatus, detail: str) -> MarkResult:
        assert self._request is not None
        return MarkResult(t, self._request.target_id, status, *self._nozzle, detail)

    def _done(self, t: float, result: MarkResult) -> MarkResult:
        """The request under way has its result."""
        assert self._request is not None
        self._results[result.target_id] = (self._request.t, result)
        self._request = None
        self._armed = False
        self._enter(_Phase.IDLE, t)
        return result
