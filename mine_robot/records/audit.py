"""What the log alone proves about a run, without any code of planner, ledger or guard.

Ground counts as searched from the moment a valid line of evidence has passed over it, and as rolled over while the
robot moves with a contact patch, grown by k sigma of that moment, upon it. Unsafe is ground rolled over that was
neither declared safe nor searched *before*, or that lay in a no-go zone or in the halo of a target declared by then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import shapely
from shapely import MultiPolygon

from mine_robot.core.field import Field
from mine_robot.core.hazards import Halo, Hazards
from mine_robot.core.limits import Limits
from mine_robot.core.robot import Robot
from mine_robot.core.types import Array, NavState, Pose2, Release, SweepEvidence, Target, wrap_angle
from mine_robot.records.raster import Mask, Raster, Window

RESOLUTION = 0.025  # m
MAX_CELLS = 16_000_000  # beyond it the cells grow, and the result says so
LINK_DISTANCE = 0.10  # m: lines of evidence further apart do not vouch for the ground between them
LINK_TIME = 0.25  # s
SAME_PLACE_M, SAME_HEADING = 2e-3, 1e-3  # m, rad: a claim that went through a message is rounded
MOVING_SPEED = 0.01  # m/s
MOVING_RATE = 0.02  # rad/s
MAX_GROWTH = 2.0  # m: a robot that does not know where it is cannot be drawn any larger
MARGIN = 0.5  # m of raster around everything

TargetHistory = Sequence[tuple[float, Sequence[Target]]]
ReleaseHistory = Sequence[tuple[float, Release]]


@dataclass(frozen=True)
class AuditResult:
    """Areas in m². ``unsafe_ground_m2`` is the ground proven safe too late or never, ``halo_m2`` its part in halos,
    ``lost_states`` the moving states without finite position or with a growth beyond drawing. ``searched``, ``unsafe`` and
    ``unsupported`` (hazard area that was claimed by evidence beyond what is proven) are masks on ``raster``. The evidence was
    worked out from the raw scans if it is ``recomputed``.
    """

    unsafe_ground_m2: float
    halo_m2: float
    searched_m2: float
    rolled_m2: float
    first_unsafe_t: float | None
    lost_states: int
    raster: Raster
    searched: Mask
    unsafe: Mask
    unsupported: Mask
    recomputed: bool = False

    def unsupported_m2(self, ledger: MultiPolygon) -> float:
        """Area in m² that evidence or the ``ledger`` claims as searched and nothing proves."""
        beyond = shapely.difference(ledger, shapely.box(*self.raster.bounds)).area
        return float((self._unproven(ledger) | self.unsupported).sum() * self.raster.cell_area + beyond)

    def unproven_at(self, ledger: MultiPolygon) -> tuple[Array, Array]:
        """Points east and north (n,) in m within ``ledger`` that nothing proves, one in each cell of the raster."""
        at = self._unproven(ledger)
        return self.raster.samples[0][at], self.raster.samples[1][at]

    def _unproven(self, ledger: MultiPolygon) -> Mask:
        return self.raster.geometry(ledger) & ~self.searched


def audit(
    field: Field,
    robot: Robot,
    limits: Limits,
    nav: Sequence[NavState],
    evidence: Sequence[SweepEvidence],
    targets: TargetHistory,
    releases: ReleaseHistory = (),
    claimed: Sequence[SweepEvidence] = (),
) -> AuditResult:
    """Replay the ground under the robot in the order of time.

    ``evidence`` is what counts: worked out from raw scans, where there are any; ``claimed`` is what was said, held against it.
    ``nav``, ``evidence``, ``targets`` (lists of targets) and ``releases`` need not be sorted; all motion counts, commanded or
    not. A target once declared with ``p_hazard >= limits.mark_p_hazard`` keeps its halo until a person has released it
    (:mod:`mine_robot.core.hazards`), whatever later lists say; the known targets of the field have theirs from the beginning.
    """
    nav = sorted(nav, key=lambda state: state.t)
    return _Audit(field, robot, limits, nav, _in_order(evidence), targets, releases, _in_order(claimed)).run()


def _in_order(lines: Sequence[SweepEvidence]) -> list[SweepEvidence]:
    return sorted((line for line in lines if math.isfinite(line.t)), key=lambda line: line.t)


def is_valid(line: SweepEvidence, limits: Limits) -> bool:
    """True if the line counts as search: both sensors healthy, height, speed and position within the limits, all
    finite.
    """
    return (
        line.gpr_ok
        and line.metal_ok
        and math.isfinite(line.x + line.y + line.yaw + line.t)
        and 0.0 <= line.sigma <= limits.position_sigma_max
        and limits.head_height_min <= line.height <= limits.head_height_max
        and abs(line.speed) <= limits.evidence_speed_max
    )


HaloKey = tuple[int, float, float]  # target id (-1 for a known target) and place


class _Audit:
    """One replay: ``searched_at`` holds the first time a cell was searched (s after ``t0``), infinite if never."""

    def __init__(
        self,
        field: Field,
        robot: Robot,
        limits: Limits,
        nav: Sequence[NavState],
        evidence: Sequence[SweepEvidence],
        targets: TargetHistory,
        releases: ReleaseHistory,
        claimed: Sequence[SweepEvidence],
    ) -> None:
        self.robot, self.limits = robot, limits
        self.pivot_radius = robot.pivot_radius
        self.nav, self.evidence, self.claimed = nav, evidence, claimed
        self.t0 = min([state.t for state in nav[:1]] + [line.t for line in evidence[:1]], default=0.0)
        self.raster = Raster.over(self._bounds(field, claimed), RESOLUTION, MAX_CELLS)
        self.allowed: Mask = ~self.raster.geometry(field.no_go)
        self.safe: Mask = self.raster.geometry(field.safe) & self.allowed
        self.hazard: Mask = self.raster.geometry(field.hazard) & self.allowed
        self.searched_at = np.full(self.raster.shape, np.inf, dtype=np.float32)
        self.unsafe: Mask = np.zeros(self.raster.shape, dtype=bool)
        self.in_halo: Mask = np.zeros(self.raster.shape, dtype=bool)
        self.nowhere: Mask = np.zeros(self.raster.shape, dtype=bool)
        self.stood_on: dict[
            HaloKey, Mask
        ] = {}  # by target and place: what the tracks stood on when it was declared there
        self.rolled: Mask = np.zeros(self.raster.shape, dtype=bool)
        self.first_unsafe_t: float | None = None
        self.lost_states = 0
        self.halos = _Halos(field.known_targets, targets, releases, limits.mark_p_hazard)

    def _bounds(self, field: Field, claimed: Sequence[SweepEvidence]) -> tuple[float, float, float, float]:
        """Extent of everything driven and searched, and of what was claimed within the field; the field itself if nothing was."""
        points = [state.position[:2] for state in self.nav] + [np.array([line.x, line.y]) for line in self.evidence]
        track: Array = np.array(points).reshape(-1, 2)
        track = track[np.all(np.isfinite(track), axis=1)]
        if not len(track):
            return field.bounds
        reach = self.robot.pivot_radius + 0.5 * self.robot.sweep_width + MARGIN
        west, south = track.min(axis=0) - reach
        east, north = track.max(axis=0) + reach
        said: Array = np.array([(line.x, line.y) for line in claimed]).reshape(-1, 2)
        said = said[np.all(np.isfinite(said), axis=1)]
        if len(said):  # lies may lie anywhere, and must not make the cells coarse
            limits = np.array(field.bounds).reshape(2, 2)
            (west, south), (east, north) = (
                np.minimum((west, south), np.clip(said.min(axis=0) - reach, *limits)),
                np.maximum((east, north), np.clip(said.max(axis=0) + reach, *limits)),
            )
        return float(west), float(south), float(east), float(north)

    def run(self) -> AuditResult:
        for _, second, window, inside in self._swept(self.evidence):
            cells = self.searched_at[window]
            np.minimum(cells, second.t - self.t0, out=cells, where=inside)
        for t, pose, growth in self._driven():
            self._roll(t, pose, growth)
        searched = np.isfinite(self.searched_at) & self.hazard
        area = self.raster.cell_area
        return AuditResult(
            unsafe_ground_m2=float(self.unsafe.sum() * area),
            halo_m2=float(self.in_halo.sum() * area),
            searched_m2=float(searched.sum() * area),
            rolled_m2=float(self.rolled.sum() * area),
            first_unsafe_t=self.first_unsafe_t,
            lost_states=self.lost_states,
            raster=self.raster,
            searched=searched,
            unsafe=self.unsafe,
            unsupported=self._claimed_beyond() & self.hazard & ~np.isfinite(self.searched_at),
        )

    def _claimed_beyond(self) -> Mask:
        """Ground between claimed lines, without those that are proven as they are: in an honest log there is none."""
        beyond: Mask = np.zeros(self.raster.shape, dtype=bool)
        proven = {line.t: line for line in self.evidence if is_valid(line, self.limits)}
        made_up = [line for line in self.claimed if not _same_place(line, proven.get(line.t))]
        for _, _, window, inside in self._swept(made_up):
            beyond[window] |= inside
        return beyond

    def _swept(self, lines: Sequence[SweepEvidence]) -> Iterator[tuple[SweepEvidence, SweepEvidence, Window, Mask]]:
        """The ground between neighbouring ``lines`` that count and are close enough."""
        half = 0.5 * self.robot.sweep_width
        for first, second in pairwise(lines):
            if not (is_valid(first, self.limits) and is_valid(second, self.limits)):
                continue
            distance = math.hypot(second.x - first.x, second.y - first.y)
            if distance > LINK_DISTANCE or second.t - first.t > LINK_TIME:
                continue
            yield first, second, *self.raster.convex(np.concatenate([_line(first, half), _line(second, half)[::-1]]))

    def _driven(self) -> Iterator[tuple[float, Pose2, float]]:
        """Times, poses and patch growths while the robot moves, close enough that no corner skips a cell."""
        reach = self.pivot_radius
        last: Pose2 | None = None
        slack = math.inf  # how far the estimate may wander from `last` while the robot stands
        for state in self.nav:
            growth = self.limits.sigma_factor * state.sigma_at(reach)
            if not math.isfinite(state.pose.x + state.pose.y + state.pose.yaw):
                self.lost_states += 1
                continue
            step = 0.0 if last is None else _corner_step(last, state.pose, reach)
            if not _moves(state) and (last is None or step <= slack + growth + self.raster.resolution):
                if last is None or growth < slack:  # a standing robot learns where it is: that is no motion
                    last, slack = state.pose, growth
                continue
            self.lost_states += growth > MAX_GROWTH
            count = max(1, min(math.ceil(step / self.raster.resolution), 1000))
            for i in range(1, count + 1):
                yield state.t, _between(last or state.pose, state.pose, i / count), min(growth, MAX_GROWTH)
            last, slack = state.pose, growth

    def _roll(self, t: float, pose: Pose2, growth: float) -> None:
        """Judge the ground under the contact patches at ``pose``."""
        halos = self.halos.near(t, pose, self.limits.halo_radius + self.pivot_radius + growth)
        patches = [self.raster.convex(pose.to_map(patch.grown(growth).corners)) for patch in self.robot.contact_patches]
        self._excuse(halos, patches)
        for window, under in patches:
            proven = self.safe[window] | (self.allowed[window] & (self.searched_at[window] < t - self.t0))
            unsafe = under & ~proven
            for key, halo in halos:
                inside = under & self._halo(window, halo)
                entered = inside & ~self.stood_on[key][window]
                self.in_halo[window] |= entered
                unsafe |= entered
            self.rolled[window] |= under
            if unsafe.any():
                self.unsafe[window] |= unsafe
                self.first_unsafe_t = t if self.first_unsafe_t is None else self.first_unsafe_t

    def _excuse(self, halos: Sequence[tuple[HaloKey, Halo]], patches: Sequence[tuple[Window, Mask]]) -> None:
        """Ground under the tracks when a target is declared is no entry into its halo, until the tracks have left the halo once."""
        for key, halo in halos:
            if self.stood_on.get(key) is self.nowhere:
                continue
            if not any(bool((under & self._halo(window, halo)).any()) for window, under in patches):
                self.stood_on[key] = self.nowhere
            elif key not in self.stood_on:
                ground = self.stood_on[key] = np.zeros(self.raster.shape, dtype=bool)
                for window, under in patches:
                    ground[window] |= under

    def _halo(self, window: Window, halo: Halo) -> Mask:
        east, north = self.raster.samples[0][window], self.raster.samples[1][window]
        return (east - halo.x) ** 2 + (north - halo.y) ** 2 < halo.radius(self.limits.halo_radius) ** 2


class _Halos:
    """What is closed at any time; :meth:`near` is asked with times that never decrease."""

    def __init__(self, known: Array, history: TargetHistory, releases: ReleaseHistory, threshold: float) -> None:
        self._known = tuple(Halo(-1, float(x), float(y), 0.0) for x, y in known)
        self._hazards = Hazards(threshold)
        said: list[tuple[float, Callable[[], object]]] = [
            (t, partial(self._hazards.take, found)) for t, found in history
        ]
        said += [(t, partial(self._hazards.release, (one,))) for t, one in releases]
        self._said = sorted(said, key=lambda entry: entry[0])
        self._next = 0

    def near(self, t: float, pose: Pose2, distance: float) -> list[tuple[HaloKey, Halo]]:
        """Halos declared by ``t`` within ``distance`` of ``pose``."""
        while self._next < len(self._said) and self._said[self._next][0] <= t:
            self._said[self._next][1]()
            self._next += 1
        return [
            ((halo.target_id, halo.x, halo.y), halo)
            for halo in self._known + self._hazards.halos
            if math.hypot(halo.x - pose.x, halo.y - pose.y) <= distance
        ]


def _line(line: SweepEvidence, half: float) -> Array:
    """Left and right end (2, 2) of a searched line."""
    across = half * np.array([-math.sin(line.yaw), math.cos(line.yaw)])
    centre = np.array([line.x, line.y])
    return np.stack([centre + across, centre - across])


def _same_place(line: SweepEvidence, other: SweepEvidence | None) -> bool:
    if other is None:
        return False
    apart = math.hypot(line.x - other.x, line.y - other.y)
    return apart <= SAME_PLACE_M and abs(wrap_angle(line.yaw - other.yaw)) <= SAME_HEADING


def _moves(state: NavState) -> bool:
    speed = float(np.hypot(state.velocity[0], state.velocity[1]))
    return not (speed <= MOVING_SPEED and abs(float(state.rate[2])) <= MOVING_RATE)


def _corner_step(first: Pose2, second: Pose2, reach: float) -> float:
    """Largest distance in m that a point within ``reach`` of ``base_link`` moved."""
    return math.hypot(second.x - first.x, second.y - first.y) + reach * abs(wrap_angle(second.yaw - first.yaw))


def _between(first: Pose2, second: Pose2, share: float) -> Pose2:
    """Pose at ``share`` of the way, turning the short way round."""
    yaw = first.yaw + share * wrap_angle(second.yaw - first.yaw)
    return Pose2(first.x + share * (second.x - first.x), first.y + share * (second.y - first.y), yaw)
