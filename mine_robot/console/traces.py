"""The newest scans of both sensors as columns for a page, few and small enough for a tablet.

A radar column is a channel's trace in steps of 1/127 of full strength: as recorded, or less its background, a mean that forgets, and with
a gain that makes all depths alike (D. J. Daniels, "Ground Penetrating Radar", 2004). It is for the eye; the detector processes by itself.
"""

from __future__ import annotations

import base64
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mine_robot.core.json_text import to_json
from mine_robot.core.types import Array, GprScan, MetalScan

KEPT = 240  # columns, which a page that begins to look is told at once
COLUMNS = 6  # a sensor and update at most, whatever the rate of the scans
ROWS = 96  # of a column at most
MEMORY = 40  # columns with which background and usual amplitude are forgotten
STRONG = 5.0  # times the usual amplitude of its depth is drawn at full strength
FAINT = 0.01  # of the strongest depth: a depth of less is not amplified further
ZERO, UNKNOWN = 128, 0  # codes of no echo and of a sample that is no number


@dataclass(frozen=True)
class Wish:
    """What a page looks at: a channel of the radar, raw or with the background removed."""

    channel: int
    processed: bool


@dataclass(frozen=True)
class _Column:
    number: int
    gpr: NDArray[np.uint8] | None  # (raw or processed, channels, rows)
    metal: list[list[float | None]] | None  # in-phase of every coil, quadrature of every coil


def choose(count: int) -> NDArray[np.intp]:
    """Which of ``count`` scans that came since the last update become columns: evenly spaced, the last always."""
    return np.unique(np.linspace(count - 1, 0, min(count, COLUMNS)).round().astype(int))


class Traces:
    """Takes scans, one thread; composes messages for pages, another."""

    def __init__(self, interval_ns: float, seen_ns: float) -> None:
        """Scans have a sample every ``interval_ns`` and are shown up to ``seen_ns``."""
        self._interval_ns = interval_ns
        self._samples = max(round(seen_ns / interval_ns), 2)
        self._step = 1
        self._lock = threading.Lock()
        self._columns: deque[_Column] = deque(maxlen=2 * KEPT)
        self._number = 0
        self._background: Array | None = None
        self._usual: Array | None = None  # amplitude (rows,) of the residual

    def gpr(self, scan: GprScan) -> None:
        """Add a radar scan; one of another size begins anew."""
        traces = np.asarray(scan.traces, dtype=float)
        if traces.ndim != 2 or not traces.size:
            return
        traces = traces[: self._samples]
        self._step = -(-len(traces) // ROWS)
        traces = np.where(np.isfinite(traces), traces, np.nan)[:: self._step].T  # (channels, rows)
        if self._background is None or self._background.shape != traces.shape:
            self._background, self._usual = np.nan_to_num(traces), None
        residual = traces - self._background
        self._background = self._background + np.nan_to_num(residual) / MEMORY
        size = np.abs(np.nan_to_num(residual)).mean(axis=0)
        self._usual = size if self._usual is None else self._usual + (size - self._usual) / MEMORY
        gain = 1.0 / (STRONG * np.maximum(self._usual, FAINT * self._usual.max()) + 1e-12)
        full = float(np.abs(self._background).max()) + 1e-12
        self._add(_coded(np.stack([traces / full, residual * gain])), None)

    def metal(self, scan: MetalScan) -> None:
        """Add a reading of every coil."""
        both = np.round([np.asarray(scan.in_phase, dtype=float), np.asarray(scan.quadrature, dtype=float)], 2)
        known = np.isfinite(both).tolist()
        values = [[v if ok else None for v, ok in zip(*row)] for row in zip(both.tolist(), known)]
        self._add(None, values)

    def _add(self, gpr: NDArray[np.uint8] | None, metal: list[list[float | None]] | None) -> None:
        with self._lock:
            self._number += 1
            self._columns.append(_Column(self._number, gpr, metal))

    def compose(self, wish: Wish, after: int) -> tuple[str, int]:
        """The message with the columns after number ``after``, and the number of the last; empty if there is nothing new."""
        with self._lock:
            new = [column for column in self._columns if column.number > after]
            last = self._number
        radar = [column for column in new if column.gpr is not None][-KEPT:]
        metal = [column.metal for column in new if column.metal is not None][-KEPT:]
        content: dict[str, Any] = {}
        if radar:
            shape = radar[-1].gpr.shape  # type: ignore[union-attr]
            channel = min(wish.channel, shape[1] - 1)
            alike = [column.gpr for column in radar if column.gpr is not None and column.gpr.shape == shape]
            codes = b"".join(pair[int(wish.processed), channel].tobytes() for pair in alike)
            content["gpr"] = {
                "channels": shape[1],
                "channel": channel,
                "processed": wish.processed,
                "rows": shape[2],
                "row_ns": round(self._step * self._interval_ns, 4),
                "codes": base64.b64encode(codes).decode(),
            }
        if metal:
            content["metal"] = metal
        return (to_json({"sensors": content}, compact=True) if content else ""), last


def _coded(shares: Array) -> NDArray[np.uint8]:
    """Shares of full strength, -1 to 1, as codes about ``ZERO``."""
    codes = ZERO + np.rint(127.0 * np.clip(np.nan_to_num(shares), -1.0, 1.0))
    return np.where(np.isnan(shares), UNKNOWN, codes).astype(np.uint8)
