"""``gzserver`` as a child process that never outlives its parent."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from pathlib import Path

from mine_robot.core.children import die_with_parent, how_it_ended
from mine_robot.gazebo.place import HOST, Place

GRACE_S = 2.0


class Server:
    """A paused Gazebo server with the world of a file; what it says goes to ``log``."""

    def __init__(self, place: Place, world: Path, log: Path) -> None:
        self.port = _free_port()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [place.command("gzserver"), "--verbose", "--pause", "--seed", "1", str(world)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=place.environment(self.port, os.environ),
                start_new_session=True,  # Ctrl-C reaches the runner alone; the parent ends its server itself
                preexec_fn=die_with_parent,
            )

    def ending(self) -> str:
        """How the server ended, in words; empty while it runs."""
        code = self._process.poll()
        return "" if code is None else f"gzserver died ({how_it_ended(code)})"

    def close(self) -> None:
        """End the server: ask, then kill."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_S)
        self._process.kill()
        self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
