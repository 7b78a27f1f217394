"""A robot that stands across a corridor, its nose at the halo of what it has just found."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coverage_setup import limits, robot

from mine_robot.core.raster import stamp_disc
from mine_robot.core.types import Cell, LedgerGrid, Pose2
from mine_robot.coverage.escape import drive_moves, ways_out
from mine_robot.coverage.ground import Footprint, Ground
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.route import Route
from mine_robot.coverage.transit import TurningGround

RESOLUTION = 0.05


def shut_in(width: float, aside: float) -> tuple[Route, TurningGround]:
    """A corridor of ``width`` m; the target lies ``aside`` m within its left edge, the robot points at it from 0.9 m."""
    cells = np.full((240, 80), Cell.OUTSIDE, dtype=np.int8)
    cells[4:220, 4 : 4 + round(width / RESOLUTION)] = Cell.SEARCHED
    halo = np.zeros(cells.shape, dtype=bool)
    stamp_disc(halo, 0.0, 0.0, RESOLUTION, 0.2 + aside, 5.0, 0.3)
    cells[halo] = Cell.HALO
    grid = LedgerGrid(0.0, 0.0, 0.0, RESOLUTION, cells)
    ground = Ground(grid, Footprint.of(robot(), limits(), CoverageParams()))
    return Route(ground, Pose2(0.2 + aside + 0.9, 5.05, math.pi), limits()), TurningGround(ground)


@pytest.mark.parametrize("width", [2.1, 2.2])
def test_small_turns_and_drives_lead_out(width: float) -> None:
    route, turning = shut_in(width, 0.30 if width < 2.15 else 0.35)
    moves = next(iter(ways_out(route, turning)))
    assert drive_moves(route, moves)  # every move is checked on the ground once more
    assert turning.label(route.pose.x, route.pose.y) > 0


def test_where_there_is_no_room_there_is_no_way() -> None:
    route, turning = shut_in(2.0, 0.45)
    assert list(ways_out(route, turning)) == []
