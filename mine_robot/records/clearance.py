"""``clearance.geojson``: searched ground, gaps with their reasons, target halos, targets and marks, in WGS-84."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import shapely
from shapely import Point

from mine_robot.core.types import Target
from mine_robot.coverage.gaps import gap_area
from mine_robot.records.geojson import feature, write_collection
from mine_robot.records.run_data import RunData


def write_clearance(path: Path, run: RunData) -> None:
    """Write the collection; ``kind`` tells the features apart, ``name`` and ``imsma_id`` are those of the field."""
    members: dict[str, Any] = {
        "name": run.field.name,
        "imsma_id": run.field.imsma_id,
        "simulation": run.simulated,
        "state": run.outcome.state.value,
        "area_m2": round(run.ground.hazard_m2, 3),
        "searched_m2": round(run.ground.searched_m2, 3),
        "gaps_m2": round(run.ground.gaps_m2, 3),
    }
    write_collection(path, features(run), **members)


def features(run: RunData) -> Iterator[dict[str, Any]]:
    """The features of the collection, polygons before points."""
    common = {"name": run.field.name, "imsma_id": run.field.imsma_id}
    datum = run.field.datum
    for polygon in run.ground.searched.geoms:
        yield feature(polygon, datum, {"kind": "searched", "area_m2": round(polygon.area, 3), **common})
    for gap in run.ground.gaps:
        properties = {"kind": "gap", "reason": gap.reason, "area_m2": round(gap.area, 4), **common}
        yield feature(gap_area(gap), datum, properties)
    for target in run.suspects():
        halo = shapely.buffer(Point(target.x, target.y), run.limits.halo_radius, quad_segs=16)
        properties = {"kind": "halo", "target_id": target.id, "radius_m": run.limits.halo_radius, **common}
        yield feature(halo, datum, properties)
    for target in run.placed_targets():
        yield feature(Point(target.x, target.y), datum, {**_describe(target), **common})
    for mark in run.outcome.marks.values():
        if mark.placed:
            properties = {"kind": "mark", "target_id": mark.target_id, "status": mark.state, **common}
            yield feature(Point(mark.x, mark.y), datum, properties)


def _describe(target: Target) -> dict[str, Any]:
    return {
        "kind": "target",
        "target_id": target.id,
        "class": target.kind.name.lower(),
        "p_hazard": round(target.p_hazard, 4),
        "depth_m": round(target.depth, 3),
        "sigma_m": round(max(target.sigma_x, target.sigma_y), 3),
    }
