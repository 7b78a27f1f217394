"""What `mine-robot run` costs: CPU time a node and simulated second, real-time factor, start and finish.

Runs a mission at the highest rate and looks at the CPU time of each node's process (Linux: ``/proc``) at two simulated instants. CPU time
says more than wall time, which depends on what else the machine does.

    python benchmarks/run_speed.py [--field FIELD] [--scenario SCENARIO] [--params FILE] [--begin 20] [--span 60 | --to-end] [--out DIR]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from mine_robot.bringup.graph import graph

ROOT = Path(__file__).parents[1]
POLL_S = 0.2
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Reading:
    """Simulated time, wall time and CPU seconds so far of every node."""

    t: float
    wall: float
    cpu: dict[str, float]


def simulated_time(run: Path) -> float:
    """The time of the last complete row of ``sim/truth.csv``; it is written once a simulated second."""
    try:
        return float((run / "sim/truth.csv").read_text(encoding="utf-8").splitlines()[-2].split(",")[0])
    except (OSError, IndexError, ValueError):
        return 0.0


def node_pids(runner: int) -> dict[str, int]:
    """Process of each node that ``runner`` started."""
    names = {node.name for node in graph(simulation=True)}
    found = {}
    for child in Path(f"/proc/{runner}/task/{runner}/children").read_text(encoding="utf-8").split():
        words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        found.update({name: int(child) for name in names.intersection(words)})
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def read(run: Path, pids: dict[str, int]) -> Reading:
    """One look at the run."""
    return Reading(simulated_time(run), time.monotonic(), {name: cpu_seconds(pid) for name, pid in pids.items()})


def wait_until(run: Path, t: float, runner: subprocess.Popen[bytes]) -> None:
    """Return when simulated time has reached ``t``; end the benchmark if the run ended before."""
    while simulated_time(run) < t:
        if runner.poll() is not None:
            sys.exit(f"the run ended before {t:.0f} s of simulated time (exit code {runner.returncode})")
        time.sleep(POLL_S)


def report(before: Reading, after: Reading) -> None:
    """Print what was spent between two looks."""
    t, wall = after.t - before.t, after.wall - before.wall
    spent = {name: 1000.0 * (after.cpu[name] - before.cpu[name]) / t for name in after.cpu}
    print(f"{t:.0f} s simulated in {wall:.1f} s: {t / wall:.2f} times real time")
    print(f"CPU {sum(spent.values()) / 1000.0:.3f} s a simulated second, of which, in ms:")
    print("  " + ", ".join(f"{name} {ms:.0f}" for name, ms in sorted(spent.items(), key=lambda item: -item[1])))


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--field", type=Path, default=ROOT / "config/missions/demo_field.geojson")
    parser.add_argument("--scenario", type=Path, default=ROOT / "config/scenarios/demo.yaml")
    parser.add_argument("--params", type=Path, help="parameter file laid over config/robot.yaml")
    parser.add_argument("--begin", type=float, default=20.0, help="simulated time from which to count, s")
    parser.add_argument("--span", type=float, default=60.0, help="simulated time to count, s")
    parser.add_argument("--to-end", action="store_true", help="let the mission end and time that, too")
    parser.add_argument("--out", type=Path, help="run directory; by default a temporary one")
    options = parser.parse_args()
    run = options.out or Path(tempfile.mkdtemp(prefix="run_speed_"))
    command = [Path(sys.executable).with_name("mine-robot"), "run", options.field, "--scenario", options.scenario]
    command += ["--params", options.params] if options.params else []
    started = time.monotonic()
    runner = subprocess.Popen([str(word) for word in (*command, "--out", run)], stdout=subprocess.DEVNULL)
    try:
        wait_until(run, 1.0, runner)
        print(f"first simulated second after {time.monotonic() - started:.1f} s")
        wait_until(run, options.begin, runner)
        pids = node_pids(runner.pid)
        before = read(run, pids)
        wait_until(run, options.begin + options.span, runner)
        report(before, read(run, pids))
        if options.to_end:
            code = runner.wait()
            print(f"exit code {code} after {time.monotonic() - started:.1f} s, {simulated_time(run):.1f} s simulated")
    finally:
        if runner.poll() is None:
            runner.send_signal(signal.SIGINT)
            runner.wait()


if __name__ == "__main__":
    main()
