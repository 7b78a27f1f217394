"""Whether the robot stands: speed and yaw rate below a limit for a time, by a pose that is fresh."""

from __future__ import annotations

import math

from mine_robot.core.types import NavState
from mine_robot.marking.params import MarkerParams

FUTURE_S = 0.1  # a pose may be stamped this far ahead of the marker's own time


class Standstill:
    """Since when the robot stands; a pose that is missing, stale or not finite is no standstill."""

    def __init__(self, params: MarkerParams) -> None:
        self._params = params
        self._since: float | None = None

    def add(self, t: float, nav: NavState | None) -> None:
        """Take the newest pose at time ``t``."""
        if nav is None or not -FUTURE_S <= t - nav.t <= self._params.nav_age or not _finite(nav):
            self._since = None
            return
        motion = max(math.hypot(*nav.velocity[:2]), abs(float(nav.rate[2])))
        if not motion < self._params.standstill_speed:
            self._since = None
        elif self._since is None:
            self._since = t

    def lasts(self, t: float) -> bool:
        """True if the robot has stood for long enough."""
        return self._since is not None and t - self._since >= self._params.standstill_time


def _finite(nav: NavState) -> bool:
    return math.isfinite(nav.pose.x) and math.isfinite(nav.pose.y) and math.isfinite(nav.pose.yaw)
