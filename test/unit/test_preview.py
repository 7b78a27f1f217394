"""What the console shows of a field that nobody has searched yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mine_robot.bringup.cli import app
from mine_robot.bringup.previewing import DRAWN_MAX_M2, field_of_sketch, preview
from mine_robot.core.geodesy import Datum
from mine_robot.pipeline.loading import LoadError, load_field

ROOT = Path(__file__).parents[2]
DATUM = [40.0, 47.0]
HAZARD, SAFE = [[0, 0], [6, 0], [6, 5], [0, 5]], [[-1, -4], [7, -4], [7, 0], [-1, 0]]


def sketch(*polygons: Any, **changes: Any) -> dict[str, Any]:
    return {"datum": DATUM, "name": "drawn", "polygons": list(polygons), **changes}


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
    small = preview(ROOT / "test/data/small_field.geojson", [], tmp_path / "small.geojson")
    assert small["plan"] is not None
    side = 1.2 * np.sqrt(DRAWN_MAX_M2)
    large = sketch(
        ["hazard_area", [[0, 0], [side, 0], [side, side], [0, side]]],
        ["safe_area", [[0, -5], [side, -5], [side, 0], [0, 0]]],
    )
    found = preview(asked(tmp_path, {"sketch": large}), [], tmp_path / "large.geojson")
    assert found["plan"] is None and "not drawn" in found["lines"][0]


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
        {"type": "FeatureCollection", "features": []},
        {"sketch": []},
        {"sketch": {}},
        {"sketch": sketch()},
        {"sketch": sketch(["hazard_area", HAZARD])},
        {"sketch": sketch(["clear", HAZARD], ["safe_area", SAFE])},
        {"sketch": sketch(["hazard_area", [[0, 0], [1, 1]]], ["safe_area", SAFE])},
        {"sketch": sketch(["hazard_area", [[0, 0], [1, float("nan")], [2, 0]]])},
        {"sketch": sketch(["hazard_area", HAZARD], ["safe_area", SAFE], datum=[95.0, 47.0])},
        {"sketch": sketch(["hazard_area", HAZARD], ["safe_area", SAFE], datum="here")},
        {"sketch": sketch(["hazard_area", HAZARD], ["safe_area", [[90, 90], [99, 90], [99, 99]]])},
    ],
)
def test_what_is_no_field_is_refused_in_one_line(tmp_path: Path, content: Any) -> None:
    with pytest.raises(LoadError) as refused:
        preview(asked(tmp_path, content), [], tmp_path / "out.geojson")
    assert "\n" not in str(refused.value) and str(tmp_path / "out") not in str(refused.value)
