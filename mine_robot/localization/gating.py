"""Outliers: refusing them, noticing when they are none, and doubting what was then accepted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.special import chdtri

from mine_robot.core.types import Array
from mine_robot.localization.filter import Innovation

FORGET_S = 2.0  # refusals before such a pause say nothing about measurements after it
RETURN_SHARE, RETURN_SIGMAS = 0.3, 4.0  # how well a return has to undo the jump: share of it, sigmas of the innovation


@dataclass(frozen=True, slots=True)
class Refusals:
    """What a gate remembers: time of the last measurement, and since when everything was refused."""

    last_t: float = -math.inf
    since: float = -math.inf
    refuses: bool = False

    def after(self, t: float, good: bool) -> Refusals:
        """The memory after a measurement of time ``t`` that was accepted (``good``) or not."""
        fresh = good or not self.refuses or t - self.last_t > FORGET_S
        return Refusals(t, t if fresh else self.since, not good)

    def lasting(self, t: float) -> float:
        """For how long up to ``t`` everything was refused, s; 0 once nothing comes any more."""
        return max(t - self.since, 0.0) if self.refuses and t - self.last_t <= FORGET_S else 0.0


class Gate:
    """Chi-square test that refuses sound measurements with ``probability``."""

    def __init__(self, probability: float) -> None:
        self._limits = [float(chdtri(degrees, probability)) for degrees in range(1, 7)]

    def passes(self, innovation: Innovation) -> bool:
        """Whether the innovation is plausible."""
        return innovation.nis <= self._limits[innovation.degrees - 1]


@dataclass(frozen=True)
class Doubt:
    """Uncertainty after giving in, at ``t``, to measurements that differed by ``jump`` (n,): either side may have been wrong.

    It lasts for ``time`` s, then fades within a tenth of that.
    """

    t: float = -math.inf
    jump: Array = field(default_factory=lambda: np.zeros(2))
    time: float = 1.0

    def variance(self, t: float) -> float:
        """Variance to be added to the estimate at ``t``."""
        over = max(t - self.t - self.time, 0.0) / (0.1 * self.time)
        return float(self.jump @ self.jump) * math.exp(-2.0 * over) if over < 20.0 else 0.0

    def active(self, t: float) -> bool:
        """Whether there is doubt at ``t``."""
        return t - self.t < 3.0 * self.time

    def undone_by(self, residual: Array, sigma: float) -> bool:
        """Whether ``residual`` (n,) leads back to where the estimate was before the jump: the truth has returned."""
        size = float(np.linalg.norm(self.jump))
        return size > 0.0 and float(np.linalg.norm(residual + self.jump)) < RETURN_SHARE * size + RETURN_SIGMAS * sigma
