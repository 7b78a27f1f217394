"""The hazard area divides into searched ground and gaps, without a remainder and without rounding up."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import MultiPolygon

from mine_robot.core.field import Field
from mine_robot.core.geodesy import Datum
from mine_robot.core.types import Cell, LedgerGrid
from mine_robot.coverage.gaps import HALO, NEAR_BORDER, NEAR_HALO, NEAR_NO_GO, NO_GO, UNREACHABLE, gap_area
from mine_robot.records.ground import NOT_SEARCHED, Ground, partition

RESOLUTION = 0.1
REACH = 0.7  # m


def field(no_go: MultiPolygon | None = None) -> Field:
    hazard = MultiPolygon([shapely.box(0.0, 0.0, 10.0, 5.0)])
    safe = MultiPolygon([shapely.box(0.0, -3.0, 10.0, 0.0)])
    return Field("f", "", Datum(40.0, 47.0), hazard, safe, no_go or MultiPolygon(), np.empty((0, 2)))


def grid(fill: Cell = Cell.PENDING) -> LedgerGrid:
    """Cells over [-1, 11] x [-4, 6], the hazard area filled."""
    cells = np.full((100, 120), Cell.OUTSIDE, dtype=np.int8)
    cells[10:40, 10:110] = Cell.SAFE
    cells[40:90, 10:110] = fill
    return LedgerGrid(0.0, -1.0, -4.0, RESOLUTION, cells)


def check(ground: Ground, area: float) -> None:
    """Searched ground and gaps are disjoint and fill the hazard area."""
    pieces = [ground.searched, *(gap_area(gap) for gap in ground.gaps)]
    assert sum(piece.area for piece in pieces) == pytest.approx(area, abs=1e-2)
    assert shapely.union_all(pieces).area == pytest.approx(area, abs=1e-2)


def test_everything_searched_is_full_coverage() -> None:
    ground = partition(field(), grid(Cell.SEARCHED), REACH)
    assert ground.coverage == pytest.approx(1.0, abs=1e-6)
    assert ground.gaps == ()
    check(ground, 50.0)


def test_without_a_ledger_nothing_was_searched() -> None:
    ground = partition(field(), None, REACH)
    assert (ground.searched_m2, ground.coverage) == (0.0, 0.0)
    assert ground.gaps_by_reason() == {NOT_SEARCHED: pytest.approx(50.0)}


def test_ground_left_pending_counts_against_coverage() -> None:
    ledger = grid(Cell.SEARCHED)
    ledger.cells[40:90, 60:110] = Cell.PENDING
    ground = partition(field(), ledger, REACH)
    assert ground.coverage == pytest.approx(0.5, abs=1e-3)
    assert ground.gaps_by_reason() == {NOT_SEARCHED: pytest.approx(25.0, abs=0.01)}


def test_excused_gaps_do_not_count_against_coverage_but_are_listed() -> None:
    no_go = MultiPolygon([shapely.box(0.0, 4.0, 1.0, 5.0)])
    ledger = grid(Cell.SEARCHED)
    ledger.cells[40:50, 100:110] = Cell.HALO  # the corner at [9, 10] x [0, 1]
    ledger.cells[40:50, 95:100] = Cell.GAP  # a strip beside it
    ledger.cells[80:90, 20:25] = Cell.GAP  # beside the no-go zone
    ledger.cells[50:90, 105:110] = Cell.GAP  # along the eastern border
    ledger.cells[50:70, 50:70] = Cell.GAP  # an island
    ground = partition(field(no_go), ledger, REACH)
    wanted = {NO_GO: 1.0, HALO: 1.0, NEAR_HALO: 0.5, NEAR_NO_GO: 0.5, NEAR_BORDER: 2.0, UNREACHABLE: 4.0}
    assert ground.gaps_by_reason() == {reason: pytest.approx(area, abs=0.01) for reason, area in wanted.items()}
    assert ground.coverage == pytest.approx(1.0, abs=1e-4)
    assert ground.gaps_m2 == pytest.approx(9.0, abs=0.02)
    check(ground, 50.0)


def test_cells_that_a_no_go_zone_touches_are_listed_with_it() -> None:
    no_go = MultiPolygon([shapely.box(4.03, 2.03, 6.05, 3.07)])
    ledger = grid(Cell.SEARCHED)
    ledger.cells[60:71, 50:71] = Cell.OUTSIDE  # [4, 6.1] x [2, 3.1]: closed as whole cells
    ground = partition(field(no_go), ledger, REACH)
    zone, closed = 2.02 * 1.04, 2.1 * 1.1
    wanted = {NO_GO: zone, NEAR_NO_GO: closed - zone}
    assert ground.gaps_by_reason() == {reason: pytest.approx(area, abs=1e-4) for reason, area in wanted.items()}
    assert ground.coverage == pytest.approx(1.0, abs=1e-6)
    check(ground, 50.0)


def test_cells_beyond_the_border_add_no_area() -> None:
    ledger = grid(Cell.SEARCHED)
    ledger.cells[:] = Cell.SEARCHED
    assert partition(field(), ledger, ()).searched_m2 == pytest.approx(50.0, abs=1e-3)


@pytest.mark.parametrize("seed", range(8))
def test_any_ledger_divides_the_area_without_remainder(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ledger = grid()
    states = [Cell.SEARCHED, Cell.PENDING, Cell.GAP, Cell.HALO]
    coarse = rng.choice([int(state) for state in states], size=(10, 20))
    ledger.cells[40:90, 10:110] = np.kron(coarse, np.ones((5, 5), dtype=np.int8))
    ground = partition(field(MultiPolygon([shapely.Point(5.0, 2.0).buffer(1.0)])), ledger, REACH)
    check(ground, 50.0)
    assert 0.0 <= ground.coverage <= 1.0
