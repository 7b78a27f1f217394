"""A recording's radar and metal-detector scans run through the detector again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mine_robot.core.clock import RunClock
from mine_robot.core.geodesy import Datum
from mine_robot.core.types import GprScan, Health, Level, MetalScan, NavState, SweepEvidence, Target
from mine_robot.detection.detector import Detector
from mine_robot.pipeline.scan_queue import ScanQueue
from mine_robot.records.log_source import LogSource, Progress
from mine_robot.records.log_topics import SCANS, find_topics, missing, renamed
from mine_robot.ros import decode
from mine_robot.ros.topics import GNSS_FIX, GPR_SCAN, METAL_SCAN, ODOMETRY, Topic

SENSORS: dict[Topic, Any] = {GPR_SCAN: decode.gpr, METAL_SCAN: decode.metal, ODOMETRY: decode.odometry}
POSE_WAIT_S = 0.15  # scans are recorded at most so much after their pose


@dataclass
class Findings:
    """What the detector made of a recording: targets, the poses (n, 4) t, x, y, yaw, evidence, scans by topic, remarks."""

    targets: tuple[Target, ...] = ()
    poses: list[tuple[float, float, float, float]] = field(default_factory=list)
    evidence: list[SweepEvidence] = field(default_factory=list)
    scans: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    datum: Datum | None = None


def detect_in_log(
    log: Path,
    remap: Mapping[str, str],
    detector: Detector,
    states: Iterable[NavState] | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Feed the log's scans to ``detector`` with the poses ``states``, or else with the log's own, as the node does.

    Raises :class:`RecordError` if a topic is missing.
    """
    with LogSource(log, progress) as source:
        topics = scan_topics(source, remap, poses=states is None)
        found = Findings(remarks=renamed(topics))
        run = _Run(detector, found)
        items = decoded(source, topics, found)
        for item in items if states is None else with_poses(items, states):
            run.take(item)
        run.end()
        found.remarks += source.problems + source.refusals.lines()
    found.targets = detector.targets()
    return found


def scan_topics(source: LogSource, remap: Mapping[str, str], *, poses: bool = True) -> dict[str, Topic]:
    """Topics of the detector's input, with the log's ``poses`` if they are needed; raises :class:`RecordError` if one is missing."""
    topics = find_topics(source.topics, remap, (*SCANS, *((ODOMETRY, GNSS_FIX) if poses else ())), source.first)
    lacking = [ODOMETRY.name] if poses and ODOMETRY not in topics.values() else []
    if not set(SCANS) & set(topics.values()):
        lacking.append(" or ".join(topic.name for topic in SCANS))
    if lacking:
        raise missing(source.path, lacking, source.topics)
    return topics


def with_poses(
    scans: Iterable[GprScan | MetalScan | NavState], states: Iterable[NavState]
) -> Iterator[GprScan | MetalScan | NavState]:
    """``scans`` as they were recorded, with each of ``states`` where scans of its instant have certainly been recorded."""
    poses = iter(states)
    pose = next(poses, None)
    for scan in scans:
        while pose is not None and pose.t < scan.t - POSE_WAIT_S:
            yield pose
            pose = next(poses, None)
        yield scan
    if pose is not None:
        yield pose
        yield from poses


class _Run:
    """One pass of the detector over a recording."""

    def __init__(self, detector: Detector, found: Findings) -> None:
        self._detector, self._found, self._queue = detector, found, ScanQueue(detector)
        self._waiting: NavState | None = None
        self._said: dict[str, str] = {}

    def take(self, item: GprScan | MetalScan | NavState) -> None:
        """A scan waits for its pose; a pose is placed when the next one has come, because scans of its instant may come a little later."""
        if not isinstance(item, NavState):
            self._queue.add(item)
            return
        if self._waiting is not None:
            self._place(self._waiting)
        self._waiting = item

    def _place(self, nav: NavState) -> None:
        self._queue.hand_over(nav.t)
        self._found.evidence += self._detector.add_nav(nav)
        self._found.poses.append((nav.t, nav.pose.x, nav.pose.y, nav.pose.yaw))
        self._found.remarks += _new_faults(self._detector.health(nav.t), self._said, nav.t)

    def end(self) -> None:
        """The end of the log is a stop, not a hole."""
        if self._waiting is None:
            return
        self._place(self._waiting)
        still = replace(self._waiting, velocity=np.zeros(3), rate=np.zeros(3))
        for i in range(1, 12):
            self._detector.add_nav(replace(still, t=still.t + 0.1 * i))


def decoded(
    source: LogSource, topics: Mapping[str, Topic], found: Findings
) -> Iterator[GprScan | MetalScan | NavState]:
    """Decoded scans and poses; the first usable fix becomes the datum, what cannot be decoded is in the refusals of ``source``."""
    for name, _, message in source.messages(topics):
        topic = topics[name]
        try:
            if topic is GNSS_FIX:
                found.datum = found.datum or Datum.at(decode.fix(message))
                continue
            item = SENSORS[topic](message)
        except decode.DecodeError as error:
            source.refusals.note(name, str(error))
            continue
        found.scans[topic.name] = found.scans.get(topic.name, 0) + 1
        yield item


def _new_faults(reports: tuple[Health, ...], said: dict[str, str], t: float) -> list[str]:
    """A line for each fault that has not been said yet."""
    lines = []
    for health in reports:
        if health.level in (Level.WARN, Level.ERROR) and said.get(health.name) != health.message and len(said) < 50:
            lines.append(f"{RunClock.seen(t).moment(t)}: {health.name}: {health.message}")
            said[health.name] = health.message
    return lines
