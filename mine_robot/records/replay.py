"""Recordings run through the stack's algorithms again. One function a part of the stack; :data:`REPLAYS` lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mine_robot.core.geodesy import Datum
from mine_robot.core.robot import Robot
from mine_robot.localization.localizer import Localizer
from mine_robot.pipeline.loading import ParameterFiles
from mine_robot.pipeline.localization import Track, localize
from mine_robot.records.errors import RecordError
from mine_robot.records.replay_detection import run_detection
from mine_robot.records.replay_input import read_samples
from mine_robot.records.run_directory import RunDirectory
from mine_robot.records.tables import write_trajectory


@dataclass(frozen=True)
class ReplayRequest:
    """What to replay: a ``log``, the parameter files, the robot that made it, where results go.

    ``remap`` maps names of the log's topics to names of ours; ``datum`` is the origin of ``map``, by default the first fix.
    """

    log: Path
    out: Path
    parameters: ParameterFiles
    robot: Robot
    remap: Mapping[str, str] = field(default_factory=dict)
    datum: Datum | None = None


@dataclass(frozen=True)
class ReplayResult:
    """``complete`` tells whether there is a result at all; ``lines`` say what was done and what was wrong."""

    complete: bool
    lines: tuple[str, ...]


def replay_localization(request: ReplayRequest) -> ReplayResult:
    """The very filter of the stack over the recording; writes ``trajectory.csv`` and ``health.csv``."""
    recording = read_samples(request.log, request.remap)
    datum = request.datum or recording.datum
    if datum is None:
        raise RecordError(f"{request.log}: no usable GNSS fix: {', '.join(recording.remarks) or 'the topic is empty'}")
    params = request.parameters.build("localization")
    track = localize(Localizer(params, params.limits, request.robot, datum), recording.samples)
    request.out.mkdir(parents=True, exist_ok=True)
    files = RunDirectory(request.out)
    write_trajectory(files.trajectory, datum, track.states)
    _write_health(request.out / "health.csv", track)
    return ReplayResult(bool(track.states), tuple(_report(track, recording.remarks, files.trajectory)))


def _report(track: Track, remarks: Sequence[str], path: Path) -> list[str]:
    lines = list(remarks)
    if not track.states:
        why = track.health[-1][1].message if track.health else "no IMU sample"
        return [*lines, f"no estimate: {why}"]
    first, last = track.states[0].t, track.states[-1].t
    lines += [f"{t - first:.1f} s: {health.message}" for t, health in track.health if t >= first][:20]
    return [*lines, f"{len(track.states)} estimates over {last - first:.1f} s -> {path}"]


def _write_health(path: Path, track: Track) -> None:
    """One row a change of health."""
    rows = ["t,state,sigma_m,message"]
    for t, health in track.health:
        message = health.message.replace('"', "'")
        rows.append(f'{t:.3f},{health.values["state"]},{health.values["sigma_m"]},"{message}"')
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def replay_detection(request: ReplayRequest) -> ReplayResult:
    """The detector over the recording's scans and its odometry; writes ``targets.csv`` and a picture of each suspect."""
    params = request.parameters.build("detector")
    return ReplayResult(*run_detection(request.log, request.out, params, request.robot, request.remap, request.datum))


REPLAYS: dict[str, Callable[[ReplayRequest], ReplayResult]] = {
    "localization": replay_localization,
    "detection": replay_detection,
}
