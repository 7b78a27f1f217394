"""Does the stack stay within its memory in a run of 24 hours?

``python benchmarks/memory_growth.py stack --hours 24`` runs the whole stack without ROS (:mod:`mine_robot.pipeline.offline`, journal on
the disk) on a field that takes longer than that to search, and prints the resident memory of the process at every hour of simulated time.
``recorder --hours 24`` writes as many chunks of a log as so many hours have seconds. ``processes --minutes 40`` starts
``mine-robot run`` and samples every node; it needs a ROS_DOMAIN_ID that nobody else uses. Each ends with a JSON line: MB at the
beginning and the end, MB an hour after the warm-up (least squares), and what that makes of 24 hours.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import fields
from pathlib import Path

import numpy as np
import yaml
from kill_campaign import plot

from mine_robot.bringup.resources import resource
from mine_robot.pipeline.loading import ParameterFiles, load_field, load_robot, scenario_from_content
from mine_robot.pipeline.offline import OfflineLog, OfflineMission
from mine_robot.records.bag import BagReader
from mine_robot.records.run_directory import RunDirectory
from mine_robot.records.run_log import RunLog
from mine_robot.ros.topics import CLOCK, TOPICS

HOUR_S = 3600.0
DAY_H = 24.0
M2_AN_HOUR = 500.0  # more than the robot searches
WIDTH_M = 50.0
OBJECTS_A_M2 = {"tm62": 1 / 400, "pmn": 1 / 200, "nail": 1 / 60, "cartridge": 1 / 60, "stone": 1 / 60}
SAMPLE_S = 300.0  # of simulated time
PAGE_KB = os.sysconf("SC_PAGE_SIZE") / 1024


def resident_mb(process: int | str = "self") -> float:
    """Resident memory of a process."""
    return float(int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE_KB / 1024)


def trend(hours: list[float], megabytes: list[float]) -> dict[str, float]:
    """What a series of samples comes to; the first third is warm-up."""
    later = slice(len(hours) // 3, None)
    slope = float(np.polyfit(hours[later], megabytes[later], 1)[0]) if len(hours) >= 6 else float("nan")
    return {
        "hours": round(hours[-1], 2), "mb_begin": round(megabytes[0], 1), "mb_warm": round(megabytes[later][0], 1),
        "mb_end": round(megabytes[-1], 1), "mb_an_hour": round(slope, 2),
        "mb_at_24_h": round(megabytes[-1] + slope * max(DAY_H - hours[-1], 0.0), 1),
    }  # fmt: skip


def ground(folder: Path, hours: float, seed: int) -> tuple[Path, dict[str, object]]:
    """A field that is not searched in so many hours, and a scenario with objects all over it."""
    area_m2 = max(hours, 0.2) * M2_AN_HOUR
    objects = {kind: max(round(share * area_m2), 1) for kind, share in OBJECTS_A_M2.items()}
    return plot(folder, WIDTH_M, area_m2 / WIDTH_M), {"seed": seed, "random_objects": objects}


def stack(folder: Path, hours: float, seed: int) -> dict[str, float]:
    """Everything but ROS in this process."""
    path, content = ground(folder, hours, seed)
    area = load_field(path)
    files = ParameterFiles([resource("config/robot.yaml"), resource("config/sim.yaml")])
    scenario = scenario_from_content(content, folder / "scenario", area.datum)
    mission = OfflineMission(area, load_robot(resource("urdf/mine_robot.urdf.xacro")), files, scenario, folder)
    mission.log = OfflineLog(*(deque(maxlen=100) for _ in fields(OfflineLog)))  # type: ignore[arg-type]
    mission.start()
    times, sizes = [], []
    while mission.t < hours * HOUR_S:
        mission.step()
        if mission.t >= (len(times) + 1) * SAMPLE_S:
            times.append(mission.t / HOUR_S)
            sizes.append(resident_mb())
            status = mission.log.states[-1]
            row = {"hour": round(times[-1], 2), "mb": round(sizes[-1], 1), "state": status.state.value}
            row["searched_m2"] = round(mission.coverage.ledger.searched_area, 1)
            row["targets"] = len(mission.detector.targets())
            print(json.dumps(row), flush=True)
            if status.state.ended:
                break
    return trend(times, sizes)


def recorder(folder: Path, hours: float, _: int) -> dict[str, float]:
    """A log with a chunk a second, every topic in each: what its writer remembers does not depend on the messages' number."""
    bag = RunLog(RunDirectory(folder))
    topics = [topic for topic in TOPICS if topic is not CLOCK]
    for topic in topics:
        bag.add_topic(topic.name, topic.type_name)
    times, sizes = [], []
    for second in range(int(hours * HOUR_S)):
        for topic in topics:
            bag.write(topic.name, second * 1_000_000_000, b"\0" * 32)
        if second % SAMPLE_S == 0:
            times.append(second / HOUR_S)
            sizes.append(resident_mb())
    bag.close()
    parts = RunDirectory(folder).logs()
    chunks = sum(sum(1 for _ in BagReader(part).raw({topics[0].name})) for part in parts)
    assert chunks == int(hours * HOUR_S), f"{chunks} messages of a topic are in the log"
    print(json.dumps({"logs": len(parts)}))
    return trend(times, sizes)


def nodes_of(out: Path) -> dict[str, int]:
    """Process ids of the nodes of a run by name."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if b"mine_robot.nodes" in words and str(out / "parameters.yaml").encode() in words:
            found[words[words.index(b"mine_robot.nodes") + 1].decode()] = int(entry.name)
    return found


def stack_time(out: Path) -> float:
    """Simulated time, s, from the newest whole line of the true track."""
    with (out / "sim" / "truth.csv").open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - 200, 0))
        lines = file.read().decode().splitlines()
    return float(lines[-2].split(",")[0]) if len(lines) > 2 and lines[-2][:1].isdigit() else 0.0


def processes(folder: Path, hours: float, seed: int) -> dict[str, dict[str, float]]:
    """Every node of a real run."""
    path, content = ground(folder, hours, seed)
    scenario, out = folder / "scenario.yaml", folder / "run"
    scenario.write_text(yaml.safe_dump(content), encoding="utf-8")
    words = [
        sys.executable,
        "-m",
        "mine_robot.bringup.cli",
        "run",
        str(path),
        "--scenario",
        str(scenario),
        "--out",
        str(out),
    ]
    environment = {key: value for key, value in os.environ.items() if key != "_ROS_WHEELS_BOOTSTRAP_COMPLETE"}
    series: dict[str, tuple[list[float], list[float]]] = {}
    with (folder / "output").open("wb") as log:
        run = subprocess.Popen(words, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        due = SAMPLE_S / 5
        while run.poll() is None and due <= hours * HOUR_S:
            time.sleep(1.0)
            if not (out / "sim" / "truth.csv").is_file() or stack_time(out) < due:
                continue
            due += SAMPLE_S / 5
            row = {}
            for name, number in {**nodes_of(out), "runner": run.pid}.items():
                times, sizes = series.setdefault(name, ([], []))
                times.append(stack_time(out) / HOUR_S)
                sizes.append(resident_mb(number))
                row[name] = round(sizes[-1], 1)
            print(json.dumps({"minute": round(stack_time(out) / 60.0, 1), **row}), flush=True)
    finally:
        run.send_signal(signal.SIGINT)
        run.wait(120)
    return {name: trend(*samples) for name, samples in sorted(series.items())}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("stack", "recorder", "processes"))
    parser.add_argument("--hours", type=float, default=DAY_H)
    parser.add_argument("--minutes", type=float, help="Instead of --hours.")
    parser.add_argument("--seed", type=int, default=41)
    arguments = parser.parse_args()
    hours = arguments.hours if arguments.minutes is None else arguments.minutes / 60.0
    measure = {"stack": stack, "recorder": recorder, "processes": processes}[arguments.part]
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), hours, arguments.seed)))  # type: ignore[operator]
    return 0


if __name__ == "__main__":
    sys.exit(main())
