"""The journal: what the mission saw and did, on disk before anything else happens.

One SQLite file in WAL mode with ``synchronous=FULL``: a write has reached the disk when the call returns, and a killed process or a power
cut leaves the file as it was after some complete write. Tables only grow, and every row carries a checksum, because SQLite has none for
the rows of its own. One process writes, any number reads (:mod:`mine_robot.mission.journal_reader`).
"""

from __future__ import annotations

import fcntl
import math
import os
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from mine_robot.core.json_text import to_json
from mine_robot.core.types import (
    LedgerGrid,
    MarkRequest,
    MarkResult,
    MissionStatus,
    Pose2,
    Release,
    Remark,
    Target,
    wrap_angle,
)

SCHEMA_VERSION = 2
REMARK_EVENT = "remark"
OVERRIDE_EVENT = "override"
SETTLED_S = (
    3.0  # without a change of the ledger: the detector has had its last word about the ground under the head by then
)
MOVED_M, TURNED_RAD = 0.3, 0.3  # from where the ledger was written last
FULL_EVERY = 200  # changes of the ledger between two full ones, so that a damaged change cannot spoil the rest of a run
COLUMNS = {
    "meta": ("key", "value"),
    "events": ("t", "kind", "data"),
    "targets": ("target", "t", "data"),
    "marks": ("t", "target", "kind", "data"),
    "ledgers": ("t", "frame", "cells"),
}
TABLES = """
create table if not exists meta (id integer primary key, key text not null unique, value text not null, crc integer not null);
create table if not exists events (id integer primary key, t real not null, kind text not null, data text not null, crc integer not null);
create table if not exists targets (
    id integer primary key, target integer not null, t real not null, data text not null, crc integer not null
);
create table if not exists marks (
    id integer primary key, t real not null, target integer not null, kind text not null, data text not null, crc integer not null
);
create table if not exists ledgers (
    id integer primary key, t real not null, frame text not null, cells blob not null, crc integer not null
);
"""


class JournalError(RuntimeError):
    """The journal cannot be written or read; one line says why."""


def failure(path: Path, error: Exception) -> JournalError:
    """An error of SQLite or the disk as one line."""
    return JournalError(f"the journal {path} cannot be used: {error}")


def checksum(values: Iterable[Any]) -> int:
    """CRC-32 of a row: text and numbers as written, bytes as they are."""
    crc = 0
    for value in values:
        data = value if isinstance(value, bytes) else repr(value).encode()
        crc = zlib.crc32(data + b"\0", crc)
    return crc


@dataclass
class _Newest:
    targets: dict[int, str] = field(default_factory=dict)
    cells: NDArray[np.int8] | None = None
    cells_t: float = 0.0
    pose: Pose2 | None = None
    changes: int = 0
    status: MissionStatus | None = None


class Journal:
    """The writer; every method returns after its data is on the disk, or raises :class:`JournalError`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open or continue the journal at ``path``; only one writer at a time."""
        self.path = Path(path)
        self._newest = _Newest()
        self._lock = self._acquire()
        try:
            self._database = sqlite3.connect(self.path, isolation_level=None, timeout=2.0, check_same_thread=False)
            self._database.execute("pragma journal_mode=wal")
            self._database.execute("pragma synchronous=full")
            # In one transaction: a reader finds a whole journal or an empty file.
            stamp = ("schema", str(SCHEMA_VERSION))
            self._database.executescript(
                f"begin immediate; {TABLES} insert or ignore into meta (key, value, crc) "
                f"values ('{stamp[0]}', '{stamp[1]}', {checksum(stamp)}); commit;"
            )
            check_schema(self._database, self.path)
            for target, data in self._database.execute("select target, data from targets order by id"):
                self._newest.targets[target] = data
        except sqlite3.Error as error:
            self._lock.close()
            raise failure(self.path, error) from None
        except JournalError:
            self._lock.close()
            raise

    def _acquire(self) -> TextIO:
        try:
            lock = open(f"{self.path}.lock", "a", encoding="ascii")  # noqa: SIM115 (held as long as the journal)
        except OSError as error:
            raise JournalError(f"cannot write the journal {self.path}: {error.strerror or error}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise JournalError(f"the journal {self.path} is being written by another process") from None
        return lock

    def _write(self, table: str, rows: Iterable[tuple[Any, ...]], *, ignore: bool = False) -> None:
        columns = COLUMNS[table]
        marks = ", ".join("?" * (len(columns) + 1))
        word = "insert or ignore" if ignore else "insert"
        statement = f"{word} into {table} ({', '.join(columns)}, crc) values ({marks})"
        try:
            self._database.execute("begin immediate")
            self._database.executemany(statement, [(*row, checksum(row)) for row in rows])
            self._database.execute("commit")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("rollback")
            raise failure(self.path, error) from None

    def info(self, values: Mapping[str, Any]) -> None:
        """Note facts about the run (field, seed, version); a key written before keeps its first value."""
        self._write("meta", [(f"info.{key}", _json(value)) for key, value in values.items()], ignore=True)

    def event(self, t: float, kind: str, data: Any) -> None:
        """Append an event; ``data`` is anything JSON can hold."""
        self._write("events", [(float(t), kind, _json(data))])

    def status(self, status: MissionStatus) -> None:
        """Append a state of the mission, unless only its stamp is new (the heartbeat)."""
        if self._newest.status is None or replace(status, t=self._newest.status.t) != self._newest.status:
            self.event(status.t, "status", asdict(status))
            self._newest.status = status

    def targets(self, t: float, targets: Iterable[Target]) -> None:
        """Append the targets that are new or changed."""
        rows = []
        for target in targets:
            data = _json(asdict(target))
            if self._newest.targets.get(target.id) != data:
                rows.append((target.id, float(t), data))
        if rows:
            self._write("targets", rows)
            self._newest.targets.update({target: data for target, _, data in rows})

    def mark_request(self, request: MarkRequest) -> None:
        """Append a mark request; write it before it is sent."""
        self._mark(request.t, request.target_id, "request", asdict(request))

    def mark_result(self, result: MarkResult) -> None:
        """Append a mark result."""
        self._mark(result.t, result.target_id, "result", asdict(result))

    def remark(self, remark: Remark) -> None:
        """Append what a person says."""
        self.event(remark.t, REMARK_EVENT, asdict(remark))

    def override(self, t: float, remark: Remark, releases: Iterable[Release]) -> None:
        """Append that a person takes halos back: who, what, where (x, y in m a place), and since when the target was known, s."""
        known = self._database.execute("select min(t) from targets where target = ?", (remark.target_id,)).fetchone()
        where = [[one.x, one.y] if math.isfinite(one.x + one.y) else None for one in releases]
        what = f"target {remark.target_id} released: {remark.comment}"
        content = {"who": remark.author, "what": what, "where": where, "since": known[0], "remark": asdict(remark)}
        self.event(t, OVERRIDE_EVENT, content)

    def _mark(self, t: float, target: int, kind: str, data: dict[str, Any]) -> None:
        self._write("marks", [(float(t), target, kind, _json(data))])

    def ledger(self, grid: LedgerGrid, pose: Pose2 | None = None) -> None:
        """Append what has changed in the ledger since the last time; ``pose`` is where the robot was.

        Ground near the head at the last entry is in doubt for a successor. A robot that has long driven on, over it perhaps, says so by an
        entry that changes nothing.
        """
        cells, last = np.ascontiguousarray(grid.cells, dtype=np.int8), self._newest.cells
        full = last is None or last.shape != cells.shape or self._newest.changes >= FULL_EVERY
        rows, columns = slice(0, cells.shape[0]), slice(0, cells.shape[1])
        if not full:
            changed = cells != last
            if not changed.any():
                if not self._drove_on(grid.t, pose):
                    return
                changed[0, 0] = True  # an entry has at least one cell
            rows, columns = _extent(changed.any(axis=1)), _extent(changed.any(axis=0))
        frame = {
            "x0": grid.x0, "y0": grid.y0, "resolution": grid.resolution, "shape": list(cells.shape), "full": full,
            "rows": [rows.start, rows.stop], "columns": [columns.start, columns.stop],
            "pose": None if pose is None else [pose.x, pose.y, pose.yaw],
        }  # fmt: skip
        data = zlib.compress(np.ascontiguousarray(cells[rows, columns]).tobytes(), 6)
        self._write("ledgers", [(float(grid.t), _json(frame), data)])
        self._newest.cells, self._newest.cells_t, self._newest.pose = cells.copy(), grid.t, pose
        self._newest.changes = 0 if full else self._newest.changes + 1

    def _drove_on(self, t: float, pose: Pose2 | None) -> bool:
        """Whether the robot has left the place of the last entry, and had the time to say all that it knew of it."""
        old = self._newest.pose
        if old is None or pose is None or t - self._newest.cells_t < SETTLED_S:
            return False
        turned = abs(wrap_angle(pose.yaw - old.yaw))
        return math.hypot(pose.x - old.x, pose.y - old.y) > MOVED_M or turned > TURNED_RAD

    def take_over(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Append rows of another journal's ``table`` as they are."""
        self._write(table, rows, ignore=True)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._database.close()
        self._lock.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_schema(database: sqlite3.Connection, path: Path) -> None:
    """Raise :class:`JournalError` unless the journal was written by this version's schema."""
    row = database.execute("select value from meta where key = 'schema'").fetchone()
    if row is None or row[0] != str(SCHEMA_VERSION):
        found = "none" if row is None else row[0]
        raise JournalError(f"the journal {path} has schema {found}, this program writes {SCHEMA_VERSION}")


def _extent(changed: NDArray[np.bool_]) -> slice:
    """The range that holds every set element."""
    at = np.flatnonzero(changed)
    return slice(int(at[0]), int(at[-1]) + 1)


def _json(data: Any) -> str:
    """JSON text that reads back as it was."""
    return to_json(data, exact=True)
