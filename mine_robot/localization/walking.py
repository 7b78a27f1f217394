"""Fixes and tracks that part: the position walks, or the tracks slip; either way each step is too small for a gate.

Innovations of a sound filter are white, so its corrections cancel out over some seconds; those of a walking position and of slip that
comes slowly add up (whiteness test; Bar-Shalom, Li & Kirubarajan 2001, section 5.4). From then on, what the position has moved beyond the
way of the tracks is how far it would be wrong if the fixes were.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from mine_robot.core.types import Array
from mine_robot.localization.gating import RETURN_SHARE, RETURN_SIGMAS

WINDOWS_S = (1.0, 2.0, 3.0)  # corrections are summed over these times
PULL_MIN, PULL_LIMIT = 0.04, 23.0  # m, and chi-square of two degrees with a probability of 1e-5
GROWN, UNDONE = 0.02, 0.02  # m by which a pull has to grow to count as lasting, and below which it is undone
ASIDE_SHARE, ASIDE_MIN = 0.25, 0.03  # slip goes backwards; so much aside, as a share and in m, comes from the heading
FELT_S = 1.5  # slip that the accelerometers feel explains a pull that began so long before


@dataclass(frozen=True, slots=True)
class Correction:
    """What a fix of ``t`` did to the position: ``pull`` (2,) in m, its expected ``covariance`` (2, 2), and how far position and way of the
    tracks were ``apart`` (2,) before."""

    t: float
    pull: Array
    covariance: Array
    apart: Array


@dataclass(frozen=True, slots=True)
class Travel:
    """Motion while a fix was taken: unit vector ``ahead`` (2,) in ``map`` in which the robot moves, whether it drives straight, and whether
    the accelerometers felt the tracks slip."""

    ahead: Array
    straight: bool
    slip_felt: bool


@dataclass(frozen=True)
class Pull:
    """What the last corrections add up to. Immutable: each fix gives a new one.

    ``origin`` (2,) is how far position and way of the tracks were apart before the fixes began to pull at ``since``; None if they do not.
    ``back`` and ``aside`` are what was pulled against the direction of travel and across it, in m.
    """

    corrections: tuple[Correction, ...] = ()
    origin: Array | None = None
    apart: Array = field(default_factory=lambda: np.zeros(2))
    since: float = 0.0
    grown_t: float = 0.0
    reached: float = 0.0
    back: float = 0.0
    aside: float = 0.0
    walked: bool = False

    @property
    def active(self) -> bool:
        """Whether the position is in doubt."""
        return self.origin is not None

    @property
    def offset(self) -> Array:
        """How far (2,) the position would be wrong if it was the fixes, m."""
        return np.zeros(2) if self.origin is None else self.apart - self.origin

    @property
    def like_slip(self) -> bool:
        """Whether the tracks may have caused it: they lose way, they do not push aside."""
        return not self.walked and self.back > 0.0 and abs(self.aside) < ASIDE_SHARE * self.back + ASIDE_MIN

    def as_walked(self) -> Pull:
        """The same, now that the fixes were seen to walk."""
        return replace(self, walked=True)

    def undone_by(self, off: Array, sigma: float) -> bool:
        """Whether a fix that is ``off`` (2,) m leads back to where the position would be without the pull: the truth has returned."""
        size = float(np.hypot(*self.offset))
        return self.active and float(np.hypot(*(off + self.offset))) < RETURN_SHARE * size + RETURN_SIGMAS * sigma

    def after(self, correction: Correction, apart: Array, travel: Travel, time: float) -> Pull:
        """After a ``correction`` that left position and tracks ``apart`` (2,). A pull that grows no more is forgotten after ``time`` s."""
        t = correction.t
        recent = (*(old for old in self.corrections if t - old.t < WINDOWS_S[-1]), correction)
        if self.origin is None:
            origin = None if travel.slip_felt else _began(recent)
            if origin is None:
                return Pull(recent)
            begun = Pull(recent, origin, origin, since=t, grown_t=t)
            return begun._moved(t, apart, replace(travel, straight=True))  # whatever the robot does now
        if (travel.slip_felt and t - self.since < FELT_S) or t - self.grown_t > time:
            return Pull()
        moved = replace(self, corrections=recent)._moved(t, apart, travel)
        return moved if float(np.hypot(*moved.offset)) > UNDONE else Pull()

    def carried(self, apart: Array) -> Pull:
        """After a fix that was refused: position and tracks are ``apart`` (2,) by now."""
        return replace(self, apart=apart) if self.active else self

    def _moved(self, t: float, apart: Array, travel: Travel) -> Pull:
        east, north = (apart - self.apart).tolist()
        x, y = travel.ahead.tolist()
        size = float(np.hypot(*(apart - self.origin))) if self.origin is not None else 0.0
        grows = size > self.reached + GROWN
        return replace(
            self,
            apart=apart,
            grown_t=t if grows else self.grown_t,
            reached=size if grows else self.reached,
            back=self.back - (east * x + north * y) * travel.straight,
            aside=self.aside + (north * x - east * y) * travel.straight,
        )


def _began(corrections: tuple[Correction, ...]) -> Array | None:
    """How far apart (2,) position and tracks were before the shortest time over which the corrections add up to too much, if they do."""
    total: Array = np.zeros(2)
    variance: Array = np.zeros((2, 2))
    windows, first = list(WINDOWS_S), corrections[-1]
    for correction in reversed(corrections):
        if corrections[-1].t - correction.t > windows[0]:
            windows.pop(0)
            if _too_large(total, variance):
                return first.apart
        total, variance, first = total + correction.pull, variance + correction.covariance, correction
    return first.apart if _too_large(total, variance) else None


def _too_large(total: Array, variance: Array) -> bool:
    """Whether corrections that sum up to ``total`` (2,) with ``variance`` (2, 2) are no chance."""
    if float(np.hypot(*total)) < PULL_MIN:
        return False
    return float(total @ np.linalg.solve(variance, total)) > PULL_LIMIT
