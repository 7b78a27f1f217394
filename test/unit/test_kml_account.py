"""All that a KML holds is read, known not to matter, or refused with its name and line: nothing is dropped."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from test_kml import HAZARD, HOLE, SAFE, document, placemark, polygon

from mine_robot.core.field import field_from_geojson
from mine_robot.pipeline.kml import KmlError, collection_from_kml

FIELD = (placemark("hazard area", polygon(HAZARD)), placemark("safe area", polygon(SAFE)))
POINT = "<Point><coordinates>47.00005,40.00005</coordinates></Point>"
GX = 'xmlns:gx="http://www.google.com/kml/ext/2.2"'
TRACK = f"<gx:Track {GX}><when>2026-01-01</when><gx:coord>47 40 0</gx:coord></gx:Track>"
LOST = {
    "a link": "<NetworkLink><name>no go</name><Link><href>files/nogo.kml</href></Link></NetworkLink>",
    "a regionated link": "<NetworkLink><Region><LatLonAltBox/></Region><Link><href>1.kml</href></Link></NetworkLink>",
    "an old link": "<NetworkLink><Url><href>http://x/1.kml</href></Url></NetworkLink>",
    "a picture on the ground": "<GroundOverlay><name>no-go 1</name><LatLonBox><north>40</north></LatLonBox></GroundOverlay>",
    "a photo": f"<PhotoOverlay><name>mine</name>{POINT}</PhotoOverlay>",
    "a picture on the screen with a role": "<ScreenOverlay><name>No-go 2</name></ScreenOverlay>",
    "a name alone": placemark("no-go 1", ""),
    "a name with an address": placemark("no-go 1", "<address>Aghdam</address>"),
    "a name with a style": placemark("known target 4", "<styleUrl>#x</styleUrl><LookAt><longitude>47</longitude></LookAt>"),
    "a track": placemark("no-go", TRACK),
    "tracks": placemark("no-go", f"<gx:MultiTrack {GX}>{TRACK}</gx:MultiTrack>"),
    "a model": placemark("no-go", "<Model><Location><longitude>47</longitude></Location></Model>"),
    "a track among others": placemark("no-go", f"<MultiGeometry>{polygon(HOLE)}{TRACK}</MultiGeometry>"),
    "an unknown geometry": placemark("no-go", f"{polygon(HOLE)}<Circle><radius>3</radius></Circle>"),
    "a foreign element": '<x:Zone xmlns:x="urn:x"><x:at>47,40</x:at></x:Zone>',
    "a placemark in small letters": f"<placemark><name>no-go</name>{polygon(HOLE)}</placemark>",
    "a placemark of a schema": f'<Schema parent="Placemark" name="S"/><S><name>no-go</name>{polygon(HOLE)}</S>',
    "a placemark in a style": f"<Style>{placemark('no-go', polygon(HOLE))}</Style>",
    "a tour that draws": f"<gx:Tour {GX}><gx:AnimatedUpdate><Update><Create/></Update></gx:AnimatedUpdate></gx:Tour>",
    "two outer borders": placemark("no-go", polygon(HOLE).replace("</Polygon>", polygon(SAFE).removeprefix("<Polygon>"))),
    "an inner border alone": placemark("no-go", polygon(HOLE).replace("outerBoundaryIs", "innerBoundaryIs")),
    "coordinates twice": placemark("no-go", polygon(HOLE).replace("</coordinates>", "</coordinates><coordinates>1,2</coordinates>")),
    "coordinates within coordinates": placemark("no-go", polygon(f"{HOLE}<b/>47,40")),
    "a point with two places": placemark("known target", "<Point><coordinates>47,40 47.0001,40</coordinates></Point>"),
    "data against the name": placemark(
        "no-go 1", f"<ExtendedData><Data name='role'><value>safe_area</value></Data></ExtendedData>{polygon(HOLE)}"
    ),
    "data against themselves": placemark(
        "x", "<ExtendedData><Data name='role'><value>no_go</value></Data><Data name='Role'><value>safe_area</value></Data>"
             f"</ExtendedData>{polygon(HOLE)}"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOST)
@pytest.mark.parametrize("folders", [0, 2])
def test_what_could_matter_and_cannot_be_read_is_refused_with_its_line(name: str, folders: int) -> None:
    content = "<Folder>\n" * folders + LOST[name] + "</Folder>" * folders
    with pytest.raises(KmlError, match=rf"^line {folders + 2}: ") as refused:
        collection_from_kml(document("\n", content, *FIELD))
    assert "\n" not in str(refused.value)
    with pytest.raises(KmlError, match=r"^line "):
        collection_from_kml(document(*FIELD, content))


HARMLESS = {
    "styles": "<Style id='a'><LineStyle><color>ff0000ff</color></LineStyle></Style><StyleMap id='b'><Pair/></StyleMap>",
    "a view": "<LookAt><longitude>47</longitude></LookAt><Region><LatLonAltBox><north>40</north></LatLonAltBox></Region>",
    "words": "<description>a</description><Snippet>b</Snippet><open>1</open><visibility>0</visibility>",
    "a legend": "<ScreenOverlay><name>Legend</name><Icon><href>l.png</href></Icon></ScreenOverlay>",
    "a flight": f"<gx:Tour {GX}><gx:Playlist><gx:FlyTo><Camera/></gx:FlyTo></gx:Playlist></gx:Tour>",
    "an author": '<atom:author xmlns:atom="http://www.w3.org/2005/Atom"><atom:name>A</atom:name></atom:author>',
    "a run's record": placemark(
        "gap: too steep", f"<ExtendedData><Data name='kind'><value>gap</value></Data></ExtendedData>{polygon(HOLE)}"
    ),
    "a comment": "<!-- <Placemark/> -->",
}
SAID = {"a legend": "1 ScreenOverlay", "a flight": "1 Tour", "a run's record": "1 recorded gap"}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_cannot_matter_is_left_out_and_what_is_no_decoration_is_listed(name: str) -> None:
    collection = collection_from_kml(document(HARMLESS[name], *FIELD))
    assert collection["features"] == collection_from_kml(document(*FIELD))["features"]
    assert field_from_geojson(collection).account.ignored == ((SAID[name],) if name in SAID else ())


def test_data_of_a_placemark_and_a_folder_are_carried() -> None:
    data = "".join(
        f"<Data name='{key}'><value>{value}</value></Data>"
        for key, value in {"lane_heading_deg": "30", "imsma_id": "AZ-1", "fid": "7"}.items()
    )
    role = "<ExtendedData><Data name='role'><value>no_go</value></Data></ExtendedData>"
    pond = placemark(
        "pond", f"<ExtendedData><Data name='reason'><value>deep</value></Data></ExtendedData>{polygon(HOLE)}"
    )
    hazard = placemark("hazard area", f"<ExtendedData>{data}</ExtendedData>{polygon(HAZARD)}")
    content = document(hazard, FIELD[1], f"<Folder>{role}{pond}</Folder>")
    field = field_from_geojson(collection_from_kml(content))
    assert field.lane_direction is not None and field.imsma_id == "AZ-1" and field.excluded[0][0] == "deep"
    assert field.account.ignored == ("properties fid",)


def test_an_open_ring_is_refused_as_in_geojson() -> None:
    with pytest.raises(ValueError, match="ring that is not closed"):
        field_from_geojson(collection_from_kml(document(placemark("no-go", polygon(SAFE.rsplit(" ", 1)[0])), *FIELD)))


def test_no_placemark_is_ever_lost_in_any_nesting() -> None:
    """Random trees of folders: as many polygons and points come out as went in, by role."""
    for seed in range(60):
        rng, put = random.Random(seed), Counter[str]()

        def part(depth: int, rng: random.Random = rng, put: Counter[str] = put) -> str:
            if depth == 0 or rng.random() < 0.4:
                role = rng.choice(["no_go", "known_target"])
                number = rng.randint(1, 3)
                put[role] += number
                shapes = (polygon(HOLE) if role == "no_go" else POINT) * number
                return placemark(role, f"<MultiGeometry>{shapes}</MultiGeometry>" if number > 1 else shapes)
            inner = "".join(part(depth - 1) for _ in range(rng.randint(0, 3)))
            return f"<Folder><name>x</name>{inner}{rng.choice(list(HARMLESS.values())[:3])}</Folder>"

        content = "".join(part(3) for _ in range(3))
        field = field_from_geojson(collection_from_kml(document(content, *FIELD)))
        assert field.account.numbers == {
            "hazard_area": 1,
            "safe_area": 1,
            "no_go": put["no_go"],
            "known_target": put["known_target"],
        }
