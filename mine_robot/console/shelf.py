"""The runs beside this one and the records they hand over, for pages to list and to download.

A request names a run and a file; both are looked up among the names that are there and allowed, and every step is opened without
following links and relative to the folder before it, so that no name leads anywhere else (CWE-22, CWE-59).
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import stat
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mine_robot.console.access import Refusal
from mine_robot.console.errands import Errands

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
LISTED_MAX = 50  # runs, the newest first
JSON_MAX = 1_000_000  # bytes of a file that is read for the list
EXPORT_S = 120.0
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Shelf:
    """Runs are the folders in ``root`` with a file ``info``; of each the files ``handed_over`` may be had, and exports in ``formats``.

    ``summary`` is the file whose presence says that a run is over.
    """

    root: Path
    running: str
    info: str
    summary: str
    handed_over: Collection[str]
    formats: Collection[str]

    def runs(self) -> list[dict[str, Any]]:
        """What pages are told of the runs, the newest first: how they ended, and which files they have."""
        with self._folder() as root, os.scandir(root) as entries:
            folders = [one for one in entries if NAME.fullmatch(one.name) and one.is_dir(follow_symlinks=False)]
            folders.sort(key=lambda one: one.stat(follow_symlinks=False).st_mtime, reverse=True)
            found = [row for row in (self._row(root, one.name) for one in folders[:LISTED_MAX]) if row is not None]
        return sorted(found, key=lambda row: (row["started"], row["name"]), reverse=True)

    def _row(self, root: int, name: str) -> dict[str, Any] | None:
        with contextlib.suppress(OSError), _opened(name, FOLDER, root) as folder:
            info, summary = _json(self.info, folder), _json(self.summary, folder)
            if info is None:
                return None
            return {
                "name": name,
                "started": str(info.get("started", "")),
                "simulated": bool(info.get("simulation", False)),
                "running": name == self.running,
                "state": str(summary.get("state", "")) if summary else "",
                "coverage": _number(summary, "coverage"),
                "targets": _number(summary, "targets"),
                "suspects": _number(summary, "suspects"),
                "files": [file for file in self.handed_over if _is_file(file, folder)],
                "formats": list(self.formats) if summary else [],
            }
        return None

    def open(self, run: str, name: str) -> int:
        """A descriptor of a file of a run; raises :class:`Refusal` if there is no such run or file to be had."""
        if not NAME.fullmatch(run) or name not in self.handed_over:
            raise Refusal(404, "there is no such file")
        try:
            with self._folder() as root, _opened(run, FOLDER, root) as folder:
                os.stat(self.info, dir_fd=folder, follow_symlinks=False)
                file = os.open(name, FILE, dir_fd=folder)
        except OSError:
            raise Refusal(404, "there is no such file") from None
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise Refusal(404, "there is no such file")
        return file

    async def export(self, errands: Errands, run: str, name: str) -> bytes:
        """An export of a run, zipped; raises :class:`Refusal` if there is none."""
        with self._folder() as root:
            row = self._row(root, run) if NAME.fullmatch(run) else None
        if row is None or name not in row["formats"]:
            raise Refusal(404, "there is no such export")
        with tempfile.TemporaryDirectory() as folder:
            await errands.run("export", str(self.root / run), "--format", name, "--out", folder, limit_s=EXPORT_S)
            return await asyncio.to_thread(_zipped, Path(folder))

    @contextlib.contextmanager
    def _folder(self) -> Iterator[int]:
        with _opened(str(self.root), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, None) as root:
            yield root


def _zipped(folder: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.glob("[!.]*")):  # without the stamp of who fills the folder
            archive.write(path, path.name)
    return packed.getvalue()


@contextlib.contextmanager
def _opened(name: str, flags: int, within: int | None) -> Iterator[int]:
    file = os.open(name, flags, dir_fd=within)
    try:
        yield file
    finally:
        os.close(file)


def _is_file(name: str, folder: int) -> bool:
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _json(name: str, folder: int) -> dict[str, Any] | None:
    """The object in a JSON file; None if there is none."""
    try:
        with _opened(name, FILE, folder) as file:
            content = json.loads(os.read(file, JSON_MAX)) if stat.S_ISREG(os.fstat(file).st_mode) else None
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _number(summary: dict[str, Any] | None, key: str) -> float | None:
    value = (summary or {}).get(key)
    return float(value) if isinstance(value, (int, float)) else None
