"""GeoTIFF and other rasters of GDAL: the part that lies over a field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import Transformer
from shapely import Polygon

from mine_robot.core.field import Field
from mine_robot.core.geodesy import Datum
from mine_robot.core.types import Array
from mine_robot.pipeline.loading import LoadError

MARGIN_M = 1.0  # beyond the field
WGS84 = "EPSG:4326"


@dataclass(frozen=True)
class Raster:
    """``values`` (rows, columns), NaN where there are none. ``to_pixel`` (2, 3) takes coordinates of the raster's system (``from_wgs84``)
    to column and row; ``footprint`` is what the whole file covers, in ``map`` about ``datum``."""

    values: Array
    to_pixel: Array
    from_wgs84: Transformer
    datum: Datum
    footprint: Polygon

    def at(self, x: float, y: float) -> float:
        """The value of the cell over (x, y) in ``map``; NaN beyond the raster."""
        lon, lat = self.datum.to_wgs84(x, y)[:2]
        place = self.to_pixel @ (*self.from_wgs84.transform(lon, lat), 1.0)
        if not np.isfinite(place).all():
            return math.nan
        column, row = (math.floor(value) for value in place)
        inside = 0 <= row < self.values.shape[0] and 0 <= column < self.values.shape[1]
        return float(self.values[row, column]) if inside else math.nan


def read_raster(path: Path, band: int, field: Field) -> Raster:
    """Read what lies over ``field``, however large the file is; raises :class:`LoadError` with one line."""
    if not path.is_file():
        raise LoadError(f"{path}: no such file")
    try:
        import rasterio  # an extra: a hundred megabytes that only rasters need
        from rasterio.windows import Window
    except ImportError:
        raise LoadError(f"{path}: rasters need rasterio: pip install 'mine_robot[raster]'") from None
    try:
        with rasterio.open(path) as image:
            if image.crs is None or image.transform.is_identity:
                raise LoadError(f"{path}: does not say where on the ground it lies")
            if not 1 <= band <= image.count:
                raise LoadError(f"{path}: has {image.count} bands, not band {band}")
            from_wgs84 = Transformer.from_crs(WGS84, image.crs.to_wkt(), always_xy=True)
            to_pixel = _matrix(~image.transform)
            columns, rows = _pixels_of(field, to_pixel, from_wgs84)
            left, right = (int(np.clip(edge, 0, image.width)) for edge in columns)
            top, bottom = (int(np.clip(edge, 0, image.height)) for edge in rows)
            window = Window(left, top, right - left, bottom - top)
            values = image.read(band, window=window, masked=True).astype(float).filled(math.nan)
            footprint = _footprint(image, from_wgs84, field.datum)
    except rasterio.errors.RasterioError as error:
        raise LoadError(f"{path}: cannot be read: {error}") from None
    return Raster(values, to_pixel - [[0.0, 0.0, left], [0.0, 0.0, top]], from_wgs84, field.datum, footprint)


def _pixels_of(field: Field, to_pixel: Array, from_wgs84: Transformer) -> Array:
    """Half-open ranges of columns and rows (2, 2) over the field and a margin."""
    corners = shapely.get_coordinates(shapely.box(*field.hazard.buffer(MARGIN_M).bounds))
    lon, lat = field.datum.to_wgs84(corners[:, 0], corners[:, 1])[:, :2].T
    places = to_pixel @ np.array([*from_wgs84.transform(lon, lat), np.ones_like(lon)])
    if not np.isfinite(places).all():  # beyond the reach of the raster's projection
        return np.zeros((2, 2))
    return np.stack([np.floor(places.min(axis=1)), np.ceil(places.max(axis=1))], axis=1)


def _footprint(image: Any, from_wgs84: Transformer, datum: Datum) -> Polygon:
    corners = np.array(
        [[0, image.width, image.width, 0], [0, 0, image.height, image.height], [1, 1, 1, 1]], dtype=float
    )
    x, y = _matrix(image.transform) @ corners
    lon, lat = from_wgs84.transform(x, y, direction="INVERSE")
    return Polygon(datum.to_map(lon, lat)[:, :2])


def _matrix(transform: Any) -> Array:
    """The upper two rows of an affine transform."""
    return np.array(tuple(transform)[:6], dtype=float).reshape(2, 3)
