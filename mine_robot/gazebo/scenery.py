"""The ground of a Gazebo world as a mesh, and what stands in and around the field."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import shapely

from mine_robot.core.field import Field
from mine_robot.core.types import Array, Pose2
from mine_robot.gazebo.sdf import ON_GROUND, add, leaf, numbers, set_collide_bitmask, static_model
from mine_robot.sim.terrain import Terrain

Element = ElementTree.Element

FENCE_M, FENCE_HEIGHT_M = 3.0, 1.1  # where no head reaches
SPACING_M, CELLS_MAX = 0.2, 400  # of the mesh; a side has at most so many cells
START_CLEARANCE_M = 0.02


def lying(terrain: Terrain, pose: Pose2) -> Array:
    """Where and how the robot rests on the ground at ``pose``: x, y, z, roll, pitch, yaw (6,), a little above it."""
    height, (hx, hy), _ = terrain.surface(pose.x, pose.y)
    cos, sin = math.cos(pose.yaw), math.sin(pose.yaw)
    pitch = -math.atan(hx * cos + hy * sin)
    roll = math.atan((hy * cos - hx * sin) * math.cos(pitch))
    return np.array([pose.x, pose.y, height + START_CLEARANCE_M, roll, pitch, pose.yaw])


def ground_mesh(terrain: Terrain, bounds: tuple[float, float, float, float]) -> str:
    """The surface within ``bounds`` (west, south, east, north) as the text of a Wavefront OBJ file, z up.

    A normal a vertex: without them gz-physics 7 drops the mesh, and DART crashes for want of it.
    """
    west, south, east, north = bounds
    spacing = max(SPACING_M, (east - west) / CELLS_MAX, (north - south) / CELLS_MAX)
    x = np.linspace(west, east, math.ceil((east - west) / spacing) + 1)
    y = np.linspace(south, north, math.ceil((north - south) / spacing) + 1)
    points = np.stack(np.meshgrid(x, y), axis=-1)
    corner = (np.arange(len(y) - 1)[:, None] * len(x) + np.arange(len(x) - 1)).ravel() + 1
    right, up, across = corner + 1, corner + len(x), corner + len(x) + 1
    faces = np.concatenate([np.stack([corner, right, across], axis=1), np.stack([corner, across, up], axis=1)])
    height = terrain.height(points)
    slope_y, slope_x = np.gradient(height, y, x)
    normals = np.stack([-slope_x, -slope_y, np.ones_like(height)], axis=-1).reshape(-1, 3)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    rows = [f"v {px:.4f} {py:.4f} {h:.5f}" for (px, py), h in zip(points.reshape(-1, 2), height.ravel())]
    rows += [f"vn {nx:.5f} {ny:.5f} {nz:.5f}" for nx, ny, nz in normals]
    rows += [f"f {a}//{a} {b}//{b} {c}//{c}" for a, b, c in faces.tolist()]
    return "\n".join(rows) + "\n"


def ground_model(mesh: Path) -> Element:
    """The ground as a static model of a mesh file."""
    model, link = static_model("ground")
    for kind in ("collision", "visual"):
        item = add(link, kind, name=kind)
        leaf(add(add(item, "geometry"), "mesh"), "uri", f"file://{mesh.absolute()}")
        if kind == "collision":
            set_collide_bitmask(item, ON_GROUND)
    return model


def obstacles(field: Field, terrain: Terrain) -> Iterable[Element]:
    """What stands in the no-go zones (a well has a wall), and a fence with trees at its corners around the field."""
    for number, polygon in enumerate(shapely.get_parts(field.no_go)):
        yield _wall(f"no_go_{number}", polygon, terrain)
    fence = shapely.box(*field.bounds).buffer(FENCE_M, join_style="mitre")
    corners = np.array(fence.exterior.coords)
    for number, (a, b) in enumerate(pairwise(corners)):
        side, middle = b - a, 0.5 * (a + b)
        pose = [*middle, float(terrain.height(middle)) + 0.5 * FENCE_HEIGHT_M, 0.0, 0.0, math.atan2(side[1], side[0])]
        yield _solid(f"fence_{number}", pose, "box", size=f"{np.hypot(*side):.3f} 0.05 {FENCE_HEIGHT_M}")
        trunk = [*a, float(terrain.height(a)) + 1.5, 0.0, 0.0, 0.0]
        yield _solid(f"tree_{number}", trunk, "cylinder", radius="0.15", length="3.0")


def _wall(name: str, polygon: shapely.Polygon, terrain: Terrain) -> Element:
    """An outline, 0.8 m high."""
    points = np.array(polygon.exterior.coords)[:-1]
    model, link = static_model(name)
    leaf(model, "pose", numbers([0.0, 0.0, float(terrain.height(points).min()) - 0.1, 0.0, 0.0, 0.0]))
    for kind in ("collision", "visual"):
        item = add(link, kind, name=kind)
        line = add(add(item, "geometry"), "polyline")
        for point in points:
            leaf(line, "point", numbers(point))
        leaf(line, "height", 0.9)
    return model


def _solid(name: str, pose: Iterable[float], shape: str, **sizes: str) -> Element:
    model, link = static_model(name)
    leaf(model, "pose", numbers(pose))
    for kind in ("collision", "visual"):
        body = add(add(add(link, kind, name=kind), "geometry"), shape)
        for key, value in sizes.items():
            leaf(body, key, value)
    return model
