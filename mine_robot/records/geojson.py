"""Geometry of ``map`` as GeoJSON in WGS-84 (RFC 7946)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from mine_robot.core.geodesy import Datum
from mine_robot.core.json_text import to_json

DECIMALS = 9  # of a degree: 0.1 mm


def to_wgs84(geometry: BaseGeometry, datum: Datum) -> BaseGeometry:
    """``geometry`` in longitude and latitude, outer rings anticlockwise."""
    lonlat = shapely.transform(
        geometry, lambda points: datum.to_wgs84(points[:, 0], points[:, 1])[:, :2].round(DECIMALS)
    )
    return shapely.orient_polygons(lonlat)


def position(datum: Datum, x: float, y: float) -> tuple[float, float]:
    """Latitude and longitude in degrees of a point of ``map``; NaN for one that is nowhere."""
    if not (math.isfinite(x) and math.isfinite(y)):
        return math.nan, math.nan
    lon, lat, _ = datum.to_wgs84(x, y)
    return float(lat), float(lon)


def feature(geometry: BaseGeometry, datum: Datum, properties: Mapping[str, Any]) -> dict[str, Any]:
    """A GeoJSON feature of ``geometry`` in ``map`` coordinates; figures that are not finite become null (unknown)."""
    known = {key: None if _unknown(value) else value for key, value in properties.items()}
    return {"type": "Feature", "properties": known, "geometry": mapping(to_wgs84(geometry, datum))}


def _unknown(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def write_collection(path: Path, features: Iterable[Mapping[str, Any]], **members: Any) -> None:
    """Write a FeatureCollection, a feature a line; ``members`` become further members of the collection."""
    head = _compact({"type": "FeatureCollection", **members}).removesuffix("}")
    lines = ",\n".join(_compact(one) for one in features)  # json's indentation would take several times as long
    path.write_text(f'{head}, "features": [\n{lines}\n]}}\n', encoding="utf-8")


def _compact(content: Mapping[str, Any]) -> str:
    return to_json(content)
