"""The field file: what is to be searched, where the robot may stand, and where it must not go.

A field is a GeoJSON FeatureCollection in WGS-84 with one feature a role (``properties.role``). Every polygon is checked before a
robot is sent anywhere: an error names the feature and the place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from pyproj import CRS
from pyproj.exceptions import ProjError
from shapely import MultiPolygon, Polygon
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from mine_robot.core.geodesy import Datum
from mine_robot.core.text import checked_name, short
from mine_robot.core.types import Array

POLYGON_ROLES = ("hazard_area", "safe_area", "no_go")
KINDS = {**dict.fromkeys(POLYGON_ROLES, ("Polygon", "MultiPolygon")), "known_target": ("Point",)}
ROLES = tuple(KINDS)
# Beyond it a local tangent plane and one robot's mission make no sense: see `mine-robot estimate`.
MAX_EXTENT_M = 10_000.0
TOUCH_TOLERANCE_M = 0.10  # surveyed borders that should coincide differ by centimetres
DEFAULT_REGION = (44.7, 38.3, 50.7, 42.0)  # Azerbaijan: west, south, east, north


class FieldError(ValueError):
    """The field file cannot be used; one line says what is wrong and where."""


@dataclass(frozen=True)
class Field:
    """A field in ``map`` coordinates about ``datum``; ``name`` and ``imsma_id`` are carried into every export.

    ``excluded`` are the no-go zones that say why (reason, area), ``lane_direction`` the direction in rad in which all lanes have to lie,
    None for whichever suit.
    """

    name: str
    imsma_id: str
    datum: Datum
    hazard: MultiPolygon
    safe: MultiPolygon
    no_go: MultiPolygon
    known_targets: Array  # (n, 2)
    excluded: tuple[tuple[str, MultiPolygon], ...] = ()
    lane_direction: float | None = None

    @property
    def area(self) -> float:
        """Area of the hazard polygons in m², holes excluded, no-go zones included."""
        return float(self.hazard.area)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of everything in the field, m."""
        return shapely.union_all([self.hazard, self.safe]).bounds


def field_from_geojson(
    data: Any,
    *,
    source: str = "field",
    region: tuple[float, float, float, float] | None = DEFAULT_REGION,
    recorded: bool = False,
) -> Field:
    """Check and convert a field file.

    ``data`` is the decoded GeoJSON, ``source`` its name for messages. ``region`` (west, south, east, north in degrees) is where the
    organisation works: a field outside of it that would lie inside with its coordinates swapped is refused. The names of a field that is
    ``recorded`` with a run are taken as they are. Raises :class:`FieldError`.
    """
    try:
        return _Reader(data, region, recorded).field()
    except FieldError as error:
        raise FieldError(f"{source}: {error}") from None


class _Reader:
    """Reads one collection; geometry stays in degrees until the datum is known."""

    def __init__(self, data: Any, region: tuple[float, float, float, float] | None, recorded: bool) -> None:
        if not isinstance(data, Mapping) or data.get("type") != "FeatureCollection":
            raise FieldError("not a GeoJSON FeatureCollection")
        _check_crs(data.get("crs"))
        features = data.get("features")
        if not isinstance(features, list) or not features:
            raise FieldError("the FeatureCollection has no features")
        self.recorded = recorded
        self.properties: dict[str, str] = {}
        self.reasons: dict[str, list[BaseGeometry]] = {}
        self.lane_heading: float | None = None
        self.shapes: dict[str, list[tuple[str, BaseGeometry]]] = {role: [] for role in ROLES}
        for index, feature in enumerate(features):
            self._add(index, feature)
        for role in ("hazard_area", "safe_area"):
            if not self.shapes[role]:
                raise FieldError(f"no feature with properties.role '{role}'")
        self._check_region(region)

    def _add(self, index: int, feature: Any) -> None:
        properties = feature.get("properties") if isinstance(feature, Mapping) else None
        if not isinstance(properties, Mapping) or "role" not in properties:
            name = f" {short(properties['name'])}" if isinstance(properties, Mapping) and properties.get("name") else ""
            raise FieldError(f"feature {index}{name} has no properties.role (one of {', '.join(ROLES)})")
        role = properties["role"]
        name = name_of(f"feature {index}", properties, "name", self.recorded)
        label = f"feature {index} ({role} '{name}')" if name else f"feature {index} ({role})"
        if role not in ROLES:
            raise FieldError(f"feature {index} has the unknown role {short(role)} (known: {', '.join(ROLES)})")
        self.shapes[role].append((label, checked_geometry(label, feature.get("geometry"), KINDS[role])))
        if role == "no_go" and (reason := name_of(label, properties, "reason", self.recorded)):
            self.reasons.setdefault(reason, []).append(self.shapes[role][-1][1])
        if role == "hazard_area":
            self._set_lane_heading(label, properties.get("lane_heading_deg"))
            for key in ("name", "imsma_id"):
                if properties.get(key) is not None:
                    self.properties.setdefault(key, name_of(label, properties, key, self.recorded))

    def _set_lane_heading(self, label: str, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not -360.0 <= value <= 360.0:
            raise FieldError(
                f"{label}: 'lane_heading_deg' must be degrees clockwise from north, got {str(value)[:40]!r}"
            )
        if self.lane_heading not in (None, float(value)):
            raise FieldError(f"{label}: 'lane_heading_deg' differs from that of another hazard_area")
        self.lane_heading = float(value)

    def _check_region(self, region: tuple[float, float, float, float] | None) -> None:
        lon, lat = self._centre()
        if region is None or _inside(region, lon, lat) or not _inside(region, lat, lon):
            return
        raise FieldError(
            f"the field lies at {lat:.4f} N {lon:.4f} E, outside the region of operation, and inside it with longitude and latitude "
            "swapped: GeoJSON wants [longitude, latitude]"
        )

    def _centre(self) -> tuple[float, float]:
        west, south, east, north = shapely.union_all([s for _, s in self.shapes["hazard_area"]]).bounds
        return (west + east) / 2.0, (south + north) / 2.0

    def field(self) -> Field:
        lon, lat = self._centre()
        datum = Datum(round(lat, 6), round(lon, 6))
        self._check_extent(datum)
        hazard, safe, no_go = (self._polygons(role, datum) for role in POLYGON_ROLES)
        for label, part in self._local("hazard_area", datum):
            if part.area < 1e-6:
                raise FieldError(f"{label} has no area")
        overlap = hazard.intersection(safe)
        if overlap.area > max(0.05, TOUCH_TOLERANCE_M * overlap.length / 2):
            at = overlap.representative_point()
            raise FieldError(
                f"safe_area and hazard_area overlap by {overlap.area:.2f} m² at {_place(datum, at.x, at.y)}"
            )
        self._check_touch(datum, hazard, safe)
        points = [np.array(point.coords[0][:2]) for _, point in self._local("known_target", datum)]
        return Field(
            name=self.properties.get("name", "field"),
            imsma_id=self.properties.get("imsma_id", ""),
            datum=datum,
            hazard=hazard,
            safe=_multi(safe.difference(hazard)),
            no_go=no_go,
            known_targets=np.array(points).reshape(-1, 2),
            excluded=tuple((reason, _to_map(datum, parts)) for reason, parts in self.reasons.items()),
            lane_direction=None if self.lane_heading is None else math.radians(90.0 - self.lane_heading),
        )

    def _check_touch(self, datum: Datum, hazard: MultiPolygon, safe: MultiPolygon) -> None:
        if hazard.distance(safe) > TOUCH_TOLERANCE_M:
            at = shapely.shortest_line(hazard, safe).coords[0]
            raise FieldError(
                f"no safe_area touches the hazard area: the nearest is {hazard.distance(safe):.1f} m away, at {_place(datum, *at)}"
            )

    def _check_extent(self, datum: Datum) -> None:
        for role in ROLES:
            for label, part in self._local(role, datum):
                reach = float(np.abs(part.bounds).max())
                if reach > MAX_EXTENT_M:
                    raise FieldError(
                        f"{label} reaches {reach / 1000:.0f} km from the field's centre; the limit is {MAX_EXTENT_M / 1000:.0f} km: "
                        "split the field (or check the coordinates)"
                    )

    def _local(self, role: str, datum: Datum) -> Iterator[tuple[str, BaseGeometry]]:
        for label, geometry in self.shapes[role]:
            yield label, in_map(geometry, datum)

    def _polygons(self, role: str, datum: Datum) -> MultiPolygon:
        return _to_map(datum, [geometry for _, geometry in self.shapes[role]])


def name_of(label: str, properties: Mapping[str, Any], key: str, recorded: bool = False) -> str:
    """A text among the properties of a feature, in one line; raises :class:`FieldError` if it could not be shown everywhere."""
    if recorded:
        return " ".join(str(properties.get(key) or "").split())
    try:
        return checked_name(properties.get(key), key)
    except ValueError as error:
        raise FieldError(f"{label}: {error}") from None


def checked_geometry(label: str, geometry: Any, wanted: tuple[str, ...]) -> BaseGeometry:
    """One feature's geometry in degrees, of a GeoJSON type that is ``wanted``; raises :class:`FieldError` naming it by ``label``."""
    kind = geometry.get("type") if isinstance(geometry, Mapping) else None
    if kind not in wanted:
        raise FieldError(f"{label} must be a {' or '.join(wanted)}, not {kind}")
    try:
        built = shapely.force_2d(shape(geometry))
    except (ValueError, TypeError, LookupError, OverflowError, AttributeError, shapely.errors.ShapelyError) as error:
        raise FieldError(f"{label} has broken coordinates: {error}") from None
    if built.is_empty:
        raise FieldError(f"{label} is empty")
    coordinates = shapely.get_coordinates(built)
    if not np.all(np.isfinite(coordinates)):
        raise FieldError(f"{label} has a coordinate that is not a number")
    if np.abs(coordinates[:, 1]).max() > 90.0 or np.abs(coordinates[:, 0]).max() > 180.0:
        lon, lat = coordinates[np.argmax(np.abs(coordinates[:, 1]))]
        hint = "are longitude and latitude swapped?" if abs(lon) <= 90.0 else "are these degrees?"
        raise FieldError(
            f"{label} has the coordinate [{lon:g}, {lat:g}], outside longitude ±180 and latitude ±90: {hint}"
        )
    if not built.is_valid:
        raise FieldError(f"{label} is not a valid polygon: {explain_validity(built)}")
    return built


def _check_crs(crs: Any) -> None:
    """Refuse a collection that says its coordinates are not WGS-84; the member is of GeoJSON 2008, and GIS tools still write it."""
    if crs is None:
        return
    try:
        name = str(crs["properties"]["name"])
        known = name.endswith("CRS84") or CRS.from_user_input(name).to_epsg() in (4326, 4979)
    except (TypeError, LookupError, ProjError):
        name, known = " ".join(str(crs).split())[:60], False
    if not known:
        raise FieldError(
            f"the coordinates are in {name}, not in WGS-84: export the field as GeoJSON with longitude and latitude"
        )


def in_map(geometry: BaseGeometry, datum: Datum) -> BaseGeometry:
    """A geometry in degrees (longitude, latitude), in m in ``map`` about ``datum``."""
    return shapely.transform(geometry, lambda c: datum.to_map(c[:, 0], c[:, 1])[:, :2])


def _to_map(datum: Datum, parts: list[BaseGeometry]) -> MultiPolygon:
    """Polygons in degrees as one, in ``map``."""
    return _multi(shapely.union_all([in_map(part, datum) for part in parts]))


def _multi(geometry: BaseGeometry) -> MultiPolygon:
    """The polygons of any geometry, as one."""
    parts = [part for part in shapely.get_parts(geometry) if isinstance(part, Polygon) and part.area > 0.0]
    return MultiPolygon(parts)


def _inside(region: tuple[float, float, float, float], lon: float, lat: float) -> bool:
    west, south, east, north = region
    return west <= lon <= east and south <= lat <= north


def _place(datum: Datum, x: float, y: float) -> str:
    """A point of ``map`` as latitude and longitude for a message."""
    lon, lat, _ = datum.to_wgs84(x, y)
    return f"{lat:.6f} N {lon:.6f} E" if math.isfinite(lat) else "an unknown place"
