"""A small field, robot and run for the tests of the records."""

from __future__ import annotations

import html.parser
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.serialization import serialize_message

from mine_robot.core.geodesy import Datum
from mine_robot.core.types import (
    Cell,
    Goal,
    GprScan,
    LedgerGrid,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MetalScan,
    MissionState,
    MissionStatus,
    NavState,
    Progress,
    Remark,
    RemarkKind,
    SweepEvidence,
    Target,
    TargetClass,
)
from mine_robot.mission.journal import Journal
from mine_robot.pipeline.loading import ParameterFiles, expand_urdf
from mine_robot.records.bag import BagWriter
from mine_robot.ros import encode
from mine_robot.ros.topics import EVIDENCE, GPR_SCAN, METAL_SCAN, ODOMETRY, PROGRESS, TARGETS

ROOT = Path(__file__).parents[2]
DATUM = Datum(40.0, 47.0)
SOUTH, NORTH = -4.5, 4.5  # of field(): the datum lies in the middle of the hazard area


def ring(west: float, south: float, east: float, north: float) -> list[list[list[float]]]:
    """Coordinates of a GeoJSON polygon from metres about the datum."""
    x, y = np.array([west, east, east, west, west]), np.array([south, south, north, north, south])
    return [DATUM.to_wgs84(x, y)[:, :2].tolist()]


def field(name: str = "Test field", imsma_id: str = "AZ-1") -> dict[str, Any]:
    """Hazard area 4 m x 9 m about the datum, the safe area 4 m deep south of it."""

    def polygon(role: str, *bounds: float) -> dict[str, Any]:
        properties = {"role": role, "name": name, "imsma_id": imsma_id}
        return {
            "type": "Feature",
            "properties": properties,
            "geometry": {"type": "Polygon", "coordinates": ring(*bounds)},
        }

    areas = [polygon("hazard_area", -2.0, SOUTH, 2.0, NORTH), polygon("safe_area", -2.0, SOUTH - 4.0, 2.0, SOUTH)]
    return {"type": "FeatureCollection", "features": areas}


def write_inputs(folder: Path, *, simulation: bool = True, **names: str) -> None:
    """What the runner writes before a run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "field.geojson").write_text(json.dumps(field(**names)))
    (folder / "parameters.yaml").write_text(ParameterFiles([ROOT / "config/robot.yaml"]).dump())
    (folder / "robot.urdf").write_text(expand_urdf(ROOT / "urdf/mine_robot.urdf.xacro"))
    info = {
        "field": "field.geojson",
        "parameters": "parameters.yaml",
        "urdf": "robot.urdf",
        "scenario": None,
        "simulation": simulation,
        "version": "0.0.1",
        "started": "2026-03-04T05:06:07+00:00",
        "command": "mine-robot run field.geojson",
    }
    (folder / "run.json").write_text(json.dumps(info))


def lane(x: float, *, t: float = 0.0, start: float = SOUTH - 1.5, end: float = 2.0) -> list[NavState]:
    """A drive north along ``x`` at 0.5 m/s and 20 Hz."""
    covariance = np.diag([1e-4, 1e-4, 1e-4, 1e-6, 1e-6, 1e-8])
    return [
        NavState(
            t + 0.05 * i,
            np.array([x, start + 0.025 * i, 0.0]),
            np.array([0.0, 0.0, math.pi / 2]),
            np.array([0.5, 0.0, 0.0]),
            np.zeros(3),
            covariance,
        )
        for i in range(round((end - start) / 0.025) + 1)
    ]


def evidence_of(nav: Sequence[NavState]) -> list[SweepEvidence]:
    """What a healthy head proves along the way."""
    return [
        SweepEvidence(s.t, s.pose.x, s.pose.y + 1.15, math.pi / 2, 0.01, 0.06, 0.5, gpr_ok=True, metal_ok=True)
        for s in nav
    ]


def suspect(number: int, x: float, y: float, p: float = 0.9, kind: TargetClass = TargetClass.AP_METAL) -> Target:
    """A target with plausible figures."""
    return Target(number, x, y, 0.0, 0.02, 0.03, 0.08, 4.0, 1.5, p, kind)


def write_log(
    path: Path,
    nav: Sequence[NavState],
    evidence: Sequence[SweepEvidence] = (),
    targets: Sequence[tuple[float, Sequence[Target]]] = (),
    cross_track: float = 0.01,
    scans: Sequence[GprScan | MetalScan] = (),
) -> None:
    """The log as the recorder writes it, serialised by the middleware itself."""
    messages = [(s.t, ODOMETRY, encode.odometry(s)) for s in nav]
    messages += [(one.t, EVIDENCE, encode.evidence([one])) for one in evidence]
    messages += [(t, TARGETS, encode.targets(t, found)) for t, found in targets]
    messages += [(s.t, GPR_SCAN, encode.gpr(s)) for s in scans if isinstance(s, GprScan)]
    messages += [(s.t, METAL_SCAN, encode.metal(s)) for s in scans if isinstance(s, MetalScan)]
    for i, s in enumerate(nav[::20]):
        error = cross_track if i % 2 else -cross_track
        progress = Progress(s.t, 0.0, 0, False, 1.0, 2.0, error, stopped=False, sweeping=True)
        messages.append((s.t, PROGRESS, encode.progress(progress)))
    with BagWriter(path) as writer:
        for topic in (ODOMETRY, EVIDENCE, TARGETS, PROGRESS, GPR_SCAN, METAL_SCAN):
            writer.add_topic("/" + topic.name, topic.type_name)
        for t, topic, message in sorted(messages, key=lambda item: item[0]):
            writer.write("/" + topic.name, round(t * 1e9), serialize_message(message))


SUSPECTS = (suspect(1, 0.0, 3.0), suspect(2, 1.0, -2.0, p=0.002, kind=TargetClass.CLUTTER))


def status(t: float, state: MissionState, reason: str = "") -> MissionStatus:
    return MissionStatus(t, state, reason, Goal.NONE, -1, 0.0)


def ledger(searched_to: float = NORTH) -> LedgerGrid:
    """Everything in the hazard area searched south of ``searched_to``."""
    cells = np.full((200, 100), Cell.OUTSIDE, dtype=np.int8)  # [-2.5, 2.5] x [-5, 5], 5 cm
    north = -5.0 + (np.arange(200) + 0.5) * 0.05
    cells[:, 10:90] = np.where(north > searched_to, Cell.PENDING, Cell.SEARCHED)[:, None]
    cells[north < SOUTH, :] = Cell.SAFE
    cells[(north > NORTH), :] = Cell.OUTSIDE
    return LedgerGrid(50.0, -2.5, -5.0, 0.05, cells)


def write_journal(
    folder: Path, *, end: MissionState | None = MissionState.DONE, reason: str = "all searched", remarks: bool = True
) -> None:
    with Journal(folder / "journal.sqlite") as journal:
        journal.status(status(0.0, MissionState.IDLE))
        journal.status(status(2.0, MissionState.ALIGN, "aligning"))
        journal.status(status(4.0, MissionState.SEARCH, "searching"))
        journal.status(status(5.0, MissionState.SEARCH, "searching"))
        journal.targets(6.0, SUSPECTS)
        for t in (7.0, 7.0, 8.0):  # a request goes out until it is answered
            journal.mark_request(MarkRequest(t, 1, 0.0, 3.0))
        for t in (9.0, 9.2):
            journal.mark_result(MarkResult(t, 1, MarkStatus.CONFIRMED, 0.03, 3.04, "paint seen"))
        journal.event(10.0, "hold", {"cause": "gnss"})
        if remarks:
            journal.remark(Remark(9.5, "a1", RemarkKind.REJECT, 1, "<b>a can</b>", "viewer 1"))
            journal.remark(Remark(9.8, "a2", RemarkKind.ACKNOWLEDGE, -1, "", "viewer 1"))
        journal.ledger(ledger())
        if end is not None:
            journal.status(status(62.0, end, reason))


class _Reader(html.parser.HTMLParser):
    """Text and tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not (name in ("src", "href") and str(value).startswith(("http", "/"))), (
                "the report needs nothing else"
            )

    def handle_data(self, data: str) -> None:
        self.text += data


def read_page(path: Path) -> _Reader:
    reader = _Reader()
    reader.feed(path.read_text())
    return reader
