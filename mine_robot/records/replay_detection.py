"""A recording's radar and metal-detector scans run through the detector again: targets and a B-scan picture of each suspect."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mine_robot.core.geodesy import Datum
from mine_robot.core.robot import Robot
from mine_robot.core.types import Array, FixStatus, GprScan, Health, Level, MetalScan, NavState, Target
from mine_robot.detection.detector import Detector
from mine_robot.detection.params import DetectorParams
from mine_robot.pipeline.hazard import best_judge
from mine_robot.pipeline.parameters import DetectorNodeParams
from mine_robot.records.bscan_image import Bscan, draw_bscan
from mine_robot.records.errors import RecordError
from mine_robot.records.geojson import position
from mine_robot.records.log_source import LogSource
from mine_robot.records.tables import number
from mine_robot.ros import decode
from mine_robot.ros.topics import GNSS_FIX, GPR_SCAN, METAL_SCAN, ODOMETRY, Topic

COLUMNS = ("id", "lat", "lon", "east", "north", "depth_m", "sigma_m", "p_hazard", "class", "llr_gpr", "llr_md")
SENSORS: dict[Topic, Any] = {GPR_SCAN: decode.gpr, METAL_SCAN: decode.metal, ODOMETRY: decode.odometry}
AROUND_M, ASIDE_M = 0.6, 0.5  # of the track before and behind a suspect, and beside it, from which its picture is made
FORWARD = 0.03  # m/s, slower is standing


@dataclass
class Findings:
    """What the detector made of a recording: targets, the poses (n, 4) t, x, y, yaw, changes of health, remarks."""

    targets: tuple[Target, ...] = ()
    poses: list[tuple[float, float, float, float]] = field(default_factory=list)
    scans: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    datum: Datum | None = None


def run_detection(
    log: Path, out: Path, params: DetectorNodeParams, robot: Robot, remap: Mapping[str, str], datum: Datum | None
) -> tuple[bool, tuple[str, ...]]:
    """Write ``targets.csv`` and a picture of each suspect of ``log`` into ``out``; whether anything could be placed, and lines of report.

    Without ``datum`` the log's first fix is the origin of ``map``. Raises :class:`RecordError` if scans or odometry are missing.
    """
    detector = Detector(params, params.limits, robot, best_judge())
    found = detect_in_log(log, remap, detector)
    out.mkdir(parents=True, exist_ok=True)
    write_targets(out / "targets.csv", datum or found.datum, found.targets)
    suspects = [target for target in found.targets if target.p_hazard >= params.limits.mark_p_hazard]
    offsets = np.array(params.gpr.channel_offsets_m or robot.gpr_offsets, dtype=float)
    offsets = offsets if len(offsets) else np.zeros(1)
    drawn = draw_suspects(log, out, remap, found, suspects, params, float(robot.gpr[0]), offsets) if found.poses else 0
    counts = ", ".join(f"{count} of {name}" for name, count in found.scans.items())
    lines = [*found.remarks[:30], f"read {counts}"]
    if (datum or found.datum) is None:
        lines.append("no fix in the log and no --field: latitude and longitude stay empty")
    lines.append(f"{len(found.targets)} targets, {len(suspects)} suspects, {drawn} pictures -> {out / 'targets.csv'}")
    return bool(found.poses), tuple(lines)


def detect_in_log(log: Path, remap: Mapping[str, str], detector: Detector) -> Findings:
    """Feed the log's scans and poses to ``detector`` in their order; raises :class:`RecordError` if a topic is missing."""
    with LogSource(log) as source:
        topics = find_topics(log, source.topics, remap)
        found = Findings(
            remarks=[
                f"{name} is read as {topic.name}" for name, topic in topics.items() if name.lstrip("/") != topic.name
            ]
        )
        waiting: NavState | None = None
        said: dict[str, str] = {}
        for item in _messages(source, topics, found):
            if isinstance(item, GprScan):
                detector.add_gpr(item)
            elif isinstance(item, MetalScan):
                detector.add_metal(item)
            else:  # a pose is placed when the next one has come: scans of its instant may be recorded a little later
                if waiting is not None:
                    detector.add_nav(waiting)
                    found.poses.append((waiting.t, waiting.pose.x, waiting.pose.y, waiting.pose.yaw))
                    found.remarks += _new_faults(detector.health(waiting.t), said, waiting.t)
                waiting = item
        if waiting is not None:
            detector.add_nav(waiting)
            still = NavState(waiting.t, waiting.position, waiting.rpy, np.zeros(3), np.zeros(3), waiting.covariance)
            for i in range(1, 12):  # the end of the log is a stop, not a hole
                detector.add_nav(_later(still, 0.1 * i))
        found.remarks += source.problems
    found.targets = detector.targets()
    return found


def find_topics(log: Path, there: Mapping[str, str], remap: Mapping[str, str]) -> dict[str, Topic]:
    """Which of the log's topics is which of ours: as remapped, by name behind any namespace, or as the only one of its type."""
    known = {topic.name: topic for topic in (*SENSORS, GNSS_FIX)}
    found: dict[str, Topic] = {}
    for name, target in remap.items():
        topic = known.get(target.lstrip("/"))
        full = name if name in there else "/" + name.lstrip("/")
        if topic is None or full not in there:
            raise RecordError(
                f"--remap {name}:={target}: the log has {', '.join(sorted(there))}; ours are {', '.join(known)}"
            )
        found[full] = topic
    for topic in known.values():
        if topic not in found.values():
            names = [name for name, kind in there.items() if kind == topic.type_name and name not in found]
            named = [name for name in names if ("/" + name.lstrip("/")).endswith("/" + topic.name)]
            if named or (len(names) == 1 and topic is not METAL_SCAN):
                found[(named or names)[0]] = topic
    missing = [topic.name for topic in (ODOMETRY,) if topic not in found.values()]
    if not {GPR_SCAN, METAL_SCAN} & set(found.values()):
        missing.append(f"{GPR_SCAN.name} or {METAL_SCAN.name}")
    if missing:
        there_text = ", ".join(f"{name} ({kind})" for name, kind in sorted(there.items())) or "nothing"
        raise RecordError(
            f"{log}: no topic {' and '.join(missing)}; the log holds {there_text}; name them with --remap FROM:=TO"
        )
    return found


def _messages(
    source: LogSource, topics: Mapping[str, Topic], found: Findings
) -> Iterator[GprScan | MetalScan | NavState]:
    """Decoded scans and poses; the first usable fix becomes the datum, what cannot be decoded a remark."""
    refused: set[str] = set()
    for name, _, message in source.messages(topics):
        topic = topics[name]
        try:
            if topic is GNSS_FIX:
                fix = decode.fix(message)
                if (
                    found.datum is None
                    and fix.status != FixStatus.NONE
                    and math.isfinite(fix.latitude + fix.longitude + fix.height)
                ):
                    found.datum = Datum(fix.latitude, fix.longitude, fix.height)
                continue
            item = SENSORS[topic](message)
        except (decode.DecodeError, AttributeError, ValueError) as error:
            if name not in refused:
                refused.add(name)
                found.remarks.append(f"{name}: messages refused: {error}")
            continue
        found.scans[topic.name] = found.scans.get(topic.name, 0) + 1
        yield item


def _later(nav: NavState, dt: float) -> NavState:
    return NavState(nav.t + dt, nav.position, nav.rpy, nav.velocity, nav.rate, nav.covariance)


def _new_faults(reports: tuple[Health, ...], said: dict[str, str], t: float) -> list[str]:
    """A line for each fault that has not been said yet."""
    lines = []
    for health in reports:
        if health.level in (Level.WARN, Level.ERROR) and said.get(health.name) != health.message and len(said) < 50:
            lines.append(f"{t:.1f} s: {health.name}: {health.message}")
            said[health.name] = health.message
    return lines


def write_targets(path: Path, datum: Datum | None, targets: tuple[Target, ...]) -> None:
    """Write one row a target; without a datum latitude and longitude stay empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for t in targets:
            lat, lon = position(datum, t.x, t.y) if datum is not None else (math.nan, math.nan)
            sigma = max(t.sigma_x, t.sigma_y)
            cells = [
                number(lat, 9),
                number(lon, 9),
                *(number(v, 3) for v in (t.x, t.y, t.depth, sigma)),
                number(t.p_hazard, 4),
            ]
            writer.writerow([t.id, *cells, t.kind.name.lower(), number(t.llr_gpr, 2), number(t.llr_md, 2)])


def draw_suspects(
    log: Path,
    out: Path,
    remap: Mapping[str, str],
    found: Findings,
    suspects: list[Target],
    params: DetectorParams,
    ahead: float,
    offsets: Array,
) -> int:
    """Read the scans near each suspect once more and draw them; returns the number of pictures."""
    poses = np.array(found.poses).reshape(-1, 4)
    bscans = {target.id: Bscan(target) for target in suspects}
    with LogSource(log) as source:
        topics = {name: topic for name, topic in find_topics(log, source.topics, remap).items() if topic is GPR_SCAN}
        for scan in _messages(source, topics, Findings()):
            i = int(np.searchsorted(poses[:, 0], scan.t))
            if (
                not isinstance(scan, GprScan)
                or scan.traces.ndim != 2
                or not 0 < i < len(poses)
                or scan.traces.shape[1] != len(offsets)
            ):
                continue
            yaw, step = poses[i, 3], poses[i, :3] - poses[i - 1, :3]
            cos, sin = math.cos(yaw), math.sin(yaw)
            if cos * step[1] + sin * step[2] < FORWARD * step[0]:
                continue
            x, y = poses[i - 1, 1:3] + (scan.t - poses[i - 1, 0]) / step[0] * step[1:]
            for target in suspects:
                dx, dy = target.x - x, target.y - y
                along, left = ahead - cos * dx - sin * dy, cos * dy - sin * dx
                channel = int(np.abs(offsets - left).argmin())
                if abs(along) <= AROUND_M and abs(offsets[channel] - left) < ASIDE_M:
                    trace = np.asarray(scan.traces[:, channel], dtype=np.float64)
                    bscans[target.id].add(scan.t, yaw, along, left - offsets[channel], trace)
    drawn = [bscan for bscan in bscans.values() if bscan.best is not None]
    for bscan in drawn:
        draw_bscan(out / f"target_{bscan.target.id:03d}.png", bscan, params.gpr)
    return len(drawn)
