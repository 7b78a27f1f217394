"""Prior knowledge: what the file may say, what it adds, and that it only ever raises suspicion."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detection_log import MINE, record
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from records_examples import DATUM, ROOT, SOUTH, suspect, write_inputs
from records_examples import field as example_field
from typer.testing import CliRunner

from mine_robot.bringup.cli import app
from mine_robot.bringup.prepare import RunRequest, prepare_run
from mine_robot.core.field import field_from_geojson
from mine_robot.core.priors import CALIBRATED_PER_M2, raised
from mine_robot.core.types import Cell, Goal, LedgerGrid, MissionState, MissionStatus, TargetClass
from mine_robot.detection.fusion import Verdict
from mine_robot.detection.targets import Registry, Sighting
from mine_robot.mission.journal import Journal
from mine_robot.pipeline.loading import LoadError, load_field
from mine_robot.pipeline.priors import load_priors
from mine_robot.records.finish import finish_run
from mine_robot.records.prior_results import prior_results, raised_suspects
from mine_robot.records.run_data import load_run

FIELD = field_from_geojson(example_field())
SMALL = ROOT / "test/data/small_field.geojson"
TYPES = {"Point": lambda c: c[0], "LineString": list, "Polygon": lambda c: [[*c, c[0]]]}


def feature(
    role: str, kind: str, corners: list[tuple[float, float]], datum: Any = DATUM, **figures: Any
) -> dict[str, Any]:
    """A feature with its corners in m about ``datum``."""
    places = [datum.to_wgs84(x, y)[:2].tolist() for x, y in corners]
    return {
        "type": "Feature",
        "properties": {"role": role, **figures},
        "geometry": {"type": kind, "coordinates": TYPES[kind](places)},
    }


SQUARE = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
AREA = feature("suspected_hazard", "Polygon", SQUARE, per_m2=0.5)
POINT = feature("suspected_point", "Point", [(0.5, 0.5)], p=0.8, sigma_m=0.4, name="radio call")
ROW = feature("mine_row", "LineString", [(-2.0, 2.0), (2.0, 2.0)], spacing_m=0.5, p=0.9, sigma_m=0.3)


def write(folder: Path, *features: Any) -> Path:
    path = folder / "known.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return path


def test_an_area_raises_the_odds_by_its_density_and_ends_at_its_border(tmp_path: Path) -> None:
    priors = load_priors(write(tmp_path, AREA), FIELD)
    assert priors(0.0, 0.0) == pytest.approx(math.log(1.0 + 0.5 / CALIBRATED_PER_M2))
    assert priors(1.01, 0.0) == priors(math.nan, 0.0) == 0.0


@pytest.mark.parametrize(("one", "hazards"), [(AREA, 0.5 * 4.0), (POINT, 0.8), (ROW, 4.0 / 0.5 * 0.9)])
def test_densities_add_up_to_the_hazards_that_are_expected(tmp_path: Path, one: dict[str, Any], hazards: float) -> None:
    expected = load_priors(write(tmp_path, one), FIELD).suspicions[0].expected
    step = 0.05
    grid = np.arange(-3.975, 4.0, step)
    total = sum(expected(float(x), float(y)) for x in grid for y in grid) * step**2
    # The density beyond the ends of a row is that of its ends: half a disc more at either.
    beyond = 0.9 / 0.5 * 0.3 * math.sqrt(2.0 * math.pi) if one is ROW else 0.0
    assert total == pytest.approx(hazards + beyond, rel=0.03)


@given(st.floats(0.0, 1.0), st.floats(-5.0, 20.0), st.floats(0.0, 5.0))
def test_nothing_lowers_a_probability(p: float, log_odds: float, more: float) -> None:
    assert p <= raised(p, log_odds) <= raised(p, log_odds + more) + 1e-12 <= 1.0 + 2e-12


def test_several_priors_add_and_a_place_outside_is_told(tmp_path: Path) -> None:
    far = feature("suspected_point", "Point", [(50.0, 0.0)], p=0.5, sigma_m=0.5, name="far")
    priors = load_priors(write(tmp_path, AREA, POINT, far), FIELD)
    alone = [load_priors(write(tmp_path, one), FIELD)(0.5, 0.5) for one in (AREA, POINT)]
    assert priors(0.5, 0.5) > max(alone)
    (line,) = priors.outside(FIELD)
    assert "far lies 46 m outside" in line


def broken(one: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**one, "properties": {k: v for k, v in {**one["properties"], **changes}.items() if v is not ...}}


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ([], "with features"),
        ([7], "feature 0 has no properties.role"),
        ([AREA, broken(AREA, role="cleared")], "feature 1 has the unknown properties.role 'cleared'"),
        ([broken(AREA, per_m2=...)], "'per_m2' must be a number above 0, at most 100"),
        ([broken(AREA, per_m2=-1.0)], "not -1.0"),
        ([broken(AREA, per_m2="many")], "not 'many'"),
        ([broken(POINT, p=1.5)], r"feature 0 \(suspected_point 'radio call'\): 'p' must be .* at most 1, not 1.5"),
        ([broken(POINT, sigma_m=-0.5)], "'sigma_m'"),
        ([broken(POINT, sigma_m=math.nan)], "NaN is not a number"),
        ([broken(ROW, spacing_m=True)], "'spacing_m'"),
        ([{**POINT, "geometry": AREA["geometry"]}], "must be a Point, not Polygon"),
        ([{**AREA, "geometry": None}], "must be a Polygon or MultiPolygon, not None"),
        ([broken(AREA, role="raster", low=0, high=1)], "'file' must be"),
        ([broken(AREA, role="raster", file="a.tif", low=1, high=1)], "'low' and 'high' must differ"),
        ([broken(AREA, role="raster", file="../a.tif", low=0, high=1)], "in the same folder"),
        ([broken(AREA, role="raster", file="a.tif", low=0, high=1)], "a.tif: no such file"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_one_clear_line(tmp_path: Path, features: list[Any], said: str) -> None:
    path = write(tmp_path, *features)
    with pytest.raises(LoadError, match=said) as caught:
        load_priors(path, FIELD)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


# --- rasters -------------------------------------------------------------------------------------------------------------
def write_raster(path: Path, values: Any, epsg: int = 32638, cell: float = 0.5, **options: Any) -> Path:
    """A GeoTIFF in UTM whose middle is the datum."""
    rasterio = pytest.importorskip("rasterio", reason="rasterio is an extra")
    values = np.asarray(values)
    east, north = Transformer.from_crs(4326, epsg, always_xy=True).transform(DATUM.longitude, DATUM.latitude)
    rows, columns = values.shape
    place = rasterio.transform.from_origin(east - 0.5 * columns * cell, north + 0.5 * rows * cell, cell, cell)
    with rasterio.open(
        path, "w", driver="GTiff", height=rows, width=columns, count=1, dtype=values.dtype, crs=f"EPSG:{epsg}",
        transform=place, **options,
    ) as image:  # fmt: skip
        image.write(values, 1)
    return path


def raster_feature(**figures: Any) -> dict[str, Any]:
    wanted = {"role": "raster", "file": "score.tif", "low": 0.2, "high": 0.7, "per_m2": 2.0, **figures}
    return {"type": "Feature", "geometry": None, "properties": wanted}


def test_a_raster_is_read_where_it_lies_and_scaled(tmp_path: Path) -> None:
    values = np.zeros((40, 40), dtype=np.float32)
    values[20, 20], values[21, 20] = 5.0, -9999.0  # the cells 0.25 m east, 0.25 m and 0.75 m south of the datum
    to_utm = Transformer.from_crs(4326, 32638, always_xy=True)
    east, north = np.subtract(
        to_utm.transform(*DATUM.to_wgs84(1.9, 4.4)[:2]), to_utm.transform(DATUM.longitude, DATUM.latitude)
    )
    values[int((10.0 - north) / 0.5), int((10.0 + east) / 0.5)] = 0.45
    write_raster(tmp_path / "score.tif", values, nodata=-9999.0, compress="deflate", tiled=True)
    expected = load_priors(write(tmp_path, raster_feature()), FIELD).suspicions[0].expected
    assert (expected(0.25, -0.25), expected(0.25, -0.75), expected(0.25, 0.25)) == (2.0, 0.0, 0.0)
    assert expected(1.9, 4.4) == pytest.approx(1.0)
    assert expected(0.25, 1e6) == expected(math.nan, 0.0) == 0.0


def test_a_raster_elsewhere_says_nothing_and_is_told(tmp_path: Path) -> None:
    write_raster(tmp_path / "score.tif", np.ones((4, 4), dtype=np.uint8), epsg=32638, cell=0.5)
    far = example_field()
    for one in far["features"]:
        one["geometry"]["coordinates"] = [[[lon + 0.01, lat] for lon, lat in one["geometry"]["coordinates"][0]]]
    area = field_from_geojson(far)
    priors = load_priors(write(tmp_path, raster_feature()), area)
    assert priors(0.0, 0.0) == 0.0 and len(priors.outside(area)) == 1


@pytest.mark.parametrize(
    ("figures", "content", "said"),
    [({}, b"no image", "score.tif: cannot be read"), ({"band": 2}, None, "has 1 bands, not band 2")],
)
def test_a_raster_that_cannot_be_used_is_one_line(
    tmp_path: Path, figures: dict[str, Any], content: bytes | None, said: str
) -> None:
    path = write_raster(tmp_path / "score.tif", np.ones((4, 4), dtype=np.uint8))
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LoadError, match=said):
        load_priors(write(tmp_path, raster_feature(**figures)), FIELD)


# --- what it does to targets ---------------------------------------------------------------------------------------------
REACH, LISTED, MARKED = 0.25, 0.004, 0.01
LOOKS = st.lists(
    st.tuples(
        st.integers(1, 3), st.floats(0.0, 1.2), st.floats(0.0005, 0.05), st.floats(1.0, 1000.0), st.floats(0.0, 5.0)
    ),
    max_size=12,
)


def registry_of(looks: list[tuple[int, float, float, float, float]], share: float) -> Registry:
    registry = Registry(REACH, LISTED, MARKED)
    for run, x, p, weight, prior in sorted(looks, key=lambda look: look[0]):
        verdict = Verdict(0.0, 0.0, p, TargetClass.AP_METAL, 0.05)
        registry.update(run, Sighting(x, 0.0, 0.0, 0.03, weight, verdict, share * prior))
    return registry


@given(LOOKS)
def test_whatever_is_marked_is_marked_with_priors_too(looks: list[tuple[int, float, float, float, float]]) -> None:
    with_priors = [target.x for target in registry_of(looks, 1.0).targets if target.p_hazard >= MARKED]
    for target in registry_of(looks, 0.0).targets:
        if target.p_hazard >= MARKED:
            assert min(abs(target.x - x) for x in with_priors) <= REACH


def test_a_weak_spot_is_listed_and_marked_where_hazards_are_expected() -> None:
    looks = [(1, 0.0, 0.002, 1.0, 3.0)]
    assert not registry_of(looks, 0.0).targets
    (target,) = registry_of(looks, 1.0).targets
    assert target.p_hazard == raised(0.002, 3.0) > MARKED


def test_a_restored_target_is_not_raised_again() -> None:
    (target,) = registry_of([(1, 0.0, 0.002, 1.0, 3.0)], 1.0).targets
    registry = Registry(REACH, LISTED, MARKED)
    registry.restore([target])
    registry.update(1, Sighting(0.0, 0.0, 0.0, 0.03, 1.0, Verdict(0.0, 0.0, 0.002, TargetClass.CLUTTER, 0.05), 3.0))
    assert registry.targets[0].p_hazard == target.p_hazard


# --- the commands --------------------------------------------------------------------------------------------------------
def test_a_replay_with_priors_finds_the_same_and_more_and_searches_no_more(tmp_path: Path) -> None:
    log, datum = record(tmp_path / "log.mcap", {"gpr", "metal", "odometry"}), load_field(SMALL).datum
    square = [(MINE.x + x, MINE.y + y) for x, y in SQUARE]
    known = write(tmp_path, feature("suspected_hazard", "Polygon", square, datum, per_m2=100.0))
    results = []
    for name, options in (("without", []), ("with", ["--priors", str(known)])):
        words = [
            "replay",
            str(log),
            "--only",
            "detection",
            "--field",
            str(SMALL),
            "--out",
            str(tmp_path / name),
            *options,
        ]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        results.append(
            (
                list(csv.DictReader((tmp_path / name / "targets.csv").open())),
                json.loads((tmp_path / name / "summary.json").read_text()),
            )
        )
    (before, ground), (after, less) = results
    assert len(after) >= len(before) >= 1 and less["searched_m2"] <= ground["searched_m2"]
    for old in before:
        (new,) = [row for row in after if (row["east"], row["north"]) == (old["east"], old["north"])]
        p, most = float(old["p_hazard"]), raised(float(old["p_hazard"]), math.log(3.0))  # the factor that is allowed
        assert p <= float(new["p_hazard"]) <= most + 2.5e-4  # four decimals each
    assert sum(float(row["p_hazard"]) for row in after) > sum(float(row["p_hazard"]) for row in before)


def test_check_says_what_the_priors_are_and_what_lies_elsewhere(tmp_path: Path) -> None:
    known = write(
        tmp_path, AREA, feature("suspected_point", "Point", [(0.0, 0.0)], load_field(SMALL).datum, p=1, sigma_m=1)
    )
    result = CliRunner().invoke(app, ["check", str(SMALL), "--priors", str(known)])
    assert result.exit_code == 0 and "1 suspected_hazard, 1 suspected_point: ok" in result.output
    assert "feature 0 lies" in result.output and "feature 1" not in result.output


def test_a_run_keeps_its_priors_and_goes_on_with_no_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    datum = load_field(SMALL).datum
    here, far = (
        feature("suspected_point", "Point", [place], datum, p=0.5, sigma_m=0.5) for place in [(0.0, 0.0), (90.0, 0.0)]
    )
    known = write(tmp_path, here, far)
    folder = prepare_run(RunRequest(SMALL, out=tmp_path / "run", priors=known)).directory
    assert folder.priors.read_bytes() == known.read_bytes()
    assert "feature 1 lies" in capsys.readouterr().err
    prepare_run(RunRequest(SMALL, resume=folder.path))
    prepare_run(RunRequest(SMALL, resume=folder.path, priors=known))
    write(tmp_path, here)
    with pytest.raises(LoadError, match="it ran with other prior knowledge than"):
        prepare_run(RunRequest(SMALL, resume=folder.path, priors=known))
    with pytest.raises(LoadError, match="no such file"):
        prepare_run(RunRequest(SMALL, resume=folder.path, priors=tmp_path / "nowhere.geojson"))
    without = prepare_run(RunRequest(SMALL, out=tmp_path / "other")).directory
    with pytest.raises(LoadError, match="it ran with other prior knowledge than"):
        prepare_run(RunRequest(SMALL, resume=without.path, priors=known))


def test_the_report_says_what_was_known_what_of_it_was_not_searched_and_whom_it_raised(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    known = tmp_path / "priors" / "priors.geojson"
    known.parent.mkdir()
    write(known.parent, AREA, POINT).rename(known)
    cells = np.full((180, 80), Cell.PENDING, dtype=np.int8)
    cells[90:] = Cell.SEARCHED  # the northern half, from the datum on
    with Journal(tmp_path / "journal.sqlite") as journal:
        journal.status(MissionStatus(1.0, MissionState.DONE, "", Goal.NONE, -1, 0.0))
        journal.targets(2.0, [suspect(1, 0.9, 0.9, p=0.006), suspect(2, 0.0, 4.0, p=0.006)])
        journal.ledger(LedgerGrid(3.0, -2.0, SOUTH, 0.05, cells))
    summary = finish_run(tmp_path)
    assert list(summary["priors"]) == ["priors.geojson"]
    run = load_run(tmp_path)
    area, point = prior_results(run)
    assert (area.area_m2, area.left_m2) == pytest.approx((4.0, 2.0 + math.pi * 0.4**2 / 4.0), abs=0.3)
    assert area.suspects == (1,) and point.suspects == (1,)
    assert [target.id for target in raised_suspects(run)] == [1]
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "radio call" in report and summary["priors"]["priors.geojson"] in report
