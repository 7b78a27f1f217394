"""Several runs become one record, and where they disagree the more cautious one is believed."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from records_examples import NORTH, ROOT, SOUTH, suspect, write_inputs
from shapely.geometry import shape
from typer.testing import CliRunner

from mine_robot.bringup import cli
from mine_robot.core.field import field_from_geojson
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
    Pose2,
    Target,
    TargetClass,
)
from mine_robot.coverage.ledger import rasterise
from mine_robot.mission.journal import Journal
from mine_robot.pipeline.loading import ParameterFiles
from mine_robot.records.errors import RecordError
from mine_robot.records.merge_ledger import Frames, Provenance, claims
from mine_robot.records.merge_record import merge_runs
from mine_robot.records.merge_targets import SAME_TARGET_MAX_M, Sighting, merge_targets

RESOLUTION = 0.05
LIMITS = ParameterFiles([ROOT / "config/robot.yaml"]).build("mission").limits
HALO, MARKED = LIMITS.halo_radius, LIMITS.mark_p_hazard


def ledger_of(folder: Path, low: float, high: float) -> LedgerGrid:
    """The hazard area of the run's own field, searched from ``low`` to ``high`` m north of the datum."""
    field = field_from_geojson(json.loads((folder / "field.geojson").read_text()))
    zones = rasterise(field, RESOLUTION)
    cells = np.full(zones.safe.shape, Cell.OUTSIDE, dtype=np.int8)
    cells[zones.safe] = Cell.SAFE
    cells[zones.to_search] = Cell.PENDING
    north = zones.y0 + (np.arange(len(cells)) + 0.5) * RESOLUTION
    cells[zones.to_search & ((north > low) & (north < high))[:, None]] = Cell.SEARCHED
    return LedgerGrid(50.0, zones.x0, zones.y0, RESOLUTION, cells)


def make_run(
    folder: Path,
    low: float = SOUTH,
    high: float = NORTH,
    targets: tuple[Target, ...] = (),
    *,
    state: MissionState = MissionState.DONE,
    marks: tuple[MarkResult, ...] = (),
    pose: Pose2 | None = None,
    simulation: bool = True,
    edit: Any = None,
) -> Path:
    """A run that is over; ``edit`` changes the decoded field before it is searched."""
    write_inputs(folder, simulation=simulation)
    if edit is not None:
        field = json.loads((folder / "field.geojson").read_text())
        edit(field)
        (folder / "field.geojson").write_text(json.dumps(field))
    grid = ledger_of(folder, low, high)
    for target in targets:
        if target.p_hazard >= MARKED:
            x = grid.x0 + (np.arange(grid.cells.shape[1]) + 0.5) * RESOLUTION - target.x
            y = grid.y0 + (np.arange(grid.cells.shape[0]) + 0.5) * RESOLUTION - target.y
            grid.cells[np.hypot(x, y[:, None]) < HALO] = Cell.HALO
    with Journal(folder / "journal.sqlite") as journal:
        journal.status(MissionStatus(2.0, MissionState.SEARCH, "searching", Goal.NONE, -1, 0.0))
        journal.targets(6.0, targets)
        for mark in marks:
            journal.mark_request(MarkRequest(mark.t - 1.0, mark.target_id, mark.x, mark.y))
            journal.mark_result(mark)
        journal.ledger(grid, pose)
        journal.status(MissionStatus(62.0, state, "", Goal.NONE, -1, 0.0))
    (folder / "summary.json").write_text(json.dumps({"unsafe_ground_m2": 0.0}))
    return folder


def merged(tmp_path: Path, *runs: Path) -> dict[str, Any]:
    return merge_runs(runs, tmp_path / "merged", figures=False)


def kinds(summary: dict[str, Any]) -> list[str]:
    return [one["kind"].split()[-1] for one in summary["contradictions"]]


def test_two_halves_make_the_whole_and_their_seam_is_known(tmp_path: Path) -> None:
    a, b = make_run(tmp_path / "a", high=1.0), make_run(tmp_path / "b", low=0.0)
    summary = merged(tmp_path, a, b)
    assert summary["area_m2"] == pytest.approx(36.0, abs=0.01)
    assert summary["searched_m2"] == pytest.approx(36.0, abs=0.05) and summary["gaps_m2"] < 0.05
    assert summary["searched_again_m2"] == pytest.approx(4.0, abs=0.21)
    assert [run["run"] for run in summary["runs"]] == ["a", "b"]
    assert summary["runs"][0]["searched_alone_m2"] == pytest.approx(4.0 * 4.5, abs=0.3)
    assert summary["contradictions"] == [] and summary["simulation"] is True and summary["unsafe_ground_m2"] == 0.0
    collection = json.loads((tmp_path / "merged" / "provenance.geojson").read_text())
    by = {f["properties"]["runs"]: f["properties"]["area_m2"] for f in collection["features"]}
    assert set(by) == {"a", "b", "a, b"} and sum(by.values()) == pytest.approx(summary["searched_m2"], abs=0.01)
    stored = np.load(tmp_path / "merged" / "ledger.npz")
    assert stored["searched_by"].shape == stored["cells"].shape
    sets = json.loads(str(stored["sets"]))
    assert {tuple(sets[i]) for i in np.unique(stored["searched_by"])} == {(), ("a",), ("b",), ("a", "b")}


def test_what_nobody_searched_stays_a_gap(tmp_path: Path) -> None:
    summary = merged(tmp_path, make_run(tmp_path / "a", high=-1.0), make_run(tmp_path / "b", low=1.0))
    assert summary["gaps_m2"] == pytest.approx(4.0 * 2.0, abs=0.45)
    assert summary["searched_m2"] + summary["gaps_m2"] == pytest.approx(summary["area_m2"], abs=0.01)


def test_a_refound_target_is_one_with_the_best_mark(tmp_path: Path) -> None:
    seen = suspect(4, 0.5, 1.0, p=0.7, kind=TargetClass.UNKNOWN)
    again = replace(suspect(9, 0.55, 1.02, p=0.95), sigma_x=0.01, sigma_y=0.01)
    a = make_run(tmp_path / "a", targets=(seen,), marks=(MarkResult(9.0, 4, MarkStatus.FAILED, 0.5, 1.0, "jam"),))
    b = make_run(
        tmp_path / "b", targets=(again,), marks=(MarkResult(9.0, 9, MarkStatus.CONFIRMED, 0.56, 1.0, "paint"),)
    )
    summary = merged(tmp_path, a, b)
    assert (summary["targets"], summary["marks_requested"], summary["marks_confirmed"]) == (1, 1, 1)
    assert summary["sightings"] == [{"target": 1, "of": [{"run": "a", "target": 4}, {"run": "b", "target": 9}]}]
    assert summary["contradictions"] == []
    with (tmp_path / "merged" / "targets.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["class"], row["p_hazard"], row["mark"]) == ("ap_metal", "0.9500", "confirmed")
    assert 0.53 < float(row["east"]) < 0.55 and float(row["sigma_m"]) < 0.01  # nearer to the better known place


def test_a_suspect_wins_over_ground_that_another_run_cleared(tmp_path: Path) -> None:
    a, b = make_run(tmp_path / "a"), make_run(tmp_path / "b", targets=(suspect(3, 0.0, 0.0),))
    for order in ((a, b), (b, a)):
        summary = merge_runs(order, tmp_path / order[0].name / "merged", figures=False)
        (one,) = summary["contradictions"]
        assert (one["runs"], one["against"], one["target"]) == (("b",), ("a",), 1)
        assert one["area_m2"] == pytest.approx(math.pi * HALO**2, rel=0.3)
        collection = json.loads((order[0] / "merged" / "clearance.geojson").read_text())
        cleared = shapely.union_all(
            [shape(f["geometry"]) for f in collection["features"] if f["properties"]["kind"] == "searched"]
        )
        lon, lat, _ = Datum(40.0, 47.0).to_wgs84(0.0, 0.0)
        assert not cleared.intersects(shapely.Point(lon, lat).buffer(2.5e-6))  # 0.21 m
        assert summary["searched_m2"] < 36.0 - 0.9 * math.pi * HALO**2


def test_a_hazard_wins_over_clutter(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", targets=(suspect(1, 0.0, 0.0, p=0.5 * MARKED, kind=TargetClass.CLUTTER),))
    b = make_run(tmp_path / "b", targets=(suspect(1, 0.01, 0.0, p=0.8),))
    summary = merged(tmp_path, a, b)
    assert kinds(summary) == ["run"] and summary["contradictions"][0]["against"] == ("a",)
    assert summary["targets"] == 1 and summary["gaps_m2"] > 0.2


def test_fields_that_disagree(tmp_path: Path) -> None:
    def with_no_go(field: dict[str, Any]) -> None:
        ring = [[47.0, 40.0], [47.00001, 40.0], [47.00001, 40.00001], [47.0, 40.00001], [47.0, 40.0]]
        zone = {
            "type": "Feature",
            "properties": {"role": "no_go"},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        field["features"].append(zone)

    def other_way_round(field: dict[str, Any]) -> None:
        hazard, safe = field["features"]
        hazard["properties"]["role"], safe["properties"]["role"] = "safe_area", "hazard_area"

    a, b = make_run(tmp_path / "a"), make_run(tmp_path / "b", edit=with_no_go)
    summary = merged(tmp_path, a, b)
    assert kinds(summary) == ["field"] and "no-go" in summary["contradictions"][0]["kind"]
    assert summary["searched_m2"] < 36.0 - 0.8
    c = make_run(tmp_path / "c", edit=other_way_round)
    summary = merge_runs([a, c], tmp_path / "second", figures=False)
    assert summary["area_m2"] == pytest.approx(36.0 + 16.0, abs=0.1)
    assert {one["kind"] for one in summary["contradictions"]} == {"ground declared safe is hazardous in another field"}


def test_another_datum_gains_no_ground(tmp_path: Path) -> None:
    def longer(field: dict[str, Any]) -> None:  # two metres more in the north: the datum moves by one
        ring = field["features"][0]["geometry"]["coordinates"][0]
        ring[2:4] = [[lon, lat + 1.8e-5] for lon, lat in ring[2:4]]

    a, b = make_run(tmp_path / "a", high=0.0), make_run(tmp_path / "b", low=-2.0, high=9.0, edit=longer)
    for order in ((a, b), (b, a)):
        summary = merge_runs(order, order[0] / "merged", figures=False)
        assert summary["searched_m2"] + summary["gaps_m2"] == pytest.approx(summary["area_m2"], abs=0.02)
        assert 0.97 * summary["area_m2"] < summary["searched_m2"] <= summary["area_m2"]


@given(
    east=st.floats(-0.2, 0.2),
    north=st.floats(-0.2, 0.2),
    seed=st.integers(0, 1000),
    resolution=st.sampled_from([0.05, 0.04]),
)
@settings(max_examples=25, deadline=None)
def test_a_cell_is_carried_over_only_if_all_of_it_was_searched(
    east: float, north: float, seed: int, resolution: float
) -> None:
    from records_examples import DATUM, field

    common = field_from_geojson(field())
    zones = rasterise(common, resolution)
    lon, lat, _ = DATUM.to_wgs84(east, north)
    frames = Frames(Datum(float(lat), float(lon)) if seed % 2 else common.datum, common.datum)
    cells = np.random.default_rng(seed).choice([Cell.SEARCHED, Cell.PENDING, Cell.HALO], (40, 40), p=[0.9, 0.05, 0.05])
    grid = LedgerGrid(0.0, -1.0 + east, -1.0 + north, 0.05, np.kron(cells, np.ones((2, 2))).astype(np.int8))
    claim = claims(grid, frames, zones)
    rows, cols = np.nonzero(claim.searched)
    for row, col in list(zip(rows, cols))[:: max(len(rows) // 60, 1)]:
        inner = np.array([zones.x0 + (col + 0.5) * resolution, zones.y0 + (row + 0.5) * resolution])
        places = frames.to_own(inner + 0.49 * resolution * np.array([[-1, -1], [1, -1], [-1, 1], [1, 1], [0, 0]]))
        index = np.floor((places - (grid.x0, grid.y0)) / 0.05).astype(int)
        assert (grid.cells[index[:, 1], index[:, 0]] == Cell.SEARCHED).all()
    assert not (claim.searched & claim.halo).any()


def test_a_run_that_was_cut_off_is_not_believed_about_the_ground_under_its_head(tmp_path: Path) -> None:
    whole = make_run(tmp_path / "whole", state=MissionState.ABORTED, pose=Pose2(0.0, 0.0, 0.0))
    cut = make_run(tmp_path / "cut", state=MissionState.SEARCH, pose=Pose2(0.0, 0.0, 0.0))
    lost = make_run(tmp_path / "lost", state=MissionState.SEARCH)
    areas = [merge_runs([run], run / "merged", figures=False)["searched_m2"] for run in (whole, cut, lost)]
    assert areas[0] == pytest.approx(36.0, abs=0.05)
    assert 20.0 < areas[1] < 36.0 - math.pi * 1.1**2
    assert areas[2] == 0.0


@st.composite
def sightings(draw: st.DrawFn) -> list[Sighting]:
    number = st.floats(-1.0, 1.0) | st.just(math.nan)
    found = []
    for i in range(draw(st.integers(0, 12))):
        target = suspect(i, draw(number), draw(number), p=draw(st.floats(0.0, 1.0) | st.just(math.nan)))
        sigma = draw(st.floats(0.001, 0.3) | st.just(math.nan))
        found.append(Sighting(draw(st.integers(0, 3)), replace(target, sigma_x=sigma, sigma_y=sigma)))
    return found


@given(sightings())
@settings(max_examples=200, deadline=None)
def test_merged_targets_lose_nothing(found: list[Sighting]) -> None:
    targets = merge_targets(found, 3.0)
    assert sorted(id(s) for one in targets for s in one.sightings) == sorted(map(id, found))
    assert [one.target.id for one in targets] == list(range(1, len(targets) + 1))
    for one in targets:
        runs = [s.run for s in one.sightings]
        assert len(runs) == len(set(runs))
        known = [s.target.p_hazard for s in one.sightings if math.isfinite(s.target.p_hazard)]
        assert one.target.p_hazard == max(known) if known else math.isnan(one.target.p_hazard)
        if len(one.sightings) > 1:
            reach = max(len(one.sightings) - 1, 1) * SAME_TARGET_MAX_M
            assert all(math.hypot(s.target.x - one.target.x, s.target.y - one.target.y) <= reach for s in one.sightings)
            assert max(one.target.sigma_x, one.target.sigma_y) <= min(s.sigma for s in one.sightings) + 1e-12


def test_the_closest_pair_is_joined_and_what_is_out_of_sigma_is_not() -> None:
    def at(run: int, x: float, sigma: float = 0.02) -> Sighting:
        return Sighting(run, replace(suspect(1, x, 0.0), sigma_x=sigma, sigma_y=sigma))

    near, nearer, other = at(0, 0.00), at(0, 0.06), at(1, 0.05)
    assert [one.sightings for one in merge_targets([near, nearer, other], 3.0)] == [(near,), (nearer, other)]
    assert len(merge_targets([at(0, 0.0), at(1, 0.09)], 3.0)) == 2  # 0.085 m is the gate
    assert len(merge_targets([at(0, 0.0, 1.0), at(1, 0.6, 1.0)], 3.0)) == 2  # beyond half a metre, however unsure


@given(st.lists(st.integers(0, 2**16 - 1), max_size=6))
def test_provenance_knows_who_searched_what(runs: list[int]) -> None:
    masks = [np.array([bits >> i & 1 for i in range(16)], dtype=bool).reshape(4, 4) for bits in runs]
    provenance = Provenance((4, 4))
    for i, mask in enumerate(masks):
        provenance.add(i, mask)
    ones = np.ones((4, 4))
    count = np.sum(masks, axis=0) if masks else np.zeros((4, 4))
    assert provenance.area_by_run(ones, len(runs)).tolist() == [mask.sum() for mask in masks]
    assert provenance.area_alone(ones, len(runs)).tolist() == [(mask & (count == 1)).sum() for mask in masks]
    assert provenance.area_again(ones) == (count > 1).sum()


def test_the_report_warns_of_contradictions(tmp_path: Path) -> None:
    a, b = make_run(tmp_path / "a"), make_run(tmp_path / "b", targets=(suspect(3, 0.0, 0.0),))
    result = CliRunner().invoke(
        cli.app, ["merge", str(a), str(b), "--out", str(tmp_path / "out"), "--format", "kml,csv"]
    )
    assert result.exit_code == 0 and "2 runs" in result.output and "1 contradictions" in result.output
    exported = {path.name for path in (tmp_path / "out" / "export").iterdir()}
    assert {"export.kml", "export_targets.csv"} <= exported and "export.geojson" not in exported
    page = (tmp_path / "out" / "report.html").read_text()
    assert "a suspect lies on ground that another run cleared (target 1): b against a" in page
    assert "SIMULATION" in page and "merged from 2 runs: a, b" in page


def test_what_cannot_be_merged_is_one_clear_line(tmp_path: Path) -> None:
    def far(field: dict[str, Any]) -> None:
        for feature in field["features"]:
            feature["geometry"]["coordinates"] = [
                [[lon + 0.2, lat] for lon, lat in feature["geometry"]["coordinates"][0]]
            ]

    a = make_run(tmp_path / "a")
    killed = make_run(tmp_path / "killed")
    (killed / "summary.json").unlink()
    for runs, out, words in (
        ((a, a), "out", "given twice"),
        ((a, tmp_path / "nowhere"), "out", "nowhere is not a run directory"),
        ((a, killed), "out", "killed or still goes on"),
        ((a, make_run(tmp_path / "real", simulation=False)), "out", "simulated ground clears nothing"),
        ((a, make_run(tmp_path / "far", edit=far)), "out", "not one area"),
        ((a, make_run(tmp_path / "b")), "a", "give another folder"),
    ):
        with pytest.raises(RecordError, match=words) as error:
            merge_runs(runs, tmp_path / out, figures=False)
        assert "\n" not in str(error.value)
    with pytest.raises(RecordError, match="--format dxf"):
        merge_runs([a], tmp_path / "out", ["dxf"])
    assert not (tmp_path / "out").exists()
