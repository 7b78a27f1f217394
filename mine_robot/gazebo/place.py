"""Where Gazebo 11 is on this machine, and how to run what lies there.

``make gazebo`` (:mod:`mine_robot.gazebo.install`) fills the folder. It is outside the clone, so that every clone shares it.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VERSION = "11.1.0"
HOST = "127.0.0.1"
LIBRARIES = "usr/lib/x86_64-linux-gnu"
LIBRARY_FOLDERS = ("usr/lib", LIBRARIES, "lib/x86_64-linux-gnu", *(f"{LIBRARIES}/{name}" for name in (
    "blas", "lapack", "pulseaudio", "gazebo-11/plugins",
)))  # fmt: skip


class GazeboError(ConnectionError):
    """Gazebo is missing, ended or does not answer; one line says which."""


@dataclass(frozen=True)
class Place:
    """The folder with the unpacked packages (``prefix``) and the generated messages (``messages``)."""

    folder: Path

    @property
    def prefix(self) -> Path:
        """Root of the unpacked packages."""
        return self.folder / "prefix"

    @property
    def messages(self) -> Path:
        """Python modules generated from Gazebo's ``.proto`` files; they fit one version of protobuf."""
        return self.folder / f"messages-{importlib.metadata.version('protobuf')}"

    @property
    def stamp(self) -> Path:
        """Names what is installed; written last."""
        return self.folder / "installed"

    @property
    def failure(self) -> Path:
        """Why the last installation failed."""
        return self.folder.with_name(f"{self.folder.name}.failed")

    def missing(self) -> str:
        """Why Gazebo 11 cannot be used here; empty if it can."""
        try:
            if self.stamp.is_file() and self.messages.is_dir():
                return ""
        except importlib.metadata.PackageNotFoundError:
            return "the Python package protobuf is not installed: pip install 'mine_robot[gazebo]'"
        if self.failure.is_file():
            return self.failure.read_text(encoding="utf-8").strip()
        return "Gazebo 11 is not installed: make gazebo"

    def command(self, name: str) -> str:
        """Path of ``gzserver`` or ``gzclient``."""
        return str(self.prefix / "usr/bin" / name)

    def environment(self, port: int, base: Mapping[str, str]) -> dict[str, str]:
        """Environment for a Gazebo program whose master listens on ``port``, on this machine only."""
        share = self.prefix / "usr/share"
        return {
            **base,
            "LD_LIBRARY_PATH": os.pathsep.join(str(self.prefix / folder) for folder in LIBRARY_FOLDERS),
            "GAZEBO_RESOURCE_PATH": str(share / "gazebo-11"),
            "GAZEBO_PLUGIN_PATH": str(self.prefix / LIBRARIES / "gazebo-11/plugins"),
            "GAZEBO_MODEL_PATH": "",
            "GAZEBO_MODEL_DATABASE_URI": "",
            "GAZEBO_MASTER_URI": f"http://{HOST}:{port}",
            "GAZEBO_IP": HOST,
        }

    def import_messages(self) -> None:
        """Make the generated modules importable."""
        if str(self.messages) not in sys.path:
            sys.path.append(str(self.messages))


def gazebo11() -> Place:
    """The place on this machine: ``$MINE_ROBOT_GAZEBO11``, or in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Place(Path(os.environ.get("MINE_ROBOT_GAZEBO11") or f"{cache}/mine_robot/gazebo11").expanduser().absolute())


def main() -> None:
    """The last lines of `make test`: whether the Gazebo tests could run."""
    reason = gazebo11().missing()
    if reason:
        rule = "!" * 100
        print(f"{rule}\n!!! THE GAZEBO TESTS WERE SKIPPED: {reason}\n{rule}")
    else:
        print(f"The Gazebo tests ran against Gazebo {VERSION} in {gazebo11().folder}")


if __name__ == "__main__":
    main()
