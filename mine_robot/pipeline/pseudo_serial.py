"""A pseudo-terminal that looks like the actuator's serial port."""

from __future__ import annotations

import contextlib
import os
import pty
import tty
from pathlib import Path

CHUNK = 4096


class PseudoSerial:
    """The device's end of a pseudo-terminal; its other end stands at ``link`` like a serial port."""

    def __init__(self, link: Path) -> None:
        self._device, self._port = pty.openpty()
        tty.setraw(self._port)
        os.set_blocking(self._device, False)
        self._link = link
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._port))

    def read(self) -> bytes:
        """What the driver has sent, without waiting."""
        try:
            return os.read(self._device, CHUNK)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> None:
        """Send to the driver; bytes that nobody takes are lost, as on a serial line."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._device, data)

    def close(self) -> None:
        """Take the port away."""
        self._link.unlink(missing_ok=True)
        for descriptor in (self._device, self._port):
            with contextlib.suppress(OSError):
                os.close(descriptor)
