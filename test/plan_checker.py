"""A brute-force check of plans that shares no code with the planner: it walks every step and looks under every track.

Ground is a raster of 2.5 cm whose cells are exact: safe ground is what lies wholly within the safe area, searched ground what lies wholly
within a swept rectangle. Tracks are their true rectangles, grown, sampled more densely than the cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import shapely

from mine_robot.core.field import Field
from mine_robot.core.limits import Limits
from mine_robot.core.robot import Robot
from mine_robot.core.types import Plan, Pose2, wrap_angle

CELL = 0.025
WALK = 0.02
TURN = math.radians(1.5)


@dataclass
class Verdict:
    """What a walk along a plan found; ``unsafe`` are (step, x, y) of ground under a track that was neither safe nor searched."""

    unsafe: list[tuple[int, float, float]] = field(default_factory=list)
    struck: list[int] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    searched_m2: float = 0.0
    hazard_m2: float = 0.0

    @property
    def clean(self) -> bool:
        return not (self.unsafe or self.struck or self.broken)


class Checker:
    """Walks plans over a field with ``halos`` (x, y, radius); the searched ground is kept from plan to plan."""

    def __init__(self, area: Field, robot: Robot, limits: Limits, halos: list[tuple[float, float, float]]) -> None:
        self.robot, self.limits = robot, limits
        west, south, east, north = area.bounds
        self.x0, self.y0 = west - 2.0, south - 2.0
        x = self.x0 + (np.arange(math.ceil((east + 2.0 - self.x0) / CELL)) + 0.5) * CELL
        y = self.y0 + (np.arange(math.ceil((north + 2.0 - self.y0) / CELL)) + 0.5) * CELL
        self.x, self.y = np.meshgrid(x, y)
        inner = shapely.union_all([area.safe, area.hazard]).buffer(0.04)
        self.inside = shapely.contains_xy(inner, self.x, self.y)
        self.hazard = shapely.contains_xy(area.hazard, self.x, self.y)
        self.no_go = shapely.contains_xy(area.no_go, self.x, self.y)
        self.good = shapely.contains_xy(area.safe.buffer(-CELL * 0.71), self.x, self.y) & ~self.no_go
        # A cell beside the safe area's border is no less safe: its centre decides there, as the samples of the tracks do.
        self.good |= shapely.contains_xy(area.safe, self.x, self.y) & ~self.no_go
        self.halo = np.zeros_like(self.good)
        for hx, hy, radius in [*halos, *((px, py, limits.halo_radius) for px, py in area.known_targets)]:
            self.halo |= np.hypot(self.x - hx, self.y - hy) <= radius
        self.swept = np.zeros_like(self.good)
        spread = np.linspace(0.0, 1.0, 60)
        self.patches = []
        for patch in robot.contact_patches:
            grown = patch.grown(limits.patch_growth)
            px = grown.x_min + spread * (grown.x_max - grown.x_min)
            py = grown.y_min + spread[::3] * (grown.y_max - grown.y_min)
            self.patches.append(np.stack(np.meshgrid(px, py), axis=-1).reshape(-1, 2))
        head = robot.head
        hx = np.linspace(head.x_min, head.x_max, 15)
        hy = np.linspace(head.y_min, head.y_max, 49)
        self.head = np.stack(np.meshgrid(hx, hy), axis=-1).reshape(-1, 2)

    def walk(self, plan: Plan, start: Pose2) -> Verdict:
        """Follow ``plan`` from ``start``."""
        verdict = Verdict()
        here = start
        for number, step in enumerate(plan.steps):
            if (
                math.dist((here.x, here.y), (step.start.x, step.start.y)) > 2e-3
                or _apart(here.yaw, step.start.yaw) > 1e-3
            ):
                verdict.broken.append(f"step {number} does not begin where the one before ends")
            if step.sweep and step.reverse:
                verdict.broken.append(f"step {number} searches backwards")
            self._check_limits(verdict, number, step)
            (self._turn if step.is_pivot else self._drive)(verdict, number, step)
            here = step.end
        verdict.hazard_m2 = float(self.hazard.sum()) * CELL**2
        verdict.searched_m2 = float((self.hazard & self.swept).sum()) * CELL**2
        return verdict

    def _check_limits(self, verdict: Verdict, number: int, step) -> None:
        limit = (
            self.limits.pivot_rate
            if step.is_pivot
            else self.limits.search_speed
            if step.sweep
            else self.limits.drive_speed
        )
        if step.speed > limit + 1e-9:
            verdict.broken.append(f"step {number} is too fast")

    def _turn(self, verdict: Verdict, number: int, step) -> None:
        turn = wrap_angle(step.end.yaw - step.start.yaw)
        for i in range(max(1, math.ceil(abs(turn) / TURN)) + 1):
            yaw = step.start.yaw + turn * i / max(1, math.ceil(abs(turn) / TURN))
            self._look(verdict, number, Pose2(step.start.x, step.start.y, yaw))

    def _drive(self, verdict: Verdict, number: int, step) -> None:
        dx, dy = step.end.x - step.start.x, step.end.y - step.start.y
        heading = math.atan2(dy, dx) + (math.pi if step.reverse else 0.0)
        if _apart(heading, step.start.yaw) > 1e-3 or _apart(step.start.yaw, step.end.yaw) > 1e-6:
            verdict.broken.append(f"step {number} does not drive along its heading")
        if step.sweep:
            # The searched line is farther ahead than any track, so what the step sweeps is searched when the tracks come there.
            self._sweep(step.start, step.length)
        count = max(1, math.ceil(step.length / WALK))
        for i in range(count + 1):
            self._look(
                verdict, number, Pose2(step.start.x + dx * i / count, step.start.y + dy * i / count, step.start.yaw)
            )

    def _sweep(self, pose: Pose2, length: float) -> None:
        assert self.robot.sweep_ahead > self.robot.front + self.limits.patch_growth
        cos, sin = math.cos(pose.yaw), math.sin(pose.yaw)
        along = cos * (self.x - pose.x) + sin * (self.y - pose.y) - self.robot.sweep_ahead
        across = cos * (self.y - pose.y) - sin * (self.x - pose.x)
        self.swept |= (along >= 0.0) & (along <= length) & (np.abs(across) <= self.robot.sweep_width / 2.0)

    def _look(self, verdict: Verdict, number: int, pose: Pose2) -> None:
        for patch in self.patches:
            x, y = pose.to_map(patch).T
            row, col = ((y - self.y0) / CELL).astype(int), ((x - self.x0) / CELL).astype(int)
            good = (self.good[row, col] | self.swept[row, col]) & self.inside[row, col]
            good &= ~self.halo[row, col] & ~self.no_go[row, col]
            if not good.all():
                bad = int(np.argmin(good))
                verdict.unsafe.append((number, round(float(x[bad]), 3), round(float(y[bad]), 3)))
        x, y = pose.to_map(self.head).T
        row = np.clip(((y - self.y0) / CELL).astype(int), 0, self.no_go.shape[0] - 1)
        col = np.clip(((x - self.x0) / CELL).astype(int), 0, self.no_go.shape[1] - 1)
        if self.no_go[row, col].any():
            verdict.struck.append(number)


def _apart(first: float, second: float) -> float:
    return abs(wrap_angle(first - second))
