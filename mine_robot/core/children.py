"""Processes and their ends: children that never outlive their parent (Linux), and the signals that end either."""

from __future__ import annotations

import ctypes
import signal

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def die_with_parent() -> None:
    """In the child, as ``preexec_fn``: be killed if the parent is, so that not even SIGKILL leaves anything driving."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def ending_signals() -> tuple[signal.Signals, ...]:
    """What a process is ended by: Ctrl-C, a request, a terminal that was closed (SIGHUP) and Ctrl-backslash (SIGQUIT).

    The last two are left out where they are ignored, as ``nohup`` and shells have it for jobs that are to go on without a terminal.
    """
    lasting = [number for number in (signal.SIGHUP, signal.SIGQUIT) if signal.getsignal(number) is not signal.SIG_IGN]
    return (signal.SIGINT, signal.SIGTERM, *lasting)


def how_it_ended(code: int) -> str:
    """The return code of a ``subprocess.Popen`` in words; negative for a signal."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
