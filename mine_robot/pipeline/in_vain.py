"""Ground that is swept and not booked: what cannot be proven where it lies must not keep the search from the rest of a large field.

A plan begins with what is near and gains most. Where the evidence fails each time (a ridge that lifts the head, a limit that does not fit
the raster) the same plan would come again and again, until the mission ends because nothing is gained.
"""

from __future__ import annotations

import math

import numpy as np

from mine_robot.core.types import LedgerGrid, Plan, Pose2
from mine_robot.coverage.footprint import Footprint
from mine_robot.coverage.ground import PENDING, Ground, Mask
from mine_robot.mission.advance import MIN_GAIN

AT_END_M = 0.3  # from the end of a plan, within which it was driven


class InVain:
    """Gives up the ground that two search plans in a row swept without gaining any."""

    def __init__(self, footprint: Footprint) -> None:
        self._footprint = footprint
        self._plan: Plan | None = None
        self._before_m2 = 0.0
        self._missed: Mask | None = None  # by the last plan
        self._given_up: Mask | None = None

    def planned(self, plan: Plan, searched_m2: float) -> None:
        """Take the newest search plan, and how much ground in m² was searched when it was made."""
        self._plan, self._before_m2 = plan, searched_m2

    def judge(self, grid: LedgerGrid, pose: Pose2, searched_m2: float) -> None:
        """Judge the last plan by what is searched now that the next is wanted; one that was not driven to its end says nothing."""
        plan, self._plan = self._plan, None
        if plan is None or not plan.steps or searched_m2 >= self._before_m2 + MIN_GAIN:
            self._missed = None
            return
        end = plan.steps[-1].end
        if math.hypot(end.x - pose.x, end.y - pose.y) > AT_END_M:
            return
        missed, before = self._swept(plan, grid), self._missed
        self._missed = missed
        if before is not None:
            twice = missed & before
            self._given_up = twice if self._given_up is None else self._given_up | twice

    def _swept(self, plan: Plan, grid: LedgerGrid) -> Mask:
        """Cells that ``plan`` would have searched and that are not."""
        ground = Ground(grid, self._footprint)
        before = ground.all_of(PENDING)
        for step in plan.steps:
            if step.sweep:
                ground.sweep(step.start, step.length)
        return before & ~ground.all_of(PENDING)

    def given_up(self, pending: Mask) -> Mask:
        """Those of the ``pending`` cells that are not worth another lane; swept beside others they still may be booked."""
        return np.zeros_like(pending) if self._given_up is None else self._given_up & pending
