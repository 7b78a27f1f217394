"""Recordings run through the stack's algorithms again. One function a part of the stack; :data:`REPLAYS` lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from mine_robot.core.geodesy import Datum
from mine_robot.detection.detector import Detector
from mine_robot.pipeline.hazard import best_judge
from mine_robot.records.log_source import LogSource
from mine_robot.records.log_topics import REPLAYED, SCANS, find_topics
from mine_robot.records.replay_detection import Findings, detect_in_log
from mine_robot.records.replay_input import ESSENTIAL
from mine_robot.records.replay_localization import Localization, localization, localize_log
from mine_robot.records.replay_pictures import draw_suspects
from mine_robot.records.replay_request import ReplayRequest, ReplayResult
from mine_robot.records.replay_results import figures, ground_of
from mine_robot.records.run_directory import RunDirectory
from mine_robot.records.summary import write_summary
from mine_robot.records.tables import write_found_targets

REMARKS_MAX = 30


def replay_localization(request: ReplayRequest) -> ReplayResult:
    """The very filter of the stack over the recording; writes ``trajectory.csv`` and ``health.csv``."""
    localized = localize_log(request)
    return ReplayResult(localized.complete, localized.lines)


def replay_detection(request: ReplayRequest) -> ReplayResult:
    """The detector over the recording's scans and its odometry; see :func:`replay_all` for what is written."""
    return _detect(request, None)


def replay_all(request: ReplayRequest) -> ReplayResult:
    """Localisation, detection, fusion and ledger over the recording, as far as it has the sensors.

    Writes ``trajectory.csv``, ``health.csv``, ``targets.csv``, ``summary.json`` and a picture of each suspect. Without IMU and GNSS
    the log's own odometry is taken, without scans there is a track only.
    """
    with LogSource(request.log) as source:
        ours = set(find_topics(source.topics, request.remap, REPLAYED, source.first).values())
    if not ours & set(SCANS):
        return replay_localization(request)
    if not set(ESSENTIAL) <= ours:
        result = replay_detection(request)
        return ReplayResult(
            result.complete, ("without IMU and GNSS: the log's own odometry is used", *result.lines), result.summary
        )
    with localization(request) as track:
        result = _detect(request, track)
        localized = track.result
    return ReplayResult(localized.complete and result.complete, (*localized.lines, *result.lines), result.summary)


def _detect(request: ReplayRequest, track: Localization | None) -> ReplayResult:
    """Targets and ground from the scans, with the poses of ``track`` or the log's own."""
    params, planner = request.parameters.build("detector"), request.parameters.build("planner")
    detector = Detector(params, params.limits, request.robot, best_judge(), request.prior)
    found = detect_in_log(request.log, request.remap, detector, track, request.progress("detection"))
    datum = track.result.datum if track is not None else request.datum or found.datum
    suspects = params.limits.suspects(found.targets)
    ground = (
        ground_of(request.area, request.robot, planner, found.evidence, found.targets)
        if request.area is not None
        else None
    )
    request.out.mkdir(parents=True, exist_ok=True)
    files = RunDirectory(request.out)
    write_found_targets(files.targets, datum, found.targets)
    summary = figures(
        found.targets, suspects, ground, request.run, request.robot, found.poses if track is not None else ()
    )
    write_summary(files.summary, summary)
    drawn = 0
    if request.pictures:
        told = request.progress("pictures")
        drawn = draw_suspects(request.log, request.out, request.remap, found, suspects, params, request.robot, told)
    lines = _found_lines(found, datum, summary, drawn, files.targets)
    return ReplayResult(bool(found.poses), tuple(lines), summary)


def _found_lines(
    found: Findings, datum: Datum | None, summary: Mapping[str, Any], drawn: int, path: Path
) -> Iterable[str]:
    counts = ", ".join(f"{count} of {name}" for name, count in found.scans.items())
    lines = [*found.remarks[:REMARKS_MAX], f"read {counts}"]
    if datum is None:
        lines.append("no fix in the log and no --field: latitude and longitude stay empty")
    if "searched_m2" in summary:
        lines.append(f"{summary['searched_m2']:.2f} of {summary['area_m2']:.2f} m² searched with valid evidence")
    return [*lines, f"{summary['targets']} targets, {summary['suspects']} suspects, {drawn} pictures -> {path}"]


REPLAYS: dict[str, Callable[[ReplayRequest], ReplayResult]] = {
    "all": replay_all,
    "localization": replay_localization,
    "detection": replay_detection,
}
