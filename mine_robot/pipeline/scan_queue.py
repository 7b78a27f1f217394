"""Scans on their way to the detector, as live and replayed missions hand them over."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from mine_robot.core.types import GprScan, MetalScan

WAITING_MAX = 512  # 5 s of both sensors at 50 Hz; what is further ahead has a clock of its own, and is silent for it


class TakesScans(Protocol):
    """The detector, or whoever takes scans as it does."""

    def add_gpr(self, scan: GprScan) -> None:
        """Take a radar scan."""

    def add_metal(self, scan: MetalScan) -> None:
        """Take a metal-detector scan."""


class ScanQueue:
    """Keeps scans until the pose of their instant is there: one that came ahead of its pose must not stand for an earlier one."""

    def __init__(self, detector: TakesScans) -> None:
        self._detector = detector
        self._waiting: deque[GprScan | MetalScan] = deque(maxlen=WAITING_MAX)

    def add(self, scan: GprScan | MetalScan) -> None:
        """Take a scan."""
        self._waiting.append(scan)

    def hand_over(self, t: float) -> None:
        """Give the detector the scans up to ``t``; one whose time is not a number goes too, the detector refuses it."""
        due = [scan for scan in self._waiting if not scan.t > t + 1e-6]
        self._waiting = deque((scan for scan in self._waiting if scan.t > t + 1e-6), maxlen=WAITING_MAX)
        for scan in due:
            if isinstance(scan, GprScan):
                self._detector.add_gpr(scan)
            else:
                self._detector.add_metal(scan)
