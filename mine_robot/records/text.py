"""Words and figures for people."""

from __future__ import annotations

import datetime
import math

from mine_robot.core.geodesy import Datum
from mine_robot.records.language import Language


def clock(seconds: float, t: Language) -> str:
    """A duration as hours, minutes and seconds."""
    whole = round(seconds) if math.isfinite(seconds) else 0
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return t("duration.hours", hours=hours, minutes=f"{minutes:02d}")
    return t("duration.minutes", minutes=minutes, seconds=f"{whole % 60:02d}")


def moment(when: datetime.datetime | None, t: Language) -> str:
    """A moment as local time with its zone."""
    return f"{when.astimezone():%Y-%m-%d %H:%M %Z}" if when else t("not_recorded")


def degrees(latitude: float, longitude: float, t: Language) -> str:
    """A place with the hemisphere's letters, 7 decimals (1 cm)."""
    if not (math.isfinite(latitude) and math.isfinite(longitude)):
        return t("unknown_place")
    north_south, east_west = "N" if latitude >= 0 else "S", "E" if longitude >= 0 else "W"
    return f"{abs(latitude):.7f}° {north_south}, {abs(longitude):.7f}° {east_west}"


def datum_text(datum: Datum, t: Language) -> str:
    """Origin of the local grid."""
    return f"WGS-84 {degrees(datum.latitude, datum.longitude, t)}"


def percent(share: float) -> str:
    """A share as percentage, rounded down: nothing is cleared by rounding."""
    return f"{math.floor(share * 1e4 + 1e-3) / 100.0:.2f} %"
