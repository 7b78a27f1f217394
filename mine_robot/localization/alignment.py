"""Where the filter starts from: level and gyroscope bias from a standstill, heading and position from the first fixes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mine_robot.core.types import Array, GnssFix, HeadingFix
from mine_robot.localization.params import LocalizationParams


@dataclass(frozen=True)
class Start:
    """Mean ``force`` and ``rate`` (3,) of ``samples`` at rest, with the fixes to start from."""

    force: Array
    rate: Array
    samples: int
    fix: GnssFix
    heading: HeadingFix


class Alignment:
    """Collects what a start needs while the robot stands still."""

    def __init__(self, params: LocalizationParams) -> None:
        self._params = params
        self._since: float | None = None
        self._force: Array = np.zeros(3)
        self._rate: Array = np.zeros(3)
        self._samples = 0
        self._fix: GnssFix | None = None
        self._heading: HeadingFix | None = None
        self._t = 0.0

    def add_imu(self, t: float, rate: Array, force: Array, still: bool) -> Start | None:
        """Take a sample; ``still`` says whether the robot stands. Returns what to start from once all is there."""
        self._t = t
        if not still:
            self._since, self._samples = None, 0
            self._force, self._rate = np.zeros(3), np.zeros(3)
            return None
        self._since = t if self._since is None else self._since
        self._force, self._rate, self._samples = self._force + force, self._rate + rate, self._samples + 1
        if self.waiting or self._fix is None or self._heading is None:
            return None
        return Start(self._force / self._samples, self._rate / self._samples, self._samples, self._fix, self._heading)

    def add_fix(self, fix: GnssFix) -> None:
        """Take a usable fix."""
        self._fix = fix

    def add_heading(self, heading: HeadingFix) -> None:
        """Take a usable heading."""
        self._heading = heading

    @property
    def waiting(self) -> str:
        """What is still missing; empty if nothing is."""
        missing = []
        if self._since is None or self._t - self._since < self._params.align_time:
            missing.append("standstill")
        missing += [
            name
            for name, item in (("GNSS fix", self._fix), ("GNSS heading", self._heading))
            if item is None or abs(self._t - item.t) > self._params.gnss.timeout
        ]
        return f"waiting for {', '.join(missing)}" if missing else ""
