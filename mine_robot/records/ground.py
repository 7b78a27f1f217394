"""What became of the hazard area: searched ground, and every gap with its reason. The two add up to the whole."""

from __future__ import annotations

from dataclasses import dataclass

import shapely
from shapely import MultiPolygon
from shapely.geometry.base import BaseGeometry

from mine_robot.core.field import TOUCH_TOLERANCE_M, Field
from mine_robot.core.types import Cell, LedgerGrid, PlanGap
from mine_robot.coverage.gaps import (
    HALO,
    NEAR_BORDER,
    NEAR_HALO,
    NEAR_NO_GO,
    NO_GO,
    UNREACHABLE,
    cells_to_area,
    to_gaps,
)

NOT_SEARCHED = "not searched: the mission ended before"
COLLINEAR = 1e-4  # m: corners of cells closer to a straight line than this carry no shape


@dataclass(frozen=True)
class Ground:
    """A partition of the hazard area: ``searched`` and ``gaps``. ``halo`` are the halos of the targets, beyond it too."""

    hazard_m2: float
    searched: MultiPolygon
    halo: MultiPolygon
    gaps: tuple[PlanGap, ...]

    @property
    def searched_m2(self) -> float:
        """Searched hazard area outside of halos, m²."""
        return float(self.searched.area)

    @property
    def gaps_m2(self) -> float:
        """Hazard area that is not searched, whatever the reason, m²."""
        return float(sum(gap.area for gap in self.gaps))

    @property
    def passed_m2(self) -> float:
        """Area the head passed, for rates: searched ground and halos, or all of the hazard area where there is neither, m²."""
        return self.searched_m2 + self.gaps_by_reason().get(HALO, 0.0) or self.hazard_m2

    @property
    def coverage(self) -> float:
        """Searched share of what could have been searched: a gap that could have been reached counts against it."""
        excused = sum(gap.area for gap in self.gaps if gap.reason != NOT_SEARCHED)
        possible = self.hazard_m2 - excused
        return min(self.searched_m2 / possible, 1.0) if possible > 1e-6 else 0.0

    def gaps_by_reason(self) -> dict[str, float]:
        """Area in m² for each reason, the largest first."""
        areas: dict[str, float] = {}
        for gap in self.gaps:
            areas[gap.reason] = areas.get(gap.reason, 0.0) + gap.area
        return dict(sorted(areas.items(), key=lambda item: -item[1]))


def partition(field: Field, grid: LedgerGrid | None, reach: float) -> Ground:
    """Divide the hazard area by the last state of the ledger; without one, nothing was searched.

    Gaps of the ledger take their reason from what lies within ``reach`` m of all of their ground. Ground in a no-go
    zone or halo is never counted as searched, and cells that touch a no-go zone are closed as a whole. What is neither searched nor
    excused is :data:`NOT_SEARCHED`.
    """
    halo = _cells(grid, Cell.HALO)
    searched = polygons(_cells(grid, Cell.SEARCHED).intersection(field.hazard.difference(field.no_go)))
    border = shapely.union_all(shapely.buffer([field.hazard, field.safe], TOUCH_TOLERANCE_M / 2.0)).boundary
    pieces: list[tuple[str, BaseGeometry]] = [*field.excluded, (NO_GO, field.no_go), (HALO, halo)]
    obstacles = ((NEAR_HALO, halo), (NEAR_NO_GO, field.no_go), (NEAR_BORDER, border))
    zones = [(name, obstacle.buffer(reach)) for name, obstacle in obstacles]
    for part in _cells(grid, Cell.GAP).geoms:
        near = (name for name, zone in zones if zone.contains(part))
        pieces.append((next(near, UNREACHABLE), part))
    if not field.no_go.is_empty:
        pieces.append((NEAR_NO_GO, _cells(grid, Cell.OUTSIDE)))  # of the hazard area, those that touch a no-go zone
    pieces.append((NOT_SEARCHED, field.hazard))
    left: BaseGeometry = field.hazard.difference(searched)
    gaps: list[PlanGap] = []
    for reason, area in pieces:
        gaps += to_gaps(left.intersection(area), reason)
        left = left.difference(area)
    return Ground(float(field.hazard.area), searched, halo, tuple(gaps))


def _cells(grid: LedgerGrid | None, state: Cell) -> MultiPolygon:
    """The cells of one state as polygons without superfluous corners."""
    if grid is None or not (grid.cells == state).any():
        return MultiPolygon()
    area = cells_to_area(grid.cells == state, grid.x0, grid.y0, grid.resolution)
    return polygons(shapely.simplify(area, COLLINEAR))


def polygons(geometry: BaseGeometry) -> MultiPolygon:
    """The polygons of any geometry, as one."""
    parts = shapely.get_parts(geometry)
    return MultiPolygon([part for part in parts if part.geom_type == "Polygon" and part.area > 0.0])
