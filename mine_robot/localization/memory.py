"""What passes between the parts of the navigator: an inertial step, and what it remembers beside the filter."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from mine_robot.core.types import Array, FixStatus, GnssFix, HeadingFix, WheelSample
from mine_robot.localization.gating import Doubt, Refusals
from mine_robot.localization.walking import Pull

Reading = GnssFix | HeadingFix | WheelSample

WHEELS_FRESH_S = 0.5


@dataclass(frozen=True, slots=True)
class ImuStep:
    """One inertial sample along the axes of ``base_link``: mean ``rate`` and ``force`` (3,) over the ``dt`` s before ``t``.

    The noises are densities. ``quiet`` is the mean rate (3,) of a window in which the signals were quiet, else None.
    """

    t: float
    dt: float
    rate: Array
    force: Array
    gyro_noise: float
    accel_noise: float
    quiet: Array | None = None
    gap: bool = False


@dataclass
class Memory:
    """What the navigator remembers beside the filter; every value is immutable, so that a shallow copy is a snapshot."""

    t: float = -math.inf
    gates: dict[str, Refusals] = field(default_factory=dict)
    doubts: dict[str, Doubt] = field(default_factory=lambda: {"gnss": Doubt(), "heading": Doubt()})
    used_status: FixStatus | None = None
    used_covariance: tuple[float, ...] = ()
    last_place: tuple[float, float, float] = (math.nan, math.nan, math.nan)
    frozen: bool = False
    fix_t: float = -math.inf
    wheels_t: float = -math.inf
    wheels_moved_t: float = -math.inf
    still: bool = False
    aided_t: float = -math.inf
    rate_sum: Array = field(default_factory=lambda: np.zeros(3))
    rate_time: float = 0.0
    slippery: bool = False
    grip_t: float = -math.inf  # last time at which a slippery track slipped
    felt_t: float = -math.inf  # last time at which the tracks contradicted the inertial solution
    speed: float = 0.0  # of the tracks, m/s
    scale: float = 0.0  # of the tracks, as it was before the fixes began to pull
    way: Array = field(default_factory=lambda: np.zeros(2))  # of the tracks in map, less what they are known to lose, m
    place: Array = field(
        default_factory=lambda: np.zeros(2)
    )  # of base_link in map after the last fix that was followed, m
    pull: Pull = field(default_factory=Pull)
    refused: Array = field(default_factory=lambda: np.zeros(2))  # how far off the last refused fix was, m
    still_fix: tuple[float, Array] | None = None  # time and antenna of the first fix of this standstill

    def copy(self) -> Memory:
        """A copy that later changes do not reach."""
        other = Memory.__new__(Memory)  # dataclasses.replace takes ten times as long
        other.__dict__.update(self.__dict__)
        other.gates, other.doubts = dict(self.gates), dict(self.doubts)
        return other
