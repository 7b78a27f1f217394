"""How fast a recorded mission is replayed, what each part costs, and whether the result is the same each time and that of the day.

    .venv/bin/python benchmarks/replay_speed.py RUN [--out DIR]

``RUN`` is the directory of a simulated or real mission. The replay takes two processes: the table gives the CPU time of both together, of
the busier one (what two free cores wait for at least), and the wall time, which depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mine_robot.bringup.replaying import ReplayOptions
from mine_robot.detection.detector import Detector
from mine_robot.localization.localizer import Localizer
from mine_robot.pipeline.hazard import best_judge
from mine_robot.pipeline.localization import localize
from mine_robot.records.log_source import LogSource
from mine_robot.records.replay import REPLAYS
from mine_robot.records.replay_detection import Findings, decoded, detect_in_log, scan_topics
from mine_robot.records.replay_input import read_samples
from mine_robot.records.replay_pictures import draw_suspects
from mine_robot.records.replay_request import ReplayRequest

Spent = tuple[float, float, float]  # CPU s of this process, of its children, wall s


def main() -> None:
    """Replay and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, help="keep the replays here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.out or Path(temporary)
        out.mkdir(parents=True, exist_ok=True)
        request = replace(ReplayOptions(arguments.run).request(out / "parts"), pictures=False)
        seconds = parts(request)
        wholes(request, out, seconds)
        command = [sys.executable, "-m", "mine_robot.bringup.cli", "replay", arguments.run, "--out", out / "command"]
        _, (_, cpu, wall) = timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
        row("mine-robot replay, start-up and pictures included", seconds, cpu, None, wall)
        same(out / "command", out / "pictures", "replays with pictures")
        REPLAYS["detection"](replace(request, out=out / "detection"))
        ours, live = (targets(folder) for folder in (out / "detection", arguments.run))
        agree = ours == [{key: row[key] for key in ours[0]} for row in live] if ours else not live
        print(f"{len(live)} targets live, the same from the log's own poses: {'equal' if agree else 'DIFFERENT'}")
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def parts(request: ReplayRequest) -> float:
    """One part after the other in this process; returns the seconds of mission that the log covers."""
    request.out.mkdir(parents=True, exist_ok=True)
    recording, read = timed(lambda: read_samples(request.log, {}))
    seconds = recording.samples[-1].t - recording.samples[0].t
    print(
        f"{seconds:.0f} s of mission\n\n| what | CPU s | times real time | busier process CPU s | times | wall s | times |"
    )
    print(f"|{'---|' * 7}")
    single("navigation sensors read and decoded", seconds, read)
    params, detection = request.parameters.build("localization"), request.parameters.build("detector")
    datum = request.datum or recording.datum
    assert datum is not None
    localizer = Localizer(params, params.limits, request.robot, datum)
    track, spent = timed(lambda: localize(localizer, recording.samples))
    single("localisation", seconds, spent)
    single("scans read and decoded", seconds, timed(lambda: read_scans(request))[1])
    detector = Detector(detection, detection.limits, request.robot, best_judge(), request.prior)
    found, spent = timed(lambda: detect_in_log(request.log, {}, detector, track.states))
    single("detection, scans read and decoded", seconds, spent)
    suspects = detection.limits.suspects(found.targets)
    _, spent = timed(lambda: draw_suspects(request.log, request.out, {}, found, suspects, detection, request.robot))
    single(f"pictures of {len(suspects)} suspects", seconds, spent)
    return float(seconds)


def read_scans(request: ReplayRequest) -> int:
    """The scans without anything done with them."""
    with LogSource(request.log) as source:
        return sum(1 for _ in decoded(source, scan_topics(source, {}, poses=False), Findings()))


def wholes(request: ReplayRequest, out: Path, seconds: float) -> None:
    """Everything, in turn and in two processes; the results have to be the same."""
    for name, ahead, pictures in (("in turn", False, False), ("ahead", True, False), ("pictures", True, True)):
        asked = replace(request, out=out / name, ahead=ahead, pictures=pictures)
        _, (own, children, wall) = timed(lambda asked=asked: REPLAYS["all"](asked))  # type: ignore[misc]
        what = f"everything, {'two processes' if ahead else 'one process'}{', pictures' if pictures else ''}"
        row(what, seconds, own + children, max(own, children), wall)
    same(out / "in turn", out / "ahead", "replays in one and in two processes")


def timed(work: Callable[[], Any]) -> tuple[Any, Spent]:
    """The result of ``work`` and what it took."""
    before = spent_so_far()
    result = work()
    own, children, wall = (after - earlier for after, earlier in zip(spent_so_far(), before, strict=True))
    return result, (own, children, wall)


def spent_so_far() -> Spent:
    """CPU time of this process and of its children that ended, and the clock."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time(), children.ru_utime + children.ru_stime, time.monotonic()


def single(what: str, seconds: float, spent: Spent) -> None:
    """A row of what one process did."""
    row(what, seconds, spent[0], spent[0], spent[2])


def row(what: str, seconds: float, cpu: float, busier: float | None, wall: float) -> None:
    """A row of the table."""
    cells = ["-" if spent is None else f"{spent:.1f} | {seconds / spent:.0f}" for spent in (cpu, busier, wall)]
    print(f"| {what} | {' | '.join(cells).replace('| - |', '| - | - |')} |", flush=True)


def same(a: Path, b: Path, what: str) -> None:
    """Say whether two folders hold the same files to the byte."""
    names = sorted({path.name for folder in (a, b) for path in folder.iterdir()})
    differing = [name for name in names if not equal(a / name, b / name)]
    print(
        f"{what}: {len(names)} files, {f'DIFFERENT: {differing}' if differing else 'identical to the byte'}", flush=True
    )


def targets(folder: Path) -> list[dict[str, str]]:
    """The rows of a result's table of targets; a run's has marks besides."""
    with (folder / "targets.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def equal(a: Path, b: Path) -> bool:
    """Whether two files are there and the same to the byte."""
    return a.is_file() and b.is_file() and a.read_bytes() == b.read_bytes()


if __name__ == "__main__":
    main()
