"""``mine-robot slopes``: a height model becomes no-go zones and a lane direction in a field file, which people can look at."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import shapely

from mine_robot.bringup.resources import resource
from mine_robot.bringup.saving import FIELD, SLOPES, check_output, save_text
from mine_robot.core.field import Field, FieldError, field_from_geojson
from mine_robot.core.json_text import to_json
from mine_robot.core.types import Cell
from mine_robot.coverage.border import main_directions
from mine_robot.coverage.gaps import TOO_STEEP, TOO_STEEP_ACROSS
from mine_robot.coverage.ledger import Ledger
from mine_robot.coverage.slopes import SlopeError, Slopes, Steep, slopes_of, steep_ground
from mine_robot.pipeline.heights import read_heights
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_field, load_robot, read_collection
from mine_robot.pipeline.voids import level_heights, without_voids

BESIDE_M = 0.3  # around the ground: no track gets farther
GRID_DEG = 1e-9  # 0.1 mm
OWN = (TOO_STEEP, TOO_STEEP_ACROSS)


def write_slopes(path: Path, dem: Path, out: Path, system: str | None, overlays: tuple[Path, ...]) -> list[str]:
    """Write the field of ``path`` with what the heights of ``dem`` forbid; returns what that is, in lines.

    What an earlier call wrote into the field is replaced. Raises :class:`LoadError` with one line.
    """
    check_output(out, FIELD, (path, dem, *overlays))
    content = read_collection(path)
    load_field(path)
    robot = load_robot(resource("urdf/mine_robot.urdf.xacro"))
    params = ParameterFiles([resource("config/robot.yaml"), *overlays]).build("planner")
    features = [item for item in content["features"] if item["properties"].get("reason") not in OWN]
    for item in features:
        item["properties"].pop("lane_heading_deg", None)
    field = field_from_geojson({**content, "features": features}, source=str(path))
    try:
        pending = Ledger(field, robot, params.limits, params.resolution).grid(0.0).cells == Cell.PENDING
        heights, said = without_voids(read_heights(dem, field, system), field, str(dem))
        slopes = slopes_of(heights, field, robot.front - robot.rear)
    except (SlopeError, FieldError) as error:
        raise LoadError(f"{dem if isinstance(error, SlopeError) else path}: {error}") from None
    steep = steep_ground(slopes, field, main_directions(pending, params.directions), params)
    if steep.lane_direction is not None:
        for item in features:
            if item["properties"]["role"] == "hazard_area":
                item["properties"]["lane_heading_deg"] = heading_deg(steep.lane_direction)
    features += [_no_go(field, reason, area) for reason, area in steep.excluded]
    save_text(out, to_json({**content, "written_by": SLOPES, "features": features}, indent=1))
    level = level_heights(heights, field) * slopes.spacing**2
    if level > 0.0:
        said.append(
            f"{level:.1f} m2 of the field have one and the same height, as water or a filled hole has: look at the place"
        )
    return [*said, *_lines(field, slopes, steep, params.slope_max, out)]


def heading_deg(direction: float) -> float:
    """A lane direction in rad as degrees clockwise from north, 0 to 180: lanes are driven both ways."""
    return round((90.0 - math.degrees(direction)) % 180.0, 2)


def _no_go(field: Field, reason: str, area: shapely.Geometry) -> dict[str, Any]:
    """A feature of the field file."""
    near = shapely.union_all([field.hazard, field.safe]).buffer(BESIDE_M)
    degrees = shapely.transform(area.intersection(near), lambda c: field.datum.to_wgs84(c[:, 0], c[:, 1])[:, :2])
    degrees = shapely.set_precision(degrees, GRID_DEG)  # stays valid, as rounding would not
    parts = [part for part in shapely.get_parts(degrees) if part.geom_type == "Polygon"]
    geometry = shapely.geometry.mapping(shapely.MultiPolygon(parts))
    return {"type": "Feature", "properties": {"role": "no_go", "reason": reason}, "geometry": geometry}


def _lines(field: Field, slopes: Slopes, steep: Steep, slope_max: float, out: Path) -> list[str]:
    inside = slopes.within(shapely.union_all([field.hazard, field.safe]))
    steepest = math.degrees(math.atan(float(slopes.steepest[inside].max())))
    lines = [
        f"heights every {slopes.spacing:.2f} m; steepest ground {steepest:.1f}°, limit {math.degrees(slope_max):.1f}°"
    ]
    if slopes.spacing > slopes.resolution * 5:
        lines.append("banks that are narrower than that are not in these heights: look at the place")
    if slopes.filled_m2 > 0.0:
        lines.append(
            f"holes in the heights: {slopes.filled_m2:.1f} m2 of the field are filled from around: look at the place"
        )
    for reason, area in steep.excluded:
        lines.append(f"{reason}: {area.intersection(field.hazard).area:.1f} m2 of {field.area:.1f} m2 to search")
    if steep.lane_direction is not None:
        lines.append(f"lanes along {heading_deg(steep.lane_direction):.0f}° from north, up and down the slope")
    return [*lines, f"-> {out}"]
