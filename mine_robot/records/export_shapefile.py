"""Shapefiles: one a layer in WGS-84, and one in the field's UTM zone beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import shapefile
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from mine_robot.core.text import writable
from mine_robot.records.export_layers import LINE, POINT, POLYGON, Column, Export, Layer
from mine_robot.records.geojson import to_wgs84
from mine_robot.records.utm import WGS84_EPSG

TYPES = {POLYGON: shapefile.POLYGON, LINE: shapefile.POLYLINE, POINT: shapefile.POINT}
TEXT_BYTES = 254  # of a dBASE field
NUMBER_DIGITS = 18


def write_shapefiles(folder: Path, export: Export) -> None:
    """Write ``<layer>.shp`` and ``<layer>_utm<zone>.shp`` with their .shx, .dbf, .prj and .cpg (UTF-8)."""
    zone = export.zone

    def degrees(shape: BaseGeometry) -> BaseGeometry:
        return to_wgs84(shape, export.datum)

    def metres(shape: BaseGeometry) -> BaseGeometry:
        return shapely.transform(degrees(shape), lambda places: zone.project(places[:, 0], places[:, 1]))

    for layer in export.layers:
        _write(folder / layer.kind, layer, degrees, CRS.from_epsg(WGS84_EPSG))
        _write(folder / f"{layer.kind}_utm{zone.name.lower()}", layer, metres, zone.crs)


def _write(path: Path, layer: Layer, convert: Callable[[BaseGeometry], BaseGeometry], crs: CRS) -> None:
    with shapefile.Writer(str(path), shapeType=TYPES[layer.geometry], encoding="utf-8") as writer:
        for column in layer.columns:
            if column.decimals is None:
                writer.field(column.name, "C", TEXT_BYTES)
            else:
                writer.field(column.name, "N", NUMBER_DIGITS, column.decimals)
        for feature in layer.features:
            if feature.geometry is None:
                writer.null()
            else:
                _draw(writer, convert(feature.geometry))
            writer.record(*(_value(column, feature.properties[column.name]) for column in layer.columns))
    path.with_suffix(".prj").write_text(crs.to_wkt("WKT1_ESRI"), encoding="utf-8")
    path.with_suffix(".cpg").write_text("UTF-8", encoding="utf-8")


def _draw(writer: shapefile.Writer, shape: BaseGeometry) -> None:
    if shape.geom_type == POINT:
        writer.point(*shape.coords[0])
    elif shape.geom_type == LINE:
        writer.line([list(shape.coords)])
    else:  # the format wants outer rings clockwise, against GeoJSON
        turned = shapely.orient_polygons(shape, exterior_cw=True)
        writer.poly([list(ring.coords) for ring in (turned.exterior, *turned.interiors)])


def _value(column: Column, value: Any) -> Any:
    """A value as dBASE holds it: text cut at a whole character, None for an unknown figure."""
    if column.decimals is None:
        return writable(str(value)).encode()[:TEXT_BYTES].decode(errors="ignore")
    return value if np.isfinite(value) else None
