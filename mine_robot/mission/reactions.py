"""What the mission does when a component is not well: one table, and the watch that evaluates it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, IntEnum

import numpy as np

from mine_robot.core.types import INPUT_REFUSED, Health, Level, MissionState, NavState
from mine_robot.mission.strangers import COMPONENT as STRANGERS
from mine_robot.mission.strangers import FOREIGN

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
BEGUN = ACTIVE | {MissionState.ALIGN, HOLD, MissionState.PAUSED}

ROUNDING_S = 1e-6  # of times that are ticks apart: without it every other reaction would come a tick later


class Action(IntEnum):
    """What to do, the most severe last; of several the most severe wins."""

    REPLAN = 1  # stop and ask for a new plan; too many in a row become a hold
    RETURN = 2  # end the search and drive home
    HOLD = 3  # stand until the cause is gone
    ESTOP = 4  # stand, actuator made safe, latched until a person resumes


@dataclass(frozen=True)
class Reaction:
    """If ``component`` is at ``level`` or worse, but not worse than ``up_to``, for ``after`` s in one of ``states``: ``action``.

    ``value`` narrows it to reports that carry this key and text. A hold ends once the cause has been gone for ``clear`` s and, with
    ``confirm``, a person has said so. ``limit`` is the longest time in s of the stack from the cause to the command to stand (for RETURN:
    to the decision). ``label`` names the component in reasons. An ``alarm`` is said even if the robot is in an emergency stop already.
    """

    event: str
    component: str
    label: str
    level: Level
    after: float
    action: Action
    states: frozenset[MissionState]
    limit: float
    clear: float = 1.0
    confirm: bool = False
    value: tuple[str, str] | None = None
    up_to: Level = Level.STALE
    alarm: bool = False

    def applies(self, health: Health) -> bool:
        """True if ``health`` is a cause."""
        wanted = self.value is None or health.values.get(self.value[0]) == self.value[1]
        return self.level <= health.level <= self.up_to and wanted


# A planner at work is silent while the robot stands and waits for the plan; a hold would only make it begin again.
SILENT_S = 2.0  # health_age, a tick of the mission and one of the guard
R, L, A = Reaction, Level, Action
REACTIONS = (
    R("emergency stop button", "emergency_stop", "emergency stop", L.ERROR, 0.0, A.ESTOP, BEGUN, 0.7),
    R("out of the field (geofence)", "geofence", "geofence", L.ERROR, 0.0, A.ESTOP, BEGUN, 0.7, up_to=L.ERROR),
    R(
        "somebody else commands the base", STRANGERS, "publishers", L.ERROR, 0.0, A.ESTOP, BEGUN, 1.5,
        value=("commands", FOREIGN),
    ),
    R("somebody else publishes a topic", STRANGERS, "publishers", L.ERROR, 0.0, A.HOLD, ACTIVE | {HOLD}, 1.5, confirm=True),
    R("geofence does not know the place", "geofence", "geofence", L.STALE, 0.0, A.HOLD, ACTIVE, SILENT_S),
    R("moved while told to stand", "standstill", "standstill", L.ERROR, 0.0, A.ESTOP, BEGUN, 0.7, alarm=True),
    R("a stranger's command to the base", "foreign_command", "cmd_vel", L.ERROR, 0.0, A.ESTOP, BEGUN, 0.7, alarm=True),
    R("stopped at the guard", "guard_stop", "safety guard", L.ERROR, 0.0, A.ESTOP, BEGUN, 0.7),
    R("stopped at the marker", "marker_stop", "marker", L.ERROR, 0.0, A.ESTOP, BEGUN, 0.7),
    R("no heartbeat from the operator", "operator", "operator", L.ERROR, 0.0, A.HOLD, ACTIVE, 0.7),
    R("localisation lost", "localization", "localisation", L.ERROR, 0.0, A.HOLD, ACTIVE, 1.0),
    R(
        "localisation lost for longer", "localization", "localisation", L.ERROR, 3.0, A.HOLD, frozenset({HOLD}), 4.5,
        confirm=True, value=("state", "LOST"),
    ),
    R("localisation degraded", "localization", "localisation", L.WARN, 0.0, A.HOLD, ACTIVE, 2.5),
    R("tilt", "tilt", "tilt", L.ERROR, 0.2, A.HOLD, ACTIVE, 0.7, confirm=True),
    R("radar dead or frozen", "gpr", "ground radar", L.WARN, 0.0, A.HOLD, frozenset({SEARCH}), 2.0),
    R("metal detector dead or frozen", "metal_detector", "metal detector", L.WARN, 0.0, A.HOLD, frozenset({SEARCH}), 2.0),
    R("head too high or too low", "head", "sensor head", L.WARN, 1.0, A.REPLAN, frozenset({SEARCH}), 2.0),
    R("evidence does not fit the poses", "evidence", "evidence", L.ERROR, 0.0, A.HOLD, ACTIVE, 1.0, confirm=True),
    R("coverage fails", "coverage", "coverage", L.ERROR, 0.0, A.HOLD, ACTIVE - {PLAN}, SILENT_S),
    R("coverage does not plan", "coverage", "coverage", L.ERROR, 30.0, A.HOLD, frozenset({PLAN}), 33.0),
    R("path follower dies", "follower", "path follower", L.STALE, 0.0, A.HOLD, ACTIVE, SILENT_S),
    R("path follower cannot follow", "follower", "path follower", L.ERROR, 1.5, A.REPLAN, DRIVING, 2.5),
    R("guard dies", "guard", "safety guard", L.STALE, 0.0, A.HOLD, ACTIVE, SILENT_S),
    R("guard misses an input", "guard", "safety guard", L.ERROR, 0.5, A.HOLD, DRIVING, 1.2),
    R("guard stops the robot", "guard", "safety guard", L.WARN, 2.0, A.REPLAN, DRIVING, 3.0),
    R("list of targets contradicts what was declared", "targets", "targets", L.ERROR, 0.0, A.HOLD, ACTIVE, 0.7, confirm=True),
    R("marker dies", "marker", "marker", L.STALE, 0.0, A.HOLD, ACTIVE, SILENT_S),
    R("recorder dies or cannot write", "recorder", "recorder", L.ERROR, 0.0, A.HOLD, ACTIVE, SILENT_S),
    R("journal cannot be written (disk full)", "journal", "journal", L.ERROR, 0.0, A.HOLD, ACTIVE, 0.7),
    R("disk almost full", "disk", "disk", L.WARN, 0.0, A.RETURN, ACTIVE | {HOLD}, 6.0),
    R("command link lost", "command_link", "command link", L.WARN, 0.0, A.HOLD, ACTIVE, 0.7),
    *(
        R(f"{label} refuses messages", component, label, L.WARN, 0.0, A.HOLD, ACTIVE, 0.7, value=INPUT_REFUSED)
        for component, label in (
            ("localization", "localisation"), ("gpr", "detector"), ("coverage", "coverage"), ("follower", "path follower"),
            ("guard", "safety guard"), ("marker", "marker"), ("mission", "mission"),
        )
    ),
    R(
        "battery low", "battery", "battery", L.WARN, 0.0, A.RETURN, frozenset({PLAN, SEARCH, APPROACH, HOLD}), 1.0,
        up_to=L.ERROR,
    ),
    R("battery says nothing", "battery", "battery", L.STALE, 0.0, A.HOLD, ACTIVE, SILENT_S),
)  # fmt: skip

# What guard and marker stopped by themselves stands in the journal as events of a kind of their own, by the name of the report.
STOP_EVENTS = {
    "standstill": "moved_while_stopped",
    "foreign_command": "stranger",
    "guard_stop": "guard/stop",
    "marker_stop": "marker/stop",
}

# Needed before the robot moves at all, with the worst level that still allows it; their silence counts as a fault.
REQUIRED = {
    "localization": ("localisation", Level.OK),
    "gpr": ("ground radar", Level.OK),
    "metal_detector": ("metal detector", Level.OK),
    "coverage": ("coverage", Level.OK),
    "follower": ("path follower", Level.OK),
    "guard": ("safety guard", Level.OK),
    "marker": ("marker", Level.WARN),
    "recorder": ("recorder", Level.WARN),
    "geofence": ("geofence", Level.OK),
    "emergency_stop": ("emergency stop", Level.OK),
    "command_link": ("command link", Level.OK),
    "battery": ("battery", Level.WARN),  # a robot that is resumed in the field drives home on what is left
}
# Their silence counts as a fault once they have spoken.
WATCHED = frozenset(REQUIRED)
# What only the stack's own nodes may say of themselves; the others are reported by drivers, on the robot.
DRIVERS = frozenset({"emergency_stop", "command_link", "battery"})
OWN = frozenset({row.component for row in REACTIONS} | WATCHED | {"mission"}) - DRIVERS
READINESS = "readiness"  # the report by which the mission says, component by component, whether it may be started
NOT_FITTED = "not fitted"


class Verdict(str, Enum):
    """What a required component means for a start."""

    READY = "ready"
    ABSENT = "absent"  # by configuration: this robot has none
    WAITS = "waits"  # started, the robot stands until it is well
    BLOCKS = "blocks"  # no start: it says nothing, or what makes an emergency stop


@dataclass(frozen=True)
class Check:
    """A line of the checklist before a start."""

    component: str
    label: str
    verdict: Verdict
    message: str


class HealthWatch:
    """Newest health of every component, and since when which rows of :data:`REACTIONS` apply; ``absent`` are not fitted."""

    def __init__(self, health_age: float, absent: frozenset[str] = frozenset()) -> None:
        self._age, self._absent = health_age, absent
        self._reports: dict[str, tuple[float, Health]] = {}
        self._bad_since: dict[Reaction, float] = {}
        self._good_since: dict[Reaction, float] = {}

    def add(self, t: float, health: Health) -> None:
        """Take a report received at ``t``."""
        self._reports[health.name] = (t, health)

    def update(self, t: float) -> None:
        """Bring the times of every row up to ``t``."""
        for row in REACTIONS:
            if row.applies(self.health(row.component, t)):
                self._bad_since.setdefault(row, t)
                self._good_since.pop(row, None)
            else:
                self._good_since.setdefault(row, t)
                self._bad_since.pop(row, None)

    def health(self, component: str, t: float) -> Health:
        """The health now; a watched component that is silent is STALE, one not required that never reported is OK."""
        report = self._reports.get(component)
        if report is None and component in self._absent:
            return Health(component, Level.OK, NOT_FITTED)
        if report is None:
            level = Level.STALE if component in REQUIRED else Level.OK
            return Health(component, level, "no report yet")
        if component in WATCHED and t - report[0] > self._age:
            return Health(component, Level.STALE, f"no report for {t - report[0]:.1f} s")
        return report[1]

    def fired(self, t: float, state: MissionState, entered: float) -> list[Reaction]:
        """Rows that apply in ``state``, entered at ``entered``; most severe action first, then in order of the table."""
        rows = [
            row
            for row in REACTIONS
            if state in row.states
            and row in self._bad_since
            and t - max(self._bad_since[row], entered) >= row.after - ROUNDING_S
        ]
        return sorted(rows, key=lambda row: -row.action)

    def alarms(self) -> list[Reaction]:
        """Rows of alarms that apply now."""
        return [row for row in REACTIONS if row.alarm and row in self._bad_since]

    def cleared(self, t: float, row: Reaction) -> bool:
        """True if a hold for ``row`` may end."""
        since = self._good_since.get(row)
        return since is not None and t - since >= row.clear - ROUNDING_S

    def checklist(self, t: float) -> tuple[Check, ...]:
        """What every required component means for a start, in its own words."""
        checks = [self._check(component, t) for component in REQUIRED]
        if stranger := self.stranger(t):
            checks.insert(0, Check(STRANGERS, "publishers", Verdict.BLOCKS, stranger))
        return tuple(checks)

    def _check(self, component: str, t: float) -> Check:
        label, worst = REQUIRED[component]
        health = self.health(component, t)
        stops = any(
            row.component == component and row.action is Action.ESTOP and row.applies(health) for row in REACTIONS
        )
        verdict = Verdict.READY if health.level <= worst else Verdict.WAITS
        if health.level is Level.STALE or stops:
            verdict = Verdict.BLOCKS
        elif component in self._absent and component not in self._reports:
            verdict = Verdict.ABSENT
        return Check(component, label, verdict, health.message)

    def waiting_for(self, t: float, *verdicts: Verdict) -> str:
        """The first required component of one of ``verdicts``, by default those that are not ready, with its own words; or empty."""
        wanted = verdicts or (Verdict.WAITS, Verdict.BLOCKS)
        found = (check for check in self.checklist(t) if check.verdict in wanted)
        return next((f"{check.label}: {check.message}" for check in found), "")

    def stranger(self, t: float) -> str:
        """Who else publishes topics of the stack, in words; empty if nobody does."""
        health = self.health(STRANGERS, t)
        return health.message if health.level > Level.OK else ""


def tilt_of(nav: NavState, limit: float) -> Health:
    """Health report ``tilt``: ERROR beyond ``limit`` rad of roll or pitch; not finite is no tilt but a lost position."""
    angle = float(np.abs(nav.rpy[:2]).max())
    words = f"{math.degrees(angle):.0f} degrees"
    return (
        Health("tilt", Level.ERROR, f"{words}, limit {math.degrees(limit):.0f}")
        if angle > limit
        else Health("tilt", Level.OK, words)
    )
