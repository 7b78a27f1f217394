"""Height models: what is too steep is found, excluded and never driven on; heights that do not do are refused in one line."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coverage_setup import limits, robot
from plan_checker import Checker
from random_fields import field_of
from test_field import LAT, LON, D, box, feature
from test_malformed_fields import run

from mine_robot.core.field import field_from_geojson
from mine_robot.core.types import Array
from mine_robot.coverage import gaps
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.slopes import SlopeError, slopes_of, steep_ground
from mine_robot.pipeline.first_plan import first_plan
from mine_robot.sim.world import start_pose

LENGTH = 0.9
PARAMS = CoverageParams(directions=1)
AREA = field_of(shapely.box(0, 0, 8, 8), shapely.box(-1, -3, 9, 0))


def grid(step: float, west: float = -6.0, east: float = 14.0, south: float = -6.0, north: float = 14.0) -> Array:
    x, y = np.meshgrid(np.arange(west, east, step), np.arange(south, north, step))
    return np.column_stack([x.ravel(), y.ravel()])


def mound(places: Array) -> Array:
    """A smooth mound of 1.2 m in the middle of the field."""
    return 1.2 * np.exp(-((places[:, 0] - 4.5) ** 2 + (places[:, 1] - 4.5) ** 2) / (2.0 * 1.0**2))


def mound_slope(x: Array, y: Array) -> Array:
    """Its exact slope, as a tangent."""
    away = np.hypot(x - 4.5, y - 4.5)
    return 1.2 * away * np.exp(-(away**2) / 2.0)


def plane(places: Array, slope_deg: float, rises_to_deg: float) -> Array:
    toward = math.radians(rises_to_deg)
    return math.tan(math.radians(slope_deg)) * (places @ (math.cos(toward), math.sin(toward)))


def with_heights(places: Array, heights: Array) -> Array:
    return np.column_stack([places, heights])


def excluded(area, steep):
    """The field as the file that `mine-robot slopes` writes would give it."""
    ground = shapely.union_all([a for _, a in steep.excluded])
    parts = shapely.MultiPolygon([part for part in shapely.get_parts(ground) if part.geom_type == "Polygon"])
    return dataclasses.replace(area, no_go=parts, excluded=steep.excluded, lane_direction=steep.lane_direction)


@pytest.mark.parametrize("step", [0.1, 0.5, "scattered"])
def test_a_plan_never_drives_where_a_mound_is_too_steep(step: float | str) -> None:
    if step == "scattered":
        places = np.random.default_rng(5).uniform((-6, -6), (14, 14), (8000, 2))
    else:
        places = grid(float(step))
    steep = steep_ground(
        slopes_of(with_heights(places, mound(places)), AREA, LENGTH), AREA, [0.0], CoverageParams(side_slope_max=0.35)
    )
    field = excluded(AREA, steep)
    plan = first_plan(field, PARAMS, limits(), robot())
    checker = Checker(field, robot(), limits(), [])
    # Brute force: the exact slope under every sample of the tracks; smoothing over the robot's length flattens it somewhat.
    checker.no_go |= mound_slope(checker.x, checker.y) > math.tan(0.35) + 0.05
    verdict = checker.walk(plan, start_pose(field, robot()))
    assert not verdict.unsafe, verdict.unsafe[:3]
    exact = float(((mound_slope(checker.x, checker.y) > math.tan(0.35)) & checker.hazard).sum()) * 0.025**2
    assert sum(gap.area for gap in plan.gaps if gap.reason == gaps.TOO_STEEP) == pytest.approx(exact, rel=0.2)
    assert verdict.searched_m2 + sum(gap.area for gap in plan.gaps) >= 0.995 * verdict.hazard_m2


@pytest.mark.parametrize("rises_to_deg", [0.0, 90.0, 37.0])
def test_lanes_lie_up_and_down_a_slope_too_steep_across(rises_to_deg: float) -> None:
    places = grid(0.5)
    hazard = shapely.box(0, 0, 8, 8)
    field = field_of(hazard, hazard.buffer(3.0, join_style="mitre").difference(hazard))
    slopes = slopes_of(with_heights(places, plane(places, 17.0, rises_to_deg)), field, LENGTH)
    assert np.allclose(slopes.steepest[slopes.within(field.hazard)], math.tan(math.radians(17.0)), atol=1e-6)
    steep = steep_ground(slopes, field, [0.0, math.pi / 2.0], PARAMS)
    assert not steep.excluded
    plan = first_plan(excluded(field, steep), PARAMS, limits(), robot())
    toward = math.radians(rises_to_deg)
    lanes = [step for step in plan.steps if step.sweep]
    assert lanes
    assert all(abs(math.tan(math.radians(17.0)) * math.sin(s.start.yaw - toward)) <= math.tan(0.26) for s in lanes)
    checker = Checker(field, robot(), limits(), [])
    assert checker.walk(plan, start_pose(field, robot())).clean
    assert sum(gap.area for gap in plan.gaps) < 0.02 * field.area


def test_gentle_ground_leaves_the_planner_free() -> None:
    places = grid(0.5)
    steep = steep_ground(slopes_of(with_heights(places, plane(places, 10.0, 20.0)), AREA, LENGTH), AREA, [0.0], PARAMS)
    assert steep.excluded == ()
    assert steep.lane_direction is None


def test_what_lies_across_in_every_direction_is_excluded_with_its_reason() -> None:
    """Two flanks at right angles: lanes up and down the larger one lie across the other."""
    places = grid(0.25)
    heights = np.where(places[:, 0] < 5.0, plane(places, 17.0, 90.0), plane(places - (5.0, 0.0), 17.0, 0.0))
    steep = steep_ground(
        slopes_of(with_heights(places, heights), AREA, LENGTH),
        AREA,
        [0.0, math.pi / 2.0],
        CoverageParams(slope_max=0.9),
    )
    assert steep.lane_direction == pytest.approx(math.pi / 2.0)
    area = dict(steep.excluded)[gaps.TOO_STEEP_ACROSS]
    assert area.contains(shapely.box(5.8, 0.5, 7.8, 7.5))
    assert not area.intersects(shapely.box(0.5, 0.5, 4.2, 7.5))


@pytest.mark.parametrize(
    ("heights", "words"),
    [
        (np.empty((0, 3)), "no heights over the field"),
        (np.array([[float(i), 0.0, 1.0] for i in range(10)]), "on a line"),
        (np.full((9, 3), math.nan), "no heights"),
        (with_heights(grid(0.5, east=5.0), np.zeros(len(grid(0.5, east=5.0)))), "% of the field only"),
    ],
)
def test_heights_that_do_not_do(heights: Array, words: str) -> None:
    with pytest.raises(SlopeError, match=words):
        slopes_of(heights, AREA, LENGTH)


# --- files -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def field_file(tmp_path: Path) -> Path:
    content = {
        "type": "FeatureCollection",
        "features": [
            feature("hazard_area", box(LON, LAT, D, D), name="hill"),
            feature("safe_area", box(LON, LAT - D / 2, D, D / 2)),
        ],
    }
    path = tmp_path / "hill.geojson"
    path.write_text(json.dumps(content))
    return path


def hill(field_file: Path) -> Array:
    """Longitude, latitude and height of a mound in the hazard area."""
    field = field_from_geojson(json.loads(field_file.read_text()))
    x, y = np.meshgrid(np.arange(-12.0, 12.0, 0.4), np.arange(-18.0, 12.0, 0.4))
    degrees = field.datum.to_wgs84(x.ravel(), y.ravel())[:, :2]
    return np.column_stack([degrees, 1000.0 + 1.2 * np.exp(-(x.ravel() ** 2 + y.ravel() ** 2) / 2.0)])


def test_a_text_of_heights_becomes_no_go_zones_that_every_command_knows(
    tmp_path: Path, field_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dem, out = tmp_path / "hill.xyz", tmp_path / "safe.geojson"
    np.savetxt(dem, hill(field_file), fmt="%.9f", header="lon lat height", comments="")
    assert run(monkeypatch, "slopes", field_file, "--dem", dem, "--out", out) == 0
    assert "too steep: " in capsys.readouterr().out
    field = field_from_geojson(json.loads(out.read_text()))
    assert {reason for reason, _ in field.excluded} <= {gaps.TOO_STEEP, gaps.TOO_STEEP_ACROSS}
    assert 2.0 < field.no_go.area < 30.0
    first, again = out.read_text(), tmp_path / "again.geojson"
    for _ in range(2):  # zones are replaced, not added; a file that it wrote itself may be written again
        assert run(monkeypatch, "slopes", out, "--dem", dem, "--out", again) == 0
        assert again.read_text() == first
    assert run(monkeypatch, "plan", out, "--out", tmp_path / "plan.geojson") == 0
    plan = json.loads((tmp_path / "plan.geojson").read_text())
    reasons = {item["properties"].get("reason") for item in plan["features"]}
    assert gaps.TOO_STEEP in reasons


def test_a_geotiff_in_another_system_says_the_same_as_the_text(
    tmp_path: Path, field_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rasterio = pytest.importorskip("rasterio")
    from pyproj import Transformer

    text, tiff = tmp_path / "hill.xyz", tmp_path / "hill.tif"
    np.savetxt(text, hill(field_file), fmt="%.9f")
    field = field_from_geojson(json.loads(field_file.read_text()))
    to_utm = Transformer.from_crs("EPSG:4326", "EPSG:32638", always_xy=True)
    east, north = to_utm.transform(*field.datum.to_wgs84(0.0, 0.0)[:2])
    columns, rows = np.meshgrid(east - 30.0 + 0.4 * (np.arange(150) + 0.5), north + 30.0 - 0.4 * (np.arange(150) + 0.5))
    x, y = field.datum.to_map(*to_utm.transform(columns, rows, direction="INVERSE"))[..., :2].transpose(2, 0, 1)
    heights = 1000.0 + 1.2 * np.exp(-(x**2 + y**2) / 2.0)
    heights[:5] = -9999.0
    with rasterio.open(
        tiff, "w", driver="GTiff", width=150, height=150, count=1, dtype="float32", crs="EPSG:32638", nodata=-9999.0,
        transform=rasterio.transform.from_origin(east - 30.0, north + 30.0, 0.4, 0.4), compress="lzw",
    ) as image:  # fmt: skip
        image.write(heights.astype("float32"), 1)
    outs = []
    for dem in (text, tiff):
        outs.append(tmp_path / f"{dem.suffix}.geojson")
        assert run(monkeypatch, "slopes", field_file, "--dem", dem, "--out", outs[-1]) == 0
    first, second = (field_from_geojson(json.loads(out.read_text())).no_go for out in outs)
    assert first.symmetric_difference(second).area < 0.15 * first.area
    assert first.centroid.distance(shapely.Point(0, 0)) < 0.1


@pytest.mark.parametrize(
    ("name", "content", "options", "words"),
    [
        ("none.xyz", None, (), "no such file"),
        ("empty.xyz", "", (), "no heights over the field"),
        ("words.xyz", "1 2 3\nhill of 3 m\n", (), "line 2 is not x, y and height"),
        ("two.xyz", "1 2\n", (), "line 1 has 2 numbers"),
        ("far.xyz", "\n".join(f"10.{i} 50.{i * i} 3" for i in range(9)), (), "no heights over the field"),
        ("system.xyz", "1 2 3", ("--crs", "EPSG:1"), "unknown reference system 'EPSG:1'"),
        ("broken.tif", "no picture", (), "cannot be read"),
        ("crs.tif", "no picture", ("--crs", "EPSG:4326"), "--crs is for text"),
    ],
)
def test_a_bad_height_model_is_one_line_and_writes_nothing(
    tmp_path: Path, field_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: str, content: str | None, options: tuple[str, ...], words: str,
) -> None:  # fmt: skip
    if name == "broken.tif":
        pytest.importorskip("rasterio")
    dem, out = tmp_path / name, tmp_path / "out.geojson"
    if content is not None:
        dem.write_text(content)
    assert run(monkeypatch, "slopes", field_file, "--dem", dem, "--out", out, *options) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"mine-robot: {dem}: ")
    assert len(said.splitlines()) == 1
    assert words in said
    assert not out.exists()
