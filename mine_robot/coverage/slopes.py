"""Slopes from heights: which ground is too steep for the robot, and in which direction lanes do not lie across the slope.

Heights are smoothed over the robot's length, because its tracks bridge what is shorter (a moving average; the gradient is that of
central differences over it).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import QhullError, cKDTree
from shapely import MultiPolygon

from mine_robot.core.field import Field
from mine_robot.core.types import Array
from mine_robot.coverage.gaps import TOO_STEEP, TOO_STEEP_ACROSS, cells_to_area
from mine_robot.coverage.params import CoverageParams

CELLS_A_LENGTH = 5  # cells of the slope raster in a robot's length
BESIDE_M = 200.0
REACH = 2.5  # spacings of the heights beyond which there is none: a regular grid has one within 0.71
FILLED = 0.8  # spacings from a height within which there is one all over a regular grid
MIN_HEIGHTS = 4
SAME_SHARE = 0.01  # of the ground; directions that differ by less are as good


class SlopeError(ValueError):
    """The heights do not say how steep the field is; one line says why."""


@dataclass(frozen=True)
class Slopes:
    """Gradient (rows, columns) to the east and to the north, row 0 in the south; ``spacing`` in m is that of the heights behind them.

    ``filled_m2`` of the field are farther from any height than that: holes of the model, filled from around.
    """

    x0: float
    y0: float
    resolution: float
    east: Array
    north: Array
    spacing: float
    filled_m2: float = 0.0

    @property
    def steepest(self) -> Array:
        """Slope (rows, columns) along the fall line, as a tangent."""
        return np.hypot(self.east, self.north)

    def across(self, direction: float) -> Array:
        """Slope (rows, columns) across a lane of ``direction`` rad, as a tangent."""
        return np.abs(math.cos(direction) * self.north - math.sin(direction) * self.east)

    def within(self, area: shapely.Geometry) -> NDArray[np.bool_]:
        """Cells (rows, columns) that touch ``area``."""
        rows, cols = self.east.shape
        x = self.x0 + (np.arange(cols) + 0.5) * self.resolution
        y = self.y0 + (np.arange(rows) + 0.5) * self.resolution
        reached = area.buffer(math.sqrt(0.5) * self.resolution)
        shapely.prepare(reached)
        return np.asarray(shapely.contains_xy(reached, *np.meshgrid(x, y)))


@dataclass(frozen=True)
class Steep:
    """What slopes forbid: areas by reason, and the direction in rad of all lanes, None if they may lie in any."""

    excluded: tuple[tuple[str, MultiPolygon], ...]
    lane_direction: float | None


def slopes_of(heights: Array, field: Field, length: float) -> Slopes:
    """Slopes over a field from ``heights`` (n, 3) in ``map``, on a regular grid or scattered, for a robot of ``length`` m.

    Raises :class:`SlopeError` if there are none over a part of the field or just beside it.
    """
    ground = shapely.union_all([field.hazard, field.safe])
    west, south, east, north = ground.bounds
    resolution = length / CELLS_A_LENGTH
    x0, y0 = west - 2.0 * length, south - 2.0 * length
    rows, cols = (math.ceil((high - low + 4.0 * length) / resolution) for low, high in ((south, north), (west, east)))
    points = _thinned(heights[near_field(heights, field) & np.isfinite(heights).all(axis=1)], resolution)
    if len(points) < MIN_HEIGHTS:
        raise SlopeError("it has no heights over the field")
    tree = cKDTree(points[:, :2])
    spacing = float(np.median(tree.query(points[:, :2], k=2)[0][:, 1]))
    x, y = np.meshgrid(x0 + (np.arange(cols) + 0.5) * resolution, y0 + (np.arange(rows) + 0.5) * resolution)
    try:
        z = LinearNDInterpolator(points[:, :2], points[:, 2] - points[:, 2].mean())(x, y)
    except QhullError:
        raise SlopeError("its heights lie on a line") from None
    away = tree.query(np.stack([x, y], axis=-1))[0] / max(spacing, resolution)
    z[away > REACH] = np.nan
    smooth = cv2.blur(z, (CELLS_A_LENGTH, CELLS_A_LENGTH))
    gradient_north, gradient_east = np.gradient(smooth, resolution)
    slopes = Slopes(x0, y0, resolution, gradient_east, gradient_north, spacing)
    inside = slopes.within(ground)
    slopes = replace(slopes, filled_m2=int(np.count_nonzero(inside & (away > FILLED))) * resolution**2)
    known = float(np.mean(np.isfinite(slopes.steepest[inside])))
    if known < 1.0:
        raise SlopeError(
            f"it has heights for {100.0 * known:.1f} % of the field only; it has to reach {2.0 * length:.1f} m beyond"
        )
    return slopes


def steep_ground(slopes: Slopes, field: Field, directions: Sequence[float], params: CoverageParams) -> Steep:
    """What the limits of slope forbid on a field whose shape suggests lane ``directions`` (rad).

    Where some ground is steeper than ``side_slope_max``, all lanes take the direction in which least of it lies across; what still
    does is excluded. The dominant fall line is compared with ``directions``.
    """
    ground = slopes.within(shapely.union_all([field.hazard, field.safe]))
    too_steep = ground & ~(slopes.steepest <= math.tan(params.slope_max))
    excluded = [(TOO_STEEP, too_steep)]
    hazard = slopes.within(field.hazard.difference(field.no_go)) & ~too_steep
    limit = math.tan(params.side_slope_max)
    direction = None
    if np.any(hazard & (slopes.steepest > limit)):
        candidates = [*directions, _fall_line(slopes, hazard & (slopes.steepest > limit))]
        shares = [float(np.mean(slopes.across(angle)[hazard] > limit)) for angle in candidates]
        direction = next(angle for angle, share in zip(candidates, shares) if share <= min(shares) + SAME_SHARE)
        excluded.append((TOO_STEEP_ACROSS, hazard & (slopes.across(direction) > limit)))
    return Steep(
        tuple(
            (reason, area)
            for reason, mask in excluded
            if (area := cells_to_area(mask, slopes.x0, slopes.y0, slopes.resolution)).area > 0.0
        ),
        direction,
    )


def near_field(heights: Array, field: Field) -> NDArray[np.bool_]:
    """Which of ``heights`` (n, 3) matter for a field: those beyond its ends by as much as the coarsest models are apart."""
    west, south, east, north = field.bounds
    middle, reach = ((west + east) / 2.0, (south + north) / 2.0), np.array([east - west, north - south]) / 2.0
    return np.asarray(np.all(np.abs(heights[:, :2] - middle) <= reach + BESIDE_M, axis=1))


def _thinned(heights: Array, resolution: float) -> Array:
    """The heights (n, 3), the mean of those that fall into one cell of ``resolution`` m."""
    column, row = np.floor(heights[:, :2] / resolution).astype(np.int64).T
    _, index, count = np.unique(np.stack([column, row]), axis=1, return_inverse=True, return_counts=True)
    sums = [np.bincount(index.ravel(), weights=heights[:, axis]) for axis in range(3)]
    return np.stack(sums, axis=1) / count[:, None]


def _fall_line(slopes: Slopes, mask: NDArray[np.bool_]) -> float:
    """Direction in rad (mod pi) of the gradients of ``mask``: the principal axis of their structure tensor."""
    east, north = slopes.east[mask], slopes.north[mask]
    return 0.5 * math.atan2(2.0 * float(east @ north), float(east @ east - north @ north))
