"""Where the package's data files are: in the source tree, a colcon workspace or an ordinary installation."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "mine_robot"


def share_folder() -> Path:
    """The folder that holds ``config``, ``launch``, ``urdf`` and ``worlds``."""
    for folder in _candidates():
        if (folder / "urdf" / "mine_robot.urdf.xacro").is_file():
            return folder
    raise FileNotFoundError(f"the data files of {PACKAGE} are not installed: run pip install or colcon build again")


def _candidates() -> Iterator[Path]:
    yield Path(__file__).resolve().parents[2]  # source tree, editable installation
    if os.environ.get("AMENT_PREFIX_PATH"):  # a sourced ROS 2 workspace
        for prefix in os.environ["AMENT_PREFIX_PATH"].split(os.pathsep):
            yield Path(prefix) / "share" / PACKAGE
    # A wheel's data files go to the prefix of its installation: environment, --user, or --target.
    for prefix in (sys.prefix, site.getuserbase(), *Path(__file__).resolve().parents[2:6]):
        yield Path(prefix) / "share" / PACKAGE


def resource(relative: str) -> Path:
    """A data file, such as ``config/robot.yaml``."""
    return share_folder() / relative
