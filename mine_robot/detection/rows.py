"""A sliding strip of scores, placed by position: rows along the track, columns across it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from scipy.ndimage import maximum_filter

from mine_robot.core.types import Array, Pose2

KEEP_M = 0.9  # length of the strip
REPORT_M = 0.6  # a peak further behind than this has been reported for the last time
AHEAD_M = 0.03  # a peak has to be followed by this much lower ground
SEPARATION_M = 0.12  # nearer peaks along the track are one
CENTROID_M = 0.18  # half length of the square in which a peak's centre is taken
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
    """A local maximum: ``score`` in row ``row`` and column ``column``, its centre (x, y) in ``map`` and along-track distance."""

    score: float
    row: Row[T]
    column: int
    x: float
    y: float
    s: float


@dataclass
class Strip(Generic[T]):
    """The latest rows of one pass, with ``lateral`` (columns,) the columns' offsets in m, left positive."""

    lateral: Array
    rows: deque[Row[T]] = field(default_factory=deque)

    def add(self, row: Row[T]) -> None:
        """Append a row; rows must come in order of ``s``."""
        self.rows.append(row)
        while row.s - self.rows[0].s > KEEP_M:
            self.rows.popleft()

    def peaks(self, minimum: float, *, final: bool = False) -> list[Peak[T]]:
        """Local maxima of at least ``minimum``; unless ``final`` only those with lower rows ahead of them."""
        if not self.rows:
            return []
        scores = np.array([row.scores for row in self.rows])
        if scores.max() < minimum:
            return []
        s = np.array([row.s for row in self.rows])
        step = max(float(np.median(np.diff(s))), 0.005) if len(s) > 1 else 0.025
        pitch = float(np.abs(np.diff(self.lateral)).min()) if len(self.lateral) > 1 else 1.0
        size = (2 * max(1, round(SEPARATION_M / step)) + 1, 2 * max(1, round(SEPARATION_M / pitch)) + 1)
        top = (scores >= maximum_filter(scores, size=size, mode="constant", cval=-np.inf)) & (scores >= minimum)
        top &= (s > s[-1] - REPORT_M)[:, None]
        if not final:
            top &= (s <= s[-1] - AHEAD_M)[:, None]
        return [self._peak(scores, s, int(i), int(j)) for i, j in zip(*np.nonzero(top))]

    def _peak(self, scores: Array, s: Array, i: int, j: int) -> Peak[T]:
        rows = np.abs(s - s[i]) <= CENTROID_M
        columns = np.abs(self.lateral - self.lateral[j]) <= CENTROID_M
        weights = np.exp(scores[np.ix_(rows, columns)] - scores[i, j])
        total = weights.sum()
        ahead = float((weights.sum(axis=1) @ s[rows]) / total) - float(s[i])
        left = float((weights.sum(axis=0) @ self.lateral[columns]) / total)
        row = self.rows[i]
        x, y = row.line.to_map(np.array([ahead, left]))
        return Peak(float(scores[i, j]), row, j, float(x), float(y), float(s[i]) + ahead)

    def cell_at(self, x: float, y: float) -> tuple[T, int] | None:
        """Data of the row and index of the column nearest to (x, y); None if no row passed the place."""
        if not self.rows:
            return None
        ahead, left = self._offsets(x, y)
        row = int(np.abs(ahead).argmin())
        if abs(ahead[row]) > AHEAD_M:
            return None
        return self.rows[row].data, int(np.abs(self.lateral - left[row]).argmin())

    def _offsets(self, x: float, y: float) -> tuple[Array, Array]:
        """Place of (x, y) ahead and left of every row's line (rows,)."""
        lines = np.array([(row.line.x, row.line.y, row.line.yaw) for row in self.rows])
        dx, dy, cos, sin = x - lines[:, 0], y - lines[:, 1], np.cos(lines[:, 2]), np.sin(lines[:, 2])
        return cos * dx + sin * dy, cos * dy - sin * dx

    def best_near(self, x: float, y: float, radius: float) -> Peak[T] | None:
        """The highest score within ``radius`` m of (x, y), centred there; None if no row passed the place."""
        if not self.rows:
            return None
        ahead, left = self._offsets(x, y)
        inside = np.hypot(ahead[:, None], left[:, None] - self.lateral) <= radius
        if not inside.any():
            return None
        scores = np.where(inside, np.array([row.scores for row in self.rows]), -np.inf)
        i, j = np.unravel_index(int(scores.argmax()), scores.shape)
        return Peak(float(scores[i, j]), self.rows[int(i)], int(j), x, y, self.rows[int(i)].s)
