"""Fields as they come by mail: each is planned, or refused with exit code 2 and one line that names file and fault."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_field import LAT, LON, D, box, feature

from mine_robot.bringup import cli

Content = dict[str, Any]


def field(ring: list[list[float]] | None = None, safe: list[list[float]] | None = None) -> Content:
    """A small field, its hazard area with another ring, or its safe area."""
    return {
        "type": "FeatureCollection",
        "features": [
            feature("hazard_area", ring or box(LON, LAT, D, D), name="North plot"),
            feature("safe_area", safe or box(LON, LAT - D / 2, D, D / 2)),
        ],
    }


def hazard(content: Any) -> Content:
    """A small field whose hazard area has ``content`` as coordinates."""
    data = field()
    data["features"][0]["geometry"]["coordinates"] = content
    return data


def polygon(ring: list[list[float]]) -> Content:
    """A geometry."""
    return {"type": "Polygon", "coordinates": [ring]}


def with_feature(role: str, geometry: Any, **properties: Any) -> Content:
    """A small field with one more feature."""
    more = {"type": "Feature", "properties": {"role": role, **properties}, "geometry": geometry}
    return {**field(), "features": [*field()["features"], more]}


def circle(corners: int) -> list[list[float]]:
    """A ring of about 2 m radius north of the safe area."""
    turn = [2.0 * math.pi * i / corners for i in range(corners)]
    return [[LON + D / 2 + 0.25 * D * math.cos(a), LAT + 0.25 * D * (1.0 - 1e-3 + math.sin(a))] for a in [*turn, 0.0]]


def holes(count: int) -> Content:
    """A field of 4 x 11 m with ``count`` wells of 4 x 5 cm in rows."""
    side = math.ceil(math.sqrt(count))
    wells = [
        box(LON + (i % side + 0.5) * D / side / 2, LAT + (i // side + 0.5) * D / side, D / 200, D / 200)
        for i in range(count)
    ]
    return hazard([box(LON, LAT, D / 2, D), *wells])


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """The exit code of ``mine-robot`` with ``arguments``."""
    monkeypatch.setattr(sys, "argv", ["mine-robot", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(caught.value.code or 0)


SQUARE = box(LON, LAT, D, D)
WITH_CRS = {**field(), "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32638"}}}
BAD: dict[str, tuple[Content | str, str]] = {
    "single point": (hazard([[[LON, LAT]] * 5]), "not a valid polygon: Too few points"),
    "two corners": (hazard([[[LON, LAT], [LON + D, LAT]]]), "broken coordinates"),
    "line": (hazard([[[LON, LAT], [LON + D, LAT + D], [LON, LAT]]]), "feature 0"),
    "self-crossing": (field([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]]), "Self-intersection[46.93"),
    "hole outside": (hazard([SQUARE, box(LON + 2 * D, LAT, D / 5, D / 5)]), "Hole lies outside shell"),
    "no area": (field(box(LON, LAT, D, 1e-13)), "feature 0"),
    "overlapping roles": (field(safe=box(LON, LAT - D / 2, D, D)), "overlap by"),
    "apart": (field(safe=box(LON, LAT - 2 * D, D, D / 2)), "no safe_area touches"),
    "no room to stand": (field(safe=box(LON, LAT - D / 100, D, D / 100)), "room"),
    "an open ring": (field(SQUARE[:-1]), "is not closed: it begins at [46.93, 39.99] and ends at [46.93, 39.9901], 11.13 m"),
    "a last corner mistyped": (field([*SQUARE[:-1], [LON - 2 * D, LAT]]), "17.06 m from there"),
    "no-go all over": ({**field(), "features": [*field()["features"], feature("no_go", box(LON - D, LAT - D, 4 * D, 4 * D))]},
                       "nothing is left to search"),
    "four numbers": (field([[*SQUARE[0], 1, 2], *SQUARE[1:]]), "is not [longitude, latitude]"),
    "numbers as text": (field([["46.93", "39.99"], *SQUARE[1:]]), "is not [longitude, latitude]"),
    "no geometry": (with_feature("no_go", None), "feature 2 (no_go) has no geometry"),
    "collection in a role": (with_feature("no_go", {"type": "GeometryCollection", "geometries": []}), "not GeometryCollection"),
    "collection in a collection": ({**field(), "features": [*field()["features"], field()]}, "feature 2 has no properties.role"),
    "zone beside the features": ({**field(), "no_go": {"type": "FeatureCollection", "features": []}}, "'no_go' holds geometry"),
    "zone in a property": (with_feature("no_go", polygon(SQUARE), holes={"coordinates": []}), "'holes' holds geometry"),
    "zone in another system": (with_feature("no_go", {**polygon(SQUARE), "crs": WITH_CRS["crs"]}), "feature 2 (no_go): the coordin"),
    "zone without area": (with_feature("no_go", polygon(box(LON, LAT, D, 1e-13))), "feature 2 (no_go)"),
    "a member said twice": ('{"type": "FeatureCollection", "features": [{}], "features": []}', "'features' stands twice, in line 1"),
    "a lane heading misspelt": (with_feature("hazard_area", polygon(SQUARE), lane_heading=30), "is it 'lane_heading_deg'?"),
    "a lane heading misplaced": (with_feature("no_go", polygon(SQUARE), lane_heading_deg=30), "belongs to a hazard_area"),
    "no features": ({"type": "FeatureCollection", "features": []}, "no features"),
    "features no list": ({"type": "FeatureCollection", "features": {"a": 1}}, "no features"),
    "NaN": (json.dumps(field([[math.nan, LAT], *SQUARE[1:]])), "NaN is not a number"),
    "infinite": (json.dumps(field([[math.inf, LAT], *SQUARE[1:]])), "Infinity is not a number"),
    "too large a number": (field([[10**400, LAT], *SQUARE[1:]]), "broken coordinates"),
    "swapped": (field([[y, x] for x, y in SQUARE], [[y, x] for x, y in box(LON, LAT - D, D, D)]), "swapped"),
    "metres": (field([[x * 1e5, y * 1e5] for x, y in SQUARE]), "are these degrees?"),
    "another system": (WITH_CRS, "EPSG::32638, not in WGS-84"),
    "a broken system": ({**field(), "crs": "utm"}, "utm, not in WGS-84"),
    "country": (field(box(46.0, 39.0, 2.0, 2.0), box(46.0, 38.9, 2.0, 0.1)), "km from the field's centre"),
    "too large for memory": (field(box(LON, LAT, 0.05, 0.05), box(LON, LAT - D, 0.05, D)), "(25 ha) are the most"),
    "no safe area": ({**field(), "features": field()["features"][:1]}, "no feature with properties.role 'safe_area'"),
    "no hazard area": ({**field(), "features": field()["features"][1:]}, "role 'hazard_area'"),
    "text as coordinates": (hazard("abc"), "broken coordinates"),
    "object as coordinates": (hazard({"a": 1}), "broken coordinates"),
    "text as features": ({"type": "FeatureCollection", "features": ["a"]}, "feature 0 has no properties.role"),
    "a list as role": ({**field(), "features": [feature("safe_area", SQUARE) | {"properties": {"role": []}}]}, "role"),
    "truncated": (json.dumps(field())[:200], "not JSON: "),
    "nothing": ("", "not JSON: "),
    "nested": ("[" * 100_000, "nested"),
    "name of two lines": (
        {**hazard("abc"), "features": [{**hazard("abc")["features"][0], "properties": {"role": "no_go", "name": "a\nb"}}]},
        "'a b'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_field_is_one_line_and_exit_code_2(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content, words = BAD[name]
    path, out = tmp_path / "bad.geojson", tmp_path / "plan.geojson"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    assert run(monkeypatch, "plan", path, "--out", out) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1, said
    assert said.startswith(f"mine-robot: {path}: ")
    assert words in said
    assert not out.exists()


GOOD: dict[str, Callable[[], Content]] = {
    "sliver of a millimetre": lambda: field(box(LON, LAT, D, 1e-8)),
    "ten thousand corners": lambda: field(circle(10_000)),
    "400 holes": lambda: holes(400),
    "heights here and there": lambda: field([SQUARE[0], [*SQUARE[1], 4.0], *SQUARE[2:]]),
    "longitude and latitude by name": lambda: {
        **field(), "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    },
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_strange_field_is_planned_and_accounts_for_all_its_ground(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "strange.geojson", tmp_path / "plan.geojson"
    path.write_text(json.dumps(GOOD[name]()), encoding="utf-8-sig")  # with the byte order mark of some editors
    assert run(monkeypatch, "plan", path, "--out", out) == 0
    plan = json.loads(out.read_text())
    gaps = [item["properties"] for item in plan["features"] if item["properties"]["kind"] == "gap"]
    assert plan["summary"]["coverage"] >= 0.999
    assert all(gap["reason"] and gap["area_m2"] > 0.0 for gap in gaps)


def test_a_field_too_large_to_search_may_be_checked_for_an_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "large.geojson"
    path.write_text(json.dumps(BAD["too large for memory"][0]))
    assert run(monkeypatch, "check", path) == 0
    assert "only for an estimate: the field is too large" in " ".join(capsys.readouterr().out.split())
    assert run(monkeypatch, "run", path, "--out", tmp_path / "run") == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["--out", "--plot"])
def test_a_plan_that_cannot_be_written_is_one_line(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, nowhere = tmp_path / "field.geojson", tmp_path / "none" / "plan.png"
    path.write_text(json.dumps(field()))
    out = () if option == "--out" else ("--out", tmp_path / "plan.geojson")
    assert run(monkeypatch, "plan", path, *out, option, nowhere) == 2
    assert capsys.readouterr().err.strip() == f"mine-robot: {nowhere}: cannot be written: No such file or directory"
