"""The robot as a plan sees it: rectangles in ``base_link`` that are grown by what tracking and position may be off."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mine_robot.core.limits import Limits
from mine_robot.core.robot import Patch, Robot
from mine_robot.coverage.params import CoverageParams


@dataclass(frozen=True)
class Footprint:
    """The robot as a plan sees it, m in ``base_link``.

    ``box`` encloses the grown contact patches. ``leaving`` is grown without the tolerance of tracking, for the first drive from where
    the robot really stands: that tolerance it has used up. The searched line is
    ``ahead`` of ``base_link`` and reaches ``half_sweep`` to each side as tracks may rely on, ``half_count`` as the ledger will probably
    book; neighbouring lanes are spaced so that ``half_lane`` is new on each side. ``head`` must not enter an obstacle and sweeps a disc
    of ``head_radius`` on the spot.
    """

    box: Patch
    leaving: Patch
    ahead: float
    half_sweep: float
    half_count: float
    half_lane: float
    head: Patch

    @cached_property
    def radius(self) -> float:
        """Radius in m of the disc that ``box`` sweeps on the spot."""
        return float(np.hypot(*self.box.corners.T).max())

    @cached_property
    def head_radius(self) -> float:
        """Radius in m of the disc that ``head`` sweeps on the spot."""
        return float(np.hypot(*self.head.corners.T).max())

    @classmethod
    def of(cls, robot: Robot, limits: Limits, params: CoverageParams) -> Footprint:
        """The footprint of ``robot`` under ``limits``."""
        width = robot.track_half_width
        box = Patch(robot.rear, robot.front, -width, width).grown(limits.patch_growth)
        half_sweep = robot.sweep_width / 2.0 - params.sweep_margin
        return cls(
            box=box,
            leaving=box.grown(-limits.tracking_tolerance),
            ahead=robot.sweep_ahead,
            half_sweep=half_sweep,
            half_count=robot.sweep_width / 2.0 - 0.65 * params.sweep_margin,
            half_lane=min(half_sweep, (robot.sweep_width - limits.lane_overlap) / 2.0),
            head=robot.head.grown(limits.tracking_tolerance),
        )
