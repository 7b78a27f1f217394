"""What really happened in a simulated mission, from the files that the stack never sees (``sim/`` of a run directory).

The judge of the campaign of attacks (``gate_campaign.py``): own code for ground swept and rolled over, none of ledger, guard or audit.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mine_robot.core.field import Field
from mine_robot.core.robot import Robot
from mine_robot.core.types import Cell, LedgerGrid, Pose2, Target
from mine_robot.sim.objects import CATALOGUE
from mine_robot.sim.score import detonates
from mine_robot.sim.types import BuriedObject

FINE_M = 0.0125
MARGIN_M = 6.0  # around the field: a robot that is driven off is still drawn
TOLERANCE_M = 0.04  # an honest position is off by up to this much
MOVES_M, TURNS_RAD = 2e-4, 1e-3  # in a step of the world; less is a robot that stands
HALO_M, HALO_CORE_M = 0.3, 0.2  # the core: a target that is seen better moves by less than the rest
FOUND_M = 0.5
DRAWN = 8  # bits of the fraction in coordinates of cv2
SHIFT = 1 << DRAWN
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Hazard:
    """A buried object that must not be overlooked."""

    kind: str
    x: float
    y: float
    radius: float


class Truth:
    """The true track so far, and what follows from it; :meth:`read` brings it up to date."""

    def __init__(self, directory: Path, field: Field, robot: Robot) -> None:
        self._file, self._world = directory / "sim" / "truth.csv", directory / "sim" / "world.json"
        self._robot = robot
        west, south, east, north = field.bounds
        self._x0, self._y0 = west - MARGIN_M, south - MARGIN_M
        shape = (
            math.ceil((north - south + 2 * MARGIN_M) / FINE_M),
            math.ceil((east - west + 2 * MARGIN_M) / FINE_M),
        )
        self._swept = np.zeros(shape, dtype=np.uint8)
        self._unsafe = np.zeros(shape, dtype=np.uint8)
        self._safe, self._hazard = self._polygons(field.safe), self._polygons(field.hazard)
        self.track: list[tuple[float, Pose2]] = []
        self.blind: list[tuple[float, float]] = []  # times in which the head could not sense, whoever says so

    def read(self) -> None:
        """Take what the simulator has written since."""
        lines = self._file.read_text(encoding="utf-8").splitlines() if self._file.is_file() else []
        rows = [line.split(",") for line in lines if line[:1].isdigit() and line.count(",") == 3]
        for row in rows[len(self.track) :]:
            t, x, y, yaw = map(float, row)
            self._step(t, Pose2(x, y, yaw))

    @property
    def t(self) -> float:
        """How far the truth is known, s."""
        return self.track[-1][0] if self.track else 0.0

    @property
    def hazards(self) -> list[Hazard]:
        """What is buried and dangerous."""
        objects = json.loads(self._world.read_text(encoding="utf-8"))["objects"]
        kinds = [(CATALOGUE[item["kind"]], item) for item in objects]
        return [Hazard(item["kind"], item["x"], item["y"], kind.radius_m) for kind, item in kinds if kind.hazard]

    @property
    def fired(self) -> list[tuple[float, int, float, float]]:
        """Paint on the ground: time, target, place."""
        return [tuple(mark) for mark in json.loads(self._world.read_text(encoding="utf-8"))["fired"]]

    # --- drawing ------------------------------------------------------------------------------------------------------
    def _pixels(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        cells = (np.asarray(points) - (self._x0, self._y0)) / FINE_M - 0.5
        return np.rint(cells * SHIFT).astype(np.int32)

    def _polygons(self, area: object) -> NDArray[np.uint8]:
        drawn = np.zeros(self._swept.shape, dtype=np.uint8)
        for part in getattr(area, "geoms", [area]):
            cv2.fillPoly(drawn, [self._pixels(np.array(part.exterior.coords))], 1, shift=DRAWN)
            for hole in part.interiors:
                cv2.fillPoly(drawn, [self._pixels(np.array(hole.coords))], 0, shift=DRAWN)
        return drawn

    def _step(self, t: float, pose: Pose2) -> None:
        last = self.track[-1][1] if self.track else None
        self.track.append((t, pose))
        if last is None or _way(last, pose) == 0.0:
            return
        window = self._window(pose)
        under = np.zeros(self._unsafe[window].shape, dtype=np.uint8)
        offset = np.array([window[1].start, window[0].start]) * SHIFT
        for patch in self._robot.contact_patches:
            corners = self._pixels(pose.to_map(patch.grown(-TOLERANCE_M / 2).corners)) - offset
            cv2.fillConvexPoly(under, corners.astype(np.int32), 1, shift=DRAWN)
        proven = (self._safe[window] > 0) | (self._swept[window] > 0)
        self._unsafe[window] |= (under > 0) & ~proven
        if not any(begin <= t <= end for begin, end in self.blind):
            line = np.array([[self._robot.sweep_ahead, side * self._robot.sweep_width / 2] for side in (1.0, -1.0)])
            corners = np.concatenate([last.to_map(line), pose.to_map(line)[::-1]])
            cv2.fillConvexPoly(self._swept, self._pixels(corners), 1, shift=DRAWN)

    def _window(self, pose: Pose2) -> tuple[slice, slice]:
        reach = self._robot.pivot_radius + 0.1
        low = ((pose.y - reach - self._y0) / FINE_M, (pose.x - reach - self._x0) / FINE_M)
        size = math.ceil(2 * reach / FINE_M)
        row, col = (max(int(value), 0) for value in low)
        return slice(row, row + size), slice(col, col + size)

    def detonations(self) -> int:
        """Hazards whose pressure plate came under a track."""
        track = np.array([(t, pose.x, pose.y, pose.yaw) for t, pose in self.track]).reshape(-1, 4)
        objects = json.loads(self._world.read_text(encoding="utf-8"))["objects"]
        return sum(detonates(BuriedObject(**item), track, self._robot) for item in objects)

    # --- judgement ----------------------------------------------------------------------------------------------------
    @property
    def unsafe_m2(self) -> float:
        """Ground that a track rolled over although it was neither declared safe nor swept before, m²."""
        return float(np.count_nonzero(self._unsafe)) * FINE_M**2

    def swept_cells(self, grid: LedgerGrid) -> Mask:
        """The cells of a ledger that the true head has passed, give or take :data:`TOLERANCE_M`."""
        size = 2 * round((TOLERANCE_M + grid.resolution / 2) / FINE_M) + 1
        return self._at(cv2.dilate(self._swept, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))), grid)

    def _at(self, grown: NDArray[np.uint8], grid: LedgerGrid) -> Mask:
        """What is drawn at the centres of a ledger's cells."""
        rows, cols = grid.cells.shape
        row = ((grid.y0 + (np.arange(rows) + 0.5) * grid.resolution - self._y0) / FINE_M).astype(int)
        col = ((grid.x0 + (np.arange(cols) + 0.5) * grid.resolution - self._x0) / FINE_M).astype(int)
        inside = ((row >= 0) & (row < grown.shape[0]))[:, None] & ((col >= 0) & (col < grown.shape[1]))
        found = grown[np.clip(row, 0, grown.shape[0] - 1)][:, np.clip(col, 0, grown.shape[1] - 1)] > 0
        return np.asarray(found & inside)

    def beyond_m2(self, grid: LedgerGrid | None) -> float:
        """Searched ground by a ledger that the true head never passed, m²."""
        if grid is None:
            return 0.0
        claimed = (grid.cells == np.int8(Cell.SEARCHED)) & self._at(self._hazard, grid)
        return float(np.count_nonzero(claimed & ~self.swept_cells(grid))) * grid.resolution**2

    def missed(self, grid: LedgerGrid | None, suspects: list[Target]) -> int:
        """Hazards in ground that a ledger calls searched, with no suspect near."""
        return sum(
            _cell(grid, hazard.x, hazard.y) == Cell.SEARCHED
            and not any(math.hypot(item.x - hazard.x, item.y - hazard.y) < FOUND_M for item in suspects)
            for hazard in (self.hazards if grid is not None else [])
        )

    def stopped_at(self, t: float) -> float:
        """When the robot first stood for 0.5 s after ``t``; infinity if it did not."""
        since = math.inf
        for (_, last), (now, pose) in pairwise(self.track):
            if now < t or _way(last, pose) > 0.0:
                since = math.inf
            elif since == math.inf:
                since = now
            elif now - since >= 0.5:
                return since
        return math.inf

    def moved(self, begin: float, end: float) -> float:
        """Way in m of the outermost point of a track between two times."""
        inside = [pose for t, pose in self.track if begin <= t <= end]
        return sum(_way(first, second, self._robot.pivot_radius) for first, second in pairwise(inside))


def _way(first: Pose2, second: Pose2, reach: float = 1.0) -> float:
    """Way in m, 0 for a robot that stands."""
    way = math.hypot(second.x - first.x, second.y - first.y)
    turn = abs(math.remainder(second.yaw - first.yaw, math.tau))
    return (way if way > MOVES_M else 0.0) + (reach * turn if turn > TURNS_RAD else 0.0)


def _cell(grid: LedgerGrid | None, x: float, y: float) -> int:
    """The state of the ground at a place."""
    if grid is None:
        return int(Cell.OUTSIDE)
    row, col = int((y - grid.y0) / grid.resolution), int((x - grid.x0) / grid.resolution)
    rows, cols = grid.cells.shape
    return int(grid.cells[row, col]) if 0 <= row < rows and 0 <= col < cols else int(Cell.OUTSIDE)


def near(grid: LedgerGrid, suspects: list[Target], radius: float) -> Mask:
    """The cells within ``radius`` m of targets."""
    x = grid.x0 + (np.arange(grid.cells.shape[1]) + 0.5) * grid.resolution
    y = (grid.y0 + (np.arange(grid.cells.shape[0]) + 0.5) * grid.resolution)[:, None]
    found = np.zeros(grid.cells.shape, dtype=bool)
    for target in suspects:
        found |= np.hypot(x - target.x, y - target.y) < radius
    return found


def halo_core(grid: LedgerGrid | None, suspects: list[Target]) -> Mask:
    """The cells of halos that stay halos even where a target is seen a little elsewhere later."""
    if grid is None:
        return np.zeros((0, 0), dtype=bool)
    return near(grid, suspects, HALO_CORE_M) & (grid.cells == np.int8(Cell.HALO))
