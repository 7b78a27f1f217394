"""Fields drawn in Google Earth or a GIS: KML 2.2 (OGC 07-147r2) to the features of a field file.

A placemark says its role with a ``role`` (or ``kind``, as in our own exports) among its extended data, with its name, or with the name of
a folder around it. What a run has recorded (searched ground, targets, ...) is left out: it is no part of a field.

Read by hand, element by element, because everything that is given has to be accounted for: GDAL and fastkml leave out what they do not
know (network links, gx tracks, overlays) without a word. An element is read, or known to be of no matter (style, camera, time), or
refused with its name and line.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from mine_robot.core.field import LANE_HEADING, ROLES

MAX_BYTES = 20_000_000
MAX_DEPTH = 50  # folders within folders
RECORDED = ("searched", "gap", "track", "target", "mark", "remark")  # layers of our own exports that are no field's
OTHER_NAMES = {"hazardous_area": "hazard_area", "no_go_zone": "no_go", "no_go_area": "no_go"}
CONTAINERS = ("kml", "Document", "Folder")
# What says nothing about where anything is: words, looks, the view, time.
WORDS = (
    *(
        "name",
        "description",
        "Snippet",
        "snippet",
        "address",
        "phoneNumber",
        "AddressDetails",
        "author",
        "link",
        "visibility",
    ),
    *("balloonVisibility", "open", "styleUrl", "Style", "StyleMap", "ListStyle", "Schema", "ExtendedData", "Metadata"),
    *("LookAt", "Camera", "AbstractView", "TimeStamp", "TimeSpan", "Region"),
)
LOOKS = ("extrude", "tessellate", "altitudeMode", "altitudeOffset", "drawOrder")
SEEN_ONLY = (
    "ScreenOverlay",
    "Tour",
    "NetworkLinkControl",
)  # pictures on the screen, flights: nothing lies on the ground
BORDERS = ("outerBoundaryIs", "innerBoundaryIs")
LINE = "{mine_robot}line"  # attribute with the line of an element
DATA = ("role", "kind", "name", "imsma_id", "reason", LANE_HEADING)
DRAWN = ("Placemark", "coordinates", "NetworkLink", "GroundOverlay")  # no element without matter has one within


class KmlError(ValueError):
    """What is no KML, or holds what cannot be read; one line."""


class _Parser(DefusedXMLParser):
    """Notes the line of each element."""

    def _start(self, *words: Any) -> Any:
        element = super()._start(*words)
        element.set(LINE, str(self.parser.CurrentLineNumber))
        return element


def collection_from_kml(content: bytes) -> dict[str, Any]:
    """The placemarks of a document as a GeoJSON FeatureCollection, a feature for each polygon, line or point.

    ``properties.role`` is missing where the document does not say it; ``not_read`` lists what is left out because it does not matter. No
    entity is expanded and nothing is fetched. Raises :class:`KmlError`, also for anything that could matter and cannot be read.
    """
    root = _root(content)
    left_out: Counter[str] = Counter()
    features = [
        feature
        for placemark, folders in _placemarks(root, left_out)
        for feature in _features(placemark, folders, left_out)
    ]
    if not features:
        raise KmlError("no placemark with a polygon, a line or a point")
    collection: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    if left_out:
        collection["not_read"] = [f"{number} {what}" for what, number in left_out.items()]
    return collection


def _root(content: bytes) -> Element:
    if len(content) > MAX_BYTES:
        raise KmlError(f"larger than {MAX_BYTES / 1e6:.0f} MB")
    if content[:2] == b"PK":
        raise KmlError("this is a KMZ, a zipped KML: unzip it, or save it as KML")
    parser = _Parser(forbid_dtd=True)
    try:
        parser.feed(content)
        root: Element = parser.close()
    except ParseError as error:
        raise KmlError(f"not XML: {error}") from None
    except DefusedXmlException:
        raise KmlError("has a document type definition, which no KML needs: refused") from None
    except (ValueError, LookupError) as error:  # of the declared encoding
        raise KmlError(f"not XML: {error}") from None
    if _tag(root) != "kml":
        raise KmlError(f"the outermost element is <{_tag(root)[:40]}>, not <kml>")
    return root


def role_of(text: str) -> str | None:
    """The role that a name says: ``Hazard area 2`` is a hazard_area, ``Minefield`` is none."""
    name = re.sub(r"_*\d*$", "", re.sub(r"[^a-z0-9]+", "_", text.strip().lower()))
    for known in (name, name.removesuffix("s")):
        found = OTHER_NAMES.get(known, known)
        if found in ROLES:
            return found
    return None


def _placemarks(root: Element, left_out: Counter[str]) -> Iterator[tuple[Element, tuple[str, ...]]]:
    """Placemarks in their order, with the names (or roles) of the folders around each, the innermost first."""
    waiting: list[tuple[Element, tuple[str, ...]]] = [(root, ())]
    while waiting:
        element, folders = waiting.pop()
        tag = _tag(element)
        if tag == "Placemark":
            yield element, folders
        elif tag in CONTAINERS:
            said = _extended_data(element).get("role", "")
            inner = (*([said] if said else []), _text(element, "name"), *folders)
            if len(inner) > 2 * MAX_DEPTH or len(folders) >= MAX_DEPTH:
                raise KmlError(f"more than {MAX_DEPTH} folders within each other")
            waiting.extend((child, inner) for child in reversed(element))
        elif tag in SEEN_ONLY and role_of(_text(element, "name")) is None and not _updates(element):
            left_out[tag] += 1
        else:
            _pass_over(element, WORDS)


def _updates(element: Element) -> bool:
    """Whether an element changes the document, as a tour or a link's control may."""
    return any(_tag(inner) == "Update" for inner in element.iter())


def _pass_over(element: Element, harmless: tuple[str, ...], within: str = "") -> None:
    """Leave out an element that is ``harmless`` and holds nothing that is drawn; raise :class:`KmlError` for any other."""
    if _tag(element) not in harmless or any(_tag(inner) in DRAWN for inner in element.iter()):
        raise _unread(element, _text(element, "name"), within)


def _unread(element: Element, name: str, within: str = "") -> KmlError:
    """What is said of an element that could matter."""
    named = f" '{name[:60]}'" if name else ""
    advice = {
        "NetworkLink": "what it links to is not fetched: save its content into this file",
        "GroundOverlay": "a picture is no zone: draw what it shows as a polygon",
        "PhotoOverlay": "a picture is no zone: draw what it shows as a polygon or point",
        "Track": "draw it as a polygon or point",
        "MultiTrack": "draw it as a polygon or point",
        "Model": "draw it as a polygon or point",
    }.get(_tag(element), "it could matter, and is not known")
    where = f"{within}: " if within else ""
    return KmlError(f"line {element.get(LINE)}: {where}<{_tag(element)[:40]}>{named} cannot be read: {advice}")


def _features(placemark: Element, folders: tuple[str, ...], left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    data, name = _extended_data(placemark), _text(placemark, "name")
    said, kind = data.get("role", ""), data.get("kind", "")  # a role that is unknown is not guessed from other names
    if kind in RECORDED and not said and role_of(name) is None:
        left_out[f"recorded {kind}"] += 1
        return
    label = f"line {placemark.get(LINE)}: placemark '{name}'"
    own = role_of(name)
    if said and own is not None and role_of(said) != own:
        raise KmlError(f"{label}: its data say the role '{said[:40]}', its name another one")
    role = role_of(said) or said or next(filter(None, map(role_of, (kind, name, *folders))), "")
    names = [data.get("name", ""), *(text for text in (name, *folders[::-1]) if role_of(text) is None)]
    properties: dict[str, Any] = {"role": role, "name": next(filter(None, names), "")}
    properties |= {key: value for key, value in data.items() if key not in ("role", "kind", "name")}
    if data.get(LANE_HEADING):
        properties[LANE_HEADING] = _number(data[LANE_HEADING])
    found = 0
    for geometry in _geometries(placemark, label):
        found += 1
        yield {
            "type": "Feature",
            "properties": {key: value for key, value in properties.items() if value != ""},
            "geometry": geometry,
        }
    if not found:
        raise KmlError(f"{label} has no geometry, only a name: draw what it stands for, or delete it")


def _number(text: str) -> float | str:
    """A number if it is one; whoever checks the property says what is wrong with it otherwise."""
    try:
        return float(text)
    except ValueError:
        return text


def _extended_data(element: Element) -> dict[str, str]:
    """Extended data by name: ``Data`` with a ``value``, or ``SimpleData`` of a schema."""
    found: dict[str, str] = {}
    for own in (child for child in element if _tag(child) == "ExtendedData"):
        for item in own.iter():
            if _tag(item) not in ("Data", "SimpleData"):
                continue
            name = (item.get("name") or "").strip().lower()
            value = _text(item, "value") if _tag(item) == "Data" else " ".join((item.text or "").split())
            if name and value and found.setdefault(name, value) != value and name in DATA:
                raise KmlError(f"line {item.get(LINE)}: the data '{name}' are said twice, and differ")
    return found


def _geometries(placemark: Element, label: str) -> Iterator[dict[str, Any]]:
    """Every polygon, line and point of a placemark, those within a MultiGeometry one by one."""
    waiting = [(child, False) for child in reversed(placemark)]
    while waiting:
        element, collected = waiting.pop()
        tag = _tag(element)
        if tag == "MultiGeometry":
            waiting.extend((child, True) for child in reversed(element))
        elif tag == "Polygon":
            yield {"type": "Polygon", "coordinates": [_places(ring, label) for ring in _rings(element, label)]}
        elif tag in ("LineString", "LinearRing"):
            yield {"type": "LineString", "coordinates": _places(element, label)}
        elif tag == "Point":
            places = _places(element, label)
            if len(places) > 1:
                raise KmlError(f"{label}: a Point with {len(places)} places")
            yield {"type": "Point", "coordinates": places[0]}
        else:
            _pass_over(element, LOOKS if collected else (*WORDS, *LOOKS), label)


def _rings(polygon: Element, label: str) -> Iterator[Element]:
    """The rings of a polygon, the outer one first."""
    rings: dict[str, list[Element]] = {border: [] for border in BORDERS}
    for child in polygon:
        if _tag(child) in BORDERS:
            for ring in child:
                if _tag(ring) != "LinearRing":
                    raise _unread(ring, "", label)
                rings[_tag(child)].append(ring)
        else:
            _pass_over(child, LOOKS, label)
    outer, inner = rings.values()
    if len(outer) > 1 or (inner and not outer):
        raise KmlError(f"{label}: a Polygon with {len(outer)} outer borders")
    yield from (*outer, *inner)


def _places(element: Element, label: str) -> list[list[float]]:
    """Longitude and latitude in degrees of every place in ``coordinates``; the height is left out."""
    texts = []
    for child in element:
        if _tag(child) == "coordinates":
            if len(child):
                raise _unread(child[0], "", label)
            texts.append(child.text or "")
        else:
            _pass_over(child, LOOKS, label)
    if len(texts) > 1:
        raise KmlError(f"{label}: a {_tag(element)} with coordinates twice")
    found = []
    for text in " ".join(texts).split():
        try:
            place = [float(value) for value in text.split(",")]
        except ValueError:
            place = []
        if len(place) not in (2, 3) or not all(map(math.isfinite, place)):
            raise KmlError(f"{label}: the coordinates {text[:40]!r} are not longitude,latitude")
        found.append(place[:2])
    if not found:
        raise KmlError(f"{label}: a {_tag(element)} without coordinates")
    return found


def _text(element: Element, tag: str) -> str:
    """The text of a child, in one line; empty if there is none."""
    return next((" ".join((child.text or "").split()) for child in element if _tag(child) == tag), "")


def _tag(element: Element) -> str:
    """The name of an element whatever its namespace: there are four of KML."""
    return str(element.tag).rpartition("}")[2]
