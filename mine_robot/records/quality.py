"""A proposal of ground to re-check: cells of the searched ground, drawn so that nobody could choose them and anybody can repeat it.

Half of the worked area is re-checked by internal quality assurance (HMA Global SOP; IMAS 07.40 leaves the share to the authority).
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from shapely import MultiPolygon

from mine_robot.core.geodesy import Datum
from mine_robot.records.geojson import position

SIDE_M = 1.0
SHARE = 0.5
FILLED = 0.5  # of a cell has to be searched ground, or it is no sample of it


@dataclass(frozen=True)
class Sample:
    """``cells`` (n, 2): centres in ``map`` in m, in the order in which they were drawn, of ``count`` cells of ``side`` m in all."""

    cells: np.ndarray
    count: int
    side: float

    @property
    def area_m2(self) -> float:
        """Area of the cells drawn."""
        return len(self.cells) * self.side**2


def draw_sample(searched: MultiPolygon, seed: str, side: float = SIDE_M, share: float = SHARE) -> Sample:
    """Draw ``share`` of the cells of a raster over ``searched`` that are searched for the most part; the same ``seed`` draws the same."""
    if searched.is_empty:
        return Sample(np.empty((0, 2)), 0, side)
    west, south, east, north = searched.bounds
    x = np.arange(math.floor(west / side), math.ceil(east / side)) * side
    y = np.arange(math.floor(south / side), math.ceil(north / side)) * side
    corners = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    boxes = shapely.box(corners[:, 0], corners[:, 1], corners[:, 0] + side, corners[:, 1] + side)
    shapely.prepare(searched)
    full = shapely.area(shapely.intersection(boxes, searched)) >= FILLED * side**2
    centres = corners[full] + 0.5 * side
    # The high half of a hash is as random as a seed can be; the order of the raster is fixed by the field.
    order = np.random.default_rng(int(seed[:32] or "0", 16)).permutation(len(centres))
    return Sample(centres[order[: math.ceil(share * len(centres))]], len(centres), side)


def write_sample(path: Path, sample: Sample, datum: Datum) -> None:
    """Write one row a cell, in the order in which they were drawn, with an empty column for what is found."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("cell", "lat", "lon", "east", "north", "side_m", "result"))
        for number, (x, y) in enumerate(sample.cells, 1):
            lat, lon = position(datum, float(x), float(y))
            writer.writerow((number, f"{lat:.9f}", f"{lon:.9f}", f"{x:.2f}", f"{y:.2f}", f"{sample.side:g}", ""))
