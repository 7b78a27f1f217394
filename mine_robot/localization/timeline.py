"""Measurements at their own times: whatever is late takes the navigator back, and time runs again from there."""

from __future__ import annotations

import math
from bisect import insort
from collections import deque
from typing import Any

import numpy as np

from mine_robot.localization.memory import ImuStep, Reading
from mine_robot.localization.navigator import Navigator

PENDING_MAX = 1000


def _order(reading: Reading) -> tuple[float, str]:
    """By time, and for equal times by kind, so that the order of arrival does not matter."""
    return reading.t, type(reading).__name__


class Timeline:
    """Keeps the last ``span`` s of inertial steps and readings, with the navigator's state after every step.

    The estimate depends on what was measured when, not on the order of arrival, as long as nothing is later than ``span``.
    """

    def __init__(self, navigator: Navigator, span: float) -> None:
        self._navigator, self._span = navigator, span
        self._steps: deque[ImuStep] = deque()
        self._states: deque[Any] = deque()  # after the step of the same place
        self._readings: list[Reading] = []  # within the span and yet to come, by time
        self._redo_t = math.inf  # time of the earliest reading that came too late to be used at once
        self.start(navigator.memory.t)

    def start(self, t: float) -> None:
        """Forget the past: the navigator was set at ``t``."""
        self._steps.clear()
        self._states.clear()
        self._readings = [reading for reading in self._readings if reading.t > t]
        self._steps.append(ImuStep(t, 0.0, np.zeros(3), np.zeros(3), 0.0, 0.0))
        self._states.append(self._navigator.snapshot())
        self._redo_t = math.inf

    def add_reading(self, reading: Reading) -> None:
        """Take a reading of any time; one from before the start or the span is left out."""
        if reading.t <= self._steps[0].t or len(self._readings) >= PENDING_MAX:
            return
        insort(self._readings, reading, key=_order)
        if reading.t <= self._steps[-1].t:
            self._redo_t = min(self._redo_t, reading.t)

    def add_step(self, step: ImuStep) -> None:
        """Advance to the step, over the late readings if there are any."""
        self.catch_up()
        self._run(step, step.t - step.dt)
        self._steps.append(step)
        self._states.append(self._navigator.snapshot())
        oldest = step.t - self._span
        while len(self._steps) > 2 and self._steps[1].t < oldest:
            self._steps.popleft()
            self._states.popleft()
        keep = next((i for i, reading in enumerate(self._readings) if reading.t > self._steps[0].t), None)
        if keep is None:
            self._readings.clear()
        elif keep:
            del self._readings[:keep]

    def catch_up(self) -> None:
        """Go back to before the earliest late reading and come forward again."""
        if math.isinf(self._redo_t):
            return
        first = len(self._steps) - 1
        while first > 0 and self._steps[first - 1].t >= self._redo_t:
            first -= 1
        self._redo_t = math.inf
        self._navigator.restore(self._states[first - 1])
        for i in range(first, len(self._steps)):
            self._run(self._steps[i], self._steps[i - 1].t)
            self._states[i] = self._navigator.snapshot()

    def _run(self, step: ImuStep, after: float) -> None:
        due = [reading for reading in self._readings if after < reading.t <= step.t] if self._readings else []
        self._navigator.step(step, due)
