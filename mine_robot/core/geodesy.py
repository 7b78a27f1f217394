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

from mine_robot.core.types import Array, FixStatus, GnssFix

NOWHERE_DEG, POLE_DEG = 0.001, 89.9


def is_somewhere(latitude: float, longitude: float) -> bool:
    """Whether a receiver can mean this place: on earth, not at a pole, and not at 0/0, which it reports before it knows where it is."""
    on_earth = abs(latitude) <= POLE_DEG and abs(longitude) <= 180.0
    return on_earth and not (abs(latitude) < NOWHERE_DEG and abs(longitude) < NOWHERE_DEG)


@dataclass(frozen=True)
class Datum:
    """Origin of ``map``: ``latitude``, ``longitude`` in degrees WGS-84, ``height`` in m above the ellipsoid."""

    latitude: float
    longitude: float
    height: float = 0.0

    @classmethod
    def at(cls, fix: GnssFix) -> Datum | None:
        """The datum at the place of ``fix``; None if it has none that can be meant."""
        place = (fix.latitude, fix.longitude, fix.height)
        finite = all(map(math.isfinite, place))
        usable = fix.status != FixStatus.NONE and finite and is_somewhere(fix.latitude, fix.longitude)
        return cls(*place) if usable else None

    @cached_property
    def _transformer(self) -> Transformer:
        return Transformer.from_pipeline(
            "+proj=pipeline +step +proj=unitconvert +xy_in=deg +z_in=m +xy_out=rad +z_out=m +step +proj=cart +ellps=WGS84 "
            f"+step +proj=topocentric +ellps=WGS84 +lon_0={self.longitude!r} +lat_0={self.latitude!r} +h_0={self.height!r}"
        )

    def to_map(self, longitude: ArrayLike, latitude: ArrayLike, height: ArrayLike | None = None) -> Array:
        """Coordinates (..., 3) in ``map`` (east, north, up in m); without ``height`` the points lie at the datum's height."""
        return self._convert("FORWARD", longitude, latitude, self.height if height is None else height)

    def to_wgs84(self, east: ArrayLike, north: ArrayLike, up: ArrayLike | None = None) -> Array:
        """Coordinates (..., 3) as longitude and latitude in degrees and ellipsoidal height in m."""
        return self._convert("INVERSE", east, north, 0.0 if up is None else up)

    def _convert(self, direction: str, *coordinates: ArrayLike) -> Array:
        arrays = np.broadcast_arrays(*(np.asarray(values, dtype=float) for values in coordinates))
        # One point goes in as scalars: pyproj takes an array of one element for a scalar, with a warning.
        x, y, z = (values.item() for values in arrays) if arrays[0].size == 1 else arrays
        flat = self._transformer.transform(x, y, z, direction=direction)
        return np.stack(flat, axis=-1).reshape(*arrays[0].shape, 3)


def normal_gravity(latitude: float, height: float = 0.0) -> float:
    """Gravity in m/s² at ``latitude`` degrees and ``height`` m above the ellipsoid.

    Somigliana's formula for WGS-84 (NIMA TR8350.2, eq. 4-1) with the free-air gradient.
    """
    sin2 = math.sin(math.radians(latitude)) ** 2
    surface = 9.7803253359 * (1.0 + 0.00193185265241 * sin2) / math.sqrt(1.0 - 0.00669437999013 * sin2)
    return surface - 3.086e-6 * height
