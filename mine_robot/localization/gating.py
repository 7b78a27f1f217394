"""Outliers: refusing them, noticing when they are none, and doubting what was then accepted."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import chdtri

from mine_robot.localization.filter import Innovation

FORGET_S = 2.0  # refusals before such a pause say nothing about measurements after it


class Gate:
    """Chi-square gate that remembers since when it refuses."""

    def __init__(self, probability: float, degrees: int) -> None:
        """Refuse sound measurements of ``degrees`` dimensions with ``probability``."""
        self._limit = float(chdtri(degrees, probability))
        self._last_t = self._since = -math.inf
        self._refuses = False

    def passes(self, innovation: Innovation, t: float) -> bool:
        """Whether the innovation of time ``t`` is to be used."""
        good = innovation.nis <= self._limit
        if good or not self._refuses or t - self._last_t > FORGET_S:
            self._since = t
        self._refuses, self._last_t = not good, t
        return good

    def refusing(self, t: float) -> float:
        """For how long up to ``t`` everything was refused, s; 0 once nothing comes any more."""
        return max(t - self._since, 0.0) if self._refuses and t - self._last_t <= FORGET_S else 0.0

    def reset(self) -> None:
        """Forget the refusals."""
        self._refuses = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """Uncertainty after giving in to measurements that differed by ``jump`` at ``t``; it fades with time constant ``time`` s."""

    t: float = -math.inf
    jump: float = 0.0
    time: float = 1.0

    def variance(self, t: float) -> float:
        """Variance to be added to the estimate at ``t``."""
        return (self.jump * math.exp(-max(t - self.t, 0.0) / self.time)) ** 2
