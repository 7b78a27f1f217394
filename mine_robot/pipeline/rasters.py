"""GeoTIFF: the part that lies over a field.

GDAL can do more than is wanted here: it opens addresses on the network, files that name other files (VRT, WMS, WCS), and looks for
companions beside a file. A raster is a TIFF in a regular file, read by the driver for that and by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
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
from mine_robot.pipeline.voids import is_void

MARGIN_M = 1.0  # beyond the field
WGS84 = "EPSG:4326"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # with which a file begins: either byte order, and BigTIFF
ALONE = {  # options of GDAL (gdal.org/user/configoptions.html)
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no .aux.xml, .ovr or .msk beside the file
    "GDAL_PAM_ENABLED": "NO",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",
    "GDAL_HTTP_MAX_RETRY": "0",
    "VRT_SHARED_SOURCE": "0",
    "PROJ_NETWORK": "OFF",
}


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
    with open_raster(path) as image:
        if not 1 <= band <= image.count:
            raise LoadError(f"{path}: has {image.count} bands, not band {band}")
        from_wgs84 = Transformer.from_crs(WGS84, image.crs.to_wkt(), always_xy=True)
        around = field.hazard.buffer(MARGIN_M).bounds
        left, top, right, bottom = pixels_over(around, field.datum, image, from_wgs84)
        values = image.read(band, window=((top, bottom), (left, right)), masked=True).astype(float).filled(math.nan)
        void = is_void(values)
        if values.size and void.all():
            raise LoadError(f"{path}: has no values over the field, only voids")
        values[void] = math.nan
        footprint = _footprint(image, from_wgs84, field.datum)
        to_pixel = _matrix(~image.transform) - [[0.0, 0.0, left], [0.0, 0.0, top]]
    return Raster(values, to_pixel, from_wgs84, field.datum, footprint)


@contextmanager
def open_raster(path: Path) -> Iterator[Any]:
    """A raster as rasterio's dataset that knows where on the ground it lies; :class:`LoadError` with one line for it and its reading."""
    _check_tiff(path)
    try:
        import rasterio  # an extra: a hundred megabytes that only rasters need
    except ImportError:
        raise LoadError(f"{path}: rasters need rasterio: pip install 'mine_robot[raster]'") from None
    try:
        with rasterio.Env(**ALONE), rasterio.open(path.resolve(), driver="GTiff") as image:
            if image.crs is None or image.transform.is_identity:
                raise LoadError(f"{path}: does not say where on the ground it lies")
            yield image
    except rasterio.errors.RasterioError as error:
        raise LoadError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None


def _check_tiff(path: Path) -> None:
    """Raise :class:`LoadError` unless ``path`` is a regular file that begins as a TIFF does."""
    try:
        if not path.is_file():
            raise LoadError(f"{path}: no such file")
        with path.open("rb") as file:
            head = file.read(4)
    except (OSError, ValueError) as error:
        raise LoadError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if head not in TIFF:
        raise LoadError(f"{path}: cannot be read: not a GeoTIFF")


def pixels_over(
    bounds: tuple[float, float, float, float], datum: Datum, image: Any, from_wgs84: Transformer, margin: int = 0
) -> tuple[int, int, int, int]:
    """Left, top, right and bottom (half-open) of the pixels of ``image`` over ``bounds`` (west, south, east, north in ``map``, m) and
    ``margin`` pixels more on each side."""
    corners = shapely.get_coordinates(shapely.box(*bounds))
    lon, lat = datum.to_wgs84(corners[:, 0], corners[:, 1])[:, :2].T
    column, row = ~image.transform @ from_wgs84.transform(lon, lat)
    if not np.isfinite([column, row]).all():  # beyond the reach of the raster's projection
        return 0, 0, 0, 0
    edges = [np.floor(np.min(v)) - margin for v in (column, row)] + [np.ceil(np.max(v)) + margin for v in (column, row)]
    left, top, right, bottom = np.clip(edges, 0, [image.width, image.height] * 2).astype(int)
    return int(left), int(top), int(right), int(bottom)


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
