"""Gaps: ground that a plan leaves unsearched, as polygons in ``map`` with area and reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon

from mine_robot.core.field import Field
from mine_robot.core.types import LedgerGrid, PlanGap

HALO = "target halo"
NO_GO = "no-go zone"
TOO_STEEP = "too steep"
TOO_STEEP_ACROSS = "too steep across the lanes"
NEAR_HALO = "too close to a target halo"
NEAR_NO_GO = "too close to a no-go zone"
NEAR_BORDER = "too close to the border of the field"
UNREACHABLE = "unreachable: no safe or searched ground leads there"
NOT_PROVEN = "swept twice without proof"
MIN_AREA = 1e-4  # m²; smaller is rounding


def cells_to_area(mask: NDArray[np.bool_], x0: float, y0: float, resolution: float) -> MultiPolygon:
    """Union of the cells of ``mask`` (rows, columns), row 0 at the south, as polygons with square corners."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    row, first = np.nonzero(steps == 1)
    _, last = np.nonzero(steps == -1)
    south = y0 + row * resolution
    boxes = shapely.box(x0 + first * resolution, south, x0 + last * resolution, south + resolution)
    # Neighbouring runs share corners that rounding sets apart by 1e-16 m; a fine grid brings them together.
    return _polygons(shapely.union_all(boxes, grid_size=1e-6))


def to_gaps(area: shapely.Geometry, reason: str) -> Iterator[PlanGap]:
    """One gap for each polygon of ``area`` that is larger than rounding."""
    for polygon in _polygons(area).geoms:
        if polygon.area > MIN_AREA:
            rings = (polygon.exterior, *polygon.interiors)
            yield PlanGap(tuple(np.array(ring.coords)[:, :2] for ring in rings), float(polygon.area), reason)


def relabelled(found: Iterable[PlanGap], area: shapely.Geometry, reason: str) -> Iterator[PlanGap]:
    """``found``, with ``reason`` for all ground in ``area``."""
    for gap in found:
        yield from to_gaps(gap_area(gap).difference(area), gap.reason)
    yield from to_gaps(area, reason)


def clip_to_hazard(gaps: Iterable[PlanGap], field: Field) -> tuple[PlanGap, ...]:
    """``gaps`` of a raster, cut to the field's hazard area, with its no-go zones added; none overlaps another."""
    no_go = field.hazard.intersection(field.no_go)
    clipped: list[PlanGap] = []
    for reason, area in field.excluded:
        clipped += to_gaps(no_go.intersection(area), reason)
        no_go = no_go.difference(area)
    clipped += to_gaps(no_go, NO_GO)
    searchable = field.hazard.difference(field.no_go)
    for gap in gaps:
        clipped += to_gaps(gap_area(gap).intersection(searchable), gap.reason)
    return tuple(clipped)


def gap_area(gap: PlanGap) -> Polygon:
    """The polygon of a gap."""
    return Polygon(gap.rings[0], gap.rings[1:])


def _polygons(geometry: shapely.Geometry) -> MultiPolygon:
    return MultiPolygon([part for part in shapely.get_parts(geometry, return_index=False) if isinstance(part, Polygon)])


def cells_within(found: Iterable[PlanGap], grid: LedgerGrid) -> NDArray[np.bool_]:
    """Cells (rows, columns) whose centres lie in one of the gaps."""
    mask = np.zeros(grid.cells.shape, dtype=bool)
    areas = [gap_area(gap) for gap in found]
    if not areas:
        return mask
    x = grid.x0 + (np.arange(mask.shape[1]) + 0.5) * grid.resolution
    y = grid.y0 + (np.arange(mask.shape[0]) + 0.5) * grid.resolution
    area = shapely.union_all(areas)
    shapely.prepare(area)
    mask[:] = shapely.contains_xy(area, *np.meshgrid(x, y))
    return mask
