"""The fault ``tilted``: the ground under one track gives way, and the robot rolls over to that side."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mine_robot.core.robot import rotation_from_rpy
from mine_robot.sim.scenario import Fault
from mine_robot.sim.types import TrueState

TILTING_S = 0.3  # for which it rolls
ROLL_DEG = 30.0


def tilted(truth: TrueState, fault: Fault) -> TrueState:
    """``truth`` with the roll of ``fault``, which comes and goes smoothly: a turn about the robot's x axis, seen by all that it carries."""
    since, left = truth.t - fault.at, fault.at + fault.duration - truth.t
    share = min(max(min(since, left) / TILTING_S, 0.0), 1.0)
    full = math.radians(float(fault.options.get("roll_deg", ROLL_DEG)))
    roll = full * share * share * (3.0 - 2.0 * share)
    roll_rate = (full if since < left else -full) * 6.0 * share * (1.0 - share) / TILTING_S
    to_tilted = rotation_from_rpy(roll, 0.0, 0.0).T
    return replace(
        truth,
        rpy=truth.rpy + np.array([roll, 0.0, 0.0]),
        velocity=to_tilted @ truth.velocity,
        rate=to_tilted @ truth.rate + np.array([roll_rate, 0.0, 0.0]),
        acceleration=to_tilted @ truth.acceleration,
    )
