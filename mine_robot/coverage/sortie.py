"""Candidate lanes: where, in one heading, a straight sweep gains most for its time.

The ground is resampled so that the heading runs along the rows; then every row is a possible lane and the questions (how far can the
tracks go, what does the line gain, where can the robot turn before) are filters and running sums over whole arrays. Resampling moves
cells by up to half a cell, so a candidate is a proposal only: :mod:`mine_robot.coverage.ground` decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mine_robot.core.limits import Limits
from mine_robot.core.types import Pose2
from mine_robot.coverage.footprint import Footprint
from mine_robot.coverage.ground import CHOSEN, DRIVABLE, FRESH, OBSTACLE, SEARCHABLE, Ground, Mask
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.route import STOP_S
from mine_robot.coverage.transit import TurningGround

Ints = NDArray[np.signedinteger[Any]]
# A new edge against unsearched ground costs as much as a strip of this width: lanes go side by side.
OPEN_EDGE_COST_M = 0.3
SHIFT_ROWS = 2  # a lane that cannot lie this much farther out lies as far out as it can
SIDE_ENTRY_M = 0.4  # a lane may lie this far beside turning ground: it is entered by strokes
SIDE_ENTRY_S = 15.0  # time the strokes take, in and out


@dataclass(frozen=True)
class Candidate:
    """A proposed lane: turn at ``pivot``, drive straight to ``start``, sweep ``length`` m; ``score`` in m²/s.

    With ``aside`` there is no place to turn on the line of the lane, only beside ``pivot``.
    """

    score: float
    pivot: tuple[float, float]
    start: Pose2
    length: float
    aside: bool
    gain: float


class LaneFinder:
    """Proposes lanes on a :class:`Ground`; holds nothing but parameters."""

    def __init__(self, footprint: Footprint, limits: Limits, params: CoverageParams) -> None:
        self.footprint = footprint
        self.limits = limits
        self.params = params

    def candidates(
        self,
        ground: Ground,
        turning: TurningGround,
        part: int | None,
        gain: np.uint8,
        heading: float,
        position: Pose2,
        count: int,
        where: NDArray[np.float64] | None = None,
    ) -> list[Candidate]:
        """The best ``count`` lanes in ``heading`` that start from a ``part`` of the turning ground (None: any), best first.

        Cells worth sweeping are all that ``gain`` says. Lanes that gain less than ``params.min_gain`` are not proposed. ``where`` are
        corners (n, 2) in ``map`` that span the ground to look at, if not all of it. The robot stands at ``position``.
        """
        raster = Raster(ground, heading, where)
        raster.gain = raster.all_of(gain)
        if gain & CHOSEN and not gain & FRESH:  # along a border all that a lane searches counts, or all that it opens
            half = self.footprint.half_sweep if gain & SEARCHABLE else self.footprint.half_count
            raster.half_lane = round(half / raster.resolution - 0.5)
        if not raster.gain.any():
            return []
        parts = turning.parts(raster.resample)
        raster.turn = parts > 0 if part is None else parts == part
        if not raster.turn.any():
            return []
        raster.sum_gains()
        if not len(raster.row_index):
            return []
        scores, gains, starts = self._score(raster, position)
        best = np.argpartition(-scores, count)[:count] if len(scores) > count else np.arange(len(scores))
        best = best[np.argsort(-scores[best], kind="stable")]
        best = best[scores[best] > 0.0]
        return raster.candidates(starts[:, best], scores[best], gains[best])

    def _score(self, raster: Raster, position: Pose2) -> tuple[NDArray[np.float64], NDArray[np.float64], Ints]:
        """Scores (n,), gains (n,) in m², and row, start, end and pivot columns and whether that lies aside (5, n) of the candidates."""
        row, start = raster.starts(round(self.params.lane_lead / raster.resolution))
        limit = next_column(~raster.can_stand, row, start) - 1
        beyond = math.ceil(self.params.lane_lead / raster.resolution)
        ends = raster.ends(row, start, limit)
        options = [np.minimum(clump_end - raster.line + beyond, limit) for clump_end in ends]
        row, start, limit = (np.tile(each, len(options)) for each in (row, start, limit))
        end = np.concatenate(options)
        pivot, aside = raster.pivot_column(row, start)
        gain = raster.swept(raster.gain_sum, row, start, end) * raster.resolution**2
        keep = (end > start) & (pivot >= 0) & (gain >= self.params.min_gain)
        row, start, end, limit, pivot, gain, aside = (
            each[keep] for each in (row, start, end, limit, pivot, gain, aside)
        )
        edge = raster.swept(raster.edge_sum, row, start, end) * raster.resolution
        x, y = raster.to_map(row, pivot)
        leave = end - np.maximum(previous_column(raster.turn, row, end), pivot)
        onward = next_column(raster.turn, row, end)
        leave = np.where(onward <= limit, np.minimum(leave, onward - end), leave)
        way = (np.abs(start - pivot) + leave) * raster.resolution
        length = (end - start) * raster.resolution
        seconds = way_seconds(x - position.x, y - position.y, position.yaw, raster.heading, self.limits)
        seconds += STOP_S * (1.0 + (leave > 0)) + way / self.limits.drive_speed
        seconds += length / self.limits.search_speed + SIDE_ENTRY_S * aside
        # A lane with open edges on both sides may still be the only one there is: its score stays positive.
        value = np.maximum(gain - OPEN_EDGE_COST_M * edge, 0.05 * gain)
        return value / seconds, gain, np.stack([row, start, end, pivot, aside])


def way_seconds(
    dx: NDArray[np.float64], dy: NDArray[np.float64], yaw: float, heading: float, limits: Limits
) -> NDArray[np.float64]:
    """Times (n,) of straight ways by (dx, dy) m between turns from ``yaw`` and to ``heading``, forwards or backwards."""
    bearing = np.arctan2(dy, dx)
    best = np.full(bearing.shape, np.inf)
    for course in (bearing, bearing + math.pi):
        turns = [np.abs((course - other + math.pi) % (2.0 * math.pi) - math.pi) for other in (yaw, heading)]
        stops = sum((turn > 0.01).astype(float) for turn in turns)
        best = np.minimum(best, (turns[0] + turns[1]) / limits.pivot_rate + STOP_S * (1.0 + stops))
    return best + np.hypot(dx, dy) / limits.drive_speed


class Raster:
    """The ground with the heading along +columns; arrays are (rows, columns), positions are those of ``base_link``."""

    def __init__(self, ground: Ground, heading: float, where: NDArray[np.float64] | None = None) -> None:
        footprint = ground.footprint
        self.ground = ground
        self.resolution = res = ground.resolution
        self.heading = heading
        self._lay(ground.corners if where is None else where)
        # A lane on the rim of a part of the ground cannot be seen to leave more to search beside it.
        self.rim = 0 if where is None else math.ceil(footprint.box.y_max / res) + SHIFT_ROWS
        self.line = round(footprint.ahead / res)
        self.front = math.ceil(footprint.box.x_max / res)
        self.half_lane = round(footprint.half_lane / res - 0.5)
        self.cells = self.resample(ground.cells)
        self.drivable = self.all_of(DRIVABLE)
        self.gain: Mask = np.zeros(self.shape, dtype=bool)
        self.turn: Mask = self.gain

    def all_of(self, bits: np.uint8) -> Mask:
        """Cells that are all that ``bits`` say."""
        return np.asarray((self.cells & bits) == bits)

    def look(self) -> None:
        """Find where ``base_link`` can be while the robot is driven, and while it searches."""
        ground, res = self.ground, self.resolution
        box, head = ground.footprint.box, ground.footprint.head
        rear, side = math.ceil(-box.x_min / res), math.ceil(box.y_max / res)
        self.can_drive = erode(self.drivable, -rear, self.front, side)
        self.can_stand = erode((self.cells & (DRIVABLE | SEARCHABLE)) > 0, -rear, self.front, side)
        if ground.has_obstacles:
            reach = (math.floor(head.x_min / res), math.ceil(head.x_max / res), math.ceil(head.y_max / res))
            clear = erode(~self.all_of(OBSTACLE), *reach)
            self.can_drive &= clear
            self.can_stand &= clear

    def sum_gains(self) -> None:
        """Keep only the rows whose lane gains something, with running sums of the gain and of its edges against more of it."""
        self.look()
        kernel = np.ones((2 * round(SIDE_ENTRY_M / self.resolution) + 1, 1), dtype=np.uint8)
        self.near_turn = self.can_drive & (cv2.dilate(self.turn.astype(np.uint8), kernel) > 0)
        half = self.half_lane
        stacked = np.cumsum(np.pad(self.gain, ((half + 1, half), (0, 0))), axis=0, dtype=np.int16)
        lane = stacked[2 * half + 1 :] - stacked[: -(2 * half + 1)]
        inner = slice(self.rim, len(lane) - self.rim)
        self.row_index = np.nonzero(lane[inner].any(axis=1))[0] + self.rim
        keep = self.row_index
        beyond = np.pad(self.gain, ((half + 1, half + 1), (0, 0)))
        # An edge is the lane's fault only where the lane could lie farther out.
        stand = np.pad(self.can_stand, ((SHIFT_ROWS, SHIFT_ROWS), (self.line, 0)))[:, : self.can_stand.shape[1]]
        edges = (beyond[keep + 2 * half + 2] & stand[keep + 2 * SHIFT_ROWS]).astype(np.int8)
        edges += beyond[keep] & stand[keep]
        self.lane_gain = lane[keep]
        self.can_stand, self.can_drive = self.can_stand[keep], self.can_drive[keep]
        self.turn, self.near_turn = self.turn[keep], self.near_turn[keep]
        self.gain_sum = np.cumsum(self.lane_gain, axis=1, dtype=np.int32)
        self.edge_sum = np.cumsum(edges * (self.lane_gain > 0), axis=1, dtype=np.int32)

    def _lay(self, corners: NDArray[np.float64]) -> None:
        """Lay the raster over what ``corners`` (n, 2) span, with the heading along +columns."""
        ground, cos, sin = self.ground, math.cos(self.heading), math.sin(self.heading)
        u, v = corners @ (cos, sin), corners @ (-sin, cos)
        # Room for the searched line ahead of the last place and for the edge rows beside the first.
        self.u0, self.v0 = u.min() - 0.5 - self.resolution / 2.0, v.min() - 1.0 - self.resolution / 2.0
        width = math.ceil((u.max() + 2.0 - self.u0) / self.resolution)
        height = math.ceil((v.max() + 1.0 - self.v0) / self.resolution)
        self.shape = (height, width)
        self.row_index = np.arange(height)
        offset_x = (self.u0 * cos - self.v0 * sin - ground.x0) / self.resolution + 0.5 * (cos - sin) - 0.5
        offset_y = (self.u0 * sin + self.v0 * cos - ground.y0) / self.resolution + 0.5 * (cos + sin) - 0.5
        self.matrix = np.array([[cos, -sin, offset_x], [sin, cos, offset_y]])

    def resample(self, image: NDArray[Any]) -> NDArray[Any]:
        """An image (uint8 or uint16) of the ground's raster in this one: nearest cell, 0 beyond its border."""
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(image, self.matrix, self.shape[::-1], flags=flags))

    def starts(self, lead: int) -> tuple[Ints, Ints]:
        """Rows and columns from which a lane can begin: with its line just before ground to gain, or as near to it as can be."""
        # The tracks start on drivable ground and stay on it until they come to where the line began.
        length = self.line - self.front + 1
        startable = erode(self.can_drive, 0, length, 0)
        gains = self.lane_gain > 0
        first = gains.copy()
        first[:, 1:] &= ~gains[:, :-1]
        shifted = np.zeros_like(first)
        shifted[:, : first.shape[1] - self.line - lead] = first[:, self.line + lead :]
        edge = startable.copy()
        edge[:, 1:] &= ~startable[:, :-1]
        row, col = np.nonzero((shifted | edge) & startable)
        return row, col

    def ends(self, row: Ints, start: Ints, limit: Ints) -> list[Ints]:
        """Two columns of the line each, for lanes from ``start`` that may go to ``limit``: the end of the first stretch and of the last."""
        gains = self.lane_gain > 0
        columns = gains.shape[1]
        stretch_end = gains.copy()
        stretch_end[:, :-1] &= ~gains[:, 1:]
        last = previous_column(gains, row, np.minimum(limit + self.line, columns - 1))
        return [np.minimum(next_column(stretch_end, row, np.minimum(start + self.line, columns - 1)), last), last]

    def pivot_column(self, row: Ints, start: Ints) -> tuple[Ints, Mask]:
        """The nearest column to turn in from which a straight drive on drivable ground leads to ``start``, -1 if there is none.

        Where the row has none, one beside the row counts (second result).
        """
        blocked = ~self.can_drive
        bounds = previous_column(blocked, row, start), next_column(blocked, row, start)
        pivot = _nearest_between(self.turn, bounds, row, start)
        beside = np.nonzero(pivot < 0)[0]
        aside = np.zeros(len(pivot), dtype=bool)
        if len(beside):
            inner = bounds[0][beside], bounds[1][beside]
            pivot[beside] = _nearest_between(self.near_turn, inner, row[beside], start[beside])
            aside[beside] = True
        return pivot, aside

    def swept(self, total: Ints, row: Ints, start: Ints, end: Ints) -> Ints:
        """Sum over the columns that the line passes while ``base_link`` goes from ``start`` to ``end``."""
        last = np.minimum(end + self.line - 1, total.shape[1] - 1)
        return total[row, last] - total[row, np.minimum(start + self.line, total.shape[1] - 1)]

    def to_map(self, row: Ints, column: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres of cells in ``map``."""
        u, v = self.u0 + (column + 0.5) * self.resolution, self.v0 + (self.row_index[row] + 0.5) * self.resolution
        cos, sin = math.cos(self.heading), math.sin(self.heading)
        return cos * u - sin * v, sin * u + cos * v

    def pose(self, row: int, column: int) -> Pose2:
        """The pose of ``base_link`` at the centre of a cell."""
        x, y = self.to_map(np.array(row), np.array(column))
        return Pose2(float(x), float(y), self.heading)

    def candidates(self, places: Ints, scores: NDArray[np.float64], gains: NDArray[np.float64]) -> list[Candidate]:
        """The candidates in ``map`` coordinates; ``places`` (5, n) as :meth:`LaneFinder._score` gives them."""
        row, start, end, pivot, aside = places
        spots = zip(*(each.tolist() for each in self.to_map(row, pivot)))
        begins = zip(*(each.tolist() for each in self.to_map(row, start)))
        lengths = ((end - start) * self.resolution).tolist()
        return [
            Candidate(score, spot, Pose2(x, y, self.heading), length, bool(by_strokes), gain)
            for score, spot, (x, y), length, by_strokes, gain in zip(
                scores.tolist(), spots, begins, lengths, aside, gains.tolist()
            )
        ]


def erode(mask: Mask, first: int, last: int, side: int) -> Mask:
    """Cells from which all cells in columns ``first`` to ``last`` and rows within ``side`` (relative) are set; none outside is."""
    kernel = np.ones((2 * side + 1, last - first + 1), dtype=np.uint8)
    padded = np.pad(mask.astype(np.uint8), ((0, 0), (max(-first, 0), max(last, 0))))
    eroded = cv2.erode(padded, kernel, anchor=(0, side), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    begin = max(-first, 0) + first
    return np.asarray(eroded[:, begin : begin + mask.shape[1]] > 0)


def next_column(mask: Mask, row: Ints, column: Ints) -> Ints:
    """The first set column of ``mask`` at each cell or after it in its row; the row's length if there is none."""
    width = mask.shape[1]
    places = np.flatnonzero(mask)
    index = row * width + column
    found = np.searchsorted(places, index)
    end = (row + 1) * width
    return np.minimum(np.append(places, mask.size)[found], end) - row * width


def previous_column(mask: Mask, row: Ints, column: Ints) -> Ints:
    """The last set column of ``mask`` at each cell or before it in its row; -1 if there is none."""
    width = mask.shape[1]
    places = np.flatnonzero(mask)
    found = np.searchsorted(places, row * width + column, side="right")
    before = np.concatenate([[-1], places])[found]
    return np.maximum(before - row * width, -1)


def _nearest_between(wanted: Mask, bounds: tuple[Ints, Ints], row: Ints, column: Ints) -> Ints:
    """The ``wanted`` column nearest to each cell within its bounds, -1 if there is none."""
    left, right = previous_column(wanted, row, column), next_column(wanted, row, column)
    left = np.where(left > bounds[0], left, -1)
    right = np.where(right < bounds[1], right, -1)
    nearer_left = (left >= 0) & ((right < 0) | (column - left <= right - column))
    return np.where(nearer_left, left, right)
