"""WGS-84 at the edges, a local east-north-up frame (``map``) within.

The datum is the point where ``map`` touches the ellipsoid. The conversion is the exact topocentric one (EPSG method 9837), done by
PROJ; over a field it differs from a map projection in scale and convergence, which is why no projection is used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from pyproj import Transformer

from mine_robot.core.types import Array


@dataclass(frozen=True)
class Datum:
    """Origin of ``map``: ``latitude``, ``longitude`` in degrees WGS-84, ``height`` in m above the ellipsoid."""

    latitude: float
    longitude: float
    height: float = 0.0

    @cached_property
    def _transformer(self) -> Transformer:
        return Transformer.from_pipeline(
            "+proj=pipeline +step +proj=unitconvert +xy_in=deg +z_in=m +xy_out=rad +z_out=m +step +proj=cart +ellps=WGS84 "
            f"+step +proj=topocentric +ellps=WGS84 +lon_0={self.longitude!r} +lat_0={self.latitude!r} +h_0={self.height!r}"
        )

    def to_map(self, longitude: ArrayLike, latitude: ArrayLike, height: ArrayLike | None = None) -> Array:
        """Coordinates (..., 3) in ``map`` (east, north, up in m); without ``height`` the points lie at the datum's height."""
        lon = np.asarray(longitude, dtype=float)
        up = np.full(lon.shape, self.height) if height is None else np.asarray(height, dtype=float)
        return np.stack(self._transformer.transform(lon, np.asarray(latitude, dtype=float), up), axis=-1)

    def to_wgs84(self, east: ArrayLike, north: ArrayLike, up: ArrayLike | None = None) -> Array:
        """Coordinates (..., 3) as longitude and latitude in degrees and ellipsoidal height in m."""
        x = np.asarray(east, dtype=float)
        z = np.zeros(x.shape) if up is None else np.asarray(up, dtype=float)
        inverse = self._transformer.transform(x, np.asarray(north, dtype=float), z, direction="INVERSE")
        return np.stack(inverse, axis=-1)


def normal_gravity(latitude: float, height: float = 0.0) -> float:
    """Gravity in m/s² at ``latitude`` degrees and ``height`` m above the ellipsoid.

    Somigliana's formula for WGS-84 (NIMA TR8350.2, eq. 4-1) with the free-air gradient.
    """
    sin2 = math.sin(math.radians(latitude)) ** 2
    surface = 9.7803253359 * (1.0 + 0.00193185265241 * sin2) / math.sqrt(1.0 - 0.00669437999013 * sin2)
    return surface - 3.086e-6 * height
