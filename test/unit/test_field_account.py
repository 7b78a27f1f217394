"""What a field file held is said: numbers, areas, what was left out, what looks wrong, where it is, what can be reached."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from test_field import LAT, LON, D, box
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coverage_setup import limits, robot
from random_fields import field_of, random_field

from mine_robot.bringup.cli import app
from mine_robot.core.field import TOUCH_TOLERANCE_M, FieldError, field_from_geojson
from mine_robot.core.field_account import coarse_grid
from mine_robot.core.types import Cell, LedgerGrid
from mine_robot.coverage.ledger import rasterise
from mine_robot.coverage.params import CoverageParams
from mine_robot.pipeline.reach import reach_of, reckoned_reach

FINE = 1.234567e-5  # makes coordinates that are not round
PARAMS = CoverageParams(directions=1)


def feature(role: str, kind: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"role": role, **properties},
        "geometry": {"type": kind, "coordinates": coordinates},
    }


def fine(ring: list[list[float]]) -> list[list[float]]:
    return [[lon + FINE, lat + FINE] for lon, lat in ring]


def collection(*more: dict[str, Any], **members: Any) -> dict[str, Any]:
    hazard = feature("hazard_area", "Polygon", [fine(box(LON, LAT, D, D))])
    safe = feature("safe_area", "Polygon", [fine(box(LON, LAT - D / 2, D, D / 2))])
    return {"type": "FeatureCollection", "features": [hazard, safe, *more], **members}


def warnings(*more: dict[str, Any], **members: Any) -> str:
    return " | ".join(field_from_geojson(collection(*more, **members)).account.warnings)


def test_numbers_and_areas_of_all_roles() -> None:
    zones = [[fine(box(LON + i * D / 4, LAT, D / 10, D / 10))] for i in range(3)]
    targets = [[LON + 2 * FINE, LAT + 3 * FINE], [LON + 4 * FINE, LAT + 2 * FINE]]
    field = field_from_geojson(
        collection(
            feature("no_go", "MultiPolygon", zones, fid=3, reason="pond"),
            feature("known_target", "MultiPoint", targets),
            not_read=["2 ScreenOverlay"],
        )
    )
    assert field.account.words == (
        f"1 hazard area ({field.area:.1f} m2), 1 safe area ({field.safe.area:.1f} m2), 3 no-go zones (2.8 m2), 2 known targets"
    )
    assert field.account.ignored == ("2 ScreenOverlay", "properties fid")
    assert field.known_targets.shape == (2, 2) and not field.account.warnings


def test_what_looks_wrong_is_said() -> None:
    far = [LON + 10 * D + FINE, LAT + 2 * FINE]
    assert "feature 2 (known_target) lies 77 m outside the field" in warnings(feature("known_target", "Point", far))
    assert "no_go) lies" in warnings(feature("no_go", "Polygon", [fine(box(LON, LAT + 5 * D, D, D))]))
    assert "feature 2 (safe_area) lies" in warnings(
        feature("safe_area", "Polygon", [fine(box(LON, LAT + 5 * D, D, D))])
    )
    near = feature("known_target", "Point", [LON + 1.5 * D + FINE, LAT + 2 * FINE])
    assert warnings(near) == ""
    assert "feature 3 (known_target) repeats feature 2" in warnings(near, near)
    coarse = feature("no_go", "Polygon", [[[46.93, 39.9900], [46.9301, 39.99], [46.9301, 39.9901], [46.93, 39.99]]])
    assert "feature 2 (no_go): coordinates rounded to 4 decimals, steps of 11 m" in warnings(coarse)
    assert "'bbox' reaches" in warnings(bbox=[LON - 1.0, LAT - D, LON + D, LAT + D])
    assert warnings(bbox=[LON, LAT - D / 2, LON + 1.2 * D, LAT + 1.2 * D]) == ""
    other = feature("hazard_area", "Polygon", [fine(box(LON + D, LAT, D, D))], imsma_id="B")
    data = collection(other)
    data["features"][0]["properties"]["imsma_id"] = "A"
    assert "its imsma_id is not carried" in " ".join(field_from_geojson(data).account.warnings)


@given(st.lists(st.tuples(st.floats(44.0, 50.0), st.floats(38.0, 42.0)), min_size=4, max_size=12), st.integers(0, 6))
def test_rounded_coordinates_are_found_and_others_are_not(places: list[tuple[float, float]], digits: int) -> None:
    at = np.array(places)
    grid = coarse_grid(np.round(at, digits))
    assert grid is not None and grid[1] >= 111_320.0 * 10.0**-digits * 0.99
    assert coarse_grid(np.random.default_rng(digits).uniform(40.0, 50.0, at.shape).round(9)) is None


@pytest.mark.parametrize("step", [1 / 3600, 1 / 36_000, 1 / 60_000])
def test_seconds_and_minutes_and_single_precision_are_grids_too(step: float) -> None:
    at = np.array([[46.5, 39.2], [46.7, 39.3], [46.61, 39.41]])
    assert coarse_grid(np.round(np.rint(at / step) * step, 9)) is not None
    single = (at + 1.23456e-3).astype(np.float32).astype(float)
    assert coarse_grid(single) is not None


# --- borders that are apart, and reach ----------------------------------------------------------------------------------------
HAZARD = shapely.box(0, 0, 6, 5)


@pytest.mark.parametrize("apart", [0.0, 0.03, 0.055, 0.08, 0.09, TOUCH_TOLERANCE_M])
@pytest.mark.parametrize("angle", [0.0, 31.0])
def test_the_planner_bridges_what_the_field_check_lets_pass(apart: float, angle: float) -> None:
    shapes = (HAZARD, shapely.box(-0.5, -3.0, 6.5, -apart))
    field = field_of(*(shapely.affinity.rotate(shape, angle, origin=(0, 0)) for shape in shapes))
    reach = reach_of(field, PARAMS, limits(), robot())
    assert reach.planned and reach.share > 0.98
    assert reckoned_reach(field, limits(), robot()).share > 0.98


def test_a_bridge_adds_nothing_but_the_gap() -> None:
    together, apart = (rasterise(field_of(HAZARD, shapely.box(0, -3, 6, -gap)), 0.05) for gap in (0.0, 0.09))
    for zones, more in ((together, 0.0), (apart, 6 * 0.09)):
        area = (HAZARD.area + more) * 1.0
        assert zones.to_search.sum() * 0.05**2 == pytest.approx(area, abs=6 * 0.11 + 0.6)
        assert zones.hazard.sum() * 0.05**2 == pytest.approx(HAZARD.area, abs=1e-3)


def test_touching_in_one_corner_is_out_of_reach() -> None:
    field = field_of(HAZARD, shapely.box(-4, -4, 0, 0))
    planned, reckoned = reach_of(field, PARAMS, limits(), robot()), reckoned_reach(field, limits(), robot())
    assert planned.poor and reckoned.poor and planned.left


@pytest.mark.parametrize("seed", range(6))
def test_what_is_reckoned_is_close_to_what_is_planned(seed: int) -> None:
    field = dataclasses.replace(random_field(seed), known_targets=np.empty((0, 2)))
    planned, reckoned = reach_of(field, PARAMS, limits(), robot()), reckoned_reach(field, limits(), robot())
    assert reckoned.share == pytest.approx(planned.share, abs=0.12)


def check(tmp_path: Path, data: dict[str, Any], *words: str) -> Any:
    path = tmp_path / "field.geojson"
    path.write_text(json.dumps(data))
    return CliRunner().invoke(app, ["check", str(path), *words])


def test_check_says_what_it_read_where_it_is_and_what_can_be_reached(tmp_path: Path) -> None:
    result = check(tmp_path, collection())
    assert result.exit_code == 0 and not result.stderr
    said = result.stdout
    assert "read: 1 hazard area (94.8 m2), 1 safe area (47.4 m2), no no-go zones, no known targets" in said
    assert "at 39.990062 N 46.930062 E, UTM 38N 66477" in said and "MGRS 38SPK64" in said
    assert "8.5 m from west to east, 16.7 m from south to north" in said
    assert "within reach: 9" in said and "(by a plan)" in said


def test_check_warns_of_a_field_that_is_mostly_out_of_reach(tmp_path: Path) -> None:
    corner = feature("safe_area", "Polygon", [fine(box(LON - D / 2, LAT - D / 2, D / 2, D / 2))])
    data = collection()
    data["features"][1] = corner
    result = check(tmp_path, data)
    assert result.exit_code == 0
    assert "warning: " in result.stderr and "of the hazard area is within reach" in result.stderr


def test_swapped_axes_are_seen_anywhere(tmp_path: Path) -> None:
    data = collection()
    for item in data["features"]:
        ring = item["geometry"]["coordinates"][0]
        item["geometry"]["coordinates"][0] = [[lat - 22.0, lon - 34.0] for lon, lat in ring]  # anywhere in Africa
    said = check(tmp_path, data).stdout
    assert "at 12.930062 N 17.990062 E, UTM 33N" in said and "MGRS 33P" in said


def test_a_field_without_ground_to_search_is_refused() -> None:
    with pytest.raises(FieldError, match="nothing is left to search"):
        field_from_geojson(collection(feature("no_go", "Polygon", [fine(box(LON - D, LAT - D, 4 * D, 4 * D))])))


def test_a_ledger_of_a_bridged_field_is_searched_where_it_is_apart() -> None:
    zones = rasterise(field_of(HAZARD, shapely.box(0, -3, 6, -0.09)), 0.05)
    cells = np.where(zones.to_search, Cell.PENDING, np.where(zones.safe, Cell.SAFE, Cell.OUTSIDE)).astype(np.int8)
    grid = LedgerGrid(0.0, zones.x0, zones.y0, 0.05, cells)
    column = grid.cells[:, round((3.0 - zones.x0) / 0.05)]
    ground = np.flatnonzero(column != Cell.OUTSIDE)
    assert np.array_equal(ground, np.arange(ground[0], ground[-1] + 1))  # no barrier between safe and hazard area
