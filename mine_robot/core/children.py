"""Child processes that never outlive their parent (Linux)."""

from __future__ import annotations

import ctypes
import signal

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def die_with_parent() -> None:
    """In the child, as ``preexec_fn``: be killed if the parent is, so that not even SIGKILL leaves anything driving."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
