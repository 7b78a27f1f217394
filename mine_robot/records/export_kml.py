"""KML 2.2 (OGC 07-147r2), as ArcGIS, QGIS and Google Earth read it: a folder a layer, WGS-84."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement

from shapely import LinearRing
from shapely.geometry.base import BaseGeometry

from mine_robot.records.export_layers import LINE, Export, Feature, Layer
from mine_robot.records.geojson import DECIMALS, to_wgs84

# Colours as KML has them, opacity-blue-green-red: hazard red and suspect orange as in the GICHD's symbols.
COLOURS = {
    "hazard_area": "ff0000ff",
    "safe_area": "ffff9000",
    "no_go": "ff404040",
    "searched": "ff50a000",
    "gap": "ff18a7f4",
    "track": "ff606060",
    "target": "ff0000ff",
    "mark": "ffff00ff",
    "remark": "ff00ffff",
}
HALF, CLEAR = "80", "00"
OUTLINED = ("hazard_area", "safe_area")  # drawn as outline only, so that what lies in them is seen
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot hold


def write_kml(path: Path, export: Export) -> None:
    """Write all layers as one document."""
    root = Element("kml", xmlns="http://www.opengis.net/kml/2.2")
    document = SubElement(root, "Document")
    _text(document, "name", export.title)
    _text(document, "description", ", ".join(f"{key}: {value}" for key, value in export.members.items()))
    for kind, colour in COLOURS.items():
        _style(document, kind, colour)
    for layer in export.layers:
        folder = SubElement(document, "Folder")
        _text(folder, "name", layer.kind)
        for feature in layer.features:
            _placemark(folder, layer, feature, export)
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _style(document: Element, kind: str, colour: str) -> None:
    style = SubElement(document, "Style", id=kind)
    icon = SubElement(style, "IconStyle")
    _text(icon, "color", colour)
    line = SubElement(style, "LineStyle")
    _text(line, "color", colour)
    _text(line, "width", "2")
    polygon = SubElement(style, "PolyStyle")
    _text(polygon, "color", (CLEAR if kind in OUTLINED else HALF) + colour[2:])


def _placemark(folder: Element, layer: Layer, feature: Feature, export: Export) -> None:
    placemark = SubElement(folder, "Placemark")
    _text(placemark, "name", _label(layer.kind, feature.properties))
    _text(placemark, "styleUrl", f"#{layer.kind}")
    data = SubElement(placemark, "ExtendedData")
    for column in layer.columns:
        value = feature.properties[column.name]
        if value != value:  # unknown: not a number
            continue
        _text(SubElement(data, "Data", name=column.name), "value", value)
    if feature.geometry is not None:
        _geometry(placemark, to_wgs84(feature.geometry, export.datum))


def _label(kind: str, properties: Any) -> str:
    if properties.get("target_id", math.nan) >= 0:
        return f"{kind} {properties['target_id']}"
    return f"gap: {properties['reason']}" if kind == "gap" else kind.replace("_", " ")


def _geometry(parent: Element, shape: BaseGeometry) -> None:
    if shape.geom_type == "Polygon":
        polygon = SubElement(parent, "Polygon")
        _ring(polygon, "outerBoundaryIs", shape.exterior)
        for hole in shape.interiors:
            _ring(polygon, "innerBoundaryIs", hole)
        return
    drawn = SubElement(parent, shape.geom_type)
    if shape.geom_type == LINE:
        _text(drawn, "tessellate", 1)  # follows the ground
    _text(drawn, "coordinates", _places(shape.coords))


def _ring(polygon: Element, role: str, ring: LinearRing) -> None:
    _text(SubElement(SubElement(polygon, role), "LinearRing"), "coordinates", _places(ring.coords))


def _places(coordinates: Iterable[tuple[float, ...]]) -> str:
    return " ".join(f"{lon:.{DECIMALS}f},{lat:.{DECIMALS}f}" for lon, lat in coordinates)


def _text(parent: Element, tag: str, text: Any) -> None:
    SubElement(parent, tag).text = NOT_XML.sub("�", str(text))
