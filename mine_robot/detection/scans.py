"""Checks of single scans: what is wrong with them, in one clear line."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mine_robot.core.types import Array, GprScan, MetalScan
from mine_robot.detection.rows import median

DEAD_SHARE = 0.02  # a channel with less of the others' signal is dead
SOME_SAMPLES = 32
CLIPPED_SAMPLES = 4  # so many samples exactly at a trace's extreme are no wave
# So many scans exactly at a coil's extreme are no noise, unless the extreme is a few steps of the converter.
CLIPPED_SCANS = 3
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
    """Checks radar scans of ``channels`` columns; the number of samples is that of the first scan of a sound shape.

    Scans of less than ``samples_min`` samples end before the echo of the deepest body searched for: they find, and prove nothing.
    """

    def __init__(self, channels: int, samples_min: float = 0.0) -> None:
        self._channels, self._samples_min = channels, samples_min
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
        highest, lowest = traces.max(axis=1, keepdims=True), traces.min(axis=1, keepdims=True)
        finite = np.isfinite(highest[:, 0]) & np.isfinite(lowest[:, 0])
        if not finite.any():
            return Check("not a number in all channels", none)
        self._samples = samples
        last, self._last = self._last, traces
        same = none if last is None else _same(last, traces)
        if same.all():
            return Check("frozen: the same scan again", none)
        sound = traces if finite.all() else np.where(finite[:, None], traces, 0.0)
        deviation = sound - sound.mean(axis=1, keepdims=True)
        spread = np.sqrt(np.einsum("cs,cs->c", deviation, deviation))
        dead = (spread <= DEAD_SHARE * float(median(spread[finite]))) | same
        extremes = np.maximum(_count(traces, highest), _count(traces, lowest))
        usable = np.asarray(finite & ~dead)
        fault = _fault("channel", ~finite, dead, usable & (extremes >= CLIPPED_SAMPLES))
        if not fault and samples < self._samples_min:
            fault = (
                f"{samples} samples end before the echo from gpr.max_depth_m, which takes {math.ceil(self._samples_min)}: "
                "check gpr.sample_interval_ns"
            )
        return Check(fault, usable)


def _same(last: NDArray[np.float32], traces: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which channels (channels,) are exactly as before; most often a few samples tell that none is."""
    some = slice(None, None, SOME_SAMPLES)
    if not (last[:, some] == traces[:, some]).all(axis=1).any():
        return np.zeros(len(traces), dtype=bool)
    return np.asarray((last == traces).all(axis=1))


def _count(traces: NDArray[np.float32], edge: NDArray[np.float32]) -> NDArray[np.int_]:
    """How many samples (channels,) of each channel are at its ``edge``; where no channel can reach CLIPPED_SAMPLES, zeros."""
    at = traces == edge
    if np.count_nonzero(at) < len(traces) - 1 + CLIPPED_SAMPLES:  # each channel has one at least
        return np.zeros(len(traces), dtype=int)
    return np.asarray(np.count_nonzero(at, axis=1))


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
        finite = np.asarray(np.isfinite(reading).all(axis=0))
        if not finite.any():
            return Check("not a number in all coils", none)
        last, self._last = self._last, reading
        step = np.abs(reading - last) if last is not None else np.full_like(reading, np.inf)
        same = np.asarray(~step.any(axis=0))
        if same.all():
            return Check("frozen: the same scan again", none)
        dead = np.asarray(same | ~reading.any(axis=0))
        clipped = self._clipped(reading, step)
        usable = np.asarray(finite & ~dead)
        return Check(_fault("coil", ~finite, dead, clipped & usable), usable)

    def _clipped(self, reading: Array, step: Array) -> NDArray[np.bool_]:
        """Coils (coils,) that stay exactly at the largest value they ever had; ``step`` is the change from the last reading."""
        self._quantum = float(np.min(step, where=step > 0.0, initial=self._quantum))  # not so where it is not a number
        size = np.abs(reading)
        self._repeats = (self._repeats + 1) * ((step == 0.0) & (size >= self._largest))
        self._largest = np.fmax(self._largest, size)
        large = size >= FEW_STEPS * self._quantum
        return np.asarray(((self._repeats >= CLIPPED_SCANS - 1) & large).any(axis=0))


def _fault(element: str, broken: NDArray[np.bool_], dead: NDArray[np.bool_], clipped: NDArray[np.bool_]) -> str:
    if not (broken | dead | clipped).any():
        return ""
    for what, flags in (("not a number in", broken), ("dead", dead), ("saturated", clipped)):
        if flags.any():
            return f"{what} {element} {', '.join(str(i) for i in np.nonzero(flags)[0])}"
    return ""
