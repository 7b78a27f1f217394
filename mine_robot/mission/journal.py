"""The journal: what the mission saw and did, on disk before anything else happens.

One SQLite file in WAL mode with ``synchronous=FULL``: a write has reached the disk when the call returns, and a killed process or a power
cut leaves the file as it was after some complete write. Tables only grow. One process writes, any number reads.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from mine_robot.core.types import (
    Goal,
    LedgerGrid,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MissionState,
    MissionStatus,
    Target,
    TargetClass,
)

SCHEMA_VERSION = 1
_TABLES = """
create table if not exists meta (key text primary key, value text not null) without rowid;
create table if not exists events (id integer primary key, t real not null, kind text not null, data text not null);
create table if not exists targets (id integer primary key, target integer not null, t real not null, data text not null);
create index if not exists targets_newest on targets (target, id);
create table if not exists marks (
    id integer primary key, t real not null, target integer not null, kind text not null, data text not null
);
create table if not exists ledgers (
    id integer primary key, t real not null, x0 real not null, y0 real not null, resolution real not null,
    row_count integer not null, column_count integer not null, cells blob not null
);
"""
_STAMP = f"insert or ignore into meta values ('schema', '{SCHEMA_VERSION}');"


class JournalError(RuntimeError):
    """The journal cannot be written or read; one line says why."""


@dataclass(frozen=True)
class JournalRecord:
    """Everything a journal holds: ``statuses`` in order of time, the newest state of each target, marks, the last ledger.

    ``info`` is what was known at the start of the run, ``events`` are (t, kind, data) of everything else.
    """

    info: dict[str, Any]
    statuses: tuple[MissionStatus, ...]
    events: tuple[tuple[float, str, Any], ...]
    targets: tuple[Target, ...]
    mark_requests: tuple[MarkRequest, ...]
    mark_results: tuple[MarkResult, ...]
    ledger: LedgerGrid | None

    @property
    def unresolved(self) -> tuple[MarkRequest, ...]:
        """The last requests that have no result: killed in the middle of a mark."""
        asked = {request.target_id: request for request in self.mark_requests}
        answered = {result.target_id: result.t for result in self.mark_results}
        return tuple(request for target, request in asked.items() if answered.get(target, -np.inf) < request.t)


@dataclass
class _Newest:
    targets: dict[int, str] = field(default_factory=dict)
    ledger: bytes = b""
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
            self._database.executescript(f"begin immediate; {_TABLES} {_STAMP} commit;")
            _check_schema(self._database, self.path)
            for target, data in self._database.execute("select target, data from targets order by id"):
                self._newest.targets[target] = data
        except sqlite3.Error as error:
            self._lock.close()
            raise _failure(self.path, error) from None
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

    def _write(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        try:
            self._database.execute("begin immediate")
            self._database.executemany(statement, rows)
            self._database.execute("commit")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("rollback")
            raise _failure(self.path, error) from None

    def info(self, values: Mapping[str, Any]) -> None:
        """Note facts about the run (field, seed, version); a key written before keeps its first value."""
        rows = [(f"info.{key}", _json(value)) for key, value in values.items()]
        self._write("insert or ignore into meta values (?, ?)", rows)

    def event(self, t: float, kind: str, data: Any) -> None:
        """Append an event; ``data`` is anything JSON can hold."""
        self._write("insert into events (t, kind, data) values (?, ?, ?)", [(t, kind, _json(data))])

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
                rows.append((target.id, t, data))
        if rows:
            self._write("insert into targets (target, t, data) values (?, ?, ?)", rows)
            self._newest.targets.update({target: data for target, _, data in rows})

    def mark_request(self, request: MarkRequest) -> None:
        """Append a mark request; write it before it is sent."""
        self._mark(request.t, request.target_id, "request", asdict(request))

    def mark_result(self, result: MarkResult) -> None:
        """Append a mark result."""
        self._mark(result.t, result.target_id, "result", asdict(result))

    def _mark(self, t: float, target: int, kind: str, data: dict[str, Any]) -> None:
        row = (t, target, kind, _json(data))
        self._write("insert into marks (t, target, kind, data) values (?, ?, ?, ?)", [row])

    def ledger(self, grid: LedgerGrid) -> None:
        """Append a snapshot of the ledger, unless its cells are those of the last one."""
        cells = zlib.compress(np.ascontiguousarray(grid.cells, dtype=np.int8).tobytes(), 6)
        if cells == self._newest.ledger:
            return
        row = (grid.t, grid.x0, grid.y0, grid.resolution, *grid.cells.shape, cells)
        self._write(
            "insert into ledgers (t, x0, y0, resolution, row_count, column_count, cells) values (?, ?, ?, ?, ?, ?, ?)",
            [row],
        )
        self._newest.ledger = cells

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._database.close()
        self._lock.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_journal(path: str | os.PathLike[str]) -> JournalRecord:
    """Read a journal, also while it is being written or from a read-only place; raise :class:`JournalError` if it cannot be."""
    source = Path(path)
    if not source.is_file():
        raise JournalError(f"no journal at {source}")
    try:
        try:
            return _read(source)
        except sqlite3.OperationalError:
            # WAL needs a writable directory: read a copy
            with tempfile.TemporaryDirectory() as folder:
                for suffix in ("", "-wal"):
                    if Path(f"{source}{suffix}").is_file():
                        shutil.copyfile(f"{source}{suffix}", Path(folder) / f"{source.name}{suffix}")
                return _read(Path(folder) / source.name)
    except (sqlite3.Error, OSError) as error:
        raise _failure(source, error) from None
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise JournalError(f"the journal {source} is damaged: {error}") from None


def _read(path: Path) -> JournalRecord:
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=2.0)
    try:
        database.execute("begin")  # one consistent view, whatever is written meanwhile
        _check_schema(database, path)
        meta = database.execute("select key, value from meta").fetchall()
        events = [
            (t, kind, json.loads(data))
            for t, kind, data in database.execute("select t, kind, data from events order by id")
        ]
        targets = {
            target: json.loads(data)
            for target, data in database.execute("select target, data from targets order by id")
        }
        marks = database.execute("select kind, data from marks order by id").fetchall()
        ledger = database.execute(
            "select t, x0, y0, resolution, row_count, column_count, cells from ledgers order by id desc limit 1"
        ).fetchone()
    finally:
        database.close()
    return JournalRecord(
        info={key[5:]: json.loads(value) for key, value in meta if key.startswith("info.")},
        statuses=tuple(_status(data) for _, kind, data in events if kind == "status"),
        events=tuple(event for event in events if event[1] != "status"),
        targets=tuple(Target(**{**data, "kind": TargetClass(data["kind"])}) for data in targets.values()),
        mark_requests=tuple(MarkRequest(**json.loads(data)) for kind, data in marks if kind == "request"),
        mark_results=tuple(_result(json.loads(data)) for kind, data in marks if kind == "result"),
        ledger=None if ledger is None else _grid(ledger),
    )


def _json(data: Any) -> str:
    """JSON text; numpy scalars become numbers."""
    return json.dumps(data, default=lambda value: value.item())


def _status(data: dict[str, Any]) -> MissionStatus:
    return MissionStatus(**{**data, "state": MissionState(data["state"]), "goal": Goal(data["goal"])})


def _result(data: dict[str, Any]) -> MarkResult:
    return MarkResult(**{**data, "status": MarkStatus(data["status"])})


def _grid(row: tuple[Any, ...]) -> LedgerGrid:
    t, x0, y0, resolution, rows, columns, cells = row
    return LedgerGrid(
        t, x0, y0, resolution, np.frombuffer(zlib.decompress(cells), dtype=np.int8).reshape(rows, columns)
    )


def _check_schema(database: sqlite3.Connection, path: Path) -> None:
    row = database.execute("select value from meta where key = 'schema'").fetchone()
    if row is None or row[0] != str(SCHEMA_VERSION):
        found = "none" if row is None else row[0]
        raise JournalError(f"the journal {path} has schema {found}, this program writes {SCHEMA_VERSION}")


def _failure(path: Path, error: Exception) -> JournalError:
    return JournalError(f"the journal {path} cannot be used: {error}")
