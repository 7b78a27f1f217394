"""The terminal: what is printed is shown as it is, and a terminal that has gone ends nothing."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO

from rich.console import Console

from mine_robot.core.text import one_line


class Terminal(Console):
    """A console that takes text as text: a name such as ``[/x]`` or ``:bomb:`` is no markup, an escape sequence no command."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def print(self, *objects: Any, **options: Any) -> None:
        """As :meth:`rich.console.Console.print`; text may have several lines."""
        shown = ["\n".join(map(one_line, item.split("\n"))) if isinstance(item, str) else item for item in objects]
        super().print(*shown, **options)


class Lasting:
    """A stream that goes on, into nothing, when whoever read it has gone: a pipe that was closed, a terminal that hung up."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or else let it go; an error of another kind than :class:`OSError` is a fault of ours."""
        try:
            return self._stream.write(text)
        except OSError:
            self._let_go()
            return len(text)

    def flush(self) -> None:
        """Flush, or else let it go."""
        try:
            self._stream.flush()
        except OSError:
            self._let_go()

    def _let_go(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def lasting_streams() -> None:
    """Make standard output and error of this process last; those that it was started without lead nowhere."""
    for number in (0, 1, 2):  # else the next file that is opened would be taken for one of them
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lasts
        if not isinstance(stream, Lasting):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")  # names of files may be any bytes
            setattr(sys, name, Lasting(stream))


def complain(text: str) -> None:
    """A line on standard error."""
    print(one_line(text), file=sys.stderr, flush=True)


console = Terminal()
