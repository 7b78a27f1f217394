"""Robot and limits for the tests of coverage."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import xacro
import yaml

from mine_robot.core.limits import Limits
from mine_robot.core.parameters import build
from mine_robot.core.robot import Robot, robot_from_urdf

ROOT = Path(__file__).resolve().parent.parent


@cache
def robot() -> Robot:
    """The robot of the URDF."""
    return robot_from_urdf(xacro.process_file(str(ROOT / "urdf" / "mine_robot.urdf.xacro")).toxml())


@cache
def limits() -> Limits:
    """The limits of config/robot.yaml."""
    with open(ROOT / "config" / "robot.yaml", encoding="utf-8") as file:
        return build(Limits, yaml.safe_load(file)["/**"]["ros__parameters"]["limits"])
