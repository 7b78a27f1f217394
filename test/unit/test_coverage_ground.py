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
from mine_robot.coverage.ground import DRIVABLE, FRESH, Ground
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


def touches(ground: Ground, pose: Pose2, turn: float, room: float) -> bool:
    """Whether the tracks, with ``room`` m on all sides, touch closed ground in one of many headings of a turn."""
    for yaw in np.linspace(pose.yaw, pose.yaw + turn, 200):
        window, touched = ground.rectangle(Pose2(pose.x, pose.y, yaw), ground.footprint.box.grown(room), touching=True)
        if (touched & ~ground.all_of(DRIVABLE, window)).any():
            return True
    return False


@pytest.mark.parametrize("seed", range(40))
def test_a_turn_needs_the_room_it_takes_and_hardly_more(seed: int):
    """Against many headings between: none may touch closed ground, and half a centimetre of room on all sides is always enough."""
    rng = np.random.default_rng(seed)
    ground = corridor(rng.choice([0.525, 0.575, 0.625]))
    pose = Pose2(5.0, rng.uniform(-0.02, 0.02), rng.uniform(-0.02, 0.02))
    for turn in rng.uniform(-0.3, 0.3, size=20):
        free = ground.can_pivot(pose, pose.yaw + turn)
        assert not (free and touches(ground, pose, turn, 0.0))
        assert free or touches(ground, pose, turn, 0.005)


@pytest.mark.parametrize("seed", range(20))
def test_a_sweep_that_counts_nothing_opens_nothing(seed: int):
    """A plan may leave out a sweep without a gain: no later move may depend on it."""
    rng = np.random.default_rng(seed)
    ground = corridor(0.6)
    for _ in range(60):
        pose = Pose2(rng.uniform(0.0, 5.0), rng.uniform(-0.6, 0.6), rng.choice([0.0, 0.0, rng.uniform(-0.2, 0.2)]))
        before, length = ground.cells.copy(), rng.uniform(0.0, 4.0)
        changed = ground.sweep(pose, length)
        assert (changed > 0) == bool(((ground.cells ^ before) & ~FRESH).any())
        assert ground.sweep(pose, length) == 0
