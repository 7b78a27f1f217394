"""A sliding strip of scores, placed by position: rows along the track, columns across it."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from mine_robot.core.types import Array, Pose2

KEEP_M = 0.9  # length of the strip
AHEAD_M = 0.03  # a peak has to be followed by this much lower ground
WAIT_M = 0.06  # for the far edge of a wide object; then it is reported as it is
SHOULDER_M = 0.03
FALLEN = 0.7  # logarithm: where the score is so much lower the object ends
SEPARATION_M = 0.12  # nearer peaks along the track are one
CENTROID_M = 0.18  # half length of the square in which a peak's centre is taken
# A centre lies at most this far along the track from its peak: what lies farther back was reported before.
SHIFT_M = 0.03
CENTROID_FLOOR = 0.35  # of the peak's energy: what is weaker has no part in its centre
CAPACITY = 160  # rows
T = TypeVar("T")


@dataclass(frozen=True)
class Row(Generic[T]):
    """Scores (columns,) at along-track distance ``s``; ``line`` is the array's centre in ``map``, ``data`` what features need."""

    s: float
    line: Pose2
    scores: Array
    data: T


@dataclass(frozen=True)
class Peak(Generic[T]):
    """A local maximum: ``score`` in row ``row`` and column ``column``, its centre in ``map`` and at (s, lateral) m."""

    score: float
    row: Row[T]
    column: int
    x: float
    y: float
    s: float
    lateral: float


def median(values: NDArray[np.floating]) -> Array:
    """Median along the last axis, which is not empty; several times as fast as numpy's for small arrays."""
    ordered, count = np.sort(values, axis=-1), values.shape[-1]
    return np.asarray(0.5 * (ordered[..., (count - 1) // 2] + ordered[..., count // 2]))


class Strip(Generic[T]):
    """The latest rows of one pass, with ``lateral`` (columns,) the columns' offsets in m, left positive."""

    def __init__(self, lateral: Array) -> None:
        self.lateral = lateral
        self.rows: deque[Row[T]] = deque()
        self._s = np.empty(CAPACITY)
        self._scores = np.empty((CAPACITY, len(lateral)))
        self._lines = np.empty((CAPACITY, 3))  # x, y, yaw
        self._from = self._to = 0
        self._looked = -math.inf  # newest row at the last look for peaks
        self._reported: deque[tuple[float, float, float]] = deque()
        pitch = float(np.abs(np.diff(lateral)).min()) if len(lateral) > 1 else 1.0
        self._across = max(1, round(SEPARATION_M / pitch))

    @property
    def s(self) -> Array:
        """Along-track distances (rows,) of the rows."""
        return self._s[self._from : self._to]

    @property
    def scores(self) -> Array:
        """Scores (rows, columns)."""
        return self._scores[self._from : self._to]

    def add(self, row: Row[T]) -> None:
        """Append a row; rows must come in order of ``s``."""
        if self._to == CAPACITY:
            count = self._to - self._from
            for kept in (self._s, self._scores, self._lines):
                kept[:count] = kept[self._from : self._to].copy()
            self._from, self._to = 0, count
        self._s[self._to], self._scores[self._to] = row.s, row.scores
        self._lines[self._to] = row.line.x, row.line.y, row.line.yaw
        self._to += 1
        self.rows.append(row)
        while row.s - self.rows[0].s > KEEP_M or len(self.rows) == CAPACITY:
            self.rows.popleft()
            self._from += 1

    def clear(self) -> None:
        """Forget all rows: what follows lies elsewhere."""
        self.rows.clear()
        self._reported.clear()
        self._looked = -math.inf
        self._from = self._to = 0

    def ripe(self, minimum: float, *, final: bool = False) -> list[Peak[T]]:
        """Local maxima of at least ``minimum`` that are complete and were not reported before; ``final``: complete or not."""
        if not self.rows:
            return []
        s, scores = self.s, self.scores
        newest = float(s[-1])
        while self._reported and self._reported[0][0] < newest - KEEP_M:
            self._reported.popleft()
        # What was complete at the last look and no peak then is the shoulder of one, and a report of it now would come late.
        first = int(np.searchsorted(s, min(newest, self._looked) - WAIT_M - SHOULDER_M))
        self._looked = newest
        if scores[first:].max() < minimum:
            return []
        begin = int(np.searchsorted(s, s[first] - SEPARATION_M))
        step = max(float(s[-1] - s[begin]) / max(len(scores) - begin - 1, 1), 0.005)
        along = max(1, round(SEPARATION_M / step))
        peaks = []
        for row, column in self._tops(first, minimum):
            peak = float(scores[row, column])
            near = scores[
                max(row - along, begin) : row + along + 1, max(column - self._across, 0) : column + self._across + 1
            ]
            if not (final or self._complete(row, column, newest)) or peak < near.max():
                continue
            known = any(
                abs(s[row] - at) < SEPARATION_M
                and abs(self.lateral[column] - left) < SEPARATION_M
                and peak < was + FALLEN
                for at, left, was in self._reported
            )
            if not known:
                self._reported.append((float(s[row]), float(self.lateral[column]), peak))
                peaks.append(self._peak(row, column))
        return peaks

    def _tops(self, first: int, minimum: float) -> list[tuple[int, int]]:
        """Rows from ``first`` on and columns of scores of at least ``minimum`` that their neighbours do not exceed."""
        scores = self.scores[first:]
        top = scores >= minimum
        top[1:] &= scores[1:] >= scores[:-1]
        top[:-1] &= scores[:-1] >= scores[1:]
        top[:, 1:] &= scores[:, 1:] >= scores[:, :-1]
        top[:, :-1] &= scores[:, :-1] >= scores[:, 1:]
        return [(first + int(i), int(j)) for i, j in np.argwhere(top)]

    def _complete(self, row: int, column: int, newest: float) -> bool:
        """True if the object ends before the newest row, or it is not waited for any longer."""
        ahead = newest - float(self.s[row])
        if ahead < AHEAD_M:
            return False
        beside = np.abs(self.lateral - self.lateral[column]) < 0.5 * SEPARATION_M
        return ahead >= WAIT_M or float(self.scores[-1, beside].max()) < self.scores[row, column] - FALLEN

    def _peak(self, i: int, j: int) -> Peak[T]:
        s, scores = self.s, self.scores
        rows = np.abs(s - s[i]) <= CENTROID_M
        columns = np.abs(self.lateral - self.lateral[j]) <= CENTROID_M
        weights = np.maximum(np.exp(scores[rows][:, columns] - scores[i, j]) - CENTROID_FLOOR, 0.0)
        total = weights.sum()
        ahead = float(np.clip((weights.sum(axis=1) @ s[rows]) / total - s[i], -SHIFT_M, SHIFT_M))
        left = float((weights.sum(axis=0) @ self.lateral[columns]) / total)
        row = self.rows[i]
        x, y = row.line.to_map(np.array([ahead, left]))
        return Peak(float(scores[i, j]), row, j, float(x), float(y), float(s[i]) + ahead, left)

    def offsets(self, x: float, y: float) -> tuple[Array, Array]:
        """Place of (x, y) ahead and left of every row's line (rows,)."""
        lines = self._lines[self._from : self._to]
        dx, dy, cos, sin = x - lines[:, 0], y - lines[:, 1], np.cos(lines[:, 2]), np.sin(lines[:, 2])
        return cos * dx + sin * dy, cos * dy - sin * dx

    def best_near(self, x: float, y: float, radius: float) -> Peak[T] | None:
        """The highest score within ``radius`` m of (x, y), placed there; None if no row passed the place."""
        if not self.rows:
            return None
        ahead, left = self.offsets(x, y)
        inside = np.hypot(ahead[:, None], left[:, None] - self.lateral) <= radius
        if not inside.any():
            return None
        scores = np.where(inside, self.scores, -np.inf)
        i, j = np.unravel_index(int(scores.argmax()), scores.shape)
        nearest = int(np.abs(ahead).argmin())
        s = self.rows[nearest].s + float(ahead[nearest])
        return Peak(float(scores[i, j]), self.rows[int(i)], int(j), x, y, s, float(left[nearest]))
