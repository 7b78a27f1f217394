"""What the console shows of a field that nobody has searched yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from mine_robot.bringup.cli import app
from mine_robot.bringup.previewing import DRAWN_MAX_M2, preview
from mine_robot.bringup.sketching import field_of_sketch, sketch_of_field
from mine_robot.core.geodesy import Datum
from mine_robot.pipeline.loading import LoadError, load_field

ROOT = Path(__file__).parents[2]
DATUM = [40.0, 47.0]
HAZARD, SAFE = [[0, 0], [6, 0], [6, 5], [0, 5]], [[-1, -4], [7, -4], [7, 0], [-1, 0]]


def sketch(*polygons: Any, **changes: Any) -> dict[str, Any]:
    """Polygons as [role, ring] or [role, rings]."""
    rings = [[role, points if isinstance(points[0][0], list) else [points]] for role, points in polygons]
    return {"datum": DATUM, "name": "drawn", "polygons": rings, **changes}


def asked(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "asked.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_field_that_was_drawn_is_planned_estimated_and_given_back(tmp_path: Path) -> None:
    drawn = {"sketch": sketch(["hazard_area", HAZARD], ["safe_area", SAFE])}
    out = tmp_path / "field.geojson"
    result = CliRunner().invoke(app, ["preview", str(asked(tmp_path, drawn)), "--out", str(out)])
    found = json.loads(result.output)
    assert load_field(out).area == pytest.approx(30.0, abs=0.02)
    assert found["field"] == json.loads(out.read_text())
    assert len(found["plan"]["points"]) > 4 and found["scene"]["name"] == "drawn"
    assert any("robot-hours" in line for line in found["lines"])


def test_a_field_file_is_taken_as_it_is_and_a_large_one_only_estimated(tmp_path: Path) -> None:
    content = json.loads((ROOT / "test/data/small_field.geojson").read_text())
    small = preview(asked(tmp_path, {"field": content}), [], tmp_path / "small.geojson")
    assert small["plan"] is not None and small["field"] == content
    side = 1.2 * np.sqrt(DRAWN_MAX_M2)
    large = sketch(
        ["hazard_area", [[0, 0], [side, 0], [side, side], [0, side]]],
        ["safe_area", [[0, -5], [side, -5], [side, 0], [0, 0]]],
    )
    found = preview(asked(tmp_path, {"sketch": large}), [], tmp_path / "large.geojson")
    assert found["plan"] is None and "not drawn" in found["lines"][0]


@pytest.mark.parametrize(
    ("polygons", "words"),
    [
        ([["hazard_area", HAZARD]], "safe_area"),
        ([["hazard_area", HAZARD], ["safe_area", [[90, 90], [99, 90], [99, 99]]]], "no safe_area touches"),
        ([["hazard_area", HAZARD], ["safe_area", [[0, -1], [1, -1], [1, 0]]]], "room"),
    ],
)
def test_what_can_be_drawn_and_not_searched_is_drawn_with_the_reason(tmp_path: Path, polygons: Any, words: str) -> None:
    found = preview(asked(tmp_path, {"sketch": sketch(*polygons)}), [], tmp_path / "out.geojson")
    assert words in found["problem"] and str(tmp_path) not in found["problem"] and "field" not in found
    assert [role for role, _ in found["sketch"]["polygons"]] == [role for role, _ in polygons]


def test_features_without_a_role_wait_for_a_person(tmp_path: Path) -> None:
    field = field_of_sketch(sketch(["hazard_area", HAZARD], ["safe_area", SAFE], ["no_go", HAZARD]))
    field["features"][0]["properties"] = {"name": "Minefield"}
    field["features"][1]["properties"] = {"role": "clear"}
    wish: dict[str, Any] = {"field": field}
    found = preview(asked(tmp_path, wish), [], tmp_path / "out.geojson")
    rows = [(row["index"], row["name"], row["role"], row["geometry"]) for row in found["undecided"]]
    assert rows == [(0, "Minefield", "", "Polygon"), (1, "", "clear", "Polygon")] and len(found) == 1
    wish["roles"] = {"0": "hazard_area", "1": "safe_area", "2": ""}
    found = preview(asked(tmp_path, wish), [], tmp_path / "out.geojson")
    assert load_field(tmp_path / "out.geojson").name == "Minefield" == found["sketch"]["name"]
    assert [role for role, _ in found["sketch"]["polygons"]] == ["hazard_area", "safe_area"]


def test_kml_is_planned_like_geojson(tmp_path: Path) -> None:
    field = field_of_sketch(sketch(["hazard_area", HAZARD], ["safe_area", SAFE]))
    places = [" ".join(f"{x},{y}" for x, y in one["geometry"]["coordinates"][0]) for one in field["features"]]
    marks = [
        f"<Placemark><name>{name}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>{at}</coordinates>"
        "</LinearRing></outerBoundaryIs></Polygon></Placemark>"
        for name, at in zip(("Hazard area", "Safe area"), places)
    ]
    wish = {"kml": f"<kml><Document><name>North</name>{''.join(marks)}</Document></kml>"}
    found = preview(asked(tmp_path, wish), [], tmp_path / "out.geojson")
    assert found["scene"]["name"] == "North" and len(found["plan"]["points"]) > 4


coordinates = st.floats(-500.0, 500.0).map(lambda value: round(value, 2))


@given(
    st.lists(st.tuples(coordinates, coordinates, st.floats(1.0, 50.0)), min_size=1, max_size=5),
    st.sampled_from(["no_go", "safe_area", "hazard_area"]),
)
def test_a_sketch_comes_back_as_it_was_drawn(boxes: list[tuple[float, float, float]], role: str) -> None:
    polygons = [
        [
            role,
            [
                [[x, y], [x + a, y], [x + a, y + a], [x, y + a]],
                [[x + 0.2, y + 0.2], [x + 0.4, y + 0.2], [x + 0.2, y + 0.4]],
            ],
        ]
        for x, y, a in boxes
    ] + [["known_target", [[[x, y]]]] for x, y, _ in boxes]
    drawn = sketch(*polygons, imsma_id="AZ-1")
    back = sketch_of_field(field_of_sketch(drawn), Datum(*DATUM))
    assert len(back["polygons"]) == len(drawn["polygons"]) and back["datum"] == DATUM
    for (had, before), (has, after) in zip(drawn["polygons"], back["polygons"]):
        assert had == has and len(before) == len(after)
        for ring_before, ring_after in zip(before, after):
            np.testing.assert_allclose(ring_after, ring_before, atol=0.002)


def test_a_sketch_lies_where_it_was_drawn() -> None:
    points = [[100.25, -40.5], [130.0, -40.5], [120.0, 10.0]]
    ring = field_of_sketch(sketch(["no_go", points]))["features"][0]["geometry"]["coordinates"][0]
    lon, lat = np.array(ring).T
    back = Datum(*DATUM).to_map(lon, lat)[:, :2]
    assert ring[0] == ring[-1]
    np.testing.assert_allclose(back[:-1], points, atol=1e-3)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[" * 100_000,
        "[]",
        {},
        {"field": []},
        {"field": {"type": "FeatureCollection", "features": []}},
        {"field": {"type": "FeatureCollection", "features": [7]}},
        {"field": {"type": "FeatureCollection", "features": 7}, "roles": {"0": "no_go"}},
        {"kml": "<kml/>"},
        {"kml": "<!DOCTYPE kml><kml/>"},
        {"sketch": []},
        {"sketch": {}},
        {"sketch": sketch()},
        {"sketch": sketch(["clear", HAZARD], ["safe_area", SAFE])},
        {"sketch": sketch(["hazard_area", [[0, 0], [1, 1]]], ["safe_area", SAFE])},
        {"sketch": sketch(["hazard_area", [[0, 0], [1, float("nan")], [2, 0]]])},
        {"sketch": sketch(["hazard_area", HAZARD], ["safe_area", SAFE], datum=[95.0, 47.0])},
        {"sketch": sketch(["hazard_area", HAZARD], ["safe_area", SAFE], datum="here")},
    ],
)
def test_what_is_no_field_is_refused_in_one_line(tmp_path: Path, content: Any) -> None:
    with pytest.raises(LoadError) as refused:
        preview(asked(tmp_path, content), [], tmp_path / "out.geojson")
    assert "\n" not in str(refused.value) and str(tmp_path / "out") not in str(refused.value)
