"""Field files: a good one is converted, a bad one is refused with one line that says what and where."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

from mine_robot.core.field import FieldError, field_from_geojson
from mine_robot.coverage.gaps import NO_GO, clip_to_hazard

LON, LAT = 46.93, 39.99
D = 1e-4  # about 8.5 m east, 11.1 m north


def feature(role: str, ring: list[list[float]] | None, **properties: str) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [] if ring is None else [ring]}
    return {"type": "Feature", "properties": {"role": role, **properties}, "geometry": geometry}


def box(lon: float, lat: float, width: float, height: float) -> list[list[float]]:
    return [[lon, lat], [lon + width, lat], [lon + width, lat + height], [lon, lat + height], [lon, lat]]


@pytest.fixture
def data() -> dict[str, Any]:
    return {
        "type": "FeatureCollection",
        "features": [
            feature("hazard_area", box(LON, LAT, D, D), name="North plot", imsma_id="AZ-1"),
            feature("safe_area", box(LON, LAT - D / 2, D, D / 2)),
        ],
    }


def problem(data: Any) -> str:
    with pytest.raises(FieldError) as caught:
        field_from_geojson(data, source="plot.geojson")
    text = str(caught.value)
    assert text.startswith("plot.geojson: ")
    assert "\n" not in text
    return text


def test_a_field_is_converted_to_metres(data: dict[str, Any]) -> None:
    field = field_from_geojson(data)
    assert (field.name, field.imsma_id) == ("North plot", "AZ-1")
    # WGS-84 ellipsoid at 39.99 N: 1e-4 deg is 8.5407 m east and 11.1035 m north
    assert field.area == pytest.approx(8.5407 * 11.1035, rel=1e-3)
    assert field.safe.area == pytest.approx(field.area / 2, rel=1e-3)
    assert field.hazard.distance(field.safe) < 1e-6


def test_holes_parts_no_go_and_known_targets(data: dict[str, Any]) -> None:
    hole = box(LON + 0.4 * D, LAT + 0.4 * D, 0.1 * D, 0.1 * D)
    data["features"][0]["geometry"]["coordinates"].append(hole)
    data["features"].append(feature("hazard_area", box(LON + D, LAT, D / 2, D)))
    data["features"].append(feature("no_go", box(LON, LAT, 0.1 * D, 0.1 * D)))
    point = {"type": "Point", "coordinates": [LON + D / 2, LAT + D / 2]}
    data["features"].append({"type": "Feature", "properties": {"role": "known_target"}, "geometry": point})
    field = field_from_geojson(data)
    assert field.area == pytest.approx(8.5407 * 11.1035 * (1.5 - 0.01), rel=1e-3)
    assert field.known_targets.shape == (1, 2)
    assert field.no_go.area > 0.9


def test_no_go_zones_with_a_reason_and_the_direction_of_the_lanes(data: dict[str, Any]) -> None:
    data["features"].append(feature("no_go", box(LON, LAT, 0.1 * D, 0.1 * D), reason="too steep"))
    data["features"].append(feature("no_go", box(LON + 0.5 * D, LAT, 0.1 * D, 0.1 * D)))
    data["features"][0]["properties"]["lane_heading_deg"] = 30
    field = field_from_geojson(data)
    ((reason, area),) = field.excluded
    assert reason == "too steep"
    assert area.area == pytest.approx(field.no_go.area / 2.0, rel=1e-3)
    assert field.lane_direction == pytest.approx(math.radians(60.0))
    listed = {gap.reason: gap.area for gap in clip_to_hazard((), field)}
    assert listed == {"too steep": pytest.approx(area.area), NO_GO: pytest.approx(area.area, rel=1e-3)}


@pytest.mark.parametrize("value", ["north", True, [1], float("nan"), 10**400])
def test_a_lane_heading_that_is_no_angle(data: dict[str, Any], value: Any) -> None:
    data["features"][0]["properties"]["lane_heading_deg"] = value
    assert "'lane_heading_deg' must be degrees" in problem(data)


def test_self_crossing_ring(data: dict[str, Any]) -> None:
    ring = data["features"][0]["geometry"]["coordinates"][0]
    ring[1], ring[2] = ring[2], ring[1]
    text = problem(data)
    assert "feature 0 (hazard_area 'North plot')" in text
    assert "Self-intersection" in text
    assert "46.9" in text


@pytest.mark.parametrize("role", ["hazard_area", "safe_area"])
def test_missing_role(data: dict[str, Any], role: str) -> None:
    data["features"] = [item for item in data["features"] if item["properties"]["role"] != role]
    assert role in problem(data)


def test_feature_without_role(data: dict[str, Any]) -> None:
    data["features"][1]["properties"] = {}
    assert "feature 1 has no properties.role" in problem(data)


def test_unknown_role(data: dict[str, Any]) -> None:
    data["features"][1]["properties"]["role"] = "safe"
    assert "unknown role 'safe'" in problem(data)


def test_swapped_coordinates_in_the_region_of_operation(data: dict[str, Any]) -> None:
    for item in data["features"]:
        ring = item["geometry"]["coordinates"][0]
        item["geometry"]["coordinates"][0] = [[lat, lon] for lon, lat in ring]
    assert "swapped" in problem(data)


def test_swapped_coordinates_outside_the_range_of_latitudes(data: dict[str, Any]) -> None:
    for item in data["features"]:
        ring = item["geometry"]["coordinates"][0]
        item["geometry"]["coordinates"][0] = [[10.0 + lat - LAT, 105.0 + lon - LON] for lon, lat in ring]
    assert "swapped" in problem(data)


def test_a_field_anywhere_else_is_fine(data: dict[str, Any]) -> None:
    for item in data["features"]:
        ring = item["geometry"]["coordinates"][0]
        item["geometry"]["coordinates"][0] = [[lon - 31.0, lat + 5.5] for lon, lat in ring]  # Croatia
    assert field_from_geojson(data).area > 80.0


def test_empty_polygon(data: dict[str, Any]) -> None:
    data["features"][0] = feature("hazard_area", None, name="North plot")
    assert "feature 0 (hazard_area 'North plot') is empty" in problem(data)


def test_hazard_without_touching_safe_area(data: dict[str, Any]) -> None:
    data["features"][1]["geometry"]["coordinates"] = [box(LON, LAT - 2 * D, D, D / 2)]
    text = problem(data)
    assert "no safe_area touches the hazard area" in text
    assert "39.99" in text


def test_a_field_of_a_hundred_kilometres(data: dict[str, Any]) -> None:
    data["features"][0]["geometry"]["coordinates"] = [box(LON, LAT, 1.2, 0.9)]
    text = problem(data)
    assert " km" in text
    assert "split the field" in text


def test_overlapping_safe_and_hazard_area(data: dict[str, Any]) -> None:
    data["features"][1]["geometry"]["coordinates"] = [box(LON, LAT - D / 2, D, D)]
    assert "overlap" in problem(data)


@pytest.mark.parametrize("value", [math.nan, None, "x"])
def test_broken_coordinates(data: dict[str, Any], value: Any) -> None:
    data["features"][0]["geometry"]["coordinates"][0][2][0] = value
    assert "feature 0" in problem(data)


@pytest.mark.parametrize(
    "content", [None, [], {}, {"type": "FeatureCollection"}, {"type": "FeatureCollection", "features": [3]}, "text"]
)
def test_not_a_field_at_all(content: Any) -> None:
    problem(content)


def test_wrong_geometry(data: dict[str, Any]) -> None:
    other = copy.deepcopy(data)
    other["features"][0]["geometry"] = {"type": "LineString", "coordinates": box(LON, LAT, D, D)}
    assert "not LineString" in problem(other)
    other["features"][0]["geometry"] = None
    assert "feature 0" in problem(other)
