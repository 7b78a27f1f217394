"""Room on the disk that takes the records."""

from __future__ import annotations

import shutil
from pathlib import Path

from mine_robot.core.types import Health, Level

MIB = 2**20


def disk_health(folder: Path, least_mib: float) -> Health:
    """Health report ``disk``: WARN when less than ``least_mib`` MiB are free where ``folder`` lies, or it cannot be told."""
    try:
        free = shutil.disk_usage(folder).free / MIB
    except OSError as error:
        return Health("disk", Level.WARN, f"cannot be read: {error.strerror}")
    values = {"free_mib": f"{free:.0f}"}
    if free < least_mib:
        return Health("disk", Level.WARN, f"{free:.0f} MiB are free, at least {least_mib:.0f} are needed", values)
    return Health("disk", Level.OK, "room enough", values)
