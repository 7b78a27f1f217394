"""Single moves checked on the raster of the ledger."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coverage_setup import limits, robot

from mine_robot.core.types import Cell, LedgerGrid, Pose2
from mine_robot.coverage.footprint import Footprint
from mine_robot.coverage.ground import Ground
from mine_robot.coverage.params import CoverageParams

RES = 0.05


def corridor(half_width: float) -> Ground:
    """Ground 10 m long along x, drivable within ``half_width`` of y = 0."""
    y = (np.arange(80) + 0.5) * RES - 2.0
    cells = np.full((80, 240), Cell.PENDING, dtype=np.int8)
    cells[np.abs(y) <= half_width] = Cell.SEARCHED
    grid = LedgerGrid(0.0, -1.0, -2.0, RES, cells)
    return Ground(grid, Footprint.of(robot(), limits(), CoverageParams()))


@pytest.mark.parametrize(
    "offset, turned", [(0.02, 0.0), (-0.02, 0.0), (0.0, math.radians(0.3)), (0.01, math.radians(-0.3))]
)
def test_the_first_drive_needs_no_room_for_an_error_of_tracking(offset: float, turned: float):
    """A robot that stands as far off its lane as the tolerance allows can still back out of it."""
    ground = corridor(0.5)
    planned, real = Pose2(8.0, 0.0, 0.0), Pose2(8.0, offset, turned)
    assert ground.can_drive(planned, -6.0)
    assert not ground.can_drive(real, -6.0)
    assert ground.can_drive(real, -6.0, ground.standing(real))


def test_the_first_drive_still_keeps_the_tracks_on_good_ground():
    ground = corridor(0.5)
    real = Pose2(8.0, 0.0, math.radians(2.0))
    assert not ground.can_drive(real, -6.0, ground.standing(real))


def test_where_the_robot_may_turn_neither_tracks_nor_head_touch_what_they_must_not():
    """Any heading from any other: a plan once ended beside a no-go zone, where the tracks could turn and the head could not."""
    rng = np.random.default_rng(3)
    cells = np.full((160, 160), Cell.SEARCHED, dtype=np.int8)
    cells[:, 120:] = Cell.PENDING
    obstacles = np.zeros(cells.shape, dtype=bool)
    obstacles[70:85, 40:55] = True
    cells[obstacles] = Cell.OUTSIDE
    grid = LedgerGrid(0.0, 0.0, 0.0, RES, cells)
    ground = Ground(grid, Footprint.of(robot(), limits(), CoverageParams()), obstacles)
    rows, cols = np.nonzero(ground.pivotable())
    assert len(rows) > 1000
    for i in rng.integers(len(rows), size=200):
        x, y = ground.centre(int(rows[i]), int(cols[i]))
        assert ground.can_pivot(Pose2(x, y, rng.uniform(-3.0, 3.0)), rng.uniform(-3.0, 3.0))
