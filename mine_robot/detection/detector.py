"""The detector: scans and poses in, evidence and targets out."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mine_robot.core.limits import Limits
from mine_robot.core.priors import NO_PRIORS, Prior
from mine_robot.core.robot import Robot
from mine_robot.core.types import (
    Array,
    GprScan,
    Health,
    MetalScan,
    NavState,
    Pose2,
    SweepEvidence,
    Target,
    wrap_angle,
)
from mine_robot.detection.fusion import Judge, Verdict, judge_by_rules
from mine_robot.detection.gpr import GprCell, GprProcessor
from mine_robot.detection.looks import GprLook, MetalLook, look_gpr, look_metal
from mine_robot.detection.metal import MetalCell, MetalProcessor
from mine_robot.detection.params import DetectorParams
from mine_robot.detection.rows import Peak
from mine_robot.detection.targets import Registry, Sighting
from mine_robot.detection.witness import BUFFER_S, Feed, Witness, usable_pose

POSE_GAP_S = 0.3  # poses further apart are not interpolated
STEP_M = 0.018  # scans nearer to the last row add nothing
NEVER = 1e9  # s
LISTED_SHARE = 0.4  # of the probability that has a target marked: from there on it is listed
MOVING = 0.03  # m/s, slower counts as standing
STILL_S = 0.8  # standing for so long ends the wait for rows ahead
RUN_YAW, RUN_ASIDE_M, RUN_BACK_M = 0.3, 0.3, 0.6  # deviation from a pass's axis that begins another
LOOK_M = 0.13  # one sensor looks this far around what the other has found
COVERED_M = 0.08  # the radar's line has to be this far beyond a spot that only metal speaks for
CANDIDATES = 256
POSITION_SIGMA_M = 0.025  # of a peak's centre, without the pose's part
EDGE_M, EDGE_SIGMA_M = 0.05, 0.10  # a peak this near to the end of the radar's array may have its centre beyond

S = TypeVar("S", GprScan, MetalScan)


@dataclass(frozen=True)
class _Run:
    """A pass: a drive forward along an axis from ``origin``."""

    number: int
    origin: Pose2


@dataclass(frozen=True)
class Candidate:
    """A spot that was judged: its place in ``map``, what each sensor saw (None: nothing known), and the verdict."""

    x: float
    y: float
    gpr: GprLook | None
    metal: MetalLook | None
    verdict: Verdict


class Detector:
    """Finds buried objects with a radar array and a metal-detector array on one head.

    ``judge`` turns looks into a verdict: a :class:`~mine_robot.detection.learned.HazardModel`, or the rules, which need no training.
    ``prior`` is what is known of the ground beforehand; it raises probabilities, and what the sensors do not see it does not raise.
    """

    def __init__(
        self,
        params: DetectorParams,
        limits: Limits,
        robot: Robot,
        judge: Judge = judge_by_rules,
        prior: Prior = NO_PRIORS,
    ) -> None:
        self._params, self._robot, self._judge, self._prior = params, robot, judge, prior
        self._prior_max = math.log(params.prior_factor_max)
        self._speed_max, self._suspect_p = limits.evidence_speed_max, limits.mark_p_hazard
        self._witness = Witness(params, robot)
        self._gpr = GprProcessor(params.gpr, self._witness.channel_offsets, self._witness.surface)
        self._metal = MetalProcessor(params.md.coil_diameter_m, self._witness.coil_offsets)
        self._navs: deque[NavState] = deque()
        self._registry = Registry(params.association_m, LISTED_SHARE * limits.mark_p_hazard, limits.mark_p_hazard)
        self.candidates: deque[Candidate] = deque(maxlen=CANDIDATES)  # the latest, for training and display
        self._judged: deque[tuple[float, float]] = deque(maxlen=32)  # where the radar's were
        self._pending: list[Peak[MetalCell]] = []  # metal that the radar has not yet passed
        self._run: _Run | None = None
        self._runs = 0
        self._along = self._furthest = 0.0
        self._fast_s: set[float] = set()  # rows of the pass that were taken too fast to count
        self._still_since = math.inf

    @property
    def revision(self) -> int:
        """Grows whenever :meth:`targets` changes."""
        return self._registry.revision

    def targets(self) -> tuple[Target, ...]:
        """All targets so far, in order of their ids."""
        return self._registry.targets

    def restore(self, targets: Iterable[Target]) -> None:
        """Take over the targets of a killed run, before the first scan."""
        self._registry.restore(targets)

    def add_gpr(self, scan: GprScan) -> None:
        """Take a radar scan; it is processed when its pose is known."""
        self._witness.add_gpr(scan)

    def add_metal(self, scan: MetalScan) -> None:
        """Take a metal-detector scan; it is processed when its pose is known."""
        coils = self._witness.coil_offsets
        self._witness.add_metal(scan)
        if self._witness.coil_offsets is not coils:  # a URDF without coils leaves them to the first scan
            self._metal = MetalProcessor(self._params.md.coil_diameter_m, self._witness.coil_offsets)

    def add_nav(self, nav: NavState) -> list[SweepEvidence]:
        """Take a pose, process the scans it places, and say what the sensors prove at its instant.

        A pose that is not finite or not newer than the last one proves nothing and is dropped.
        """
        if not usable_pose(nav) or (self._navs and nav.t <= self._navs[-1].t):
            return []
        self._navs.append(nav)
        while nav.t - self._navs[0].t > BUFFER_S + 1.0:
            self._navs.popleft()
        self._follow(nav)
        rows = self._place_metal(nav)
        rows = self._place_gpr(nav) or rows
        if rows:
            self._update(nav)
        return [self._witness.testify(nav)]

    def health(self, t: float) -> tuple[Health, ...]:
        """State of both sensors at ``t``."""
        return self._witness.health(t)

    # --- motion ------------------------------------------------------------------------------------------------------
    def _follow(self, nav: NavState) -> None:
        """Keep the pass: distance along its axis, its end, the beginning of another."""
        pose, moving = nav.pose, float(nav.velocity[0]) > MOVING
        self._witness.follow(pose)
        if self._run is not None:
            self._along, aside = _from(self._run.origin, pose.x, pose.y)
            self._furthest = max(self._furthest, self._along)
            left = abs(aside) > RUN_ASIDE_M or self._along < self._furthest - RUN_BACK_M
            if left or abs(wrap_angle(pose.yaw - self._run.origin.yaw)) > RUN_YAW:
                self._end_run(nav)
        if self._run is None and moving:
            self._runs += 1
            self._run = _Run(self._runs, pose)
            self._along = self._furthest = 0.0
            self._fast_s = set()
            self._witness.gpr.row_s = self._witness.metal.row_s = -math.inf
        if moving:
            self._still_since = math.inf
        elif math.isinf(self._still_since):
            self._still_since = nav.t
        elif self._run is not None and nav.t - self._still_since > STILL_S:
            self._still_since = nav.t + NEVER  # once a stop
            self._gpr.finish(forget=False)
            self._metal.finish(forget=False)
            self._update(nav, final=True)

    def _end_run(self, nav: NavState) -> None:
        self._gpr.finish(forget=False)
        self._metal.finish(forget=False)
        self._update(nav, final=True)
        self._gpr.finish(forget=True)
        self._metal.finish(forget=True)
        self._pending.clear()
        self._judged.clear()
        self._run = None

    def _pose_at(self, t: float) -> tuple[Pose2, float] | None:
        """Pose of ``base_link`` at ``t`` and its forward speed, interpolated; None if not known (yet)."""
        later = len(self._navs)
        while later > 0 and self._navs[later - 1].t >= t:
            later -= 1
        if later == len(self._navs):
            return None
        b = self._navs[later]
        if b.t == t or later == 0:
            return (b.pose, float(b.velocity[0])) if b.t - t < 1e-6 else None
        a = self._navs[later - 1]
        if b.t - a.t > POSE_GAP_S:
            return None
        share = (t - a.t) / (b.t - a.t)
        x, y = a.position[:2] + share * (b.position[:2] - a.position[:2])
        yaw = wrap_angle(float(a.rpy[2]) + share * wrap_angle(float(b.rpy[2] - a.rpy[2])))
        return Pose2(float(x), float(y), yaw), float(a.velocity[0] + share * (b.velocity[0] - a.velocity[0]))

    def _next_row(self, feed: Feed[S], t: float, sensor: Array) -> tuple[float, Pose2] | None:
        """Along-track distance and line of a scan that is worth a row: on the pass, going forward, a step beyond the last."""
        placed = self._pose_at(t)
        if self._run is None or placed is None or placed[1] < MOVING:
            return None
        line = _beyond(placed[0], float(sensor[0]), float(sensor[1]))
        s = _from(self._run.origin, line.x, line.y)[0]
        if s < feed.row_s + STEP_M:
            return None
        feed.row_s = s
        if placed[1] > self._speed_max:
            self._fast_s.add(s)
        return s, line

    # --- scans -------------------------------------------------------------------------------------------------------
    def _place_gpr(self, nav: NavState) -> bool:
        rows, feed = False, self._witness.gpr
        for scan, check in feed.due(nav.t):
            if not check.processable:
                continue
            traces = self._witness.measure(scan, check)
            row = self._next_row(feed, scan.t, self._robot.gpr)
            if row is not None:
                self._gpr.add(traces, check.usable, *row)
                rows = True
        return rows

    def _place_metal(self, nav: NavState) -> bool:
        rows, feed = False, self._witness.metal
        for scan, check in feed.due(nav.t):
            row = self._next_row(feed, scan.t, self._robot.metal_detector) if check.processable else None
            if row is not None:
                reading = np.asarray(scan.in_phase) + 1j * np.asarray(scan.quadrature)
                self._metal.add(np.where(check.usable, reading, 0.0), check.usable, *row)
                rows = True
        return rows

    # --- targets -----------------------------------------------------------------------------------------------------
    def _update(self, nav: NavState, *, final: bool = False) -> None:
        """Judge every spot that one of the sensors speaks for and the other has had its say on, once a pass.

        Ground passed faster than evidence counts, or just before the robot became so fast, only feeds the background: it is neither
        cleared nor suspected anew, since the robot could not stop before what it finds there. Such drives lead over ground that was
        searched at the proper speed.
        """
        if self._run is None:
            return
        sigma = math.hypot(nav.sigma_at(self._robot.sweep_ahead), POSITION_SIGMA_M)
        hurries = float(nav.velocity[0]) > self._speed_max
        for peak in self._gpr.strip.ripe(self._params.gpr.threshold, final=final):
            if hurries or peak.row.s in self._fast_s:
                continue
            metal = self._metal.strip.best_near(peak.x, peak.y, LOOK_M)
            # An echo that is no suspect must not hide the metal beside it.
            if self._enter(peak.x, peak.y, nav, sigma, peak, metal) >= self._suspect_p:
                self._judged.append((peak.x, peak.y))
        last = len(self._metal.strip.lateral) - 1
        for spot in self._metal.strip.ripe(self._params.md.threshold, final=final):
            if (last == 0 or 0 < spot.column < last) and not (hurries or spot.row.s in self._fast_s):
                self._pending.append(spot)  # beyond the outermost coil another pass will see it
        if hurries:
            self._pending.clear()
        if self._pending:
            self._judge_pending(nav, 2.0 * sigma, final)

    def _judge_pending(self, nav: NavState, sigma: float, final: bool) -> None:
        line, waiting = self._along + float(self._robot.gpr[0]), []
        for spot in self._pending:
            if not final and line - spot.s < COVERED_M:
                waiting.append(spot)
            elif all(math.hypot(spot.x - x, spot.y - y) >= LOOK_M for x, y in self._judged):
                gpr = self._gpr.strip.best_near(spot.x, spot.y, LOOK_M)
                self._enter(spot.x, spot.y, nav, sigma, gpr, spot)
        self._pending = waiting

    def _enter(
        self, x: float, y: float, nav: NavState, sigma: float, gpr: Peak[GprCell] | None, metal: Peak[MetalCell] | None
    ) -> float:
        """Enter a spot; returns its probability of a hazard by the sensors alone."""
        assert self._run is not None
        radar = look_gpr(gpr, self._gpr, self._params) if gpr is not None else None
        depth = radar.depth if radar is not None and radar.score >= self._params.gpr.threshold else math.nan
        coil = look_metal(metal, depth, self._metal) if metal is not None else None
        verdict = self._judge(radar, coil)
        self.candidates.append(Candidate(x, y, radar, coil, verdict))
        weight = math.exp(min(gpr.score, 12.0)) if gpr is not None else 1.0
        if gpr is not None and abs(gpr.lateral) > float(np.abs(self._gpr.strip.lateral).max()) - EDGE_M:
            sigma = math.hypot(sigma, EDGE_SIGMA_M)
        prior, height = min(self._prior(x, y), self._prior_max), float(nav.position[2])
        self._registry.update(self._run.number, Sighting(x, y, height, sigma, weight, verdict, prior))
        return verdict.p_hazard


def _beyond(pose: Pose2, ahead: float, left: float) -> Pose2:
    """The pose moved ``ahead`` and ``left`` m: plain numbers, an array each scan would cost more than its sum."""
    cos, sin = math.cos(pose.yaw), math.sin(pose.yaw)
    return Pose2(pose.x + cos * ahead - sin * left, pose.y + sin * ahead + cos * left, pose.yaw)


def _from(origin: Pose2, x: float, y: float) -> tuple[float, float]:
    """How far (x, y) is ahead and left of ``origin``, m."""
    cos, sin, dx, dy = math.cos(origin.yaw), math.sin(origin.yaw), x - origin.x, y - origin.y
    return cos * dx + sin * dy, cos * dy - sin * dx
