"""Words and figures for people."""

from __future__ import annotations

import math

from mine_robot.core.geodesy import Datum
from mine_robot.core.types import MissionState, TargetClass

CLASS_NAMES = {
    TargetClass.UNKNOWN: "unknown",
    TargetClass.AP_MINIMUM_METAL: "AP, minimum metal",
    TargetClass.AP_METAL: "AP, metal",
    TargetClass.AT: "AT",
    TargetClass.ERW: "ERW",
    TargetClass.CLUTTER: "clutter",
}
STATE_NAMES = {
    MissionState.IDLE: "never started",
    MissionState.DONE: "done",
    MissionState.ABORTED: "aborted",
    MissionState.ESTOP: "emergency stop",
}
STATE_NAMES.update({state: f"ended while in '{state.value}'" for state in MissionState if state not in STATE_NAMES})


def clock(seconds: float) -> str:
    """A duration as hours, minutes and seconds."""
    whole = round(seconds) if math.isfinite(seconds) else 0
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {whole % 60:02d} s"


def degrees(latitude: float, longitude: float) -> str:
    """A place with the hemisphere's letters, 7 decimals (1 cm)."""
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return "unknown"
    north_south, east_west = "N" if latitude >= 0 else "S", "E" if longitude >= 0 else "W"
    return f"{abs(latitude):.7f}° {north_south}, {abs(longitude):.7f}° {east_west}"


def datum_text(datum: Datum) -> str:
    """Origin of the local grid."""
    return f"WGS-84 {degrees(datum.latitude, datum.longitude)}"


def percent(share: float) -> str:
    """A share as percentage, rounded down: nothing is cleared by rounding."""
    return f"{math.floor(share * 1e4 + 1e-3) / 100.0:.2f} %"
