"""What a run hands over to other systems, as layers of features; each format writes the same ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely import LineString, MultiPolygon, Point
from shapely.geometry.base import BaseGeometry

from mine_robot.core.geodesy import Datum
from mine_robot.core.types import NavState, Remark, Target
from mine_robot.coverage.gaps import gap_area
from mine_robot.records.geojson import position
from mine_robot.records.marks import Mark
from mine_robot.records.run_data import RunData
from mine_robot.records.utm import UtmZone

TRACK_TOLERANCE = 0.005  # m: poses nearer to the straight line between their neighbours are left out
TRACK_PAUSE = 1.0  # s without a pose: where the robot was in between is not known
POLYGON, LINE, POINT = "Polygon", "LineString", "Point"


@dataclass(frozen=True)
class Column:
    """A property of a layer: its ``name`` (at most 10 characters, for shapefiles), ``str`` or number with ``decimals``."""

    name: str
    decimals: int | None = None  # None: text


AREA = Column("area_m2", 3)
PLACE = (Column("utm_zone"), Column("easting", 3), Column("northing", 3))
COMMON = (Column("kind"), Column("name"), Column("imsma_id"), Column("simulation"))
COLUMNS: dict[str, tuple[str, tuple[Column, ...]]] = {
    "hazard_area": (POLYGON, (AREA,)),
    "safe_area": (POLYGON, (AREA,)),
    "no_go": (POLYGON, (AREA,)),
    "searched": (POLYGON, (AREA,)),
    "gap": (POLYGON, (AREA, Column("reason"))),
    "target": (
        POINT,
        (
            Column("target_id", 0), Column("class"), Column("p_hazard", 4), Column("depth_m", 3), Column("sigma_m", 3),
            Column("mark"), Column("mark_err_m", 3), *PLACE,
        ),
    ),
    "mark": (POINT, (Column("target_id", 0), Column("status"), *PLACE)),
    "remark": (POINT, (Column("target_id", 0), Column("verdict"), Column("author"), Column("comment"), Column("said_s", 1))),
    "track": (LINE, (Column("part", 0), Column("start_s", 2), Column("end_s", 2), Column("length_m", 2))),
}  # fmt: skip


@dataclass(frozen=True)
class Feature:
    """A geometry in ``map``, None for what is known to be but not where, and its own properties."""

    geometry: BaseGeometry | None
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class Layer:
    """Features of one kind; ``geometry`` is that of all of them, ``columns`` are there in an empty layer too."""

    kind: str
    features: tuple[Feature, ...]

    @property
    def geometry(self) -> str:
        """``Polygon``, ``LineString`` or ``Point``."""
        return COLUMNS[self.kind][0]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Properties of every feature, the common ones first."""
        return (*COMMON, *COLUMNS[self.kind][1])


@dataclass(frozen=True)
class Export:
    """One run as layers, in drawing order. ``members`` are figures of the whole run."""

    datum: Datum
    title: str
    members: Mapping[str, Any]
    layers: tuple[Layer, ...]

    @property
    def zone(self) -> UtmZone:
        """UTM zone of the datum."""
        return UtmZone.of(self.datum)


def export_of(run: RunData) -> Export:
    """The layers of a run."""
    name = run.field.name
    members = {
        "name": name,
        "imsma_id": run.field.imsma_id,
        "simulation": run.simulated,
        "state": run.outcome.state.value,
        "area_m2": round(run.ground.hazard_m2, 3),
        "searched_m2": round(run.ground.searched_m2, 3),
        "gaps_m2": round(run.ground.gaps_m2, 3),
    }
    common = {"name": name, "imsma_id": run.field.imsma_id, "simulation": "yes" if run.simulated else "no"}
    layers = tuple(
        Layer(kind, tuple(Feature(shape, {"kind": kind, **common, **own}) for shape, own in features))
        for kind, features in _contents(run)
    )
    return Export(run.field.datum, f"SIMULATION: {name}" if run.simulated else name, members, layers)


Content = Iterable[tuple[BaseGeometry | None, dict[str, Any]]]


def _contents(run: RunData) -> Iterator[tuple[str, Content]]:
    yield "hazard_area", _areas(run.field.hazard)
    yield "safe_area", _areas(run.field.safe)
    yield "no_go", _areas(run.field.no_go)
    yield "searched", _areas(run.ground.searched)
    yield "gap", ((gap_area(gap), {"area_m2": round(gap.area, 3), "reason": gap.reason}) for gap in run.ground.gaps)
    yield "track", _tracks(run.log.nav)
    zone = UtmZone.of(run.field.datum)
    yield "target", (_target(target, run, zone) for target in run.outcome.targets)
    yield "remark", (_remark(remark, run) for remark in run.outcome.remarks)
    placed = (mark for mark in run.outcome.marks.values() if mark.placed)
    yield "mark", (_mark(mark, run.field.datum, zone) for mark in placed)


def _areas(area: MultiPolygon) -> Content:
    return ((polygon, {"area_m2": round(polygon.area, 3)}) for polygon in area.geoms)


def _target(target: Target, run: RunData, zone: UtmZone) -> tuple[BaseGeometry | None, dict[str, Any]]:
    mark = run.outcome.marks.get(target.id)
    error = math.hypot(mark.x - target.x, mark.y - target.y) if mark is not None and mark.placed else math.nan
    return _point(target.x, target.y), {
        "target_id": target.id,
        "class": target.kind.name.lower(),
        "p_hazard": round(target.p_hazard, 4),
        "depth_m": round(target.depth, 3),
        "sigma_m": round(max(target.sigma_x, target.sigma_y), 3),
        "mark": "" if mark is None else mark.state,
        "mark_err_m": round(error, 3),
        **_place(run.field.datum, zone, target.x, target.y),
    }


def _remark(remark: Remark, run: RunData) -> tuple[BaseGeometry | None, dict[str, Any]]:
    """At its target; one about a hold, or about a target that is nowhere, has no place."""
    about = next((target for target in run.outcome.targets if target.id == remark.target_id), None)
    return _point(about.x, about.y) if about is not None else None, {
        "target_id": remark.target_id if remark.target_id >= 0 else math.nan,
        "verdict": remark.kind.value,
        "author": remark.author,
        "comment": remark.comment,
        "said_s": round(remark.t, 1),
    }


def _mark(mark: Mark, datum: Datum, zone: UtmZone) -> tuple[BaseGeometry | None, dict[str, Any]]:
    own = {"target_id": mark.target_id, "status": mark.state}
    return _point(mark.x, mark.y), {**own, **_place(datum, zone, mark.x, mark.y)}


def _point(x: float, y: float) -> Point | None:
    return Point(x, y) if math.isfinite(x) and math.isfinite(y) else None


def _place(datum: Datum, zone: UtmZone, x: float, y: float) -> dict[str, Any]:
    lat, lon = position(datum, x, y)
    if not math.isfinite(lat):
        return {"utm_zone": "", "easting": math.nan, "northing": math.nan}
    easting, northing = zone.project(lon, lat)[0]
    return {"utm_zone": zone.name, "easting": round(float(easting), 3), "northing": round(float(northing), 3)}


def _tracks(nav: Iterable[NavState]) -> Content:
    """The way of ``base_link``, a line for each stretch in which its poses follow each other without a pause."""
    rows = np.array([(state.t, state.position[0], state.position[1]) for state in nav]).reshape(-1, 3)
    rows = rows[np.isfinite(rows).all(axis=1)]
    step = np.diff(rows[:, 0])
    pieces = np.split(rows, np.flatnonzero((step > TRACK_PAUSE) | (step < 0.0)) + 1)
    number = 0
    for piece in pieces:
        line = shapely.simplify(LineString(piece[:, 1:] if len(piece) > 1 else None), TRACK_TOLERANCE)
        if line.length == 0.0:  # a single pose, or the robot stood still: no line
            continue
        number += 1
        times = {"start_s": round(float(piece[0, 0]), 2), "end_s": round(float(piece[-1, 0]), 2)}
        yield line, {"part": number, **times, "length_m": round(line.length, 2)}
