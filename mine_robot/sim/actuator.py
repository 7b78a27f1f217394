"""The simulated marking actuator: a slide, a paint nozzle, a flag magazine and their firmware, behind the bytes of the real protocol."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from mine_robot.core.actuator_protocol import (
    PERMIT_S,
    UNKNOWN_CURRENT,
    Ack,
    ActuatorState,
    Decoder,
    Fire,
    Frame,
    Move,
    Outcome,
    Safe,
    StatusQuery,
    Tool,
    encode,
)
from mine_robot.core.parameters import param


@dataclass(frozen=True)
class ActuatorParams:
    """Parameters of the simulated marking actuator."""

    reach: float = param("Largest slide position to either side.", default=0.62, unit="m", low=0.1, high=1.5)
    slide_speed: float = param("Speed of the slide.", default=0.3, unit="m/s", low=0.02, high=1.0)
    slide_sigma: float = param("Error of the slide's rest position.", default=0.001, unit="m", low=0.0, high=0.02)
    pulse_time: float = param("Length of a paint pulse.", default=0.3, unit="s", low=0.05, high=2.0)
    pulse_current: float = param("Current of a good pulse.", default=1.2, unit="A", low=0.2, high=5.0)
    jam_current: float = param("Current of a pulse against a jammed valve.", default=0.2, unit="A", low=0.0, high=1.0)
    paint_start: float = param("Paint level at the start.", default=0.9, low=0.0, high=1.0)
    paint_per_mark: float = param("Share of the tank that one mark uses.", default=0.004, low=0.0, high=0.5)
    flags_start: int = param("Flags in the magazine at the start.", default=40, low=0, high=255)


class SimulatedActuator:
    """Firmware and mechanics; :attr:`fired` is truth for the scorer: (t, target id, true slide position m) a mark."""

    def __init__(self, params: ActuatorParams, rng: np.random.Generator) -> None:
        self._params = params
        self._rng = rng
        self._decoder = Decoder()
        self._inbox: list[Frame] = []
        self._t: float | None = None
        self._slide = self._goal = self._command = 0.0
        self._pulse_until: float | None = None
        self._tool = Tool.PAINT
        self._jammed = self._empty = self._safe = False
        self._current = 0.0
        self._paint, self._flags = params.paint_start, params.flags_start
        self._last = (0, 0, 0)  # run, target, attempt
        self._permit: tuple[int, float] | None = None
        self.fired: list[tuple[float, int, float]] = []

    def feed(self, data: bytes) -> None:
        """Take bytes that the computer sent."""
        self._inbox += self._decoder.feed(data)

    def tick(self, t: float, faults: Collection[str] = ()) -> bytes:
        """Advance to time ``t`` and return the replies.

        ``faults`` are those active now, of ``marker_jam``, ``marker_empty`` and ``marker_link``. A broken link loses what is
        under way in both directions; an empty tank or magazine is full again when its fault is over.
        """
        period = max(t - self._t, 0.0) if self._t is not None else 0.0
        self._t = t
        reach = self._params.slide_speed * period
        self._slide += float(np.clip(self._goal - self._slide, -reach, reach))
        self._empty = "marker_empty" in faults
        if self._pulse_until is not None and t >= self._pulse_until:
            self._end_pulse(t)
        frames, self._inbox = self._inbox, []
        if "marker_link" in faults:
            return b""
        return b"".join(encode(ack) for frame in frames if (ack := self._answer(t, frame, "marker_jam" in faults)))

    def snapshot(self) -> dict[str, Any]:
        """What survives a power cut, for the world's state file."""
        return {
            "slide": self._slide,
            "paint": self._paint,
            "flags": self._flags,
            "current": self._current,
            "last": self._last,
            "fired": self.fired,
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Continue from a :meth:`snapshot` (also one that went through JSON)."""
        self._slide = self._goal = self._command = float(data["slide"])
        self._paint, self._current = float(data["paint"]), float(data["current"])
        self._flags = int(data["flags"])
        run, target, attempt = data["last"]
        self._last = (int(run), int(target), int(attempt))
        self.fired = [(float(t), int(target), float(y)) for t, target, y in data["fired"]]

    @property
    def remembers(self) -> tuple[Any, ...]:
        """What firmware and mechanics keep through a power cut: changes when there is something to save."""
        return (*self._last, self._current, self._paint, self._flags, len(self.fired))

    @property
    def _supply(self) -> tuple[float, int]:
        """Paint and flags that are left."""
        return (0.0, 0) if self._empty else (self._paint, self._flags)

    # --- firmware ------------------------------------------------------------------------------------------------
    def _state(self) -> ActuatorState:
        if self._safe:
            return ActuatorState.SAFE
        if self._pulse_until is not None:
            return ActuatorState.FIRING
        return ActuatorState.MOVING if abs(self._slide - self._goal) > 1e-6 else ActuatorState.IDLE

    def _answer(self, t: float, frame: Frame, jammed: bool) -> Ack | None:
        if isinstance(frame, Move):
            outcome = self._move(frame.position)
        elif isinstance(frame, Fire):
            outcome = self._fire(t, frame, jammed)
        elif isinstance(frame, Safe):
            outcome = self._make_safe(frame.on)
        elif isinstance(frame, StatusQuery):
            outcome = Outcome.DONE
        else:
            return None
        self._permit = (frame.sequence, t)
        state = self._state()
        still = abs(self._slide - self._goal) <= 1e-6
        in_position = still and abs(self._slide - self._command) < 0.005
        return Ack(frame.sequence, outcome, state, self._slide, in_position, self._current, *self._supply, *self._last)

    def _move(self, position: float) -> Outcome:
        if self._safe or abs(position) > self._params.reach + 1e-3:
            return Outcome.REFUSED
        if self._pulse_until is not None:
            return Outcome.BUSY
        if abs(position - self._command) > 1e-6:
            self._command = position
            self._goal = position + float(self._rng.normal(0.0, self._params.slide_sigma))
        return Outcome.DONE

    def _fire(self, t: float, frame: Fire, jammed: bool) -> Outcome:
        wanted = (frame.run, frame.target_id, frame.attempt)
        if wanted == self._last and frame.attempt > 0:
            return Outcome.DONE
        permitted = self._permit is not None and frame.permit == self._permit[0] and t - self._permit[1] <= PERMIT_S
        if self._safe or frame.attempt == 0 or not permitted:
            return Outcome.REFUSED
        if self._state() is not ActuatorState.IDLE:
            return Outcome.BUSY
        self._last, self._tool = wanted, frame.tool
        self._jammed = jammed
        self._current = UNKNOWN_CURRENT
        self._pulse_until = t + self._params.pulse_time
        return Outcome.DONE

    def _make_safe(self, on: bool) -> Outcome:
        """Safe: a pulse is cut off with its outcome unknown, the slide stops."""
        self._safe = on
        if on:
            self._pulse_until = None
            self._goal = self._slide
        return Outcome.DONE

    def _end_pulse(self, t: float) -> None:
        """The mark is on the ground unless the valve was jammed or there was nothing left."""
        self._pulse_until = None
        nominal = self._params.jam_current if self._jammed else self._params.pulse_current
        self._current = nominal * float(self._rng.uniform(0.92, 1.08))
        if self._jammed or not self._supply[self._tool]:
            return
        if self._tool is Tool.PAINT:
            self._paint = max(self._paint - self._params.paint_per_mark, 0.0)
        else:
            self._flags -= 1
        self.fired.append((t, self._last[1], self._slide))
