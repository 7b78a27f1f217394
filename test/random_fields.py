"""Seeded random fields: convex and concave, with holes, no-go zones, slivers, several parts, and halos to come."""

from __future__ import annotations

import math

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon, affinity

from mine_robot.core.field import Field
from mine_robot.core.geodesy import Datum
from mine_robot.core.types import Target, TargetClass


def field_of(hazard, safe, no_go=None, known=()) -> Field:
    """A field of shapely polygons in ``map``."""
    return Field(
        name="test",
        imsma_id="T-1",
        datum=Datum(39.99, 46.93),
        hazard=_multi(hazard),
        safe=_multi(safe.difference(hazard)),
        no_go=_multi(no_go),
        known_targets=np.array(known, dtype=float).reshape(-1, 2),
    )


def random_field(seed: int) -> Field:
    """One of many shapes of about 20 to 80 m2 beside a safe strip, turned to any angle."""
    rng = np.random.default_rng(seed)
    width, depth = rng.uniform(5.0, 9.0), rng.uniform(4.0, 8.0)
    hazard: Polygon | MultiPolygon = shapely.box(0.0, 0.0, width, depth)
    kind = seed % 6
    if kind == 1:  # concave
        hazard = hazard.difference(shapely.box(width * 0.4, depth * 0.55, width + 1, depth + 1))
    elif kind == 2:  # a well
        hazard = hazard.difference(shapely.Point(width * 0.5, depth * 0.5).buffer(0.6))
    elif kind == 3:  # slanted, with a sliver
        hazard = Polygon([(0, 0), (width, 0), (width + 1.5, depth * 0.4), (width * 0.6, depth), (0.4, depth)])
    elif kind == 4:  # two parts
        hazard = hazard.difference(shapely.box(width * 0.45, -1.0, width * 0.55, depth + 1.0))
    safe = shapely.box(-0.5, -rng.uniform(2.4, 3.0), width + 0.5, 0.0)
    if kind == 5:  # safe ground on two sides
        safe = safe.union(shapely.box(-0.5, depth, width + 0.5, depth + 2.6))
    no_go = shapely.Point(width * 0.7, depth * 0.6).buffer(0.5) if seed % 4 == 3 else None
    known = [(rng.uniform(1.0, width - 1.0), rng.uniform(1.0, depth - 1.0))] if seed % 3 == 1 else []
    angle = rng.uniform(0.0, 360.0)
    turn = lambda shape: None if shape is None else affinity.rotate(shape, angle, origin=(0, 0))  # noqa: E731
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    known = [(cos * x - sin * y, sin * x + cos * y) for x, y in known]
    return field_of(turn(hazard), turn(safe), turn(no_go), known)


def start_pose(field: Field) -> tuple[float, float]:
    """A place in the safe area far from its border."""
    circle = shapely.maximum_inscribed_circle(max(field.safe.geoms, key=lambda part: part.area), tolerance=0.05)
    return circle.coords[0]


def random_targets(field: Field, seed: int, count: int) -> list[Target]:
    """Hazards somewhere in the hazard area."""
    rng = np.random.default_rng(seed)
    west, south, east, north = field.hazard.bounds
    targets: list[Target] = []
    while len(targets) < count:
        x, y = rng.uniform(west, east), rng.uniform(south, north)
        if shapely.contains_xy(field.hazard, x, y):
            targets.append(target_at(len(targets) + 1, float(x), float(y)))
    return targets


def target_at(number: int, x: float, y: float, sigma: float = 0.02, p_hazard: float = 0.9) -> Target:
    """A target at (x, y)."""
    return Target(number, x, y, 0.0, sigma, sigma, 0.05, 3.0, 3.0, p_hazard, TargetClass.AP_METAL)


def _multi(shape) -> MultiPolygon:
    if shape is None or shape.is_empty:
        return MultiPolygon()
    return shape if isinstance(shape, MultiPolygon) else MultiPolygon([shape])
