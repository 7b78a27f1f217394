"""Puts a damaged journal in order before a run goes on with it: the original stays, the sound entries move to a new file."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from mine_robot.mission.journal import COLUMNS, Journal, failure
from mine_robot.mission.journal_reader import read_journal, sound_entries

KEPT = tuple(table for table in COLUMNS if table != "ledgers")


def repair(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Rebuild the journal if it is damaged, and say what was lost; nothing is done to a sound one.

    No ledger is taken over: with a target missing, perhaps, no ground may count as searched. Raises
    :class:`~mine_robot.mission.journal.JournalError` if the file cannot be read at all or there is no room for a new one.
    """
    source = Path(path)
    damaged = read_journal(source).damaged
    if not damaged:
        return ()
    entries = sound_entries(source)
    draft = source.with_name(f"{source.stem}.rebuilt{source.suffix}")
    try:
        _remove(draft)
        with Journal(draft) as journal:
            for table in KEPT:
                journal.take_over(table, entries[table])
        kept = _unused(source)
        for suffix in ("", "-wal"):
            if Path(f"{source}{suffix}").exists():
                os.replace(f"{source}{suffix}", f"{kept}{suffix}")
        Path(f"{source}-shm").unlink(missing_ok=True)
        os.replace(draft, source)
        _remove(draft)
    except (OSError, sqlite3.Error) as error:
        raise failure(source, error) from None
    return (*damaged, f"the damaged journal is kept as {kept.name}")


def _unused(source: Path) -> Path:
    """A name for the damaged file that is not taken."""
    number = 1
    while (kept := source.with_name(f"{source.stem}.damaged-{number}{source.suffix}")).exists():
        number += 1
    return kept


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", ".lock"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
