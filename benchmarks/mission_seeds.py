"""Whole missions over ROS 2, one after the other: does every seed end well, and does a busy machine change the outcome?

    .venv/bin/python benchmarks/mission_seeds.py --seeds 7 8 9 10 11 12 [--hog 4] [--field FIELD] [--scenario SCENARIO] [--out DIR]

Prints a Markdown row for each run as it ends. ``--hog N`` repeats each seed beside N processes that do nothing but compute.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
COLUMNS = (
    "seed | busy | state | coverage | gaps m² | unsafe m² | Pd | false alarms a m² | detonations | marks"
    " | mark error p95 cm | simulated s | wall s"
)


def main() -> None:
    """Run the missions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--field", type=Path, default=ROOT / "config/missions/demo_field.geojson")
    parser.add_argument("--scenario", type=Path, default=ROOT / "config/scenarios/demo.yaml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[7])
    parser.add_argument("--hog", type=int, default=0, help="busy processes beside a second run of each seed")
    parser.add_argument("--out", type=Path, help="keep the run directories here")
    arguments = parser.parse_args()
    print(f"| {COLUMNS} |\n|{'---|' * len(COLUMNS.split('|'))}", flush=True)
    with contextlib.ExitStack() as stack:
        out = arguments.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for seed in arguments.seeds:
            for hogs in (0, arguments.hog) if arguments.hog else (0,):
                with busy(hogs):
                    print(row(arguments.field, arguments.scenario, seed, hogs, out / f"seed{seed}_{hogs}"), flush=True)


def row(field: Path, scenario: Path, seed: int, hogs: int, out: Path) -> str:
    """One mission as a row of the table."""
    command = [sys.executable, "-m", "mine_robot.bringup.cli", "run", str(field), "--scenario", str(scenario)]
    begun = time.monotonic()
    done = subprocess.run([*command, "--seed", str(seed), "--out", str(out)], capture_output=True, text=True, cwd=ROOT)
    wall = time.monotonic() - begun
    file = out / "summary.json"
    if done.returncode == 2 or not file.exists():  # refused: what lies there is another run's
        return f"| {seed} | {hogs} | exit {done.returncode}: {(done.stderr or done.stdout)[-200:]!r} |"
    summary = json.loads(file.read_text(encoding="utf-8"))
    score = summary["score"]
    cells = (
        seed,
        hogs,
        summary["state"],
        f"{summary['coverage']:.4f}",
        f"{summary['gaps_m2']:.1f}",
        f"{summary['unsafe_ground_m2']:.3f}",
        f"{score['pd']:.2f} of {score['n_hazards']}",
        f"{score['false_alarms_per_m2']:.3f}",
        score["detonations"],
        f"{summary['marks_confirmed']}/{summary['marks_requested']}",
        "-" if score["mark_error_p95_m"] is None else f"{100.0 * score['mark_error_p95_m']:.1f}",
        f"{summary['duration_s']:.0f}",
        f"{wall:.0f}",
    )
    return f"| {' | '.join(str(cell) for cell in cells)} |"


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """``count`` processes that compute without end."""
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


if __name__ == "__main__":
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    main()
