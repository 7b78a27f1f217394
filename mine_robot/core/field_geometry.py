"""One geometry of a GeoJSON file, checked to the last number before a library sees it: every error names the feature and the place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from pyproj import CRS
from pyproj.exceptions import ProjError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

# How deep the positions of a geometry lie within lists.
DEPTH = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
GEOMETRIES = (*DEPTH, "GeometryCollection", "Feature", "FeatureCollection")
RING_MIN = 4  # positions, the first one twice
SHOWN = 40  # characters of what is wrong


class FieldError(ValueError):
    """The field file cannot be used; one line says what is wrong and where."""


def checked_geometry(label: str, geometry: Any, wanted: tuple[str, ...]) -> BaseGeometry:
    """One feature's geometry in degrees, of a GeoJSON type that is ``wanted``, heights left out; raises :class:`FieldError` naming it by
    ``label``."""
    kind = geometry.get("type") if isinstance(geometry, Mapping) else None
    if kind not in wanted:
        raise FieldError(f"{label} must be a {' or '.join(wanted)}, not {_said(kind)}")
    check_crs(geometry.get("crs"), label)
    coordinates = geometry.get("coordinates")
    if coordinates == []:
        raise FieldError(f"{label} is empty")
    places = _places(label, coordinates, DEPTH[kind])
    for polygon in {"Polygon": [places], "MultiPolygon": places}.get(kind, []):
        if not polygon:
            raise FieldError(f"{label} has broken coordinates: a polygon without a ring")
        for ring in polygon:
            _check_ring(label, ring)
    try:
        built = shape({"type": kind, "coordinates": places})
    except (ValueError, TypeError, shapely.errors.ShapelyError) as error:
        raise FieldError(f"{label} has broken coordinates: {error}") from None
    if built.is_empty:
        raise FieldError(f"{label} is empty")
    _check_degrees(label, shapely.get_coordinates(built))
    if not built.is_valid:
        raise FieldError(f"{label} is not a valid polygon: {explain_validity(built)}")
    return built


def _places(label: str, value: Any, depth: int) -> Any:
    """Positions as [longitude, latitude] within ``depth`` lists; one with a height among others without is as good as any."""
    if not isinstance(value, (list, tuple)):
        raise FieldError(f"{label} has broken coordinates: {_said(value)} where a list belongs")
    if depth:
        return [_places(label, item, depth - 1) for item in value]
    if len(value) not in (2, 3) or any(isinstance(x, bool) or not isinstance(x, (int, float)) for x in value):
        raise FieldError(f"{label} has broken coordinates: {_said(value)} is not [longitude, latitude]")
    try:
        place = [float(x) for x in value]
    except OverflowError:
        raise FieldError(f"{label} has broken coordinates: a number beyond all degrees") from None
    if not all(map(math.isfinite, place)):
        raise FieldError(f"{label} has a coordinate that is not a number")
    return place[:2]


def _check_ring(label: str, ring: list[list[float]]) -> None:
    if len(ring) < RING_MIN:
        raise FieldError(
            f"{label} has broken coordinates: a ring of {len(ring)} positions, {RING_MIN} are the least, the last one the first again"
        )
    (west, south), (east, north) = ring[0], ring[-1]
    if (west, south) != (east, north):
        apart = math.hypot((east - west) * math.cos(math.radians(south)), north - south) * 111_320.0
        raise FieldError(
            f"{label} has a ring that is not closed: it begins at [{west:.9g}, {south:.9g}] and ends at [{east:.9g}, {north:.9g}], "
            f"{apart:.2f} m from there: is the last corner mistyped or missing?"
        )


def _check_degrees(label: str, coordinates: np.ndarray) -> None:
    if np.abs(coordinates[:, 1]).max() > 90.0 or np.abs(coordinates[:, 0]).max() > 180.0:
        lon, lat = coordinates[np.argmax(np.abs(coordinates[:, 1]))]
        hint = "are longitude and latitude swapped?" if abs(lon) <= 90.0 else "are these degrees?"
        raise FieldError(
            f"{label} has the coordinate [{lon:g}, {lat:g}], outside longitude ±180 and latitude ±90: {hint}"
        )


def check_crs(crs: Any, label: str = "") -> None:
    """Refuse what says that its coordinates are not WGS-84; the member is of GeoJSON 2008, and GIS tools still write it."""
    if crs is None:
        return
    try:
        name = str(crs["properties"]["name"])
        known = name.endswith("CRS84") or CRS.from_user_input(name).to_epsg() in (4326, 4979)
    except (TypeError, LookupError, ProjError):
        name, known = " ".join(str(crs).split())[:60], False
    if not known:
        raise FieldError(
            f"{f'{label}: ' if label else ''}the coordinates are in {name}, not in WGS-84: export the field as GeoJSON with longitude and "
            "latitude"
        )


def geometry_within(value: Any, path: str) -> str:
    """Where something drawn lies within what is not read, as a path that begins with ``path``; empty if there is nothing."""
    waiting = [(path, value)]
    while waiting:
        at, item = waiting.pop()
        if isinstance(item, Mapping):
            if "coordinates" in item or "geometry" in item or item.get("type") in GEOMETRIES:
                return at
            waiting += [(f"{at}.{key}", inner) for key, inner in item.items()]
        elif isinstance(item, list):
            waiting += [(f"{at}[{number}]", inner) for number, inner in enumerate(item)]
    return ""


def _said(value: Any) -> str:
    """What was found, for a message."""
    return " ".join(str(value).split())[:SHOWN]
