"""Fields as pages draw them, and back: polygons in metres about a datum, a field file in degrees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely

from mine_robot.core.field import KINDS, POLYGON_ROLES, ROLES, FieldError, checked_geometry, in_map
from mine_robot.core.geodesy import Datum

POINT_ROLE = "known_target"


def field_of_sketch(sketch: Any) -> dict[str, Any]:
    """A field file from ``datum`` (latitude, longitude), ``name``, ``imsma_id`` and ``polygons``: [role, rings] with points
    [east, north] in m about the datum, the outer ring first; a known target is a ring of one point.

    Raises ValueError, TypeError or KeyError if that is not what it is.
    """
    latitude, longitude = (float(value) for value in sketch["datum"])
    if not (abs(latitude) < 90.0 and abs(longitude) <= 180.0):
        raise ValueError(f"a datum at {latitude}, {longitude}")
    datum = Datum(latitude, longitude)
    names = {key: str(sketch[key]) for key in ("name", "imsma_id") if sketch.get(key)}
    features = [
        {"type": "Feature", "properties": {"role": role, **names}, "geometry": _geometry(datum, role, rings)}
        for role, rings in sketch["polygons"]
    ]
    return {"type": "FeatureCollection", "features": features}


def _geometry(datum: Datum, role: str, rings: Any) -> dict[str, Any]:
    if role == POINT_ROLE:
        return {"type": "Point", "coordinates": _degrees(datum, rings[0])[0]}
    if role not in POLYGON_ROLES or not rings or min(map(len, rings)) < 3:
        raise ValueError(f"a {role!r} with rings of {list(map(len, rings))} points")
    return {"type": "Polygon", "coordinates": [_degrees(datum, [*ring, ring[0]]) for ring in rings]}


def _degrees(datum: Datum, points: Any) -> list[list[float]]:
    at = np.array(points, dtype=float).reshape(-1, 2)
    if not len(at) or not np.all(np.isfinite(at)):
        raise ValueError("points that are no numbers")
    return list(np.round(datum.to_wgs84(*at.T)[:, :2], 9).tolist())


def sketch_of_field(collection: Mapping[str, Any], datum: Datum | None) -> dict[str, Any]:
    """What :func:`field_of_sketch` takes, from a field file whose features have roles; about its middle without a ``datum``.

    Raises :class:`FieldError` if a geometry is broken.
    """
    shapes, names = [], dict[str, str]()
    for index, feature in enumerate(collection["features"]):
        properties = feature["properties"]
        role = properties["role"]
        shapes.append((role, checked_geometry(f"feature {index} ({role})", feature.get("geometry"), KINDS[role])))
        if role == "hazard_area":
            for key in ("name", "imsma_id"):
                names.setdefault(key, str(properties.get(key) or ""))
    if not shapes:
        raise FieldError("no features")
    if datum is None:
        west, south, east, north = shapely.GeometryCollection([shape for _, shape in shapes]).bounds
        datum = Datum((south + north) / 2.0, (west + east) / 2.0)
    polygons = []
    for role, shape in shapes:
        for part in shapely.get_parts(in_map(shape, datum)):
            rings = [part] if role == POINT_ROLE else [part.exterior, *part.interiors]
            points = [np.round(shapely.get_coordinates(ring), 3).tolist() for ring in rings]
            polygons.append([role, points if role == POINT_ROLE else [ring[:-1] for ring in points]])
    return {"datum": [datum.latitude, datum.longitude], "polygons": polygons, **names}


def with_roles(collection: Any, roles: Mapping[str, str]) -> Any:
    """The collection with ``roles`` by the number of a feature; one whose role is empty is left out."""
    if not roles or not isinstance(collection, Mapping):
        return collection
    features = []
    for index, feature in enumerate(collection.get("features") or ()):
        role = roles.get(str(index))
        if role:
            feature = {**feature, "properties": {**(feature.get("properties") or {}), "role": role}}
        if role != "":
            features.append(feature)
    return {**collection, "features": features}


def undecided(collection: Any) -> list[dict[str, Any]]:
    """Features whose role is missing or none of a field's: number, name, the role that they have, and kind of geometry."""
    found = []
    features = collection.get("features") if isinstance(collection, Mapping) else None
    for index, feature in enumerate(features if isinstance(features, list) else ()):
        if not isinstance(feature, Mapping):
            continue
        properties, geometry = feature.get("properties") or {}, feature.get("geometry") or {}
        if isinstance(properties, Mapping) and isinstance(geometry, Mapping) and properties.get("role") not in ROLES:
            words = {"name": str(properties.get("name") or "")[:60], "role": str(properties.get("role") or "")[:60]}
            found.append({"index": index, **words, "geometry": str(geometry.get("type"))})
    return found
