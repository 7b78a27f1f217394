"""Marks whose fate is not known: asked for before a restart, or fired into a dead line.

The actuator remembers its last pulse, and nothing is fired while a doubt stands; so its first answer settles every doubt.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mine_robot.core.actuator_protocol import UNKNOWN_CURRENT, Ack, ActuatorState
from mine_robot.core.types import MarkRequest, MarkResult, MarkStatus
from mine_robot.marking.params import MarkerParams

Place = tuple[float, float]
NOWHERE: Place = (math.nan, math.nan)


@dataclass(frozen=True)
class Doubt:
    """A mark that may be on the ground; ``attempt`` and ``nozzle`` (m in ``map``) are unknown after a restart."""

    request: MarkRequest
    attempt: int | None = None
    nozzle: Place = NOWHERE


class Doubts:
    """The open doubts of run number ``run``."""

    def __init__(self, params: MarkerParams, run: int, unresolved: Iterable[MarkRequest]) -> None:
        self._params = params
        self._run = run
        self._open = {request.target_id: Doubt(request) for request in unresolved}

    def __bool__(self) -> bool:
        return bool(self._open)

    def __contains__(self, target_id: int) -> bool:
        return target_id in self._open

    def add(self, doubt: Doubt) -> None:
        """A mark came into doubt."""
        self._open[doubt.request.target_id] = doubt

    def settle(self, t: float, state: Ack, nozzle: Place | None) -> MarkResult | None:
        """Settle one doubt by the answer ``state`` to a command sent after it arose; None while it has to wait.

        ``nozzle`` is where the nozzle stands now, None while that is not known.
        """
        if not self._open or state.state is ActuatorState.FIRING:
            return None
        doubt = next(iter(self._open.values()))
        if doubt.attempt is None and nozzle is None and self._fired(doubt, state):
            return None  # its place cannot be told yet
        del self._open[doubt.request.target_id]
        status, place, words = self._judge(doubt, state, nozzle)
        return MarkResult(t, doubt.request.target_id, status, *place, words)

    def _fired(self, doubt: Doubt, state: Ack) -> bool:
        last = (state.last_run, state.last_target)
        ours = last == (self._run, doubt.request.target_id) and state.last_attempt > 0
        return ours and doubt.attempt in (None, state.last_attempt)

    def _judge(self, doubt: Doubt, state: Ack, nozzle: Place | None) -> tuple[MarkStatus, Place, str]:
        when = "before the restart" if doubt.attempt is None else "before the line broke"
        if not self._fired(doubt, state):
            return MarkStatus.FAILED, NOWHERE, f"the actuator's record says: not fired {when}"
        if state.pulse_current < self._params.pulse_current_min:
            return MarkStatus.FAILED, NOWHERE, f"the actuator's record says: jammed {when}"
        request = doubt.request
        asked = (request.x, request.y)
        place = doubt.nozzle if doubt.attempt is not None else nozzle or asked
        if state.pulse_current >= UNKNOWN_CURRENT:
            return MarkStatus.UNVERIFIED, place, f"fired {when}, the pulse was cut off"
        off = math.hypot(place[0] - request.x, place[1] - request.y)
        if off > self._params.along_tolerance + 2.0 * self._params.slide_tolerance:
            return MarkStatus.UNVERIFIED, asked, f"fired {when}, its place cannot be proven"
        return MarkStatus.CONFIRMED, place, f"fired {when}, found on the actuator's record"
