"""Files and folders that a command is asked to write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mine_robot.pipeline.loading import LoadError


@contextmanager
def saving(path: Path) -> Iterator[None]:
    """The block writes ``path``; raises :class:`LoadError` with one line if that cannot be."""
    try:
        yield
    except OSError as error:
        raise LoadError(f"{path}: cannot be written: {error.strerror or error}") from None
