"""Height models as points in ``map``: GeoTIFF and other rasters of GDAL, or text with a point a line (XYZ)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from mine_robot.core.field import Field
from mine_robot.core.types import Array
from mine_robot.pipeline.loading import LoadError
from mine_robot.pipeline.rasters import WGS84, open_raster, pixels_over

TEXT = (".xyz", ".txt", ".csv", ".asc")
MARGIN_M = 5.0  # around the field
MARGIN_PIXELS = 3  # and at least so many, however coarse
MAX_PIXELS = 4_000_000  # of what lies over the field; a finer raster is read at a coarser step
MAX_POINTS_MB = 500


def read_heights(path: Path, field: Field, system: str | None = None) -> Array:
    """Heights (n, 3) in ``map`` over ``field`` and a margin; heights are as the file gives them, only their differences mean something.

    ``system`` is the reference system of a text file (anything that PROJ knows), by default longitude and latitude in WGS-84; a raster says
    its own. Raises :class:`LoadError` with one line.
    """
    if not path.is_file():
        raise LoadError(f"{path}: no such file")
    if path.suffix.lower() in TEXT:
        points, source = _read_text(path), _system(path, system or WGS84)
        to_wgs84 = Transformer.from_crs(source, WGS84, always_xy=True)
    else:
        if system is not None:
            raise LoadError(f"{path}: a raster says its own reference system; --crs is for text")
        points, to_wgs84 = _read_raster(path, field)
    lon, lat = to_wgs84.transform(points[:, 0], points[:, 1])
    heights = np.column_stack([field.datum.to_map(lon, lat)[:, :2], points[:, 2]]) if len(points) else points
    return heights[np.isfinite(heights).all(axis=1)]


def _system(path: Path, name: str) -> CRS:
    try:
        return CRS.from_user_input(name)
    except ProjError:
        raise LoadError(f"{path}: unknown reference system {name!r}, e.g. EPSG:32638") from None


def _read_text(path: Path) -> Array:
    """Points (n, 3) of a text file: three numbers a line, divided by blanks, commas or semicolons; one line of titles may come first."""
    if path.stat().st_size > MAX_POINTS_MB * 1_000_000:
        raise LoadError(f"{path}: larger than {MAX_POINTS_MB} MB: cut it to the field")
    rows: list[tuple[float, ...]] = []
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            words = line.replace(",", " ").replace(";", " ").split()
            if not words:
                continue
            try:
                rows.append(tuple(float(word) for word in words[:3]))
            except ValueError:
                if number > 1:
                    raise LoadError(f"{path}: line {number} is not x, y and height: {line.strip()[:40]!r}") from None
                continue
            if len(words) < 3:
                raise LoadError(f"{path}: line {number} has {len(words)} numbers, not x, y and height")
    return np.array(rows).reshape(-1, 3)


def _read_raster(path: Path, field: Field) -> tuple[Array, Transformer]:
    """Middle points of the pixels over the field (n, 3) in the raster's system, and the way from there to WGS-84."""
    with open_raster(path) as image:
        system = image.crs.to_wkt()
        from_wgs84 = Transformer.from_crs(WGS84, system, always_xy=True)
        to_wgs84 = Transformer.from_crs(system, WGS84, always_xy=True)
        west, south, east, north = field.bounds
        around = (west - MARGIN_M, south - MARGIN_M, east + MARGIN_M, north + MARGIN_M)
        left, top, right, bottom = pixels_over(around, field.datum, image, from_wgs84, MARGIN_PIXELS)
        width, height = right - left, bottom - top
        if width <= 0 or height <= 0:
            return np.empty((0, 3)), to_wgs84
        step = max(1, round((width * height / MAX_PIXELS) ** 0.5))
        shape = max(height // step, 1), max(width // step, 1)
        band = image.read(1, window=((top, bottom), (left, right)), out_shape=shape, masked=True)
        values = band.astype(float).filled(np.nan)
        column = left + (np.arange(shape[1]) + 0.5) * width / shape[1]
        row = top + (np.arange(shape[0]) + 0.5) * height / shape[0]
        x, y = image.transform @ np.meshgrid(column, row)
    return np.column_stack([x.ravel(), y.ravel(), values.ravel()]), to_wgs84
