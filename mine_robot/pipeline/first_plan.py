"""The plan of a fresh field: nothing searched yet, the robot on safe ground beside it."""

from __future__ import annotations

import numpy as np

from mine_robot.core.field import Field
from mine_robot.core.limits import Limits
from mine_robot.core.robot import Robot
from mine_robot.core.types import Goal, MissionState, MissionStatus, NavState, Plan
from mine_robot.coverage.params import CoverageParams
from mine_robot.pipeline.coverage import CoverageManager
from mine_robot.sim.world import start_pose


def first_plan(field: Field, params: CoverageParams, limits: Limits, robot: Robot) -> Plan:
    """Plan the search of ``field``.

    Raises :class:`mine_robot.sim.scenario.ScenarioError` if no safe ground beside it has room for the robot.
    """
    coverage = CoverageManager(params, limits, robot, field)
    start = start_pose(field, robot)
    zero = np.zeros(3)
    position = np.array([start.x, start.y, 0.0])
    coverage.set_nav(NavState(0.0, position, np.array([0.0, 0.0, start.yaw]), zero, zero, np.zeros((6, 6))))
    plan = coverage.answer(MissionStatus(0.0, MissionState.PLAN, "", Goal.SEARCH, -1, 0.0))
    assert plan is not None  # the first request with a known pose is always answered
    return plan
