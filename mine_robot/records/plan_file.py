"""The plan as a GeoJSON file that anyone can check without this code."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mine_robot.core.field import Field
from mine_robot.core.limits import Limits
from mine_robot.core.robot import Robot
from mine_robot.core.types import Array, Plan, PlanGap, PlanStep

DEGREE_DIGITS = 9  # 0.1 mm


def plan_to_geojson(plan: Plan, field: Field, robot: Robot, limits: Limits, planning_s: float) -> dict[str, Any]:
    """FeatureCollection in driving order: the track of ``base_link``, then the gaps.

    ``summary.coverage`` is searched / (hazard area - gaps): 1 for a plan, which searches all ground that it does not list as a gap;
    ``summary.covered`` is the share of the whole hazard area. ``planning_s`` is how long the planning took.
    """
    features = [_step_feature(step, order, field) for order, step in enumerate(plan.steps)]
    features += [_gap_feature(gap, field) for gap in plan.gaps]
    gaps_m2 = sum(gap.area for gap in plan.gaps)
    reachable = field.area - gaps_m2
    return {
        "type": "FeatureCollection",
        "name": field.name,
        "imsma_id": field.imsma_id,
        "summary": {
            "lanes": sum(step.sweep for step in plan.steps),
            "length_m": round(plan.length, 3),
            "duration_s": round(plan.duration, 1),
            "coverage": 1.0 if reachable > 0.0 and plan.steps else 0.0,
            "covered": round(max(reachable, 0.0) / field.area, 6),
            "gaps_m2": round(gaps_m2, 4),
            "planning_s": round(planning_s, 3),
        },
        "robot": {
            "sweep_width_m": round(robot.sweep_width, 6),
            "sweep_ahead_m": round(robot.sweep_ahead, 6),
            "contact_patches": [
                {"x_min": p.x_min, "x_max": p.x_max, "y_min": p.y_min, "y_max": p.y_max} for p in robot.contact_patches
            ],
            "tolerance_m": round(limits.patch_growth, 6),
        },
        "features": features,
    }


def _step_feature(step: PlanStep, order: int, field: Field) -> dict[str, Any]:
    ends = np.array([[step.start.x, step.start.y], [step.end.x, step.end.y]])
    places = _degrees(ends, field)
    if step.is_pivot:
        geometry: dict[str, Any] = {"type": "Point", "coordinates": places[0]}
        properties: dict[str, Any] = {
            "order": order,
            "kind": "pivot",
            "from_heading_deg": heading_deg(step.start.yaw),
            "to_heading_deg": heading_deg(step.end.yaw),
        }
    else:
        geometry = {"type": "LineString", "coordinates": places}
        properties = {"order": order, "kind": step.kind.value, "reverse": step.reverse, "sweep": step.sweep}
        properties["speed_mps"] = step.speed
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _gap_feature(gap: PlanGap, field: Field) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [_degrees(ring, field) for ring in gap.rings]}
    properties = {"kind": "gap", "area_m2": round(gap.area, 4), "reason": gap.reason}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _degrees(points: Array, field: Field) -> list[list[float]]:
    """Map points (n, 2) as [longitude, latitude]."""
    places = np.round(field.datum.to_wgs84(points[:, 0], points[:, 1])[:, :2], DEGREE_DIGITS)
    return [[float(lon), float(lat)] for lon, lat in places]


def heading_deg(yaw: float) -> float:
    """Heading in degrees clockwise from north, [0, 360), of a yaw anticlockwise from east."""
    return round((90.0 - math.degrees(yaw)) % 360.0, 6) % 360.0
