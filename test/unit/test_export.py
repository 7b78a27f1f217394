"""Exports are read back with GDAL, openpyxl and the XML parser, none of which knows our code."""

from __future__ import annotations

import csv
import itertools
import json
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from records_examples import DATUM, NORTH, SOUTH, evidence_of, lane, suspect, write_inputs, write_log
from shapely.geometry import MultiPolygon, Polygon, shape
from typer.testing import CliRunner

from mine_robot.bringup import cli
from mine_robot.core.geodesy import Datum
from mine_robot.core.types import (
    Cell,
    Goal,
    LedgerGrid,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MissionState,
    MissionStatus,
    Remark,
    RemarkKind,
    Target,
    TargetClass,
)
from mine_robot.mission.journal import Journal
from mine_robot.pipeline.loading import load_field
from mine_robot.records.errors import RecordError
from mine_robot.records.export import FORMATS, export_run
from mine_robot.records.export_layers import TRACK_PAUSE, TRACK_TOLERANCE, _tracks
from mine_robot.records.export_tables import POINT_COLUMNS
from mine_robot.records.finish import finish_run
from mine_robot.records.utm import UtmZone

NAME = (
    "=1+1 Ağdam <b>&amp; \u0001\U0001f916 " + "ə" * 200
)  # a formula, markup, a control character, longer than a dBASE field
LOST = Target(3, *[math.nan] * 8, 0.9, TargetClass.UNKNOWN)
TARGETS = (suspect(1, 0.0, 3.0), suspect(2, 1.0, -2.0, p=0.2, kind=TargetClass.CLUTTER), LOST)
CENTIMETRE = 0.01
GEOD = Geod(ellps="WGS84")
KML = {"k": "http://www.opengis.net/kml/2.2"}
LAYERS = {"hazard_area", "safe_area", "no_go", "searched", "gap", "track", "target", "mark", "remark"}


REMARKS = (
    Remark(9.5, "a1", RemarkKind.REJECT, 1, "=1+1 a can, şübhəsiz", "viewer 1"),
    Remark(9.7, "a2", RemarkKind.CONFIRM, 3, "", "viewer 2"),  # of a target that is nowhere
    Remark(9.8, "a3", RemarkKind.ACKNOWLEDGE, -1, "seen", "viewer 1"),
)


def ledger() -> LedgerGrid:
    """Searched but for the northern edge, a halo about target 1 and a hole that was never reached."""
    cells = np.full((200, 100), Cell.OUTSIDE, dtype=np.int8)  # [-2.5, 2.5] x [-5, 5], 5 cm
    x, y = -2.5 + (np.arange(100) + 0.5) * 0.05, -5.0 + (np.arange(200) + 0.5) * 0.05
    east, north = np.meshgrid(x, y)
    inside = (abs(east) < 2.0) & (abs(north) < NORTH)
    cells[inside] = Cell.SEARCHED
    cells[inside & (north > 4.0)] = Cell.PENDING
    cells[inside & (np.hypot(east, north - 3.0) < 0.3)] = Cell.HALO
    cells[inside & (abs(east - 1.0) < 0.2) & (abs(north) < 0.2)] = Cell.GAP
    return LedgerGrid(50.0, -2.5, -5.0, 0.05, cells)


def make_run(folder: Path) -> Path:
    """A run that searched most of its field and made a pause on the way."""
    write_inputs(folder, name=NAME, imsma_id="AZ-1")
    with Journal(folder / "journal.sqlite") as journal:
        journal.status(MissionStatus(2.0, MissionState.SEARCH, "searching", Goal.NONE, -1, 0.0))
        journal.targets(6.0, TARGETS)
        journal.mark_request(MarkRequest(7.0, 1, 0.0, 3.0))
        journal.mark_result(MarkResult(9.0, 1, MarkStatus.CONFIRMED, 0.03, 3.04, "paint seen"))
        for remark in REMARKS:
            journal.remark(remark)
        journal.ledger(ledger())
        journal.status(MissionStatus(62.0, MissionState.DONE, "all searched", Goal.NONE, -1, 0.0))
    nav = lane(0.0, end=-1.0) + lane(0.0, t=30.0, start=-1.0, end=2.0)
    write_log(folder / "log.mcap", nav, evidence_of(nav), [(6.0, TARGETS)])
    finish_run(folder, figures=False)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def out(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "new" / "folder"
    files = export_run(run, list(FORMATS), folder)
    assert all(file.stat().st_size > 0 for file in files)
    return folder


def rings(polygons: list[Any]) -> list[np.ndarray]:
    """Corners of the polygons, all rings, without the closing one."""
    return [np.array(r.coords)[:-1] for p in polygons for r in (p.exterior, *p.interiors)]


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Largest distance in m from a place of ``a`` to the nearest of ``b``, degrees WGS-84."""
    return max(min(GEOD.inv(*p, *q)[2] for q in b) for p in a)


def read_shapes(path: Path) -> tuple[dict[str, Any], list[Any], dict[str, np.ndarray]]:
    meta, _, geometry, values = pyogrio.raw.read(path)
    return meta, list(shapely.from_wkb(geometry)), dict(zip(meta["fields"], values))


def kruger(lon: float, lat: float, zone: int) -> tuple[float, float]:
    """Easting and northing by Krüger's series (Karney, Transverse Mercator, 2011, eq. 7-11 to the third order in n)."""
    f = 1.0 / 298.257223563
    n = f / (2.0 - f)
    e = math.sqrt(f * (2.0 - f))
    a1 = 6378137.0 / (1.0 + n) * (1.0 + n**2 / 4.0 + n**4 / 64.0)
    alpha = (n / 2 - 2 * n**2 / 3 + 5 * n**3 / 16, 13 * n**2 / 48 - 3 * n**3 / 5, 61 * n**3 / 240)
    phi, lam = math.radians(lat), math.radians(lon - (6 * zone - 183))
    t = math.sinh(math.atanh(math.sin(phi)) - e * math.atanh(e * math.sin(phi)))
    xi, eta = math.atan2(t, math.cos(lam)), math.atanh(math.sin(lam) / math.hypot(1.0, t))
    x = eta + sum(a * math.cos(2 * j * xi) * math.sinh(2 * j * eta) for j, a in enumerate(alpha, 1))
    y = xi + sum(a * math.sin(2 * j * xi) * math.cosh(2 * j * eta) for j, a in enumerate(alpha, 1))
    return 500_000.0 + 0.9996 * a1 * x, 0.9996 * a1 * y + (0.0 if lat >= 0.0 else 10_000_000.0)


@given(lon=st.floats(-180.0, 179.9), lat=st.floats(-79.0, 83.0))
@settings(max_examples=60, deadline=None)
def test_utm_agrees_with_the_series_to_a_millimetre(lon: float, lat: float) -> None:
    zone = UtmZone.of(Datum(lat, lon))
    assert 1 <= zone.number <= 60 and abs(lon - (6 * zone.number - 183)) <= 3.0 + 1e-9
    assert zone.project(lon, lat)[0] == pytest.approx(kruger(lon, lat, zone.number), abs=1e-3)


def test_zone_of_known_places() -> None:
    assert UtmZone.of(Datum(39.99, 46.93)).name == "38N" and UtmZone.of(Datum(39.99, 46.93)).epsg == 32638
    assert UtmZone.of(Datum(-8.8, 13.2)).epsg == 32733
    assert UtmZone.of(Datum(0.0, 180.0)).number == 1


def test_shapefiles_hold_the_surveyed_corners(run: Path, out: Path) -> None:
    field = json.loads((run / "field.geojson").read_text())
    surveyed = np.array(field["features"][0]["geometry"]["coordinates"][0])[:-1]
    meta, shapes, values = read_shapes(out / "hazard_area.shp")
    assert meta["crs"] == "EPSG:4326" and len(shapes) == 1
    assert apart(surveyed, rings(shapes)[0]) < CENTIMETRE
    assert values["imsma_id"][0] == "AZ-1" and values["simulation"][0] == "yes"
    assert values["name"][0].startswith("=1+1 Ağdam <b>") and len(values["name"][0].encode()) in (253, 254)
    meta, shapes, _ = read_shapes(out / f"hazard_area_utm{UtmZone.of(DATUM).name.lower()}.shp")
    assert meta["crs"] == "EPSG:32638"
    wanted = np.array([kruger(*place, 38) for place in surveyed])
    assert max(min(math.dist(p, q) for q in rings(shapes)[0]) for p in wanted) < CENTIMETRE


def test_searched_and_gaps_make_up_the_hazard_area(run: Path, out: Path) -> None:
    hazard, searched, gaps = (
        shapely.union_all(read_shapes(out / f"{kind}_utm38n.shp")[1]) for kind in ("hazard_area", "searched", "gap")
    )
    scale = hazard.area / 36.0  # of the projection
    summary = json.loads((run / "summary.json").read_text())
    assert searched.area / scale == pytest.approx(summary["searched_m2"], abs=0.02)
    assert gaps.area / scale == pytest.approx(summary["gaps_m2"], abs=0.02)
    assert searched.intersection(gaps).area < 1e-3
    assert shapely.union(searched, gaps).symmetric_difference(hazard).area < 0.02
    _, shapes, values = read_shapes(out / "gap.shp")
    assert {"target halo", "not searched: the mission ended before"} <= set(values["reason"])
    assert sum(values["area_m2"]) == pytest.approx(summary["gaps_m2"], abs=0.01) and len(shapes) == len(values["kind"])
    assert any(len(polygon.interiors) == 2 for polygon in read_shapes(out / "searched.shp")[1])


def test_every_format_has_the_same_places(out: Path) -> None:
    collection = json.loads((out / "export.geojson").read_text())
    by_kind = {kind: [] for kind in LAYERS}
    for feature in collection["features"]:
        if feature["geometry"]:
            by_kind[feature["properties"]["kind"]].append(shape(feature["geometry"]))
    kml = ElementTree.parse(out / "export.kml")
    for folder in kml.iterfind(".//k:Folder", KML):
        kind = folder.findtext("k:name", namespaces=KML)
        texts = [node.text for node in folder.iterfind(".//k:coordinates", KML)]
        places = [tuple(map(float, place.split(","))) for text in texts for place in str(text).split()]
        wanted = [tuple(c) for item in by_kind[str(kind)] for c in shapely.get_coordinates(item).tolist()]
        assert sorted(places) == sorted(wanted)
        _, shapes, _ = read_shapes(out / f"{kind}.shp")
        shapes = [one for one in shapes if one is not None]
        assert sorted(map(tuple, shapely.get_coordinates(shapes).tolist())) == sorted(wanted)
    assert {name for name, _ in pyogrio.list_layers(out / "export.kml")} == LAYERS


def test_the_field_is_read_back_from_kml_and_what_was_found_is_no_part_of_it(run: Path, out: Path) -> None:
    back, field = load_field(out / "export.kml"), load_field(run / "field.geojson", recorded=True)
    assert (back.name, back.imsma_id) == (field.name.replace("\x01", "�"), field.imsma_id)
    for name in ("hazard", "safe", "no_go"):
        assert getattr(back, name).symmetric_difference(getattr(field, name)).area < 1e-3
    assert len(back.known_targets) == 0


def test_targets_carry_their_marks_and_nothing_is_lost(out: Path) -> None:
    _, shapes, values = read_shapes(out / "target.shp")
    assert list(values["target_id"]) == [1, 2, 3] and list(values["mark"]) == ["confirmed", None, None]
    assert shapes[2] is None and values["p_hazard"][2] == 0.9 and np.isnan(values["easting"][2])
    lon, lat, _ = DATUM.to_wgs84(0.0, 3.0)
    assert GEOD.inv(lon, lat, shapes[0].x, shapes[0].y)[2] < CENTIMETRE
    assert (values["easting"][0], values["northing"][0]) == pytest.approx(kruger(lon, lat, 38), abs=CENTIMETRE)
    collection = json.loads((out / "export.geojson").read_text(), parse_constant=pytest.fail)
    lost = next(f for f in collection["features"] if f["properties"].get("target_id") == 3)
    assert lost["geometry"] is None and lost["properties"]["easting"] is None
    assert collection["simulation"] is True and collection["name"] == NAME


def test_what_people_said_is_in_every_format_and_changes_nothing_else(out: Path) -> None:
    wanted = [(1.0, "reject", "=1+1 a can, şübhəsiz"), (3.0, "confirm", None), (None, "acknowledge", "seen")]

    def known(*row: Any) -> tuple[Any, ...]:
        return tuple(None if value in ("", None) or value != value else value for value in row)

    _, shapes, values = read_shapes(out / "remark.shp")
    assert [known(*row) for row in zip(values["target_id"], values["verdict"], values["comment"])] == wanted
    assert [one is None for one in shapes] == [False, True, True]
    collection = json.loads((out / "export.geojson").read_text(encoding="utf-8"))
    said = [f for f in collection["features"] if f["properties"]["kind"] == "remark"]
    rows = [[f["properties"][key] for key in ("target_id", "verdict", "comment")] for f in said]
    assert [known(*row) for row in rows] == wanted
    assert said[0]["geometry"] == next(
        f["geometry"] for f in collection["features"] if f["properties"].get("target_id") == 1
    )
    sheet = openpyxl.load_workbook(out / "export.xlsx")["remarks"]
    head, *cells = ([cell.value for cell in row] for row in sheet.iter_rows())
    places = [head.index(name) for name in ("target_id", "verdict", "comment")]
    assert [known(*(row[i] for i in places)) for row in cells] == wanted
    assert sheet.cell(2, places[2] + 1).data_type == "s"
    assert "acknowledge" in (out / "export.kml").read_text(encoding="utf-8")
    assert "remark nan" not in (out / "export.kml").read_text(encoding="utf-8")


def test_points_are_in_the_layout_that_imsma_imports(out: Path) -> None:
    book = openpyxl.load_workbook(out / "export.xlsx")
    assert book.sheetnames[0] == "points_wgs84"
    for sheet, places in ((book["points_wgs84"], (47.0, 40.0)), (book["points_utm38n"], kruger(47.0, 40.0, 38))):
        head, *rows = sheet.iter_rows(values_only=True)
        assert head == POINT_COLUMNS
        assert [row[3] for row in rows] == list(range(1, len(rows) + 1))
        assert all(isinstance(row[5], (int, float)) and abs(row[5] - places[0]) < 20.0 for row in rows)
        polygons = [row[1] for row in rows if row[1] is not None]
        assert [poly for poly, _ in itertools.groupby(polygons)] == list(range(1, max(polygons) + 1))
        for _, group in itertools.groupby(rows[: len(polygons)], lambda row: row[1]):
            corners = list(group)
            assert [row[2] for row in corners] == list(range(1, len(corners) + 1))
            assert [row[4] for row in corners] == ["Start Point", *["Turning Point"] * (len(corners) - 1)]
        assert [row[4] for row in rows[len(polygons) :]] == ["Device", "Device", "Reference Point"]
        assert all("SIMULATION" in row[10] for row in rows)


def test_polygons_built_from_the_point_table_are_the_searched_ground(out: Path) -> None:
    book = openpyxl.load_workbook(out / "export.xlsx")
    _, *points = book["points_utm38n"].iter_rows(values_only=True)
    _, *shapes = book["shapes"].iter_rows(values_only=True)
    corners = {poly: [row[5:7] for row in group] for poly, group in itertools.groupby(points, lambda row: row[1])}
    outer = [row[0] for row in shapes if row[1:3] == ("searched", "outer")]
    built = MultiPolygon(
        [Polygon(corners[i], [corners[row[0]] for row in shapes if row[2] == f"hole of {i}"]) for i in outer]
    )
    searched = shapely.union_all(read_shapes(out / "searched_utm38n.shp")[1])
    assert built.symmetric_difference(searched).area < 0.01
    assert all(len(corners[row[0]]) == row[5] for row in shapes)


def test_text_that_looks_like_a_formula_stays_text(out: Path) -> None:
    sheet = openpyxl.load_workbook(out / "export.xlsx")["targets"]
    cell = sheet["B2"]
    assert cell.data_type == "s" and cell.value.startswith("=1+1") and "\u0001" not in cell.value


def test_csv_and_workbook_are_the_same_tables(out: Path) -> None:
    book = openpyxl.load_workbook(out / "export.xlsx")
    for name in ("points_wgs84", "points_utm38n", "shapes", "track"):
        with (out / f"export_{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        cells = [list(row) for row in book[name].iter_rows(values_only=True)]
        assert [len(row) for row in rows] == [len(row) for row in cells]
        for text, value in zip(itertools.chain(*rows), itertools.chain(*cells)):
            assert text == (value or "") if value is None or isinstance(value, str) else float(text) == value


def test_the_track_keeps_to_the_poses_and_breaks_where_there_are_none(out: Path) -> None:
    _, lines, values = read_shapes(out / "track.shp")
    assert len(lines) == 2 and list(values["part"]) == [1, 2]
    assert values["length_m"] == pytest.approx([-1.0 - (SOUTH - 1.5), 3.0], abs=0.03)
    assert values["start_s"][1] == pytest.approx(30.0)


@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.floats(0.02, 1.0), st.floats(-1.0, 1.0)), max_size=40))
@settings(max_examples=50, deadline=None)
def test_no_pose_is_farther_from_the_track_than_promised(steps: list[tuple[float, float, float]]) -> None:
    nav, t, x, y = [], 0.0, 0.0, 0.0
    for dt, dx, dy in steps:
        t, x, y = t + dt, x + dx, y + dy
        state = lane(x, t=t, start=y, end=y)[0]
        nav.append(state)
    lines = [line for line, _ in _tracks(nav)]
    pauses = sum(b.t - a.t > TRACK_PAUSE for a, b in itertools.pairwise(nav))
    assert len(lines) <= pauses + 1
    for a, b in itertools.pairwise(nav):
        if b.t - a.t <= TRACK_PAUSE:
            for state in (a, b):
                place = shapely.Point(*state.position[:2])
                assert min(line.distance(place) for line in lines) <= TRACK_TOLERANCE + 1e-9


def test_standing_still_and_poses_that_are_nowhere_leave_no_track() -> None:
    still = lane(0.0, start=0.0, end=0.0) * 3
    nowhere = lane(math.nan, t=1.0, start=0.0, end=1.0)
    assert list(_tracks([])) == list(_tracks(still)) == list(_tracks(nowhere)) == []


def test_a_run_that_never_started_exports_its_area(tmp_path: Path) -> None:
    write_inputs(tmp_path / "run", simulation=False)
    Journal(tmp_path / "run" / "journal.sqlite").close()
    finish_run(tmp_path / "run", figures=False)
    out = tmp_path / "out"
    export_run(tmp_path / "run", list(FORMATS), out)
    for kind in LAYERS:
        meta, shapes, _ = read_shapes(out / f"{kind}.shp")
        assert len(shapes) == (1 if kind in ("hazard_area", "safe_area", "gap") else 0)
        assert "imsma_id" in meta["fields"]
    assert "SIMULATION" not in (out / "export.kml").read_text()
    assert len(openpyxl.load_workbook(out / "export.xlsx")["points_wgs84"]["A"]) == 1 + 3 * 4


def test_an_export_can_be_repeated(run: Path, tmp_path: Path) -> None:
    first = {path.name: path.read_bytes() for path in export_run(run, ["geojson", "csv"], tmp_path)}
    assert {path.name: path.read_bytes() for path in export_run(run, ["csv", "geojson"], tmp_path)} == first


def refused(*arguments: object) -> str:
    """The message of an export that ends with exit code 2, through the command's own error handling."""
    result = CliRunner().invoke(cli.app, ["export", *map(str, arguments)])
    assert isinstance(result.exception, RecordError), result
    message = str(result.exception)
    assert "\n" not in message
    return message


def test_what_is_no_finished_run_is_one_clear_line(run: Path, tmp_path: Path) -> None:
    assert "nowhere is not a run directory" in refused(tmp_path / "nowhere")
    assert "it has no run.json" in refused(tmp_path)
    killed = tmp_path / "killed"
    write_inputs(killed)
    message = refused(killed)
    assert "killed" in message and f"mine-robot report {killed}" in message
    (killed / "summary.json").write_text("{}")
    assert "journal.sqlite" in refused(killed)
    assert not (killed / "export").exists()
    assert "--format dxf: must be one of geojson, kml, shp, xlsx, csv" in refused(run, "--format", "kml,dxf")
    (tmp_path / "file").write_text("")
    assert "is not a folder" in refused(run, "--out", tmp_path / "file")
    assert "cannot be written" in refused(run, "--out", tmp_path / "file" / "below")


def test_the_command_ends_with_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("sys.argv", ["mine-robot", "export", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.strip() == f"mine-robot: {tmp_path} is not a run directory: it has no run.json"


def test_the_command_names_what_it_wrote(run: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["export", str(run), "--format", "kml,csv", "--out", str(tmp_path)])
    assert result.exit_code == 0
    assert {"export.kml", "export_targets.csv"} <= {Path(line).name for line in result.output.splitlines()}
