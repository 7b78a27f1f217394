"""Fields drawn in Google Earth or a GIS: KML 2.2 (OGC 07-147r2) to the features of a field file.

A placemark says its role with a ``role`` (or ``kind``, as in our own exports) among its extended data, with its name, or with the name of
a folder around it. What a run has recorded (searched ground, targets, ...) is left out: it is no part of a field.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from mine_robot.core.field import ROLES

MAX_BYTES = 20_000_000
MAX_DEPTH = 50  # folders within folders
RECORDED = ("searched", "gap", "track", "target", "mark", "remark")  # layers of our own exports that are no field's
OTHER_NAMES = {"hazardous_area": "hazard_area", "no_go_zone": "no_go", "no_go_area": "no_go"}


class KmlError(ValueError):
    """What is no KML, or holds no geometry; one line."""


def collection_from_kml(content: bytes) -> dict[str, Any]:
    """The placemarks of a document as a GeoJSON FeatureCollection, a feature for each polygon, line or point.

    ``properties.role`` is missing where the document does not say it. No entity is expanded and nothing is fetched. Raises
    :class:`KmlError`.
    """
    if len(content) > MAX_BYTES:
        raise KmlError(f"larger than {MAX_BYTES / 1e6:.0f} MB")
    if content[:2] == b"PK":
        raise KmlError("this is a KMZ, a zipped KML: unzip it, or save it as KML")
    try:
        root = fromstring(content, forbid_dtd=True)
    except ParseError as error:
        raise KmlError(f"not XML: {error}") from None
    except DefusedXmlException:
        raise KmlError("has a document type definition, which no KML needs: refused") from None
    except (ValueError, LookupError) as error:  # of the declared encoding
        raise KmlError(f"not XML: {error}") from None
    if _tag(root) != "kml":
        raise KmlError(f"the outermost element is <{_tag(root)[:40]}>, not <kml>")
    features = [feature for placemark, folders in _placemarks(root) for feature in _features(placemark, folders)]
    if not features:
        raise KmlError("no placemark with a polygon, a line or a point")
    return {"type": "FeatureCollection", "features": features}


def role_of(text: str) -> str | None:
    """The role that a name says: ``Hazard area 2`` is a hazard_area, ``Minefield`` is none."""
    name = re.sub(r"_*\d*$", "", re.sub(r"[^a-z0-9]+", "_", text.strip().lower()))
    for known in (name, name.removesuffix("s")):
        found = OTHER_NAMES.get(known, known)
        if found in ROLES:
            return found
    return None


def _placemarks(root: Element) -> Iterator[tuple[Element, tuple[str, ...]]]:
    """Placemarks in their order, with the names of the folders around each, the innermost first."""
    waiting: list[tuple[Element, tuple[str, ...]]] = [(root, ())]
    while waiting:
        element, folders = waiting.pop()
        tag = _tag(element)
        if tag == "Placemark":
            yield element, folders
        elif tag in ("kml", "Document", "Folder"):
            inner = (_text(element, "name"), *folders)
            if len(inner) > MAX_DEPTH:
                raise KmlError(f"more than {MAX_DEPTH} folders within each other")
            waiting.extend((child, inner) for child in reversed(element))


def _features(placemark: Element, folders: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    data, name = _extended_data(placemark), _text(placemark, "name")
    if data.get("kind") in RECORDED:
        return
    said = data.get("role", "")  # one that is unknown is not guessed from other names
    role = role_of(said) or said or next(filter(None, map(role_of, (data.get("kind", ""), name, *folders))), "")
    names = [data.get("name", ""), *(text for text in (name, *folders[::-1]) if role_of(text) is None)]
    properties = {"role": role, "name": next(filter(None, names), ""), "imsma_id": data.get("imsma_id", "")}
    for geometry in _geometries(placemark, name):
        yield {
            "type": "Feature",
            "properties": {key: value for key, value in properties.items() if value},
            "geometry": geometry,
        }


def _extended_data(placemark: Element) -> dict[str, str]:
    """Extended data by name: ``Data`` with a ``value``, or ``SimpleData`` of a schema."""
    found = {}
    for element in placemark.iter():
        if _tag(element) == "Data":
            found[element.get("name", "")] = _text(element, "value")
        elif _tag(element) == "SimpleData":
            found[element.get("name", "")] = (element.text or "").strip()
    return found


def _geometries(placemark: Element, name: str) -> Iterator[dict[str, Any]]:
    """Every polygon, line and point of a placemark, those within a MultiGeometry one by one."""
    waiting = list(reversed(placemark))
    while waiting:
        element = waiting.pop()
        tag = _tag(element)
        if tag == "MultiGeometry":
            waiting.extend(reversed(element))
        elif tag == "Polygon":
            borders = [
                child for kind in ("outerBoundaryIs", "innerBoundaryIs") for child in element if _tag(child) == kind
            ]
            rings = [ring for border in borders for ring in border if _tag(ring) == "LinearRing"]
            yield {"type": "Polygon", "coordinates": [_places(ring, name) for ring in rings]}
        elif tag in ("LineString", "LinearRing"):
            yield {"type": "LineString", "coordinates": _places(element, name)}
        elif tag == "Point":
            yield {"type": "Point", "coordinates": _places(element, name)[0]}


def _places(element: Element, name: str) -> list[list[float]]:
    """Longitude and latitude in degrees of every place in ``coordinates``; the height is left out."""
    found = []
    for text in _text(element, "coordinates").split():
        try:
            place = [float(value) for value in text.split(",")]
        except ValueError:
            place = []
        if len(place) not in (2, 3) or not all(map(math.isfinite, place)):
            raise KmlError(f"placemark '{name}': the coordinates {text[:40]!r} are not longitude,latitude")
        found.append(place[:2])
    if not found:
        raise KmlError(f"placemark '{name}': a {_tag(element)} without coordinates")
    return found


def _text(element: Element, tag: str) -> str:
    """The text of a child, in one line; empty if there is none."""
    return next((" ".join((child.text or "").split()) for child in element if _tag(child) == tag), "")


def _tag(element: Element) -> str:
    """The name of an element whatever its namespace: there are four of KML."""
    return str(element.tag).rpartition("}")[2]
