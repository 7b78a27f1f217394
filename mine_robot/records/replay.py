"""Recordings run through the stack's algorithms again. One function a part of the stack; :data:`REPLAYS` lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mine_robot.core.field import Field
from mine_robot.core.geodesy import Datum
from mine_robot.core.priors import NO_PRIORS, Prior
from mine_robot.core.robot import Robot
from mine_robot.detection.detector import Detector
from mine_robot.localization.localizer import Localizer
from mine_robot.pipeline.hazard import best_judge
from mine_robot.pipeline.loading import ParameterFiles
from mine_robot.pipeline.localization import Sample, Track, localize
from mine_robot.records.errors import RecordError
from mine_robot.records.log_source import LogSource, Progress
from mine_robot.records.log_topics import REPLAYED, SCANS, find_topics
from mine_robot.records.replay_detection import Findings, detect_in_log
from mine_robot.records.replay_input import ESSENTIAL, Recording, read_samples
from mine_robot.records.replay_pictures import draw_suspects
from mine_robot.records.replay_results import figures, ground_of, write_health
from mine_robot.records.run_directory import RunDirectory
from mine_robot.records.summary import write_summary
from mine_robot.records.tables import write_found_targets, write_trajectory

REMARKS_MAX = 30


def _silent(_: str, __: float) -> None:
    return None


@dataclass(frozen=True)
class ReplayRequest:
    """What to replay: a ``log``, the parameter files, the robot that made it, where results go.

    ``remap`` maps names of the log's topics to names of ours; the datum of ``area`` is the origin of ``map``, without it the first
    fix. ``run`` is the run directory of the log, whose truth scores the result. ``tell`` hears the part of the work and how much of
    it is done (0 to 1); without ``pictures`` no B-scans are drawn. ``prior`` is what is known of the ground beforehand.
    """

    log: Path
    out: Path
    parameters: ParameterFiles
    robot: Robot
    remap: Mapping[str, str] = field(default_factory=dict)
    area: Field | None = None
    run: RunDirectory | None = None
    tell: Callable[[str, float], None] = _silent
    pictures: bool = True
    prior: Prior = NO_PRIORS

    @property
    def datum(self) -> Datum | None:
        """Origin of ``map``, if it was given."""
        return self.area.datum if self.area is not None else None

    def progress(self, part: str) -> Progress:
        """What hears the progress of one part of the work."""
        return partial(self.tell, part)


@dataclass(frozen=True)
class ReplayResult:
    """``complete`` tells whether there is a result at all; ``lines`` say what was done and what was wrong, ``summary`` are its figures."""

    complete: bool
    lines: tuple[str, ...]
    summary: Mapping[str, Any] = field(default_factory=dict)


def replay_localization(request: ReplayRequest) -> ReplayResult:
    """The very filter of the stack over the recording; writes ``trajectory.csv`` and ``health.csv``."""
    track, datum, lines = _localize(request)
    write_track(request, datum, track)
    return ReplayResult(bool(track.states), tuple(lines))


def _localize(request: ReplayRequest) -> tuple[Track, Datum, list[str]]:
    recording = read_samples(request.log, request.remap, request.progress("reading"))
    datum = request.datum or recording.datum
    if datum is None:
        raise RecordError(f"{request.log}: no usable GNSS fix: {', '.join(recording.remarks) or 'the topic is empty'}")
    params = request.parameters.build("localization")
    localizer = Localizer(params, params.limits, request.robot, datum)
    track = localize(localizer, _told(recording, request.progress("localization")))
    return track, datum, _report(track, recording.remarks)


def _told(recording: Recording, progress: Progress) -> Iterator[Sample]:
    """The samples, while ``progress`` hears how many were taken."""
    for count, sample in enumerate(recording.samples):
        if count % 1000 == 0:
            progress(count / len(recording.samples))
        yield sample


def _report(track: Track, remarks: Sequence[str]) -> list[str]:
    lines = list(remarks)
    if not track.states:
        why = track.health[-1][1].message if track.health else "no IMU sample"
        return [*lines, f"no estimate: {why}"]
    first, last = track.states[0].t, track.states[-1].t
    lines += [f"{t - first:.1f} s: {health.message}" for t, health in track.health if t >= first][:20]
    return [*lines, f"{len(track.states)} estimates over {last - first:.1f} s -> trajectory.csv"]


def write_track(request: ReplayRequest, datum: Datum, track: Track) -> None:
    """Write ``trajectory.csv`` and ``health.csv``."""
    request.out.mkdir(parents=True, exist_ok=True)
    write_trajectory(RunDirectory(request.out).trajectory, datum, track.states)
    write_health(request.out / "health.csv", track)


def replay_detection(request: ReplayRequest) -> ReplayResult:
    """The detector over the recording's scans and its odometry; see :func:`replay_all` for what is written."""
    return _detect(request, None, None)


def replay_all(request: ReplayRequest) -> ReplayResult:
    """Localisation, detection, fusion and ledger over the recording, as far as it has the sensors.

    Writes ``trajectory.csv``, ``health.csv``, ``targets.csv``, ``summary.json`` and a picture of each suspect. Without IMU and GNSS
    the log's own odometry is taken, without scans there is a track only.
    """
    with LogSource(request.log) as source:
        ours = set(find_topics(source.topics, request.remap, REPLAYED).values())
    if not ours & set(SCANS):
        return replay_localization(request)
    if not set(ESSENTIAL) <= ours:
        result = replay_detection(request)
        return ReplayResult(
            result.complete, ("without IMU and GNSS: the log's own odometry is used", *result.lines), result.summary
        )
    track, datum, lines = _localize(request)
    write_track(request, datum, track)
    result = _detect(request, track, datum)
    return ReplayResult(bool(track.states) and result.complete, (*lines, *result.lines), result.summary)


def _detect(request: ReplayRequest, track: Track | None, datum: Datum | None) -> ReplayResult:
    """Targets and ground from the scans, with the poses of ``track`` or the log's own."""
    params, planner = request.parameters.build("detector"), request.parameters.build("planner")
    detector = Detector(params, params.limits, request.robot, best_judge(), request.prior)
    states = track.states if track is not None else None
    found = detect_in_log(request.log, request.remap, detector, states, request.progress("detection"))
    datum = datum or request.datum or found.datum
    suspects = params.limits.suspects(found.targets)
    ground = (
        ground_of(request.area, request.robot, planner, found.evidence, found.targets)
        if request.area is not None
        else None
    )
    request.out.mkdir(parents=True, exist_ok=True)
    files = RunDirectory(request.out)
    write_found_targets(files.targets, datum, found.targets)
    summary = figures(found.targets, suspects, ground, request.run, request.robot, states or ())
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
