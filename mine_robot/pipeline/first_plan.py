"""The plan of a fresh field: nothing searched yet, the robot on safe ground beside it."""

from __future__ import annotations

from dataclasses import replace

from mine_robot.core.field import Field
from mine_robot.core.limits import Limits
from mine_robot.core.robot import Robot
from mine_robot.core.types import Plan
from mine_robot.coverage import gaps
from mine_robot.coverage.ledger import Ledger
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.planner import Planner
from mine_robot.sim.world import start_pose


def first_plan(field: Field, params: CoverageParams, limits: Limits, robot: Robot) -> Plan:
    """Plan the whole search of ``field``, however large: a mission would plan a large one in stretches.

    Raises :class:`mine_robot.sim.scenario.ScenarioError` if no safe ground beside it has room for the robot.
    """
    ledger = Ledger(field, robot, limits, params.resolution, params.halo_growth_max)
    zones = ledger.zones
    plan, _ = Planner(params, limits, robot, field.lane_direction).plan_search(
        ledger.grid(0.0), start_pose(field, robot), 0.0, obstacles=zones.no_go, keep_off=zones.border
    )
    return replace(plan, gaps=gaps.clip_to_hazard(plan.gaps, field))
