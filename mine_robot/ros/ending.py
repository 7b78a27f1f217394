"""How a node hears that it is to end.

``rclpy``'s own handlers wake the executor from a thread that goes through a list of guard conditions, and shut the context down while the
main thread is at work: now and then a node crashed at its end (a segmentation fault in ``rcl_trigger_guard_condition``, freed meanwhile) or
took the invalid context for a fault of its own. Here the first signal interrupts the main thread, which a thread of ours wakes if it waits;
nothing interrupts the teardown.
"""

from __future__ import annotations

import contextlib
import faulthandler
import signal
import socket
import threading
from collections.abc import Callable

from mine_robot.core.children import ending_signals

GRACE_S = 4.0  # wall time; ros2 launch insists after 5 s


def end_on_signals(wake: Callable[[], None]) -> None:
    """Raise KeyboardInterrupt in the main thread at the first of the ending signals, and ``wake`` it; call it there.

    A process that has not ended :data:`GRACE_S` later says on stderr where each of its threads is, and ends with exit code 1.
    """
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    for number in ending_signals():
        signal.signal(number, _interrupt)
    threading.Thread(target=_wait, args=(ours, theirs, wake), daemon=True).start()


def _interrupt(*_: object) -> None:
    for number in ending_signals():
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _wait(ours: socket.socket, _theirs: socket.socket, wake: Callable[[], None]) -> None:
    """The main thread waits without Python: its handler is called once it is awake. Both sockets live as long as this thread."""
    ours.recv(1)
    faulthandler.dump_traceback_later(GRACE_S, exit=True)
    with contextlib.suppress(Exception):  # already torn down
        wake()
    threading.Event().wait()
