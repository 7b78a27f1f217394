"""Checks of single scans: what is wrong with them, in one clear line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mine_robot.core.types import Array, GprScan, MetalScan

DEAD_SHARE = 0.02  # a channel with less of the others' signal is dead
CLIPPED_SAMPLES = 4  # so many samples exactly at a trace's extreme are no wave
CLIPPED_SCANS = (
    3  # so many scans exactly at a coil's extreme are no noise, unless the extreme is a few steps of the converter
)
FEW_STEPS = 100


@dataclass(frozen=True)
class Check:
    """``fault`` is empty for a healthy scan; ``usable`` (elements,) says which elements may be processed at all."""

    fault: str
    usable: NDArray[np.bool_]

    @property
    def processable(self) -> bool:
        """True if at least one element can be used."""
        return bool(self.usable.any())


class GprCheck:
    """Checks radar scans of ``channels`` columns; the number of samples is that of the first scan of a sound shape."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._samples = 0
        self._last: NDArray[np.float32] | None = None

    def __call__(self, scan: GprScan) -> Check:
        none = np.zeros(self._channels, dtype=bool)
        traces = np.asarray(scan.traces)
        if traces.ndim != 2 or traces.shape[1] != self._channels or traces.shape[0] < 32:
            return Check(
                f"wrong size {traces.shape}, expected (samples, {self._channels}): check gpr.channel_offsets_m", none
            )
        if self._samples and traces.shape[0] != self._samples:
            return Check(f"wrong size: {traces.shape[0]} samples, were {self._samples}", none)
        samples = traces.shape[0]
        traces = np.ascontiguousarray(traces.T)  # (channels, samples): several times as fast
        numbers = np.isfinite(traces)
        finite = numbers.all(axis=1)
        if not finite.any():
            return Check("not a number in all channels", none)
        self._samples = samples
        last, self._last = self._last, traces
        same = np.zeros(self._channels, dtype=bool) if last is None else (last == traces).all(axis=1)
        if same.all():
            return Check("frozen: the same scan again", none)
        spread = traces.std(axis=1) if finite.all() else np.where(finite, traces.std(axis=1, where=numbers), 0.0)
        dead = (spread <= DEAD_SHARE * float(np.median(spread[finite]))) | same
        highest, lowest = traces.max(axis=1, keepdims=True), traces.min(axis=1, keepdims=True)
        extremes = (np.count_nonzero(traces == edge, axis=1) for edge in (highest, lowest))
        clipped = finite & ~dead & (np.maximum(*extremes) >= CLIPPED_SAMPLES)
        return Check(_fault("channel", ~finite, dead, clipped), np.asarray(finite & ~dead))


class MetalCheck:
    """Checks metal-detector scans of ``coils`` points.

    A saturated coil stays usable: what saturates it may be a mine. Only clearance is not given.
    """

    def __init__(self, coils: int) -> None:
        self._coils = coils
        self._last: Array | None = None
        self._largest = np.zeros((2, coils))
        self._repeats: NDArray[np.int_] = np.zeros((2, coils), dtype=int)
        self._quantum = np.inf

    def __call__(self, scan: MetalScan) -> Check:
        none = np.zeros(self._coils, dtype=bool)
        in_phase, quadrature = np.asarray(scan.in_phase), np.asarray(scan.quadrature)
        if in_phase.shape != (self._coils,) or quadrature.shape != (self._coils,):
            return Check(f"wrong size {in_phase.shape} and {quadrature.shape}, expected ({self._coils},)", none)
        reading = np.stack([in_phase, quadrature])
        finite = np.isfinite(reading).all(axis=0)
        if not finite.any():
            return Check("not a number in all coils", none)
        last, self._last = self._last, reading
        same = np.zeros(self._coils, dtype=bool) if last is None else (last == reading).all(axis=0)
        if same.all():
            return Check("frozen: the same scan again", none)
        dead = same | (finite & (np.abs(reading).sum(axis=0) == 0.0))
        clipped = np.zeros(self._coils, dtype=bool) if last is None else self._clipped(reading, last)
        return Check(_fault("coil", ~finite, dead, clipped & finite & ~dead), finite & ~dead)

    def _clipped(self, reading: Array, last: Array) -> NDArray[np.bool_]:
        """Coils (coils,) that stay exactly at the largest value they ever had."""
        step = np.abs(reading - last)
        moved = step[np.isfinite(step) & (step > 0.0)]
        self._quantum = min(self._quantum, float(moved.min()) if len(moved) else np.inf)
        size = np.abs(reading)
        self._repeats = np.where((step == 0.0) & (size >= self._largest), self._repeats + 1, 0)
        self._largest = np.fmax(self._largest, size)
        large = size >= FEW_STEPS * self._quantum
        return np.asarray(((self._repeats >= CLIPPED_SCANS - 1) & large).any(axis=0))


def _fault(element: str, broken: ArrayLike, dead: ArrayLike, clipped: ArrayLike) -> str:
    if np.any(broken):
        return f"not a number in {element} {_numbers(broken)}"
    if np.any(dead):
        return f"dead {element} {_numbers(dead)}"
    if np.any(clipped):
        return f"saturated {element} {_numbers(clipped)}"
    return ""


def _numbers(flags: ArrayLike) -> str:
    return ", ".join(str(i) for i in np.nonzero(np.asarray(flags))[0])
