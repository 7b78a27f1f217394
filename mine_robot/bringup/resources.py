"""Where the package's data files are: in the source tree, a colcon workspace or an ordinary installation."""

from __future__ import annotations

import site
import sys
from pathlib import Path

PACKAGE = "mine_robot"


def share_folder() -> Path:
    """The folder that holds ``config``, ``launch``, ``urdf`` and ``worlds``."""
    for folder in _candidates():
        if (folder / "urdf" / "mine_robot.urdf.xacro").is_file():
            return folder
    raise FileNotFoundError(f"the data files of {PACKAGE} are not installed: run pip install or colcon build again")


def _candidates() -> list[Path]:
    folders = [Path(__file__).resolve().parents[2]]  # source tree, editable installation
    try:
        from ament_index_python.packages import get_package_share_directory

        folders.append(Path(get_package_share_directory(PACKAGE)))
    except (ImportError, LookupError):
        pass
    # A wheel's data files go to the prefix of its installation: environment, --user, or --target.
    prefixes = [Path(sys.prefix), Path(site.getuserbase()), *Path(__file__).resolve().parents[2:6]]
    return folders + [prefix / "share" / PACKAGE for prefix in prefixes]


def resource(relative: str) -> Path:
    """A data file, such as ``config/robot.yaml``."""
    return share_folder() / relative
