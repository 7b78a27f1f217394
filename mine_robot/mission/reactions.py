"""What the mission does when a component is not well: one table, and the watch that evaluates it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from mine_robot.core.types import Health, Level, MissionState

PLAN, SEARCH, APPROACH, MARK, RETURN, HOLD = (
    MissionState.PLAN,
    MissionState.SEARCH,
    MissionState.APPROACH,
    MissionState.MARK,
    MissionState.RETURN,
    MissionState.HOLD,
)
ACTIVE = frozenset({PLAN, SEARCH, APPROACH, MARK, RETURN})
DRIVING = frozenset({SEARCH, APPROACH, RETURN})


class Action(IntEnum):
    """What to do, the most severe last."""

    REPLAN = 1  # stop and ask for a new plan; too many in a row become a hold
    RETURN = 2  # end the search and drive home
    HOLD = 3  # stand until the component is well again


@dataclass(frozen=True)
class Reaction:
    """If ``component`` is at ``level`` or worse for ``after`` s in one of ``states``: ``action``.

    A hold ends once the component has been better than ``level`` for ``clear`` s. ``label`` names the component in reasons.
    """

    component: str
    label: str
    level: Level
    after: float
    action: Action
    states: frozenset[MissionState]
    clear: float = 1.0


REACTIONS = (
    Reaction("localization", "localisation", Level.WARN, 0.0, Action.HOLD, ACTIVE),
    Reaction("gpr", "ground radar", Level.WARN, 0.0, Action.HOLD, frozenset({SEARCH})),
    Reaction("metal_detector", "metal detector", Level.WARN, 0.0, Action.HOLD, frozenset({SEARCH})),
    Reaction("coverage", "coverage", Level.ERROR, 0.0, Action.HOLD, ACTIVE),
    Reaction("follower", "path follower", Level.STALE, 0.0, Action.HOLD, ACTIVE),
    Reaction("follower", "path follower", Level.ERROR, 1.5, Action.REPLAN, DRIVING),
    Reaction("guard", "safety guard", Level.STALE, 0.0, Action.HOLD, ACTIVE),
    Reaction("guard", "safety guard", Level.ERROR, 0.5, Action.HOLD, DRIVING),
    Reaction("guard", "safety guard", Level.WARN, 2.0, Action.REPLAN, DRIVING),
    Reaction("journal", "journal", Level.ERROR, 0.0, Action.HOLD, ACTIVE),
    Reaction("command_link", "link to the operator", Level.WARN, 0.0, Action.HOLD, ACTIVE),
    Reaction("battery", "battery", Level.WARN, 0.0, Action.RETURN, frozenset({PLAN, SEARCH, APPROACH, HOLD})),
)

# Needed before the robot moves at all, with the worst level that still allows it; their silence counts as a fault.
REQUIRED = {
    "localization": ("localisation", Level.OK),
    "gpr": ("ground radar", Level.OK),
    "metal_detector": ("metal detector", Level.OK),
    "coverage": ("coverage", Level.OK),
    "follower": ("path follower", Level.OK),
    "guard": ("safety guard", Level.OK),
    "marker": ("marker", Level.WARN),
}


class HealthWatch:
    """Newest health of every component, and since when which rows of :data:`REACTIONS` apply."""

    def __init__(self, health_age: float) -> None:
        self._age = health_age
        self._reports: dict[str, tuple[float, Health]] = {}
        self._bad_since: dict[Reaction, float] = {}
        self._good_since: dict[Reaction, float] = {}

    def add(self, t: float, health: Health) -> None:
        """Take a report received at ``t``."""
        self._reports[health.name] = (t, health)

    def update(self, t: float) -> None:
        """Bring the times of every row up to ``t``."""
        for row in REACTIONS:
            if self.health(row.component, t).level >= row.level:
                self._bad_since.setdefault(row, t)
                self._good_since.pop(row, None)
            else:
                self._good_since.setdefault(row, t)
                self._bad_since.pop(row, None)

    def health(self, component: str, t: float) -> Health:
        """The health now; a required component that is silent is STALE, another one that never reported is OK."""
        report = self._reports.get(component)
        if report is None:
            level = Level.STALE if component in REQUIRED else Level.OK
            return Health(component, level, "no report yet")
        if component in REQUIRED and t - report[0] > self._age:
            return Health(component, Level.STALE, f"no report for {t - report[0]:.1f} s")
        return report[1]

    def fired(self, t: float, state: MissionState, entered: float) -> list[Reaction]:
        """Rows that apply in ``state``, entered at ``entered``; most severe action first, then in order of the table."""
        rows = [
            row
            for row in REACTIONS
            if state in row.states and row in self._bad_since and t - max(self._bad_since[row], entered) >= row.after
        ]
        return sorted(rows, key=lambda row: -row.action)

    def cleared(self, t: float, row: Reaction) -> bool:
        """True if a hold for ``row`` may end."""
        since = self._good_since.get(row)
        return since is not None and t - since >= row.clear

    def waiting_for(self, t: float) -> str:
        """The first required component that is not ready, with its own words; empty if all are."""
        for component, (label, worst) in REQUIRED.items():
            health = self.health(component, t)
            if health.level > worst:
                return f"{label}: {health.message}"
        return ""
