"""The field file: what is to be searched, where the robot may stand, and where it must not go.

A field is a GeoJSON FeatureCollection in WGS-84 with one feature a role (``properties.role``). Every polygon is checked before a
robot is sent anywhere: an error names the feature and the place.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from mine_robot.core.field_account import Account, Shapes, account_of, beyond_content
from mine_robot.core.field_geometry import FieldError as FieldError
from mine_robot.core.field_geometry import check_crs, geometry_within
from mine_robot.core.field_geometry import checked_geometry as checked_geometry
from mine_robot.core.geodesy import Datum
from mine_robot.core.text import checked_name, short
from mine_robot.core.types import Array

POLYGON_ROLES = ("hazard_area", "safe_area", "no_go")
KINDS = {**dict.fromkeys(POLYGON_ROLES, ("Polygon", "MultiPolygon")), "known_target": ("Point", "MultiPoint")}
ROLES = tuple(KINDS)
# Beyond it a local tangent plane and one robot's mission make no sense: see `mine-robot estimate`.
MAX_EXTENT_M = 10_000.0
TOUCH_TOLERANCE_M = 0.10  # surveyed borders that should coincide differ by centimetres
MIN_AREA_M2 = 1e-6
# Members of a file that are read; what is drawn in any other would be lost.
COLLECTION_MEMBERS = ("type", "features", "crs", "bbox", "name", "not_read")
FEATURE_MEMBERS = ("type", "properties", "geometry", "id", "bbox", "crs")
GEOMETRY_MEMBERS = ("type", "coordinates", "bbox", "crs")
LANE_HEADING = "lane_heading_deg"
READ_PROPERTIES = ("role", "name", "imsma_id", "reason", LANE_HEADING)
DEFAULT_REGION = (44.7, 38.3, 50.7, 42.0)  # Azerbaijan: west, south, east, north


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
    account: Account = field(default_factory=lambda: Account({}, {}), compare=False)

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
        check_crs(data.get("crs"))
        _refuse_unread("the collection", data, COLLECTION_MEMBERS)
        features = data.get("features")
        if not isinstance(features, list) or not features:
            raise FieldError("the FeatureCollection has no features")
        self.recorded = recorded
        self.properties: dict[str, str] = {}
        self.reasons: dict[str, list[BaseGeometry]] = {}
        self.lane_heading: float | None = None
        self.warnings: list[str] = []
        self.ignored: set[str] = set()
        self.not_read = tuple(str(line) for line in data.get("not_read") or () if isinstance(line, str))
        self.bbox = data.get("bbox")
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
        check_crs(feature.get("crs"), label)
        _refuse_unread(label, feature, FEATURE_MEMBERS)
        _refuse_unread(f"{label}: properties", properties, ())
        geometry = feature.get("geometry")
        if geometry is None:
            raise FieldError(f"{label} has no geometry, only a name: what it stands for would be lost")
        _refuse_unread(f"{label}: geometry", geometry if isinstance(geometry, Mapping) else {}, GEOMETRY_MEMBERS)
        self._look_at(label, role, properties)
        self.shapes[role].append((label, checked_geometry(label, geometry, KINDS[role])))
        if role == "no_go" and (reason := name_of(label, properties, "reason", self.recorded)):
            self.reasons.setdefault(reason, []).append(self.shapes[role][-1][1])
        if role == "hazard_area":
            self._set_lane_heading(label, properties.get(LANE_HEADING))
            for key in ("name", "imsma_id"):
                if properties.get(key) is not None:
                    named = name_of(label, properties, key, self.recorded)
                    kept = self.properties.setdefault(key, named)
                    if key == "imsma_id" and kept != named:
                        self.warnings.append(f"{label}: its imsma_id is not carried into exports, that of the first is")

    def _look_at(self, label: str, role: str, properties: Mapping[str, Any]) -> None:
        """Note the properties that are not read; raise on one that is meant for something, and misspelt or misplaced."""
        for key in properties:
            close = difflib.get_close_matches(str(key).lower(), (LANE_HEADING,), cutoff=0.75)
            if close and key != LANE_HEADING:
                raise FieldError(f"{label}: unknown property '{key}': is it '{LANE_HEADING}'?")
            if key == LANE_HEADING and role != "hazard_area" and properties[key] is not None:
                raise FieldError(f"{label}: '{LANE_HEADING}' belongs to a hazard_area")
            if key not in READ_PROPERTIES and properties[key] is not None:
                self.ignored.add(str(key))

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
        local = {role: list(self._local(role, datum)) for role in ROLES}
        for label, part in (entry for role in POLYGON_ROLES for entry in local[role]):
            if shapely.area(shapely.get_parts(part)).min() < MIN_AREA_M2:
                raise FieldError(f"{label} has no area")
        if hazard.difference(no_go).area < MIN_AREA_M2:
            raise FieldError("the no-go zones cover the whole hazard area: nothing is left to search")
        overlap = hazard.intersection(safe)
        if overlap.area > max(0.05, TOUCH_TOLERANCE_M * overlap.length / 2):
            at = overlap.representative_point()
            raise FieldError(
                f"safe_area and hazard_area overlap by {overlap.area:.2f} m² at {_place(datum, at.x, at.y)}"
            )
        self._check_touch(datum, hazard, safe)
        points = [shapely.get_coordinates(point) for _, point in local["known_target"]]
        return Field(
            name=self.properties.get("name", "field"),
            imsma_id=self.properties.get("imsma_id", ""),
            datum=datum,
            hazard=hazard,
            safe=_multi(safe.difference(hazard)),
            no_go=no_go,
            known_targets=np.concatenate([np.empty((0, 2)), *points]),
            excluded=tuple((reason, _to_map(datum, parts)) for reason, parts in self.reasons.items()),
            lane_direction=None if self.lane_heading is None else math.radians(90.0 - self.lane_heading),
            account=self._account(local, {"hazard_area": hazard, "safe_area": safe, "no_go": no_go}),
        )

    def _account(self, local: Shapes, areas: Mapping[str, MultiPolygon]) -> Account:
        named = f"properties {', '.join(sorted(self.ignored))}"
        ignored = (*self.not_read, *([named] if self.ignored else []))
        warnings = (*self.warnings, *beyond_content(self.bbox, self.shapes))
        return account_of(local, self.shapes, {role: area.area for role, area in areas.items()}, ignored, warnings)

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


def _refuse_unread(what: str, members: Mapping[str, Any], read: tuple[str, ...]) -> None:
    """Raise :class:`FieldError` where something is drawn in a member that is not read."""
    for key, value in members.items():
        if key not in read and (at := geometry_within(value, str(key))):
            raise FieldError(f"{what}: '{at}' holds geometry, which is not read there: make it a feature with a role")


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
