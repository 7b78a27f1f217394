"""Tables of a run: points in the layout that IMSMA imports, shapes, targets and track, as XLSX workbook or CSV files.

The layout of the points, names and order of the columns included, is that of the GICHD's page "Import Geospatial Data from Excel"
(mwiki.gichd.org): one row a corner, the corners of a polygon together, and no PolyID for a single point.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from mine_robot.core.text import harmless
from mine_robot.records.export_layers import POLYGON, Export, Layer
from mine_robot.records.geojson import DECIMALS, to_wgs84
from mine_robot.records.tables import write_csv as write_table

POINT_COLUMNS = (
    "ProjName", "PolyID", "PointNo", "PointID", "PointType", "Xcoord", "Ycoord", "Distance", "Bearing", "FrPointID",
    "PointDesc",
)  # fmt: skip
SHAPE_COLUMNS = ("PolyID", "kind", "ring", "area_m2", "reason", "points")
TRACK_COLUMNS = ("part", "PointNo", "Longitude", "Latitude", "Easting", "Northing", "utm_zone")
SHEET_ROWS = 1_048_576  # of a worksheet, the header included
SINGLES = ("target", "mark")  # what lies on the ground
NOT_IN_CELLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Table:
    """Rows below ``header``; None is an empty cell."""

    name: str
    header: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True)
class _Corner:
    """A row of the point table, in both systems. ``poly`` is None for a single point."""

    poly: int | None
    number: int
    type: str
    lon: float
    lat: float
    easting: float
    northing: float
    text: str


def tables_of(export: Export) -> list[Table]:
    """All tables, that of the points in WGS-84 first: importers read the first sheet."""
    corners, shapes = _corners(export)
    zone = export.zone
    utm = f"WGS 84 / UTM zone {zone.name}"
    layers = {layer.kind: layer for layer in export.layers}
    return [
        Table("points_wgs84", POINT_COLUMNS, [_row(n, c, "WGS 84", c.lon, c.lat) for n, c in enumerate(corners, 1)]),
        Table(
            f"points_utm{zone.name.lower()}",
            POINT_COLUMNS,
            [_row(n, c, utm, c.easting, c.northing) for n, c in enumerate(corners, 1)],
        ),
        Table("shapes", SHAPE_COLUMNS, shapes),
        _points("targets", export, layers["target"]),
        _points("remarks", export, layers["remark"]),
        Table("track", TRACK_COLUMNS, list(_track(export, layers["track"]))),
        Table("run", ("key", "value"), [("title", export.title), *export.members.items()]),
    ]


def write_csv(folder: Path, stem: str, export: Export) -> None:
    """Write one file a table, ``<stem>_<table>.csv``."""
    for table in tables_of(export):
        write_table(folder / f"{stem}_{table.name}.csv", table.header, table.rows)


def write_xlsx(path: Path, export: Export) -> None:
    """Write one workbook with a sheet a table; a table that is longer than a sheet goes on in the next."""
    book = Workbook(write_only=True)
    for table in tables_of(export):
        for part, start in enumerate(range(0, max(len(table.rows), 1), SHEET_ROWS - 1)):
            sheet = book.create_sheet(table.name if part == 0 else f"{table.name}_{part + 1}")
            sheet.freeze_panes = "A2"
            sheet.append([_cell(sheet, text, bold=True) for text in table.header])
            for row in table.rows[start : start + SHEET_ROWS - 1]:
                sheet.append([_cell(sheet, value) for value in row])
    book.save(path)


def _cell(sheet: Any, value: Any, bold: bool = False) -> Any:
    """A cell that holds text as text, whatever it begins with: a name is no formula."""
    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(sheet, NOT_IN_CELLS.sub("�", value))
    cell.data_type = "s"
    cell.quotePrefix = harmless(value) != value  # text for whoever edits the cell too, and as CSV
    if bold:
        cell.font = Font(bold=True)
    return cell


def _row(point_id: int, corner: _Corner, system: str, x: float, y: float) -> tuple[Any, ...]:
    return (system, corner.poly, corner.number, point_id, corner.type, x, y, None, None, None, corner.text)


def _corners(export: Export) -> tuple[list[_Corner], list[tuple[Any, ...]]]:
    """Corners of all polygons and the single points, in that order, and the table of the rings."""
    corners: list[_Corner] = []
    shapes: list[tuple[Any, ...]] = []
    for layer in export.layers:
        if layer.geometry != POLYGON:
            continue
        for feature in layer.features:
            assert feature.geometry is not None  # areas have a place
            shape = to_wgs84(feature.geometry, export.datum)
            outer = len(shapes) + 1
            for ring in (shape.exterior, *shape.interiors):
                number = len(shapes) + 1
                role = "outer" if number == outer else f"hole of {outer}"
                text = " ".join(word for word in (_words(export, layer), feature.properties.get("reason", "")) if word)
                places = np.array(ring.coords)[:-1]
                area = feature.properties["area_m2"] if number == outer else None
                shapes.append((number, layer.kind, role, area, feature.properties.get("reason"), len(places)))
                corners += _along(export, number, places, text if number == outer else f"{text} ({role})")
    return corners + list(_singles(export)), shapes


def _words(export: Export, layer: Layer) -> str:
    return f"SIMULATION {layer.kind}" if export.members["simulation"] else layer.kind


def _along(export: Export, poly: int, places: np.ndarray, text: str) -> Iterator[_Corner]:
    grid = export.zone.project(places[:, 0], places[:, 1]).round(3).tolist()
    for number, ((lon, lat), (easting, northing)) in enumerate(zip(places.tolist(), grid), 1):
        kind = "Start Point" if number == 1 else "Turning Point"
        yield _Corner(poly, number, kind, round(lon, DECIMALS), round(lat, DECIMALS), easting, northing, text)


def _singles(export: Export) -> Iterator[_Corner]:
    number = 0
    for layer in export.layers:
        for feature in layer.features if layer.kind in SINGLES else ():
            if feature.geometry is None:
                continue
            number += 1
            lon, lat = to_wgs84(feature.geometry, export.datum).coords[0]
            own = feature.properties
            text = f"{_words(export, layer)} {own['target_id']} {own.get('class', own.get('status'))}"
            kind = "Reference Point" if layer.kind == "mark" else "Device"
            yield _Corner(None, number, kind, lon, lat, own["easting"], own["northing"], text)


def _points(name: str, export: Export, layer: Layer) -> Table:
    """The features of a layer of points, a row each."""
    names = [column.name for column in layer.columns]
    rows = []
    for feature in layer.features:
        place: tuple[Any, ...] = (None, None)
        if feature.geometry is not None:
            place = to_wgs84(feature.geometry, export.datum).coords[0]
        rows.append((*(_known(feature.properties[name]) for name in names), *place))
    return Table(name, (*names, "longitude", "latitude"), rows)


def _track(export: Export, layer: Layer) -> Iterable[tuple[Any, ...]]:
    for feature in layer.features:
        assert feature.geometry is not None  # a track is its place
        places = np.array(to_wgs84(feature.geometry, export.datum).coords)
        grid = export.zone.project(places[:, 0], places[:, 1]).round(3).tolist()
        for number, (place, metres) in enumerate(zip(places.tolist(), grid), 1):
            yield (feature.properties["part"], number, *place, *metres, export.zone.name)


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
