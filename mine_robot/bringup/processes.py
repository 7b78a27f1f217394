"""The processes of a run: started together, watched, ended together, none left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mine_robot.core.children import die_with_parent, how_it_ended

SIGINT_GRACE_S = 2.0
SIGTERM_GRACE_S = 0.7
POLL_S = 0.02


@dataclass(frozen=True)
class Death:
    """A process that ended on its own; ``code`` is negative for a signal."""

    name: str
    code: int

    @property
    def text(self) -> str:
        """How it ended, in words."""
        return f"node '{self.name}' died ({how_it_ended(self.code)})"


class Processes:
    """Starts processes in sessions of their own, so that Ctrl-C reaches the runner alone and it ends them in order."""

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = dict(environment)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process; its output goes to ``<logs>/<name>.log``."""
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def deaths(self) -> list[Death]:
        """Processes that ended since the last call."""
        ended = [(name, code) for name, process in self._running.items() if (code := process.poll()) is not None]
        for name, _ in ended:
            del self._running[name]
        return [Death(name, code) for name, code in ended]

    def note(self, death: Death) -> None:
        """Write into the process's log how it ended: one that was killed cannot say so itself."""
        with contextlib.suppress(OSError), (self._logs / f"{death.name}.log").open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {death.text}\n")

    def kill(self, name: str) -> None:
        """Kill a process at once (for the fault ``node_kill``)."""
        if name in self._running:
            self._running[name].kill()

    def stop(self, name: str) -> None:
        """End one process gently and wait for it."""
        process = self._running.pop(name, None)
        if process is not None:
            _end({name: process})

    def stop_all(self) -> None:
        """End every process: ask, insist, kill. Returns within about 3 s."""
        running, self._running = self._running, {}
        _end(running)

    def tail(self, name: str, lines: int = 5) -> str:
        """The last lines a process printed."""
        with contextlib.suppress(OSError):
            text = (self._logs / f"{name}.log").read_text(encoding="utf-8", errors="replace")
            return "\n".join(text.strip().splitlines()[-lines:])
        return ""


def _end(running: Mapping[str, subprocess.Popen[bytes]]) -> None:
    for number, grace in (
        (signal.SIGINT, SIGINT_GRACE_S),
        (signal.SIGTERM, SIGTERM_GRACE_S),
        (signal.SIGKILL, SIGTERM_GRACE_S),
    ):
        for process in running.values():
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
        limit = time.monotonic() + grace
        while time.monotonic() < limit and any(process.poll() is None for process in running.values()):
            time.sleep(POLL_S)
