"""From what the filter knows of itself to one line for the operator."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mine_robot.core.types import Health, Level

NAME = "localization"
NOTICE_S = 1.0  # a refused measurement stays on show so long


@dataclass(frozen=True)
class Condition:
    """What health is judged by; sigmas in m and rad, ages in s (infinite: never)."""

    aligned: bool
    waiting: str
    imu_age: float
    imu_gap_max: float
    rtk: str
    fix_age: float
    fix_timeout: float
    sigma: float
    sigma_wheels: float
    sigma_max: float
    lost_factor: float
    heading_sigma: float
    heading_sigma_max: float
    axes: str
    contradiction: str


class Notices:
    """Complaints about refused measurements, the latest of each kind, for as long as they are fresh."""

    def __init__(self) -> None:
        self._notices: dict[str, tuple[float, str]] = {}

    def add(self, kind: str, t: float, message: str) -> None:
        """Note a complaint at time ``t``."""
        self._notices[kind] = (t, message)

    def fresh(self, t: float) -> list[str]:
        """Messages of the last second."""
        return [message for when, message in self._notices.values() if t - when <= NOTICE_S]


def assess(condition: Condition, notices: list[str]) -> Health:
    """Judge. OK: search. WARN, degraded: the position is worse than searching needs or soon will be; stand and wait. ERROR, lost: it
    must not be used.
    """
    level, message = _judge(condition, notices)
    values = {
        "state": {Level.OK: "OK", Level.WARN: "DEGRADED"}.get(level, "LOST"),
        "rtk": condition.rtk,
        "sigma_m": f"{condition.sigma:.3f}",
        "sigma_wheels_m": f"{condition.sigma_wheels:.3f}",
        "heading_sigma_deg": f"{math.degrees(condition.heading_sigma):.2f}",
        "aligned": str(condition.aligned).lower(),
    }
    return Health(NAME, level, message, values)


def _judge(now: Condition, notices: list[str]) -> tuple[Level, str]:
    if math.isinf(now.imu_age):
        return Level.ERROR, notices[0] if notices else "no IMU sample yet"
    if now.imu_age > now.imu_gap_max:
        return Level.ERROR, f"no IMU sample for {now.imu_age:.1f} s" + (f": {notices[0]}" if notices else "")
    if now.axes:
        return Level.ERROR, now.axes
    if not now.aligned:
        return Level.ERROR, f"aligning: {now.waiting}" + (f" ({notices[0]})" if notices else "")
    if not now.sigma <= now.lost_factor * now.sigma_max:
        why = f" ({now.contradiction})" if now.contradiction else ""
        return Level.ERROR, f"lost: sigma {now.sigma:.2f} m at the sensor head, limit {now.sigma_max:.2f} m{why}"
    if now.contradiction:
        return Level.WARN, now.contradiction
    if now.fix_age > now.fix_timeout:
        return Level.WARN, f"no usable GNSS fix for {now.fix_age:.1f} s"
    if now.heading_sigma > now.heading_sigma_max:
        return Level.WARN, (
            f"aligning: heading sigma {math.degrees(now.heading_sigma):.1f} degrees, limit "
            f"{math.degrees(now.heading_sigma_max):.1f}: a heading sensor or some metres on safe ground will tell"
        )
    if now.sigma > now.sigma_max:
        why = f" ({notices[0]})" if notices else ""
        return Level.WARN, f"degraded: sigma {now.sigma:.3f} m at the sensor head, limit {now.sigma_max:.3f} m{why}"
    if notices:
        return Level.WARN, notices[0]
    return Level.OK, f"RTK {now.rtk}"
