"""The data that flows between the parts of the stack, free of ROS.

Frames and units follow REP-103/105: SI units, radians, ``map`` is east-north-up about the mission's datum, ``base_link``
is x forward, y left, z up with its origin on the ground between the tracks. ``t`` is seconds on the clock of the stack
(simulated or UTC). Arrays are numpy float64 unless stated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum, IntEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


# --- sensors ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ImuSample:
    """Inertial measurement in ``imu_link``: ``rate`` (3,) rad/s and ``force`` (3,) m/s², the specific force."""

    t: float
    rate: Array
    force: Array


class FixStatus(IntEnum):
    """Quality of a GNSS position, best last. NavSatFix status -1, 0, 1, 2 in that order."""

    NONE = -1
    SINGLE = 0
    FLOAT = 1
    FIXED = 2


@dataclass(frozen=True, slots=True)
class GnssFix:
    """Position of the antenna ``gnss_link``: degrees WGS-84, metres above the ellipsoid, covariance (3, 3) ENU in m²."""

    t: float
    latitude: float
    longitude: float
    height: float
    covariance: Array
    status: FixStatus


@dataclass(frozen=True, slots=True)
class HeadingFix:
    """Yaw of ``base_link`` in ``map`` from a dual-antenna receiver, rad anticlockwise from east, with its sigma in rad."""

    t: float
    yaw: float
    sigma: float


@dataclass(frozen=True, slots=True)
class WheelSample:
    """Twist of ``base_link`` from the track encoders: forward ``speed`` m/s and ``yaw_rate`` rad/s."""

    t: float
    speed: float
    yaw_rate: float


@dataclass(frozen=True, slots=True)
class GprScan:
    """One radar scan line: ``traces`` (samples, channels) float32, rows in time, columns from left to right."""

    t: float
    traces: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MetalScan:
    """One metal-detector scan: ``positions`` (coils, 3) in ``metal_detector_link`` m, ``in_phase``, ``quadrature`` (coils,)."""

    t: float
    positions: Array
    in_phase: Array
    quadrature: Array


# --- localisation ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class NavState:
    """Estimate of ``base_link`` in ``map``.

    ``position`` (3,) m, ``rpy`` (3,) rad (roll, pitch, yaw; REP-103), ``velocity`` (3,) m/s in ``base_link``, ``rate`` (3,) rad/s in
    ``base_link``, ``covariance`` (6, 6) of (x, y, z, roll, pitch, yaw) in ``map``.
    """

    t: float
    position: Array
    rpy: Array
    velocity: Array
    rate: Array
    covariance: Array

    @property
    def pose(self) -> Pose2:
        """The horizontal part of the pose."""
        return Pose2(float(self.position[0]), float(self.position[1]), float(self.rpy[2]))

    @property
    def sigma_xy(self) -> float:
        """Standard deviation of the horizontal position along its worst axis, m; infinite if the covariance is none."""
        (xx, xy), (yx, yy) = self.covariance[:2, :2].tolist()
        if not (math.isfinite(xx + xy + yx + yy) and xx >= 0.0 and yy >= 0.0):
            return math.inf
        mean = 0.5 * (xx + yy)
        spread = math.hypot(0.5 * (xx - yy), xy)
        return math.sqrt(max(mean + spread, 0.0))

    @property
    def sigma_yaw(self) -> float:
        """Standard deviation of the yaw, rad; infinite if the covariance is none."""
        variance = float(self.covariance[5, 5])
        return math.sqrt(variance) if 0.0 <= variance < math.inf else math.inf

    def sigma_at(self, distance: float) -> float:
        """Horizontal sigma in m of a point ``distance`` m away from ``base_link`` on the robot."""
        return math.hypot(self.sigma_xy, self.sigma_yaw * distance)


@dataclass(frozen=True, slots=True)
class Pose2:
    """Position (x east, y north, m) and yaw (rad, anticlockwise from east) in ``map``."""

    x: float
    y: float
    yaw: float

    def to_map(self, points: Array) -> Array:
        """Points (..., 2) of ``base_link`` expressed in ``map``."""
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        return np.asarray(points, dtype=float) @ np.array([[cos, sin], [-sin, cos]]) + (self.x, self.y)

    def to_body(self, points: Array) -> Array:
        """Points (..., 2) of ``map`` expressed in ``base_link``."""
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        return (np.asarray(points, dtype=float) - (self.x, self.y)) @ np.array([[cos, -sin], [sin, cos]])


# --- evidence and coverage -------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class SweepEvidence:
    """What the sensor head can prove about one instant of the search.

    ``x, y, yaw`` place the centre of the searched line in ``map``; the line is across the head. ``sigma`` is the position sigma there
    in m, ``height`` the antenna height above ground in m (NaN if unknown), ``speed`` the ground speed in m/s. A sensor is ``ok`` only if
    it delivered a healthy scan for this very instant.
    """

    t: float
    x: float
    y: float
    yaw: float
    sigma: float
    height: float
    speed: float
    gpr_ok: bool
    metal_ok: bool


class Cell(IntEnum):
    """States of a ground cell; the values are those of ``/coverage/ledger`` (nav_msgs/OccupancyGrid)."""

    OUTSIDE = -1  # neither declared safe nor part of the hazard area: never to be driven on
    SAFE = 0  # declared safe by the field file
    SEARCHED = 10  # searched with valid evidence
    PENDING = 50  # hazard area still to be searched
    GAP = 75  # hazard area that cannot be reached
    HALO = 100  # too close to a target


@dataclass(frozen=True, slots=True)
class LedgerGrid:
    """Raster of :class:`Cell` values: ``cells`` (rows, columns) int8, row 0 at the south, column 0 at the west.

    ``x0, y0`` is the outer corner of cell (0, 0) in ``map``, ``resolution`` the cell size in m.
    """

    t: float
    x0: float
    y0: float
    resolution: float
    cells: NDArray[np.int8]

    def drivable(self) -> NDArray[np.bool_]:
        """Cells a track may touch."""
        # Compared as what they are: with an enumeration as the other side numpy turns the raster to 64 bits, ten times as slow.
        return (self.cells == np.int8(Cell.SAFE)) | (self.cells == np.int8(Cell.SEARCHED))


class StepKind(str, Enum):
    """What a step of a plan is: searching along a lane, a pivot or drive to the next lane, or a longer transit."""

    LANE = "lane"
    TURN = "turn"
    TRANSIT = "transit"


@dataclass(frozen=True, slots=True)
class PlanStep:
    """A straight drive from ``start`` to ``end`` of ``base_link``, or a pivot where both have the same position.

    ``reverse`` drives backwards; the heading stays that of ``start``. ``sweep`` is set where the drive counts as search.
    ``speed`` is the speed limit in m/s (or rad/s for a pivot).
    """

    kind: StepKind
    start: Pose2
    end: Pose2
    reverse: bool
    sweep: bool
    speed: float

    @property
    def is_pivot(self) -> bool:
        """True for a turn on the spot."""
        return self.length < 1e-3

    @property
    def length(self) -> float:
        """Length of the drive in m."""
        return math.hypot(self.end.x - self.start.x, self.end.y - self.start.y)

    @property
    def duration(self) -> float:
        """Time the step takes at its speed limit, s."""
        if self.is_pivot:
            return abs(wrap_angle(self.end.yaw - self.start.yaw)) / self.speed
        return self.length / self.speed


@dataclass(frozen=True, slots=True)
class PlanGap:
    """Ground that the plan leaves unsearched: ``rings`` (outer ring first, then holes) of (n, 2) map points, and why."""

    rings: tuple[Array, ...]
    area: float
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Pending path, in driving order. ``t`` echoes the time stamp of the request it answers; empty ``steps`` = nothing to drive.

    One that is not ``complete`` stops at its horizon, and what it would leave as gaps is not known.
    """

    t: float
    steps: tuple[PlanStep, ...]
    gaps: tuple[PlanGap, ...] = ()
    complete: bool = True

    @property
    def length(self) -> float:
        """Driven length in m."""
        return sum(step.length for step in self.steps)

    @property
    def duration(self) -> float:
        """Expected time in s at the speed limits."""
        return sum(step.duration for step in self.steps)


# --- detection -------------------------------------------------------------------------------------------------------
class TargetClass(IntEnum):
    """Class of a target; the value is the ``class`` field of ``/detection/targets``."""

    UNKNOWN = 0
    AP_MINIMUM_METAL = 1
    AP_METAL = 2
    AT = 3
    ERW = 4
    CLUTTER = 5


@dataclass(frozen=True, slots=True)
class Target:
    """A suspect spot in ``map``: position and sigmas in m, ``depth`` of its top in m, log-likelihood ratios and posterior."""

    id: int
    x: float
    y: float
    z: float
    sigma_x: float
    sigma_y: float
    depth: float
    llr_gpr: float
    llr_md: float
    p_hazard: float
    kind: TargetClass


@dataclass(frozen=True, slots=True)
class Release:
    """A person's word that target ``target_id``, declared at (x, y) m in ``map``, closes no ground any more; (NaN, NaN) for one that
    closes none and is only not to be missed."""

    target_id: int
    x: float
    y: float


# --- control ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Twist2:
    """Commanded motion of ``base_link``: ``speed`` m/s forward and ``yaw_rate`` rad/s."""

    t: float
    speed: float
    yaw_rate: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the follower is with the plan of stamp ``plan_t``; ``done`` when it stands still at the end of it."""

    t: float
    plan_t: float
    step: int
    done: bool
    remaining_m: float
    remaining_s: float
    cross_track: float
    stopped: bool
    sweeping: bool


# --- marking ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class MarkRequest:
    """Ask the marker to mark ``target_id`` at (x, y) in ``map``. The same id is never fired twice."""

    t: float
    target_id: int
    x: float
    y: float


class MarkStatus(str, Enum):
    """Outcome of a mark: proven by the actuator, fired but not proven, or not possible."""

    CONFIRMED = "confirmed"
    UNVERIFIED = "unverified"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class MarkResult:
    """Outcome of a mark and where the nozzle stood in ``map``."""

    t: float
    target_id: int
    status: MarkStatus
    x: float
    y: float
    detail: str


# --- mission and health ----------------------------------------------------------------------------------------------
class Level(IntEnum):
    """Severity of a health report; the values of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


SEARCHED = "searched_m2"  # value of the coverage's health: searched ground in m²
UNPROVEN = "unproven_m2"  # the same: ground in m² that was swept in vain and given up
OUT_OF_REACH = "out_of_reach_m2"  # the same: gaps in m² other than halos
HAZARD_M2 = "hazard_m2"  # the same: area to search in m²
INPUT_REFUSED = ("input", "refused")  # key and text with which a node reports that it refuses what safety depends on


@dataclass(frozen=True, slots=True)
class Health:
    """State of one component, published on ``/diagnostics``; ``values`` are shown to people and recorded."""

    name: str
    level: Level
    message: str
    values: dict[str, str] = field(default_factory=dict)


class MissionState(str, Enum):
    """States of the mission."""

    IDLE = "idle"  # waiting for start
    ALIGN = "align"  # waiting for localisation and sensors
    PLAN = "plan"  # waiting for a path to search
    SEARCH = "search"
    APPROACH = "approach"  # driving the marker over a target
    MARK = "mark"
    HOLD = "hold"  # standing until a fault clears
    PAUSED = "paused"
    RETURN = "return"  # driving home
    DONE = "done"
    ABORTED = "aborted"
    ESTOP = "estop"

    @property
    def drives(self) -> bool:
        """True if the robot may move in this state."""
        return self in (MissionState.SEARCH, MissionState.APPROACH, MissionState.RETURN)

    @property
    def waits(self) -> bool:
        """True if nothing goes on without a person's word."""
        return self.ended or self in (MissionState.IDLE, MissionState.PAUSED, MissionState.ESTOP)

    @property
    def ended(self) -> bool:
        """True if nothing follows."""
        return self in (MissionState.DONE, MissionState.ABORTED)


class Goal(str, Enum):
    """What the mission wants a plan for."""

    NONE = "none"
    SEARCH = "search"
    TARGET = "target"
    HOME = "home"


@dataclass(frozen=True, slots=True)
class MissionStatus:
    """What the mission does and wants; latched on ``/mission/state``.

    A plan is wanted for ``goal`` (for ``goal_target`` if that is a target); ``request_t`` stamps the request and the plan that answers it
    echoes it in :attr:`Plan.t`. The follower drives only while ``state.drives`` and only the plan of stamp ``request_t``.
    """

    t: float
    state: MissionState
    reason: str
    goal: Goal
    goal_target: int
    request_t: float
    targets: int = 0  # suspects, and all that are listed: core/tally.py
    listed: int = 0
    marks_requested: int = 0
    marks_confirmed: int = 0
    acknowledged: str = ""  # who has seen why the robot holds, and what they say of it
    released: tuple[Release, ...] = ()  # halos that people have taken back, all of them


class RemarkKind(str, Enum):
    """What a person says: of a target, that it is a hazard or that it is none; of a hold, that they have seen it; of a target, that its
    halo is to go, for a reason."""

    CONFIRM = "confirm"
    REJECT = "reject"
    ACKNOWLEDGE = "acknowledge"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Remark:
    """What a person says of a target, or of a hold (then ``target_id`` is -1). It is kept and shown and has no other effect: no ground
    counts as searched, no halo goes and no mark is left out for it; but a release, an override, opens a halo. ``number`` tells remarks
    apart.
    """

    t: float
    number: str
    kind: RemarkKind
    target_id: int
    comment: str
    author: str


@dataclass(frozen=True, slots=True)
class RemarkAnswer:
    """Whether a remark is in the journal, and if not, why."""

    remark: Remark
    kept: bool
    why: str = ""


def wrap_angle(angle: float) -> float:
    """``angle`` wrapped to (-pi, pi]."""
    return math.pi - (math.pi - angle) % (2.0 * math.pi)
