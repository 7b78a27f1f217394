"""The ledger books ground by evidence, and nothing without."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coverage_setup import limits, robot
from random_fields import field_of, target_at

from mine_robot.core.types import Cell, Release, SweepEvidence
from mine_robot.coverage.ledger import Ledger, _share, counts

RES = 0.05


def make_ledger(**options) -> Ledger:
    field = field_of(shapely.box(0, 0, 4, 4), shapely.box(0, -3, 4, 0), **options)
    return Ledger(field, robot(), limits(), RES)


def sweep(t=10.0, **changes) -> list[SweepEvidence]:
    """Evidence at 20 Hz and 0.5 m/s along a lane to the north."""
    ys = np.arange(-0.5, 4.5, 0.025)
    record = SweepEvidence(t, 2.0, -0.5, math.pi / 2, 0.012, 0.06, 0.5, True, True)
    return [dataclasses.replace(record, **{"t": t + 0.05 * i, "y": float(y), **changes}) for i, y in enumerate(ys)]


def test_books_the_lane_that_was_swept():
    ledger = make_ledger()
    ledger.add(sweep())
    assert ledger.hazard_area == pytest.approx(16.0, abs=1e-3)
    width = robot().sweep_width - 2 * (0.012 + RES / 2)
    assert ledger.searched_area == pytest.approx(4.0 * width, abs=4.0 * RES)
    assert ledger.searched_area <= 4.0 * (width + 2 * RES)


def test_searched_cells_lie_within_the_swept_ground():
    """Never too much, on any heading: a cell is booked only if its centre lies between the shortened lines."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        ledger = make_ledger()
        yaw, sigma = rng.uniform(-math.pi, math.pi), rng.uniform(0.0, 0.03)
        x, y = rng.uniform(1, 3, 2)
        steps = np.arange(30) * 0.025
        ledger.add(
            SweepEvidence(0.05 * i, x + s * math.cos(yaw), y + s * math.sin(yaw), yaw, sigma, 0.06, 0.5, True, True)
            for i, s in enumerate(steps)
        )
        zones = ledger.zones
        row, col = np.nonzero(ledger.searched)
        px, py = zones.x0 + (col + 0.5) * RES - x, zones.y0 + (row + 0.5) * RES - y
        along, across = math.cos(yaw) * px + math.sin(yaw) * py, math.cos(yaw) * py - math.sin(yaw) * px
        half = robot().sweep_width / 2 - sigma
        inset = math.sqrt(0.5) * RES  # the whole cell was passed
        assert along.min() >= inset - 1e-6
        assert along.max() <= steps[-1] - inset + 1e-6
        assert np.abs(across).max() <= half - inset + 1e-6
        assert len(row) * RES**2 == pytest.approx(2 * (half - inset) * (steps[-1] - 2 * inset), rel=0.1)


@pytest.mark.parametrize(
    "changes",
    [
        {"gpr_ok": False},
        {"metal_ok": False},
        {"height": 0.3},
        {"height": 0.001},
        {"height": math.nan},
        {"sigma": 0.031},
        {"sigma": math.nan},
        {"sigma": math.inf},
        {"speed": 0.7},
        {"speed": -0.5},
        {"speed": 0.0},
        {"speed": math.nan},
        {"x": math.nan},
        {"yaw": math.nan},
    ],
)
def test_evidence_that_fails_a_limit_books_nothing(changes):
    records = sweep(**changes)
    assert not counts(records[0], limits())
    ledger = make_ledger()
    ledger.add(records)
    assert not ledger.searched.any()


def test_bad_records_leave_a_gap():
    records = sweep()
    for i in (99, 100, 101):
        records[i] = dataclasses.replace(records[i], gpr_ok=False)
    ledger = make_ledger()
    ledger.add(records)
    zones = ledger.zones
    column = ledger.searched[:, round((2.0 - zones.x0) / RES)]
    row = math.floor((records[100].y - zones.y0) / RES)
    assert not column[row - 1 : row + 2].all()
    assert column[row - 5] and column[row + 5]


@pytest.mark.parametrize("change", ["late", "jump", "backwards", "sideways", "turn", "standing"])
def test_motion_that_is_no_sweep_books_nothing(change):
    first = SweepEvidence(0.0, 2.0, 2.0, 0.0, 0.01, 0.06, 0.5, True, True)
    second = dataclasses.replace(first, t=0.05, x=2.025)
    assert _booked(first, dataclasses.replace(second, x=2.12)) > 0
    changed = {
        "late": {"t": 0.5, "x": 2.1},
        "jump": {"x": 2.4},
        "backwards": {"x": 1.9},
        "sideways": {"x": 2.0, "y": 2.1},
        "turn": {"x": 2.06, "yaw": 0.3},
        "standing": {"x": 2.0},
    }[change]
    assert _booked(first, dataclasses.replace(second, **changed)) == 0


def _booked(*records: SweepEvidence) -> int:
    ledger = make_ledger()
    ledger.add(records)
    return int(ledger.searched.sum())


def test_standing_still_with_a_jittering_estimate_books_nothing():
    rng = np.random.default_rng(0)
    record = SweepEvidence(0.0, 2.0, 2.0, 0.0, 0.01, 0.06, 0.004, True, True)
    ledger = make_ledger()
    ledger.add([dataclasses.replace(record, t=0.05 * i, x=2.0 + rng.normal(0, 0.005)) for i in range(200)])
    assert not ledger.searched.any()


def test_a_heading_that_trembles_leaves_no_cell_out():
    rng = np.random.default_rng(3)
    records = [dataclasses.replace(r, yaw=r.yaw + rng.normal(0.0, 0.01), sigma=0.01) for r in sweep()]
    ledger = make_ledger()
    ledger.add(records)
    zones = ledger.zones
    row, col = np.nonzero(~ledger.searched)
    x, y = zones.x0 + (col + 0.5) * RES, zones.y0 + (row + 0.5) * RES
    assert not ((np.abs(x - 2.0) < 0.53) & (y > -0.3) & (y < 4.3)).any()


def test_standing_still_on_a_lane_leaves_no_gap():
    records = sweep()
    stop = records[100]
    wait = [dataclasses.replace(stop, t=stop.t + 0.05 * (i + 1), speed=0.0) for i in range(100)]
    rest = [dataclasses.replace(record, t=record.t + 5.0) for record in records[101:]]
    ledger, straight = make_ledger(), make_ledger()
    ledger.add([*records[:101], *wait, *rest])
    straight.add(records)
    assert np.array_equal(ledger.searched, straight.searched)
    broken = make_ledger()
    broken.add([*records[:101], *(dataclasses.replace(record, gpr_ok=False) for record in wait), *rest])
    assert broken.searched.sum() < straight.searched.sum()


def test_a_second_pass_is_counted_once():
    ledger = make_ledger()
    ledger.add(sweep(t=10.0))
    ledger.add(sweep(t=100.0))
    cell = round((2.0 - ledger.zones.y0) / RES), round((2.0 - ledger.zones.x0) / RES)
    assert ledger.passes[cell] == 2
    assert ledger.last_seen[cell] > 100.0


def test_cells_of_the_grid():
    ledger = make_ledger(no_go=shapely.box(3.02, 3.02, 3.5, 3.5), known=[(1.0, 1.0)])
    ledger.add(sweep())
    grid = ledger.grid(5.0)

    def at(x, y):
        return Cell(grid.cells[math.floor((y - grid.y0) / RES), math.floor((x - grid.x0) / RES)])

    assert grid.t == 5.0
    assert at(1.0, -1.0) is Cell.SAFE
    assert at(2.0, 2.0) is Cell.SEARCHED
    assert at(3.2, 1.0) is Cell.PENDING
    assert at(3.2, 3.2) is Cell.OUTSIDE
    assert at(3.01, 3.2) is Cell.OUTSIDE  # touches the no-go zone
    assert at(1.0, 1.2) is Cell.HALO
    assert at(-0.5, 1.0) is Cell.OUTSIDE
    assert at(2.0, -0.2) is Cell.SAFE  # swept as well, and no less safe


def test_halos_follow_the_targets():
    ledger = make_ledger()
    ledger.set_targets([target_at(1, 2.0, 2.0), target_at(2, 3.0, 3.0, p_hazard=0.002), target_at(3, math.nan, 1.0)])
    area = ledger.halo.sum() * RES**2
    assert math.pi * 0.3**2 <= area <= math.pi * (0.3 + 2 * RES) ** 2
    before = ledger.halo.copy()
    assert not ledger.set_targets([])  # a list takes nothing away
    assert np.array_equal(ledger.halo, before)
    assert ledger.release([Release(1, 2.0, 2.0)])
    assert not ledger.halo.any()


def test_ground_between_borders_that_should_coincide_is_searched():
    field = field_of(shapely.box(0, 0, 4, 4), shapely.box(0, -3, 4, -0.08))
    grid = Ledger(field, robot(), limits(), RES).grid(0.0)
    column = grid.cells[:, round((2.0 - grid.x0) / RES)]
    rows = slice(round((-1.0 - grid.y0) / RES), round((1.0 - grid.y0) / RES))
    assert not (column[rows] == Cell.OUTSIDE).any()


def test_snapshot_survives_and_must_fit():
    ledger = make_ledger()
    ledger.add(sweep())
    other = make_ledger()
    other.restore(ledger.snapshot())
    assert np.array_equal(other.grid(0.0).cells, ledger.grid(0.0).cells)
    assert other.searched_area == ledger.searched_area
    with pytest.raises(ValueError, match="searched"):
        other.restore({"searched": np.zeros((2, 2), dtype=bool)})


def test_the_raster_knows_an_island_in_a_lake() -> None:
    lake = shapely.box(0, 0, 6, 6).difference(shapely.box(1, 1, 5, 5))
    island = shapely.box(2, 2, 4, 4)
    for parts in ([lake, island], [island, lake]):
        share = _share(shapely.MultiPolygon(parts), -0.5, -0.5, 0.05, 140, 140)
        assert share.sum() * 0.05**2 == pytest.approx(20.0 + 4.0, abs=1e-3)
        assert share[60 + 10, 60 + 10] == 1.0 and share[35, 35] == 0.0 and share[5, 5] == 0.0
