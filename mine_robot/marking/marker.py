"""Marks targets: wait for standstill, move the nozzle over the target, fire, and believe only what the actuator measured.

The sequence never assumes. A command without an answer is resolved by asking for the state, a pulse is numbered so that
a repeated command cannot fire twice, and a mark that may or may not be on the ground is reported as unverified, never as
failed.
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
    Decoder,
    Fire,
    Frame,
    Move,
    Outcome,
    StatusQuery,
    encode,
)
from mine_robot.core.robot import Robot
from mine_robot.core.types import Health, Level, MarkRequest, MarkResult, MarkStatus, NavState, Pose2
from mine_robot.marking.params import MarkerParams

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

    def __init__(self, params: MarkerParams, robot: Robot, unresolved: Collection[int] = ()) -> None:
        """``unresolved`` are ids requested before a restart whose result is unknown: their pulse is not repeated."""
        self._params = params
        self._robot = robot
        self._unresolved = set(unresolved)
        self._decoder = Decoder()
        self._queue: deque[MarkRequest] = deque()
        self._again: deque[MarkResult] = deque()
        self._results: dict[int, tuple[float, MarkResult]] = {}
        self._request: MarkRequest | None = None
        self._sequence = 0
        self._asked: tuple[int, float] | None = None  # sequence and time of the command whose answer is awaited
        self._heard: float | None = None
        self._began: float | None = None
        self._state: Ack | None = None
        self._still_since: float | None = None
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

    def update(self, t: float, nav: NavState | None, received: bytes) -> tuple[bytes, MarkResult | None]:
        """Bytes for the actuator, and a result if one is due; ``received`` is what the line delivered."""
        self._began = t if self._began is None else self._began
        answer = self._receive(t, received)
        self._watch_standstill(t, nav)
        if self._again and self._request is None:
            return b"", self._again.popleft()
        if self._request is None and self._queue:
            self._request = self._queue.popleft()
            self._reset()
            self._enter(_Phase.STAND, t)
        if self._request is None:
            due = self._asked is None or t - self._asked[1] >= self._params.poll_interval
            return (self._send(t, StatusQuery) if due else b""), None
        outcome = self._link_lost(t) or self._run(t, nav, answer)
        if isinstance(outcome, MarkResult):
            self._results[outcome.target_id] = (self._request.t, outcome)
            self._unresolved.discard(outcome.target_id)
            self._request = None
            self._enter(_Phase.IDLE, t)
            return b"", outcome
        return outcome, None

    def health(self, t: float) -> Health:
        """Health report ``marker``: ERROR without link or paint, WARN while the paint is low."""
        state = self._state
        values = {
            "phase": self._phase.value,
            "target": str(self._request.target_id) if self._request else "-",
            "paint": f"{state.paint:.2f}" if state else "-",
            "pulse_current_a": f"{state.pulse_current:.2f}" if state else "-",
            "rejected_frames": str(self._decoder.rejected),
        }
        if state is None or self._heard is None:
            return Health("marker", Level.ERROR, "the actuator has not answered yet", values)
        if t - self._heard > self._params.link_timeout:
            return Health("marker", Level.ERROR, f"no answer of the actuator for {t - self._heard:.1f} s", values)
        if state.paint <= 0.0:
            return Health("marker", Level.ERROR, "the paint is empty", values)
        if state.paint < self._params.paint_low:
            return Health("marker", Level.WARN, f"the paint is low ({state.paint:.0%})", values)
        return Health("marker", Level.OK, self._phase.value, values)

    # --- line ----------------------------------------------------------------------------------------------------
    def _receive(self, t: float, received: bytes) -> Ack | None:
        """The answer to the command sent last, if it came."""
        answer = None
        for frame in self._decoder.feed(received):
            if isinstance(frame, Ack):
                self._heard, self._state = t, frame
                if self._asked is not None and frame.sequence == self._asked[0]:
                    answer = frame
        return answer

    def _send(self, t: float, command: Callable[[int], Frame]) -> bytes:
        self._sequence = (self._sequence + 1) % 256
        self._asked = (self._sequence, t)
        return encode(command(self._sequence))

    def _waits(self, t: float) -> bool:
        """True while an answer to the last command may still come."""
        return self._asked is not None and t - self._asked[1] < self._params.ack_timeout

    def _link_lost(self, t: float) -> MarkResult | None:
        heard = self._heard if self._heard is not None else self._began
        silent = t - max(heard or 0.0, self._opened)
        if silent <= self._params.link_timeout or self._phase is _Phase.STAND:
            return None
        return self._give_up(t, f"no answer of the actuator for {silent:.1f} s")

    # --- sequence ------------------------------------------------------------------------------------------------
    def _reset(self) -> None:
        self._armed = False  # a command to fire was sent and its fate is not known
        self._pulses = 0
        self._attempt = 0
        self._offset = math.nan
        self._nozzle = (math.nan, math.nan)
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
        if not self._fresh and self._waits(t):
            return b"", None
        self._fresh = False
        return self._send(t, command), None

    def _stand(self, t: float, nav: NavState | None, _: Ack | None) -> bytes | MarkResult:
        if nav is None or not self._stands(t):
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
        assert self._request is not None
        fired_before = state.last_target == self._request.target_id and state.last_attempt > 0
        if fired_before and not self._pulses and self._request.target_id in self._unresolved:
            return self._reconcile(t, nav, state)
        if state.paint <= 0.0:
            return self._give_up(t, "the paint is empty")
        if not self._armed:
            self._attempt = state.last_attempt % 255 + 1 if fired_before else 1
        self._enter(_Phase.MOVE, t)
        return self._move(t, nav, None)

    def _reconcile(self, t: float, nav: NavState | None, state: Ack) -> bytes | MarkResult:
        """A pulse fired before a restart counts; it is repeated only if the valve did not move."""
        if state.pulse_current < self._params.pulse_current_min:
            self._unresolved.discard(state.last_target)
            return b""
        self._place(nav, state)
        in_place = nav is not None and abs(state.position - self._offset) <= self._params.slide_tolerance
        if in_place and state.paint > 0.0 and state.pulse_current < UNKNOWN_CURRENT:
            return self._finish(t, MarkStatus.CONFIRMED, "fired before a restart, found on the actuator's record")
        return self._finish(t, MarkStatus.UNVERIFIED, "fired before a restart, its place cannot be proven")

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
            data = self._send(t, StatusQuery)
        if t - self._entered > self._params.move_timeout:
            return self._give_up(t, f"the slide did not reach {self._offset:+.3f} m")
        return data

    def _fire(self, t: float, nav: NavState | None, _: Ack | None) -> bytes | MarkResult:
        if nav is None or not self._stands(t) or self._state is None:
            self._enter(_Phase.STAND, t)
            return b""
        assert self._request is not None
        ahead, offset = nav.pose.to_body(np.array([self._request.x, self._request.y]))
        moved = max(abs(offset - self._offset), abs(ahead - self._robot.marker[0]) - self._params.along_tolerance)
        if moved > 2.0 * self._params.slide_tolerance:
            self._enter(_Phase.STAND, t)
            return b""
        self._place(nav, self._state)
        if not self._armed:
            self._pulses += 1
            self._first_fire = t
        self._armed = True
        target, attempt = self._request.target_id, self._attempt
        self._enter(_Phase.WATCH, t)
        return self._ask(t, lambda sequence: Fire(sequence, target, attempt), None)[0]

    def _watch(self, t: float, nav: NavState | None, answer: Ack | None) -> bytes | MarkResult:
        """Wait for the pulse; its outcome is read from the state, whether or not the command was acknowledged."""
        assert self._request is not None
        data, state = self._ask(t, StatusQuery, answer)
        if state is None:
            return data
        if (state.last_target, state.last_attempt) == (self._request.target_id, self._attempt):
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
        return self._send(t, StatusQuery)

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
        if state.paint <= 0.0:
            return self._finish(t, MarkStatus.UNVERIFIED, f"the tank was empty after the pulse ({current})")
        if not state.in_position or abs(state.position - self._offset) > self._params.slide_tolerance:
            return self._finish(t, MarkStatus.UNVERIFIED, f"the slide stood at {state.position:+.3f} m after the pulse")
        return self._finish(t, MarkStatus.CONFIRMED, f"{current}, paint {state.paint:.0%}")

    def _place(self, nav: NavState | None, state: Ack) -> None:
        """Note where the nozzle is in ``map``."""
        if nav is not None:
            x, y = nav.pose.to_map(np.array([float(self._robot.marker[0]), state.position]))
            self._nozzle = (float(x), float(y))

    def _give_up(self, t: float, why: str) -> MarkResult:
        """Failed, unless a pulse may have been fired."""
        status = MarkStatus.UNVERIFIED if self._armed else MarkStatus.FAILED
        return self._finish(t, status, why + (" after the command to fire" if self._armed else ""))

    def _finish(self, t: float, status: MarkStatus, detail: str) -> MarkResult:
        assert self._request is not None
        return MarkResult(t, self._request.target_id, status, *self._nozzle, detail)

    # --- standstill ----------------------------------------------------------------------------------------------
    def _watch_standstill(self, t: float, nav: NavState | None) -> None:
        if nav is None or not 0.0 <= t - nav.t + 0.1 <= self._params.nav_age + 0.1 or not _finite(nav.pose):
            self._still_since = None
            return
        motion = max(math.hypot(*nav.velocity[:2]), abs(float(nav.rate[2])))
        if not motion < self._params.standstill_speed:
            self._still_since = None
        elif self._still_since is None:
            self._still_since = t

    def _stands(self, t: float) -> bool:
        return self._still_since is not None and t - self._still_since >= self._params.standstill_time


def _finite(pose: Pose2) -> bool:
    return math.isfinite(pose.x) and math.isfinite(pose.y) and math.isfinite(pose.yaw)
