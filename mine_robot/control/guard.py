"""Last authority over the tracks: a command passes only if the ground its motion would touch is known to be safe.

The guard shares nothing with planner and follower: it takes the pose, the ledger, the targets and the command, sweeps the contact
patches along the arc that the command would drive until a stop, and compares them with ledger and halos. It is *not* an
obstacle detector, and it trusts the ledger and the estimated covariance; a wrong fix with a confident covariance is
caught in localisation or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mine_robot.control.params import GuardParams
from mine_robot.core.hazards import Hazards
from mine_robot.core.limits import Limits
from mine_robot.core.raster import stamp_disc
from mine_robot.core.robot import Robot
from mine_robot.core.types import (
    Array,
    Cell,
    Health,
    LedgerGrid,
    Level,
    MissionStatus,
    NavState,
    Release,
    Target,
    Twist2,
)

FUTURE_TOLERANCE = 0.1  # s a stamp may lie ahead of the guard's own time
SAMPLE_SPACING = 0.05  # m between two poses of the swept arc, at the outermost corner of the patches
MAX_SAMPLES = 40
MAX_DISTANCE, MAX_SPEED, MAX_RATE = 1e5, 3.0, 5.0  # m from the datum, m/s, rad/s: beyond them the estimate is broken
ESCAPE_LOOKAHEAD = 0.05  # m
CELL_NAMES: dict[int, str] = {
    Cell.OUTSIDE: "ground outside the field",
    Cell.PENDING: "ground not searched yet",
    Cell.GAP: "a gap in the search",
    Cell.HALO: "the halo of a target",
    # Drivable by the ledger, so what blocks it is a halo that the ledger does not have yet.
    Cell.SAFE: "the halo of a target",
    Cell.SEARCHED: "the halo of a target",
}


@dataclass(frozen=True)
class GuardDecision:
    """The command for the tracks, and why it differs from the one asked for (empty if it does not)."""

    twist: Twist2
    reason: str


class Guard:
    """Checks every command against ledger, pose and mission state; see :meth:`update`."""

    def __init__(self, params: GuardParams, limits: Limits, robot: Robot) -> None:
        self._params = params
        self._limits = limits
        self._boxes = np.array([[p.x_min, p.x_max, p.y_min, p.y_max] for p in robot.contact_patches])  # (patches, 4)
        self._reach = robot.pivot_radius
        half_gauge = max(abs(p.y_min + p.y_max) / 2.0 for p in robot.contact_patches)
        self._yaw_deceleration = limits.deceleration / max(half_gauge, 0.1)
        self._mission: MissionStatus | None = None
        self._grid: LedgerGrid | None = None
        self._hazards = Hazards(limits.mark_p_hazard)
        self._haloed: NDArray[np.bool_] | None = None  # on the raster of the grid
        self._blocked: NDArray[np.bool_] = np.ones((0, 0), dtype=bool)
        self._fault = "no input yet"
        self._reason = ""
        self._stopping = False
        self._growth = math.nan
        self._stops = 0

    def set_grid(self, grid: LedgerGrid) -> None:
        """Take the newest ledger."""
        if self._grid is None or _raster(grid) != _raster(self._grid):
            self._haloed = None
        self._grid = grid
        self._block()

    def set_targets(self, targets: tuple[Target, ...]) -> None:
        """Take the newest targets: their halos are closed at once, whether or not the ledger has them yet, and no list opens one."""
        self._renew(self._hazards.take(targets))

    def recall(self, history: Iterable[Target], releases: Iterable[Release]) -> None:
        """Take over what was declared before this guard began, and what people have taken back of it."""
        self._renew(self._hazards.recall(history, releases))

    def release(self, releases: Iterable[Release]) -> None:
        """Open halos by a person's word."""
        self._renew(self._hazards.release(releases))

    def _renew(self, changed: bool) -> None:
        if changed:
            self._haloed = None
            self._block()

    def _block(self) -> None:
        grid = self._grid
        if grid is None:
            return
        if self._haloed is None:  # a long mission has a thousand, and a ledger comes every 0.4 s
            self._haloed = np.zeros(grid.cells.shape, dtype=bool)
            for halo in self._hazards.halos:
                radius = halo.radius(self._limits.halo_radius)
                stamp_disc(self._haloed, grid.x0, grid.y0, grid.resolution, halo.x, halo.y, radius)
        self._blocked = ~grid.drivable() | self._haloed

    def set_mission(self, status: MissionStatus) -> None:
        """Take the mission's state; its stamp has to be renewed at least every ``mission_age``."""
        self._mission = status

    def update(self, t: float, nav: NavState | None, command: Twist2 | None) -> GuardDecision:
        """Decide on ``command`` at time ``t``; ``nav`` and ``command`` are the newest ones or None."""
        self._fault = self._input_fault(t, nav, command)
        if self._fault:
            return self._decide(t, 0.0, 0.0, self._fault)
        assert nav is not None and command is not None and self._mission is not None
        if not self._mission.state.drives:
            return self._decide(t, 0.0, 0.0, f"the mission does not drive (state {self._mission.state.value})")
        speed, rate, reason = self._clamped(command)
        if speed == 0.0 and rate == 0.0:
            return self._decide(t, speed, rate, reason)
        self._growth = self._growth_now(nav)
        return self._decide(t, *self._checked(nav, speed, rate, reason))

    def health(self, t: float) -> Health:
        """Health report ``guard``: WARN while it stops a command, ERROR while an input is missing."""
        growth = f"{self._growth:.3f}" if math.isfinite(self._growth) else "-"
        values = {"growth_m": growth, "stops": str(self._stops)}
        if self._fault:
            return Health("guard", Level.ERROR, self._fault, values)
        if self._stopping and self._mission is not None and self._mission.state.drives:
            return Health("guard", Level.WARN, self._reason, values)
        return Health("guard", Level.OK, self._reason or "commands pass", values)

    # --- inputs --------------------------------------------------------------------------------------------------
    def _input_fault(self, t: float, nav: NavState | None, command: Twist2 | None) -> str:
        """What is missing, stale or not finite; empty if nothing."""
        ages = (
            ("mission state", self._mission, self._params.mission_age),
            ("pose", nav, self._params.nav_age),
            ("ledger", self._grid, self._params.grid_age),
            ("command", command, self._params.command_age),
        )
        for name, message, limit in ages:
            if message is None:
                return f"no {name} yet"
            age = t - message.t
            if not -FUTURE_TOLERANCE <= age <= limit:
                return (
                    f"the {name} is stale ({age:.2f} s old)" if age > limit else f"the {name} has a stamp in the future"
                )
        assert nav is not None and command is not None
        motion = (*nav.position[:2], nav.rpy[2], nav.velocity[0], nav.rate[2])
        if not all(math.isfinite(value) for value in motion):
            return "the pose is not finite"
        if (
            math.hypot(*nav.position[:2]) > MAX_DISTANCE
            or abs(nav.velocity[0]) > MAX_SPEED
            or abs(nav.rate[2]) > MAX_RATE
        ):
            return "the pose is not plausible"
        if not (math.isfinite(command.speed) and math.isfinite(command.yaw_rate)):
            return "the command is not finite"
        sigma = nav.sigma_at(self._reach)
        if not sigma <= self._params.sigma_limit:
            return f"the position is not known well enough (sigma {sigma:.2f} m)"
        return ""

    def _clamped(self, command: Twist2) -> tuple[float, float, str]:
        """The command within the speed limits, its curvature kept."""
        top = max(self._limits.drive_speed, self._limits.search_speed)
        excess = max(abs(command.speed) / top, abs(command.yaw_rate) / self._limits.pivot_rate)
        if excess <= 1.0 + 1e-9:
            return command.speed, command.yaw_rate, ""
        return command.speed / excess, command.yaw_rate / excess, "slowed to the speed limits"

    def _decide(self, t: float, speed: float, rate: float, reason: str) -> GuardDecision:
        stopping = bool(reason) and speed == 0.0 and rate == 0.0
        self._stops += stopping and not self._stopping
        self._reason, self._stopping = reason, stopping
        return GuardDecision(Twist2(t, speed, rate), reason)

    # --- ground --------------------------------------------------------------------------------------------------
    def _growth_now(self, nav: NavState) -> float:
        """Growth of the patches in m: tolerance plus k sigma at their outermost corner.

        A cell counts as touched if its *centre* is in the grown patch; with a growth of at least half a cell's diagonal
        beside the k sigma, the patch itself cannot touch a cell whose centre is outside.
        """
        diagonal = math.sqrt(0.5) * self._grid.resolution if self._grid else 0.0
        return max(self._limits.tracking_tolerance, diagonal) + self._limits.sigma_factor * nav.sigma_at(self._reach)

    def _checked(self, nav: NavState, speed: float, rate: float, reason: str) -> tuple[float, float, str]:
        """The command, or a stop, or a slow escape from ground the patches are on already."""
        depths, states = self._touched(nav, self._arc(nav, speed, rate))
        if not depths.size:
            return speed, rate, reason
        name = CELL_NAMES.get(int(states[0]), "unknown ground")
        if not np.any(depths[0]):
            return 0.0, 0.0, f"{name} ahead of the tracks"
        excess = max(abs(speed), abs(rate) * self._reach) / self._params.escape_speed
        speed, rate = speed / max(excess, 1.0), rate / max(excess, 1.0)
        if self._escapes(nav, speed, rate):
            return speed, rate, f"leaving {name} slowly"
        return 0.0, 0.0, f"a track stands on {name}"

    def _escapes(self, nav: NavState, speed: float, rate: float) -> bool:
        """True if the motion enters no new cell and lies in fewer, or less deep, at its end."""
        pace = max(abs(speed), abs(rate) * self._reach, 1e-6)
        times = np.linspace(0.0, ESCAPE_LOOKAHEAD / pace, 4)
        depths, _ = self._touched(nav, _poses(nav, speed, rate, times))
        entered = np.any(depths > 0.0, axis=0) & (depths[0] == 0.0)
        total = depths.sum(axis=1)
        return not np.any(entered) and bool(np.all(np.diff(total) <= 1e-9) and total[-1] < total[0] - 1e-6)

    def _arc(self, nav: NavState, speed: float, rate: float) -> Array:
        """Poses (n, 3) from here to where the robot would stand if braked one reaction time later."""
        motion_speed, motion_rate = float(nav.velocity[0]), float(nav.rate[2])
        if motion_speed * speed > speed * speed:
            speed = motion_speed
        if motion_rate * rate > rate * rate:
            rate = motion_rate
        braking = max(abs(speed) / (2.0 * self._limits.deceleration), abs(rate) / (2.0 * self._yaw_deceleration))
        duration = self._limits.reaction_time + braking
        travel = (abs(speed) + abs(rate) * self._reach) * duration
        samples = min(max(math.ceil(travel / SAMPLE_SPACING), 2), MAX_SAMPLES)
        return _poses(nav, speed, rate, np.linspace(0.0, duration, samples + 1))

    def _touched(self, nav: NavState, poses: Array) -> tuple[Array, NDArray[np.int8]]:
        """How deep (poses, cells) in m the grown patches cover blocked cells, 0 where not, and those cells' states.

        Only cells touched at some pose are kept, in order of first contact.
        """
        empty = np.zeros((0, 0)), np.zeros(0, dtype=np.int8)
        centres, states = self._blocked_cells(poses, self._reach + math.sqrt(2.0) * self._growth)
        if not len(centres):
            return empty
        cos, sin = np.cos(poses[:, 2, None]), np.sin(poses[:, 2, None])
        dx, dy = centres[:, 0] - poses[:, 0, None], centres[:, 1] - poses[:, 1, None]
        x, y = dx * cos + dy * sin, dy * cos - dx * sin
        depth = np.zeros_like(x)
        for x_min, x_max, y_min, y_max in self._boxes:
            inside = np.minimum(np.minimum(x - x_min, x_max - x), np.minimum(y - y_min, y_max - y)) + self._growth
            np.maximum(depth, inside, out=depth)
        hit = depth > 0.0
        first = np.argmax(hit, axis=0)
        kept = np.flatnonzero(hit.any(axis=0))
        if not kept.size:
            return empty
        kept = kept[np.argsort(first[kept], kind="stable")]
        return depth[:, kept], states[kept]

    def _blocked_cells(self, poses: Array, reach: float) -> tuple[Array, NDArray[np.int8]]:
        """Centres (n, 2) and states of the blocked cells within ``reach`` m of the poses; off the grid is OUTSIDE."""
        grid = self._grid
        assert grid is not None
        low = np.floor((poses[:, :2].min(axis=0) - reach - (grid.x0, grid.y0)) / grid.resolution).astype(int)
        high = np.ceil((poses[:, :2].max(axis=0) + reach - (grid.x0, grid.y0)) / grid.resolution).astype(int)
        rows, columns = self._blocked.shape
        x_low, x_high = np.clip((low[0], high[0]), 0, columns)
        y_low, y_high = np.clip((low[1], high[1]), 0, rows)
        if (x_low, x_high, y_low, y_high) == (low[0], high[0], low[1], high[1]):
            blocked = self._blocked[y_low:y_high, x_low:x_high]
            row, column = np.nonzero(blocked)
            states = grid.cells[y_low:y_high, x_low:x_high][row, column]
        else:
            window = np.full((high[1] - low[1], high[0] - low[0]), int(Cell.OUTSIDE), dtype=np.int8)
            blocked = np.ones(window.shape, dtype=bool)
            part = np.s_[y_low - low[1] : y_high - low[1], x_low - low[0] : x_high - low[0]]
            if x_high > x_low and y_high > y_low:
                window[part] = grid.cells[y_low:y_high, x_low:x_high]
                blocked[part] = self._blocked[y_low:y_high, x_low:x_high]
            row, column = np.nonzero(blocked)
            states = window[row, column]
        corner = np.array([grid.x0, grid.y0]) + low * grid.resolution
        return corner + (np.column_stack((column, row)) + 0.5) * grid.resolution, states


def _poses(nav: NavState, speed: float, rate: float, times: NDArray[Any]) -> Array:
    """Poses (n, 3) of ``base_link`` along the arc of a constant twist, after ``times`` s."""
    turn = rate * times
    # sin(a)/a and (1 - cos(a))/a: displacement per metre of arc, in the frame of the start
    forward, left = np.sinc(turn / np.pi), 0.5 * turn * np.sinc(turn / (2.0 * np.pi)) ** 2
    distance, yaw = speed * times, float(nav.rpy[2])
    cos, sin = math.cos(yaw), math.sin(yaw)
    x = float(nav.position[0]) + distance * (forward * cos - left * sin)
    y = float(nav.position[1]) + distance * (forward * sin + left * cos)
    return np.column_stack((x, y, yaw + turn))


def _raster(grid: LedgerGrid) -> tuple[float, float, float, tuple[int, ...]]:
    """Where the cells of a ledger lie."""
    return grid.x0, grid.y0, grid.resolution, grid.cells.shape
