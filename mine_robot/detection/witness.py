"""What the head can prove at an instant: both sensors' scans, their checks and the antennas' height, without looking for anything.

The detector says its evidence by it, and the audit works the evidence out again by it, from the scans in the log.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from mine_robot.core.robot import Robot
from mine_robot.core.types import Array, GprScan, Health, Level, MetalScan, NavState, Pose2, SweepEvidence
from mine_robot.detection.params import DetectorParams
from mine_robot.detection.scans import Check, GprCheck, MetalCheck
from mine_robot.detection.surface import Surface

FRESH_S = 0.06  # a scan proves the instants this near to it
BUFFER_S = 1.0  # scans without a pose are dropped after this time

S = TypeVar("S", GprScan, MetalScan)


@dataclass
class Feed(Generic[S]):
    """One sensor's scans that wait for their pose, and the last one's check."""

    waiting: deque[tuple[S, Check]]
    t: float = -math.inf
    fault: str = "no scan yet"
    row_s: float = -math.inf

    def add(self, scan: S, check: Check) -> None:
        """Take a scan."""
        while self.waiting and self.waiting[0][0].t < scan.t - BUFFER_S:
            self.waiting.popleft()
        self.waiting.append((scan, check))
        if scan.t >= self.t:
            self.t, self.fault = scan.t, check.fault

    def ok(self, t: float) -> bool:
        """True if the latest scan is healthy and belongs to the instant ``t``."""
        return not self.fault and abs(t - self.t) <= FRESH_S

    def due(self, t: float) -> list[tuple[S, Check]]:
        """Take the scans up to ``t`` out, in order of time, without those too old to be placed."""
        due = sorted((item for item in self.waiting if item[0].t <= t + 1e-6), key=lambda item: item[0].t)
        if len(due) == len(self.waiting):
            self.waiting.clear()
        elif due:
            self.waiting = deque(item for item in self.waiting if item[0].t > t + 1e-6)
        return [item for item in due if t - item[0].t <= BUFFER_S]


class Witness:
    """Both feeds; give it scans and poses, and ask it to :meth:`testify` for the instant of the last pose."""

    def __init__(self, params: DetectorParams, robot: Robot) -> None:
        self._robot = robot
        offsets = np.array(params.gpr.channel_offsets_m or robot.gpr_offsets, dtype=float)
        self.channel_offsets = offsets if len(offsets) else np.zeros(1)  # (channels,) m
        self.coil_offsets = robot.coil_offsets if len(robot.coil_offsets) else np.zeros(1)  # (coils,) m
        self._coils_known = len(robot.coil_offsets) > 0
        self._check_gpr = GprCheck(len(self.channel_offsets), params.gpr.samples_min)
        self._check_metal = MetalCheck(len(self.coil_offsets))
        self.gpr: Feed[GprScan] = Feed(deque())
        self.metal: Feed[MetalScan] = Feed(deque())
        self.surface = Surface(params.gpr, len(self.channel_offsets))
        self._pose: Pose2 | None = None
        self._metal_gap = -math.inf  # odometer reading at the last instant without a healthy metal detector
        self._odometer = 0.0

    def add_gpr(self, scan: GprScan) -> None:
        """Take a radar scan."""
        if math.isfinite(scan.t) and scan.t != self.gpr.t:
            self.gpr.add(scan, self._check_gpr(scan))

    def add_metal(self, scan: MetalScan) -> None:
        """Take a metal-detector scan; a URDF without coils leaves their places to the first one."""
        if not math.isfinite(scan.t) or scan.t == self.metal.t:
            return
        if not self._coils_known and _sound_positions(scan):
            self.coil_offsets, self._coils_known = np.asarray(scan.positions)[:, 1], True
            self._check_metal = MetalCheck(len(self.coil_offsets))
        self.metal.add(scan, self._check_metal(scan))

    def follow(self, pose: Pose2) -> None:
        """Take the next pose."""
        if self._pose is not None:
            self._odometer += math.hypot(pose.x - self._pose.x, pose.y - self._pose.y)
        self._pose = pose

    def measure(self, scan: GprScan, check: Check) -> Array:
        """Measure the height by a processable scan; returns its traces (samples, channels) with zeros in dead channels."""
        traces = scan.traces.astype(float)
        if not check.usable.all():
            traces = np.where(check.usable, traces, 0.0)
        self.surface.measure(traces, check.usable)
        return traces

    def add_nav(self, nav: NavState) -> SweepEvidence:
        """Evidence at a pose, newer than the last one: what the detector would say, without a search for targets."""
        self.follow(nav.pose)
        self.metal.due(nav.t)
        for scan, check in self.gpr.due(nav.t):
            if check.processable:
                self.measure(scan, check)
        return self.testify(nav)

    def testify(self, nav: NavState) -> SweepEvidence:
        """What the sensors prove at the instant of ``nav``, which :meth:`follow` has taken."""
        gpr_ok, metal_ok = self.gpr.ok(nav.t), self.metal.ok(nav.t)
        if not metal_ok:
            self._metal_gap = self._odometer
        ahead, pose = self._robot.sweep_ahead, nav.pose
        lead = float(self._robot.metal_detector[0] - ahead)
        return SweepEvidence(
            t=nav.t,
            x=pose.x + math.cos(pose.yaw) * ahead,
            y=pose.y + math.sin(pose.yaw) * ahead,
            yaw=pose.yaw,
            sigma=nav.sigma_at(ahead),
            height=self.surface.height if gpr_ok else math.nan,
            speed=float(math.hypot(nav.velocity[0], nav.velocity[1])),
            gpr_ok=gpr_ok,
            metal_ok=metal_ok and self._odometer - self._metal_gap > lead,
        )

    def health(self, t: float) -> tuple[Health, ...]:
        """State of both sensors at ``t``."""
        return tuple(
            _health(name, feed.t, feed.fault, t) for name, feed in (("gpr", self.gpr), ("metal_detector", self.metal))
        )


def usable_pose(nav: NavState) -> bool:
    """True if everything that is asked of a pose is a number."""
    values = (nav.t, *nav.position.tolist(), *nav.rpy.tolist(), *nav.velocity.tolist())
    return all(map(math.isfinite, values))


def _sound_positions(scan: MetalScan) -> bool:
    positions = np.asarray(scan.positions)
    return (
        positions.ndim == 2
        and positions.shape[0] > 0
        and positions.shape[1] == 3
        and bool(np.isfinite(positions).all())
    )


def _health(name: str, last: float, fault: str, t: float) -> Health:
    values = {"last_scan_s": f"{last:.3f}"}
    if math.isinf(last):
        return Health(name, Level.STALE, "no scan yet", values)
    if t - last > 5.0 * FRESH_S:
        return Health(name, Level.STALE, f"missing: no scan for {t - last:.1f} s", values)
    if fault:
        return Health(name, Level.ERROR, fault, values)
    return Health(name, Level.OK, "ok", values)
