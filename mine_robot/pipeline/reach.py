"""Which share of a field a robot gets to: what its planner finds, or for large fields what its width lets through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import shapely
from shapely.geometry.base import BaseGeometry

from mine_robot.core.field import Field
from mine_robot.core.limits import Limits
from mine_robot.core.robot import Robot
from mine_robot.core.types import Plan
from mine_robot.coverage.ledger import bridge_of
from mine_robot.coverage.params import CoverageParams
from mine_robot.pipeline.first_plan import first_plan
from mine_robot.sim.world import start_pose

PLANNED_MAX_M2 = 1000.0  # a larger field is not planned for its reach: that would take minutes
PLANNED_CORNERS_MAX = 2000
REACH_LEAST = 0.9  # share of the hazard area below which a person should look at the field again
SEAM_M = 1e-3  # closes the slits that rounding leaves between neighbours
CIRCLE = 4  # segments of a quarter of a circle


@dataclass(frozen=True)
class Reach:
    """``area`` of ``hazard`` m² that is searched; ``planned`` by the planner, or else reckoned. ``left`` is the rest in m² by reason."""

    area: float
    hazard: float
    planned: bool
    left: Mapping[str, float]

    @property
    def share(self) -> float:
        """Of the hazard area, 0 to 1."""
        return min(self.area / self.hazard, 1.0)

    @property
    def poor(self) -> bool:
        """True if so little is reached that something may be wrong with the field."""
        return self.share < REACH_LEAST


def reach_of(field: Field, params: CoverageParams, limits: Limits, robot: Robot) -> Reach:
    """The reach in a fresh field: planned in one layout of lanes, and in all if that leaves much; a large field is reckoned.

    Raises :class:`mine_robot.sim.scenario.ScenarioError` if no safe ground beside it has room for the robot.
    """
    if field.area > PLANNED_MAX_M2 or shapely.get_num_coordinates(field.hazard) > PLANNED_CORNERS_MAX:
        return reckoned_reach(field, limits, robot)
    reach = reach_of_plan(first_plan(field, replace(params, compare_area=0.0), limits, robot), field)
    return reach_of_plan(first_plan(field, params, limits, robot), field) if reach.poor else reach


def reach_of_plan(plan: Plan, field: Field) -> Reach:
    """What a plan of the whole field reaches."""
    left: dict[str, float] = {}
    for gap in plan.gaps:
        left[gap.reason] = left.get(gap.reason, 0.0) + gap.area
    if not plan.steps:
        return Reach(0.0, field.area, True, left)
    return Reach(max(field.area - sum(left.values()), 0.0), field.area, True, left)


def reckoned_reach(field: Field, limits: Limits, robot: Robot) -> Reach:
    """What a robot of this width gets to from where it may start, if nothing but borders, no-go zones and known targets is in its way.

    Raises as :func:`reach_of`.
    """
    start = start_pose(field, robot)
    parts = [field.hazard, field.safe, bridge_of(field.hazard, field.safe)]
    ground = shapely.union_all(shapely.buffer(parts, SEAM_M, join_style="mitre"))
    halos = shapely.buffer(shapely.points(field.known_targets), limits.halo_radius, quad_segs=CIRCLE)
    closed = shapely.union_all([field.no_go, *halos])
    half = robot.track_half_width + limits.patch_growth
    room = shapely.get_parts(ground.difference(closed).buffer(-half - SEAM_M, quad_segs=CIRCLE))
    home = shapely.Point(start.x, start.y)
    within: list[BaseGeometry] = [part for part in room if part.distance(home) < half]
    searched = shapely.union_all(within).buffer(max(robot.sweep_width / 2.0, half), quad_segs=CIRCLE)
    area = float(searched.intersection(field.hazard.difference(closed)).area)
    return Reach(area, field.area, False, {})
