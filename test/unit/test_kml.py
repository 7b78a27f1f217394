"""Fields as KML: what is read, what is refused, and that our own exports read back."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from mine_robot.bringup.cli import app
from mine_robot.core.field import ROLES, FieldError, field_from_geojson
from mine_robot.pipeline.kml import MAX_BYTES, MAX_DEPTH, KmlError, collection_from_kml, role_of
from mine_robot.pipeline.loading import LoadError, load_field

HAZARD = "47.0,40.0,12 47.0002,40.0,12 47.0002,40.0001,12\n\t47.0,40.0001,12 47.0,40.0,12"
HOLE = "47.00005,40.00003 47.0001,40.00003 47.0001,40.00006 47.00005,40.00003"
SAFE = "47.0,39.9999 47.0002,39.9999 47.0002,40.0 47.0,40.0 47.0,39.9999"


def polygon(outer: str, *holes: str) -> str:
    borders = [("outerBoundaryIs", outer), *(("innerBoundaryIs", hole) for hole in holes)]
    rings = (f"<{tag}><LinearRing><coordinates>{at}</coordinates></LinearRing></{tag}>" for tag, at in borders)
    return f"<Polygon>{''.join(rings)}</Polygon>"


def placemark(name: str, content: str) -> str:
    return f"<Placemark><name>{name}</name>{content}</Placemark>"


def document(*content: str, space: str = "http://www.opengis.net/kml/2.2") -> bytes:
    return f'<?xml version="1.0"?><kml xmlns="{space}"><Document><name>North</name>{"".join(content)}</Document></kml>'.encode()


GOOD = document(
    placemark("Hazardous area 1", polygon(HAZARD, HOLE)),
    f"<Folder><name>Safe Areas</name>{placemark('road', polygon(SAFE))}</Folder>",
    placemark("seen", "<ExtendedData><Data name='role'><value>known_target</value></Data></ExtendedData>"
              "<Point><coordinates>47.00015,40.00005</coordinates></Point>"),
)  # fmt: skip


@pytest.mark.parametrize("space", ["http://www.opengis.net/kml/2.2", "http://earth.google.com/kml/2.1"])
def test_roles_come_from_names_folders_and_extended_data(space: str) -> None:
    collection = collection_from_kml(GOOD.replace(b"http://www.opengis.net/kml/2.2", space.encode()))
    assert [one["properties"]["role"] for one in collection["features"]] == ["hazard_area", "safe_area", "known_target"]
    field = field_from_geojson(collection)
    assert field.name == "North" and len(field.known_targets) == 1
    assert len(field.hazard.geoms[0].interiors) == 1


def test_whatever_reads_a_field_reads_kml(tmp_path: Path) -> None:
    path = tmp_path / "field.kml"
    path.write_bytes(GOOD)
    result = CliRunner().invoke(app, ["check", str(path)])
    assert result.exit_code == 0 and "field 'North'" in result.output
    path.write_bytes(document(placemark("Minefield", polygon(HAZARD))))
    with pytest.raises(LoadError, match="feature 0 'Minefield' has no"):
        load_field(path)


def test_priors_are_checked_for_a_field_in_kml(tmp_path: Path) -> None:
    field, known = tmp_path / "field.KML", tmp_path / "priors.geojson"
    field.write_bytes(GOOD)
    place = {"type": "Point", "coordinates": [47.0001, 40.00005]}
    suspected = {
        "type": "Feature",
        "geometry": place,
        "properties": {"role": "suspected_point", "p": 0.5, "sigma_m": 1},
    }
    known.write_text(json.dumps({"type": "FeatureCollection", "features": [suspected]}))
    result = CliRunner().invoke(app, ["check", str(field), "--priors", str(known)])
    assert result.exit_code == 0 and "1 suspected_point: ok" in result.output


@given(st.lists(st.tuples(st.floats(-179.0, 179.0), st.floats(-89.0, 89.0)), min_size=3, max_size=30))
def test_places_are_read_as_they_are_written(places: list[tuple[float, float]]) -> None:
    text = " ".join(f"{lon!r},{lat!r},0" for lon, lat in places)
    read = collection_from_kml(document(placemark("x", polygon(text))))["features"][0]["geometry"]["coordinates"]
    np.testing.assert_array_equal(read, [places])


@given(st.text(max_size=20))
def test_a_name_says_a_role_or_none(name: str) -> None:
    assert role_of(name) in (None, *ROLES)


@pytest.mark.parametrize(
    ("name", "role"),
    [("hazard_area", "hazard_area"), ("No-Go zones", "no_go"), (" SAFE AREA 12", "safe_area"), ("safe area?", "safe_area"),
     ("unsafe area", None), ("Safe area, not confirmed", None), ("Minefield", None), ("target", None), ("", None)],
)  # fmt: skip
def test_names_that_say_a_role(name: str, role: str | None) -> None:
    assert role_of(name) == role


def test_geometries_of_a_placemark_come_one_by_one() -> None:
    line = "<LineString><coordinates>47,40 47.1,40</coordinates></LineString>"
    content = f"<MultiGeometry>{polygon(HAZARD)}<MultiGeometry>{polygon(SAFE)}{line}</MultiGeometry></MultiGeometry>"
    features = collection_from_kml(document(placemark("no-go", content)))["features"]
    assert [one["geometry"]["type"] for one in features] == ["Polygon", "Polygon", "LineString"]
    with pytest.raises(FieldError, match="must be a Polygon or MultiPolygon, not LineString"):
        field_from_geojson({"type": "FeatureCollection", "features": features})


BOMB = b'<!DOCTYPE kml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><kml><Document><name>&b;</name></Document></kml>'
ROBBER = b'<!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]><kml><Document><name>&x;</name></Document></kml>'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not XML"),
        (b"\xff\xfe\x00", "not XML"),
        (b'<?xml version="1.0" encoding="no-such"?><kml/>', "not XML"),
        (json.dumps({"type": "FeatureCollection"}).encode(), "not XML"),
        (b"PK\x03\x04rest", "KMZ"),
        (b"<html/>", "<html>, not <kml>"),
        (document(), "no placemark"),
        (document(placemark("x", "<Polygon/>")), "feature 0 'x' has no properties.role"),
        (document(placemark("x", polygon(""))), "without coordinates"),
        (document(placemark("x", polygon("47, 40"))), "'47,' are not longitude,latitude"),
        (document(placemark("x", polygon("47,nan 1,2"))), "'47,nan' are not"),
        (document(placemark("x", polygon("47,40,1,2"))), "are not longitude,latitude"),
        (BOMB, "document type definition"),
        (ROBBER, "document type definition"),
        (document("<Folder>" * (MAX_DEPTH + 1) + "</Folder>" * (MAX_DEPTH + 1)), "folders within each other"),
        (b" " * (MAX_BYTES + 1), "larger than 20 MB"),
    ],
    ids=range(16),
)
def test_what_is_no_kml_is_refused_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "field.kml"
    path.write_bytes(content)
    with pytest.raises(LoadError, match=words) as refused:
        load_field(path)
    assert "\n" not in str(refused.value) and str(refused.value).startswith(str(path))


def test_nested_elements_without_end_cost_no_more_than_their_size() -> None:
    content = document(
        "<Folder>" * 10_000 + "</Folder>" * 10_000,
        placemark("x", "<MultiGeometry>" * 10_000 + "</MultiGeometry>" * 10_000),
    )
    tracemalloc.start()
    try:
        with pytest.raises(KmlError):
            collection_from_kml(content)
        assert tracemalloc.get_traced_memory()[1] < 100 * len(content)
    finally:
        tracemalloc.stop()
