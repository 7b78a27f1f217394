"""Who stops the robot has fallen silent while the others speak: seen by the runner, by the wall clock.

The mission watches everybody, and the guard the mission. If both are frozen, the base stands because ``cmd_vel`` is silent, and nobody is
left to say so. Simulated time may stand still for everybody, so what counts is only the time in which others speak.
"""

from __future__ import annotations

from collections.abc import Mapping

WATCHERS = ("guard", "mission")  # by the names of their reports
SILENT_S = 10.0
SPEAKS_S = 1.5  # three reports
STEP_MAX_S = 1.0  # what a runner that slept itself counts


class Silence:
    """:meth:`look` at the wall times of the newest reports, a few times a second."""

    def __init__(self) -> None:
        self._silent_s: dict[str, float] = {}
        self._spoke: dict[str, float] = {}
        self._wall: float | None = None

    def look(self, spoke: Mapping[str, float], wall: float) -> list[str]:
        """Those of :data:`WATCHERS` that become silent now."""
        passed = 0.0 if self._wall is None else min(max(wall - self._wall, 0.0), STEP_MAX_S)
        self._wall = wall
        others = any(wall - t <= SPEAKS_S for name, t in spoke.items() if name not in WATCHERS)
        news = []
        for name in WATCHERS:
            before = self._silent_s.get(name, 0.0)
            if spoke.get(name) != self._spoke.get(name) or name not in spoke:
                self._silent_s[name] = 0.0
            elif others:
                self._silent_s[name] = before + passed
                if before < SILENT_S <= self._silent_s[name]:
                    news.append(name)
        self._spoke = dict(spoke)
        return news

    @property
    def total(self) -> bool:
        """True if nobody is left who would stop the robot."""
        return all(self._silent_s.get(name, 0.0) >= SILENT_S for name in WATCHERS)
