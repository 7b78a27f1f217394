"""A raster over a part of ``map`` and what covers its cells.

Every cell is decided by one sample point at a fixed, irregular place within it (stratified sampling). Decided by their
centres, the cells of a track that runs along the raster would all be miscounted alike, by up to a cell's width;
scattered points miscount either way, and the area is right to a percent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from mine_robot.core.types import Array

Mask = NDArray[np.bool_]
Window = tuple[slice, slice]
SEED = 20


@dataclass(frozen=True)
class Raster:
    """Square cells of ``resolution`` m: ``rows`` northwards, ``columns`` eastwards from the corner (``x0``, ``y0``)."""

    x0: float
    y0: float
    resolution: float
    rows: int
    columns: int

    @classmethod
    def over(cls, bounds: tuple[float, float, float, float], resolution: float, max_cells: int) -> Raster:
        """Raster over west, south, east, north in m; coarser than ``resolution`` where ``max_cells`` would not do."""
        west, south, east, north = bounds
        width, height = max(east - west, resolution), max(north - south, resolution)
        resolution = max(resolution, math.sqrt(width * height / max_cells))
        return cls(west, south, resolution, math.ceil(height / resolution), math.ceil(width / resolution))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.columns

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north, m."""
        return (
            self.x0,
            self.y0,
            self.x0 + self.columns * self.resolution,
            self.y0 + self.rows * self.resolution,
        )

    @property
    def cell_area(self) -> float:
        """Area of a cell, m²."""
        return self.resolution**2

    @cached_property
    def samples(self) -> tuple[Array, Array]:
        """East and north (rows, columns) of the sample points, m."""
        within = np.random.default_rng(SEED).random((2, *self.shape), dtype=np.float32)
        x = self.x0 + self.resolution * (np.arange(self.columns)[None, :] + within[0])
        y = self.y0 + self.resolution * (np.arange(self.rows)[:, None] + within[1])
        return x, y

    def window(self, west: float, south: float, east: float, north: float) -> Window:
        """The cells whose sample points can lie within the bounds; empty outside of the raster."""
        first_row = min(max(math.floor((south - self.y0) / self.resolution), 0), self.rows)
        first_column = min(max(math.floor((west - self.x0) / self.resolution), 0), self.columns)
        last_row = min(max(math.ceil((north - self.y0) / self.resolution), first_row), self.rows)
        last_column = min(max(math.ceil((east - self.x0) / self.resolution), first_column), self.columns)
        return slice(first_row, last_row), slice(first_column, last_column)

    def convex(self, corners: Array) -> tuple[Window, Mask]:
        """Cells covered by the convex polygon ``corners`` (n, 2), whichever way round; none for a crossed one."""
        points = corners.tolist()  # plain floats: an audit asks a hundred thousand times
        sides = list(zip(points, points[1:] + points[:1]))
        east, north = zip(*points)
        window = self.window(min(east), min(north), max(east), max(north))
        x, y = np.ascontiguousarray(self.samples[0][window]), np.ascontiguousarray(self.samples[1][window])
        turn = 1.0 if sum(px * qy - qx * py for (px, py), (qx, qy) in sides) >= 0.0 else -1.0
        inside = np.ones(x.shape, dtype=bool)
        for (px, py), (qx, qy) in sides:
            dx, dy = turn * (qx - px), turn * (qy - py)
            left = dx * y
            left -= dy * x
            inside &= left >= dx * py - dy * px
        return window, inside

    def geometry(self, geometry: BaseGeometry) -> Mask:
        """Cells (rows, columns) covered by ``geometry``."""
        mask = np.zeros(self.shape, dtype=bool)
        if not geometry.is_empty:
            window = self.window(*geometry.bounds)
            shapely.prepare(geometry)
            mask[window] = shapely.contains_xy(geometry, self.samples[0][window], self.samples[1][window])
        return mask
