"""Reads a journal, also while it is being written, from a read-only place, or after a kill; what is damaged is found and named."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mine_robot.core.hazards import believed
from mine_robot.core.types import (
    Goal,
    LedgerGrid,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MissionState,
    MissionStatus,
    Pose2,
    Release,
    Remark,
    RemarkKind,
    Target,
    TargetClass,
)
from mine_robot.mission.journal import (
    COLUMNS,
    OVERRIDE_EVENT,
    REMARK_EVENT,
    JournalError,
    check_schema,
    checksum,
    failure,
)
from mine_robot.mission.wal import lost_frames

ROWS_A_LOOK = 64  # a damaged page costs the rows of as many ids at most
Row = tuple[Any, ...]


@dataclass(frozen=True)
class JournalRecord:
    """Everything a journal holds: ``statuses`` in order of time, the newest state of each target, marks, the last ledger.

    ``info`` is what was known at the start of the run, ``events`` are (t, kind, data) of everything else, ``ledger_pose`` is where the
    robot was when ``ledger`` was written. ``target_times`` are the times at which each target was found or changed, in s, ``highest_p`` is
    the highest probability that each ever had, ``history`` all that was said of targets, in that order. ``damaged`` says in words which
    entries could not be used.
    """

    info: dict[str, Any]
    statuses: tuple[MissionStatus, ...]
    events: tuple[tuple[float, str, Any], ...]
    targets: tuple[Target, ...]
    mark_requests: tuple[MarkRequest, ...]
    mark_results: tuple[MarkResult, ...]
    ledger: LedgerGrid | None
    ledger_pose: Pose2 | None = None
    target_times: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    highest_p: Mapping[int, float] = field(default_factory=dict)
    history: tuple[Target, ...] = ()
    damaged: tuple[str, ...] = ()

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What people said, in order of time."""
        said = [data for _, kind, data in self.events if kind == REMARK_EVENT]
        said += [data["remark"] for _, kind, data in self.events if kind == OVERRIDE_EVENT]
        remarks = (Remark(**{**data, "kind": RemarkKind(data["kind"])}) for data in said)
        return tuple(sorted(remarks, key=lambda remark: remark.t))

    @property
    def releases(self) -> tuple[tuple[float, Release], ...]:
        """The halos that people took back, and when, s."""
        said = [(t, data) for t, kind, data in self.events if kind == OVERRIDE_EVENT]
        return tuple((t, release) for t, data in said for release in _releases(data))

    @property
    def unresolved(self) -> tuple[MarkRequest, ...]:
        """The last requests that have no result: killed in the middle of a mark."""
        asked = {request.target_id: request for request in self.mark_requests}
        answered = {result.target_id: result.t for result in self.mark_results}
        return tuple(request for target, request in asked.items() if answered.get(target, -np.inf) < request.t)


def is_blank(path: str | os.PathLike[str]) -> bool:
    """True if there is no journal yet, or one that its writer has only just begun."""
    source = Path(path)
    if not source.is_file() or (source.stat().st_size == 0 and not Path(f"{source}-wal").is_file()):
        return True
    try:
        with contextlib.closing(_connect(source)) as database:
            return bool(database.execute("select count(*) from sqlite_master").fetchone()[0] == 0)
    except sqlite3.Error:
        return False


def in_use(path: str | os.PathLike[str]) -> bool:
    """True if a writer has the journal open."""
    try:
        with open(f"{path}.lock", "a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def read_journal(path: str | os.PathLike[str]) -> JournalRecord:
    """Read a journal; raise :class:`JournalError` if it cannot be, and list in ``damaged`` what had to be left out."""
    source = Path(path)
    if not source.is_file():
        raise JournalError(f"no journal at {source}")
    try:
        cut = lost_frames(source)
        try:
            return _read(source, cut)
        except sqlite3.OperationalError:
            # WAL needs a writable directory: read a copy
            with tempfile.TemporaryDirectory() as folder:
                for suffix in ("", "-wal"):
                    if Path(f"{source}{suffix}").is_file():
                        shutil.copyfile(f"{source}{suffix}", Path(folder) / f"{source.name}{suffix}")
                return _read(Path(folder) / source.name, cut)
    except (sqlite3.Error, OSError) as error:
        raise failure(source, error) from None
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise JournalError(f"the journal {source} is damaged: {error}") from None


def sound_entries(path: Path) -> dict[str, list[Row]]:
    """The rows of every table whose checksum fits, columns as in :data:`~mine_robot.mission.journal.COLUMNS`."""
    with contextlib.closing(_connect(path)) as database:
        return {table: list(_sound_rows(database, table, [])) for table in COLUMNS}


def released_in(path: Path) -> frozenset[Release]:
    """The halos that people took back, by the sound entries of a journal that may be in use; raises :class:`JournalError`."""
    try:
        with contextlib.closing(_connect(path)) as database:
            rows = database.execute(
                "select t, kind, data, crc from events where kind = ?", (OVERRIDE_EVENT,)
            ).fetchall()
        sound = [data for t, kind, data, crc in rows if checksum((t, kind, data)) == crc]
        return frozenset(release for data in sound for release in _releases(json.loads(data)))
    except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
        raise failure(path, error) from None


def _releases(data: Mapping[str, Any]) -> list[Release]:
    """The places that an override takes back."""
    target = int(data["remark"]["target_id"])
    return [Release(target, *(at or (math.nan, math.nan))) for at in data["where"]]


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=2.0)
    database.text_factory = lambda data: data.decode("utf-8", "replace")
    return database


def _read(path: Path, cut: int) -> JournalRecord:
    damaged = [f"{cut} writes at the end of the journal are cut off by damage"] if cut else []
    with contextlib.closing(_connect(path)) as database:
        database.execute("begin")  # one consistent view, whatever is written meanwhile
        check_schema(database, path)
        rows = {table: list(_sound_rows(database, table, damaged)) for table in COLUMNS}
    events = [(t, kind, json.loads(data)) for t, kind, data in rows["events"]]
    marks = [(kind, json.loads(data)) for _, _, kind, data in rows["marks"]]
    history = [_target(json.loads(data)) for _, _, data in rows["targets"]]
    targets: dict[int, Target] = {}
    for target in history:
        targets[target.id] = believed(targets.get(target.id), target)
    highest_p: dict[int, float] = {}
    for target in history:
        highest_p[target.id] = max(target.p_hazard, highest_p.get(target.id, 0.0))
    times: dict[int, tuple[float, ...]] = {}
    for number, t, _ in rows["targets"]:
        times[number] = (*times.get(number, ()), t)
    ledger, pose = _ledger(rows["ledgers"])
    return JournalRecord(
        info={key[5:]: json.loads(value) for key, value in rows["meta"] if key.startswith("info.")},
        statuses=tuple(_status(data) for _, kind, data in events if kind == "status"),
        events=tuple(event for event in events if event[1] != "status"),
        targets=tuple(targets.values()),
        mark_requests=tuple(MarkRequest(**data) for kind, data in marks if kind == "request"),
        mark_results=tuple(_result(data) for kind, data in marks if kind == "result"),
        ledger=ledger,
        ledger_pose=pose,
        target_times=times,
        highest_p=highest_p,
        history=tuple(history),
        damaged=tuple(damaged),
    )


def _sound_rows(database: sqlite3.Connection, table: str, damaged: list[str]) -> Iterator[Row]:
    """Rows of ``table`` in order of writing whose checksum fits; the others, and ids that are missing, are noted in ``damaged``."""
    bad, found, expected = 0, 0, 1
    for row in _rows(database, table, damaged):
        number, *values, crc = row
        bad += number - expected if table != "meta" else 0
        expected = number + 1
        if checksum(values) == crc:
            found += 1
            yield tuple(values)
        else:
            bad += 1
    if bad:
        damaged.append(f"{bad} of {found + bad} entries in '{table}' are damaged")


def _rows(database: sqlite3.Connection, table: str, damaged: list[str]) -> Iterator[Row]:
    """Every row that can be read, by id; where a page is broken, those beyond it."""
    query = f"select id, {', '.join(COLUMNS[table])}, crc from {table}"
    try:
        yield from database.execute(f"{query} order by id").fetchall()
        return
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        damaged.append(f"a page of '{table}' cannot be read ({error})")
    number, misses = 1, 0
    while misses < 4:  # looks in a row that found nothing
        rows = list(_some(database, query, range(number, number + ROWS_A_LOOK)))
        misses = 0 if rows else misses + 1
        yield from rows
        number += ROWS_A_LOOK


def _some(database: sqlite3.Connection, query: str, numbers: Iterable[int]) -> Iterator[Row]:
    for number in numbers:
        with contextlib.suppress(sqlite3.DatabaseError):
            yield from database.execute(f"{query} where id = ?", (number,)).fetchall()


def _status(data: dict[str, Any]) -> MissionStatus:
    released = tuple(Release(**one) for one in data.get("released", ()))
    words = {"state": MissionState(data["state"]), "goal": Goal(data["goal"]), "released": released}
    return MissionStatus(**{**data, **words})


def _target(data: dict[str, Any]) -> Target:
    return Target(**{**data, "kind": TargetClass(data["kind"])})


def _result(data: dict[str, Any]) -> MarkResult:
    return MarkResult(**{**data, "status": MarkStatus(data["status"])})


def _ledger(rows: list[Row]) -> tuple[LedgerGrid | None, Pose2 | None]:
    """The ledger after the last change, put together from the last full one, and the pose noted with it."""
    frames = [json.loads(frame) for _, frame, _ in rows]
    start = next((i for i in reversed(range(len(rows))) if frames[i]["full"]), None)
    if start is None:
        return None, None
    cells = np.zeros(frames[start]["shape"], dtype=np.int8)
    for (_, _, data), frame in zip(rows[start:], frames[start:]):
        window = slice(*frame["rows"]), slice(*frame["columns"])
        cells[window] = np.frombuffer(zlib.decompress(data), dtype=np.int8).reshape(cells[window].shape)
    last = frames[-1]
    pose = None if last["pose"] is None else Pose2(*last["pose"])
    return LedgerGrid(rows[-1][0], last["x0"], last["y0"], last["resolution"], cells), pose
