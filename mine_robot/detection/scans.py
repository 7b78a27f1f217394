"""Checks of single scans: what is wrong with them, in one clear line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mine_robot.core.types import Array, GprScan, MetalScan

DEAD_SHARE = 0.02  # a channel with less of the others' signal is dead


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
        numbers = np.isfinite(traces)
        finite = numbers.all(axis=0)
        if not finite.any():
            return Check("not a number in all channels", none)
        self._samples = traces.shape[0]
        last, self._last = self._last, traces
        same = np.zeros(self._channels, dtype=bool) if last is None else (last == traces).all(axis=0)
        if same.all():
            return Check("frozen: the same scan again", none)
        spread = traces.std(axis=0) if finite.all() else np.where(finite, traces.std(axis=0, where=numbers), 0.0)
        dead = (spread <= DEAD_SHARE * float(np.median(spread[finite]))) | same
        return Check(_fault("channel", ~finite, dead), np.asarray(finite & ~dead))


class MetalCheck:
    """Checks metal-detector scans of ``coils`` points."""

    def __init__(self, coils: int) -> None:
        self._coils = coils
        self._last: Array | None = None

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
        return Check(_fault("coil", ~finite, dead), finite & ~dead)


def _fault(element: str, broken: ArrayLike, dead: ArrayLike) -> str:
    if np.any(broken):
        return f"not a number in {element} {_numbers(broken)}"
    if np.any(dead):
        return f"dead {element} {_numbers(dead)}"
    return ""


def _numbers(flags: ArrayLike) -> str:
    return ", ".join(str(i) for i in np.nonzero(np.asarray(flags))[0])
