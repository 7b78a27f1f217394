"""Two watches over the ground: is the head at its height, and is the robot within the field at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import shapely

from mine_robot.core.field import Field
from mine_robot.core.limits import Limits
from mine_robot.core.types import Health, Level, NavState, SweepEvidence

PLACE_AGE_S = 1.5  # after which the last pose says nothing of where the robot is
FENCE_MARGIN_M = 0.5  # base_link stays well within the field; beyond it by this much the robot is where nobody sent it


class GroundWatch:
    """Health reports ``head`` and ``geofence``, from evidence and pose."""

    def __init__(self, field: Field, limits: Limits) -> None:
        self._limits = limits
        self._fence = shapely.union_all([field.hazard, field.safe]).buffer(FENCE_MARGIN_M)
        shapely.prepare(self._fence)
        self._height = math.nan
        self._place: tuple[float, float, float] | None = None  # t, east, north

    def add_evidence(self, evidence: Sequence[SweepEvidence]) -> None:
        """Take the newest height above ground; one that is not known says nothing."""
        for record in evidence:
            if math.isfinite(record.height):
                self._height = record.height

    def set_nav(self, state: NavState) -> None:
        """Take the pose; one that is not finite leaves the last."""
        place = float(state.position[0]), float(state.position[1])
        if np.all(np.isfinite(place)):
            self._place = state.t, *place

    def reports(self, t: float) -> tuple[Health, ...]:
        """Both reports at time ``t``."""
        return (self._head(), self._geofence(t))

    def _head(self) -> Health:
        low, high, height = self._limits.head_height_min, self._limits.head_height_max, self._height
        values = {"height_m": f"{height:.3f}"}
        if math.isfinite(height) and not low <= height <= high:
            word = "high" if height > high else "low"
            return Health("head", Level.WARN, f"the head is too {word} ({height:.2f} m)", values)
        return Health("head", Level.OK, "at its height", values)

    def _geofence(self, t: float) -> Health:
        if self._place is None:
            return Health("geofence", Level.STALE, "where the robot is, is not known yet")
        since, x, y = self._place
        if not shapely.contains_xy(self._fence, x, y):
            return Health("geofence", Level.ERROR, f"outside the field, at {x:.1f} m east, {y:.1f} m north")
        if t - since > PLACE_AGE_S:
            return Health("geofence", Level.STALE, "where the robot is, is not known any more")
        return Health("geofence", Level.OK, "within the field")
