"""Helpers that run the real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SMALL_FIELD = ROOT / "test" / "data" / "small_field.geojson"
TIMEOUT_S = 280
CLI = ("-m", "mine_robot.bringup.cli")


@dataclass(frozen=True)
class FinishedRun:
    """A run that ended: exit code, output, directory."""

    code: int
    output: str
    directory: Path

    @property
    def summary(self) -> dict[str, Any]:
        return dict(json.loads((self.directory / "summary.json").read_text()))


def environment(domain: int) -> dict[str, str]:
    """Own DDS domain, nothing beyond this machine."""
    values = {**os.environ, "ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    values.pop("_ROS_WHEELS_BOOTSTRAP_COMPLETE", None)
    return values


def command(field: Path, out: Path, *options: str, program: tuple[str, str] = CLI) -> list[str]:
    return [sys.executable, *program, "run", str(field), "--out", str(out), *options]


def run(
    field: Path,
    out: Path,
    *options: str,
    domain: int,
    resumed: Path | None = None,
    timeout: float = TIMEOUT_S,
    program: tuple[str, str] = CLI,
) -> FinishedRun:
    """``mine-robot run`` to its end; ``resumed`` is the directory of a run that goes on."""
    words = command(field, out, *options, program=program)
    if resumed is not None:
        del words[words.index("--out") : words.index("--out") + 2]
        out = resumed
    done = subprocess.run(
        words,
        env=environment(domain),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )
    return FinishedRun(done.returncode, done.stdout, out)


@contextmanager
def started(words: list[str], domain: int) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on beside the test; Ctrl-C ends it if the test has not."""
    process = subprocess.Popen(
        words, env=environment(domain), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def leftovers(out: Path) -> list[str]:
    """Processes that still know the run directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(out) in line:
                found.append(line)
    return found


def logs(directory: Path) -> str:
    """What the nodes printed, for a failing test."""
    return "\n".join(
        f"--- {path.name}\n{path.read_text()[-2000:]}" for path in sorted((directory / "log").glob("*.log"))
    )
