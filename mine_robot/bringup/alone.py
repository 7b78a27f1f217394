"""One mission at a time: two stacks on the same topics would both drive the robot."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO

from mine_robot.pipeline.loading import LoadError


def hold_the_robot(namespace: str) -> IO[str]:
    """A lock on the topics of ``namespace`` in this DDS domain, held until it is closed or its process ends, however it ends.

    Raises :class:`LoadError` if another mission of this user on this machine has it.
    """
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    name = "-".join(["mine_robot", f"domain{domain}", *filter(None, namespace.split("/"))])
    path = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"{name}-{os.getuid()}.lock"
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "r+")
    except OSError as error:
        raise LoadError(f"{path}: cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        process = file.read(20).strip() or "unknown"
        file.close()
        raise LoadError(
            f"another mission is running here (process {process}) in ROS_DOMAIN_ID {domain}: end it, or take another domain or --namespace"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
