"""The UTM zone of a field, for those who work on a projected grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from pyproj import CRS, Transformer

from mine_robot.core.geodesy import Datum
from mine_robot.core.types import Array

ZONE_DEG = 6.0
WGS84_EPSG = 4326
NORTH_EPSG, SOUTH_EPSG = 32600, 32700  # plus the number of the zone


@dataclass(frozen=True)
class UtmZone:
    """One zone of UTM on WGS-84: ``number`` 1-60, ``north`` of the equator or south."""

    number: int
    north: bool

    @classmethod
    def of(cls, datum: Datum) -> UtmZone:
        """The zone in which the datum lies; a field that reaches into the next zone stays in this one."""
        turned = (datum.longitude + 180.0) % 360.0
        return cls(int(turned // ZONE_DEG) + 1, datum.latitude >= 0.0)

    @property
    def name(self) -> str:
        """For example ``38N``."""
        return f"{self.number}{'N' if self.north else 'S'}"

    @property
    def epsg(self) -> int:
        """EPSG code of the zone."""
        return (NORTH_EPSG if self.north else SOUTH_EPSG) + self.number

    @cached_property
    def crs(self) -> CRS:
        """The projected coordinate system."""
        return CRS.from_epsg(self.epsg)

    @cached_property
    def _transformer(self) -> Transformer:
        return Transformer.from_crs(CRS.from_epsg(WGS84_EPSG), self.crs, always_xy=True)

    def project(self, longitude: ArrayLike, latitude: ArrayLike) -> Array:
        """Easting and northing (n, 2) in m of places in degrees WGS-84."""
        lon, lat = np.atleast_1d(np.asarray(longitude, dtype=float)), np.atleast_1d(np.asarray(latitude, dtype=float))
        return np.column_stack(self._transformer.transform(lon.tolist(), lat.tolist()))
