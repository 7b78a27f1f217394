"""The drift of a robot that drives across a slope, observed from how its offset from the line goes."""

from __future__ import annotations

import math

import numpy as np

GAIN = 1.2  # 1/m, double pole over the driven distance
MAX_DRIFT = 0.1  # of the driven distance


class DriftObserver:
    """Sideways motion by the metre driven, as a vector in ``map``: it points downhill whatever the heading, also in reverse.

    An observer of offset and drift with its poles over the driven distance (Luenberger 1971, "An introduction to observers").
    """

    def __init__(self) -> None:
        self._drift = np.zeros(2)
        self._expected: float | None = None

    def begin_line(self) -> None:
        """Forget the offset, not the drift: another line is driven from now on."""
        self._expected = None

    def update(self, heading: float, offset: float, error: float, driven: float) -> float:
        """Drift to the left of a line of ``heading`` in rad, in m a metre.

        ``offset`` in m is to the left of the line, ``error`` in rad the heading less the line's, ``driven`` the way in m since the last
        call, negative backwards.
        """
        left = np.array([-math.sin(heading), math.cos(heading)])
        drift = float(self._drift @ left)
        expected = offset if self._expected is None else self._expected
        surprise, gain = offset - expected, GAIN * abs(driven)
        self._expected = expected + driven * math.sin(error) + abs(driven) * drift + 2.0 * gain * surprise
        better = min(max(drift + GAIN * gain * surprise, -MAX_DRIFT), MAX_DRIFT)
        self._drift += (better - drift) * left
        return better
