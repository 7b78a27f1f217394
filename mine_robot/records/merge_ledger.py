"""One ledger from those of several runs: who searched each cell, and what nobody may call searched."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from mine_robot.core.geodesy import Datum
from mine_robot.core.robot import Robot
from mine_robot.core.types import Array, Cell, LedgerGrid, Pose2
from mine_robot.coverage.ledger import Zones
from mine_robot.pipeline.coverage import DOUBT_ASIDE_M, DOUBT_M

ALIGNED_M = 1e-6  # rasters that differ by less are one
CORNER = 0.499  # of a cell, from its centre
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Frames:
    """From the ``map`` of one run to that of the merged record."""

    own: Datum
    common: Datum

    def to_common(self, points: Array) -> Array:
        """Points (n, 2) of the run's map in the common one."""
        return _convert(points, self.own, self.common)

    def to_own(self, points: Array) -> Array:
        """Points (n, 2) of the common map in the run's."""
        return _convert(points, self.common, self.own)

    def geometry(self, shape: BaseGeometry) -> BaseGeometry:
        """A geometry of the run's map in the common one."""
        return shape if self.own == self.common else shapely.transform(shape, self.to_common)


def _convert(points: Array, source: Datum, target: Datum) -> Array:
    if source == target:
        return points
    lon, lat, _ = source.to_wgs84(points[:, 0], points[:, 1]).T
    return target.to_map(lon, lat)[:, :2]


@dataclass(frozen=True)
class Claims:
    """What one run says about the cells of the merged raster."""

    searched: Mask
    gap: Mask
    halo: Mask


def claims(grid: LedgerGrid | None, frames: Frames, zones: Zones) -> Claims:
    """Carry a run's ledger over to another raster.

    Where the two do not coincide, a cell is searched only if all of the run's cells under its centre and corners are, and a halo if
    any is: ground on the edge is never gained.
    """
    result = Claims(*(np.zeros(zones.safe.shape, dtype=bool) for _ in range(3)))
    if grid is None:
        return result
    rows, cols = _window(grid, frames, zones)
    row, col = (index.ravel() for index in np.mgrid[rows, cols])
    centres = np.column_stack([zones.x0 + (col + 0.5) * zones.resolution, zones.y0 + (row + 0.5) * zones.resolution])
    offsets = [(0.0, 0.0)]
    if not _aligned(grid, frames, zones):
        offsets += [(sx * CORNER, sy * CORNER) for sx in (-1.0, 1.0) for sy in (-1.0, 1.0)]
    result.searched[row, col] = True
    for offset in offsets:
        state = _look_up(grid, frames.to_own(centres + np.array(offset) * zones.resolution))
        result.searched[row, col] &= state == Cell.SEARCHED
        result.gap[row, col] |= state == Cell.GAP
        result.halo[row, col] |= state == Cell.HALO
    return result


def _window(grid: LedgerGrid, frames: Frames, zones: Zones) -> tuple[slice, slice]:
    """Rows and columns of the merged raster that the run's raster may touch."""
    east, north = np.array(grid.cells.shape[::-1]) * grid.resolution
    x = grid.x0 + np.linspace(0.0, east, 9)
    y = grid.y0 + np.linspace(0.0, north, 9)
    places = frames.to_common(np.column_stack([grid_axis.ravel() for grid_axis in np.meshgrid(x, y)]))
    low = np.floor((places.min(axis=0) - (zones.x0, zones.y0)) / zones.resolution).astype(int) - 1
    high = np.ceil((places.max(axis=0) - (zones.x0, zones.y0)) / zones.resolution).astype(int) + 1
    bounds = np.clip([low, high], 0, np.array(zones.safe.shape[::-1]))
    return slice(int(bounds[0, 1]), int(bounds[1, 1])), slice(int(bounds[0, 0]), int(bounds[1, 0]))


def _aligned(grid: LedgerGrid, frames: Frames, zones: Zones) -> bool:
    if frames.own != frames.common or abs(grid.resolution - zones.resolution) > ALIGNED_M:
        return False
    shift = np.array([grid.x0 - zones.x0, grid.y0 - zones.y0]) / zones.resolution
    return bool(np.abs(shift - np.round(shift)).max() * zones.resolution <= ALIGNED_M)


def _look_up(grid: LedgerGrid, points: Array) -> NDArray[np.int8]:
    col = np.floor((points[:, 0] - grid.x0) / grid.resolution).astype(int)
    row = np.floor((points[:, 1] - grid.y0) / grid.resolution).astype(int)
    inside = (row >= 0) & (row < grid.cells.shape[0]) & (col >= 0) & (col < grid.cells.shape[1])
    state = np.full(len(points), Cell.OUTSIDE, dtype=np.int8)
    state[inside] = grid.cells[row[inside], col[inside]]
    return state


def doubtful(zones: Zones, frames: Frames, pose: Pose2 | None, robot: Robot) -> Mask:
    """Ground of a run that was cut off about whose targets it may not have had its last word: a disc over the head's last lines.

    Without a last pose it is all ground (compare ``CoverageManager.recall``).
    """
    if pose is None:
        return np.ones(zones.safe.shape, dtype=bool)
    ((x, y),) = frames.to_common(np.array([[pose.x, pose.y]]))
    radius = math.hypot(robot.sweep_ahead + DOUBT_M, robot.sweep_width / 2.0 + DOUBT_ASIDE_M)
    rows, cols = zones.safe.shape
    east = zones.x0 + (np.arange(cols) + 0.5) * zones.resolution - x
    north = zones.y0 + (np.arange(rows) + 0.5) * zones.resolution - y
    return np.asarray(np.hypot(east, north[:, None]) <= radius)


class Provenance:
    """Which runs searched each cell: ``index`` (rows, columns) into ``sets``, the first of which is empty."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.index = np.zeros(shape, dtype=np.int32)
        self.sets: list[tuple[int, ...]] = [()]
        self._known: dict[tuple[int, ...], int] = {(): 0}

    def add(self, run: int, searched: Mask) -> None:
        """Note that ``run`` searched these cells."""
        before, place = np.unique(self.index[searched], return_inverse=True)
        after = [self._number((*self.sets[i], run)) for i in before]
        self.index[searched] = np.array(after, dtype=np.int32)[place] if len(after) else 0

    def _number(self, runs: tuple[int, ...]) -> int:
        if runs not in self._known:
            self._known[runs] = len(self.sets)
            self.sets.append(runs)
        return self._known[runs]

    def area_by_run(self, share: NDArray[np.float64], runs: int) -> Array:
        """Area (runs,) that each run searched, where a cell counts ``share`` (rows, columns)."""
        total = np.zeros(runs)
        for members, area in self._areas(share):
            total[list(members)] += area
        return total

    def area_alone(self, share: NDArray[np.float64], runs: int) -> Array:
        """The same for what no other run searched."""
        total = np.zeros(runs)
        for members, area in self._areas(share):
            if len(members) == 1:
                total[members[0]] += area
        return total

    def area_again(self, share: NDArray[np.float64]) -> float:
        """Area that more than one run searched."""
        return float(sum(area for members, area in self._areas(share) if len(members) > 1))

    def within(self, window: tuple[slice, slice]) -> Provenance:
        """That of a part of the raster."""
        part = Provenance((0, 0))
        part.index, part.sets = self.index[window], self.sets
        return part

    def _areas(self, share: NDArray[np.float64]) -> Iterator[tuple[tuple[int, ...], float]]:
        counts = np.bincount(self.index.ravel(), weights=share.ravel(), minlength=len(self.sets))
        return ((self.sets[i], float(counts[i])) for i in np.flatnonzero(counts))


@dataclass(frozen=True)
class Contradiction:
    """Two runs that cannot both be right; what was decided is always the more cautious."""

    kind: str
    runs: tuple[str, ...]
    against: tuple[str, ...]
    area_m2: float
    target: int | None = None

    @property
    def text(self) -> str:
        """One line for the report."""
        where = f" (target {self.target})" if self.target is not None else ""
        area = f", {self.area_m2:.2f} m²" if self.area_m2 else ""
        return f"{self.kind}{where}: {', '.join(self.runs)} against {', '.join(self.against)}{area}"


def names(runs: Sequence[str], numbers: Sequence[int]) -> tuple[str, ...]:
    """Names of the runs with these numbers."""
    return tuple(runs[i] for i in sorted(set(numbers)))
