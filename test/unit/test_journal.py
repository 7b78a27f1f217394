"""The journal: what went in comes out, after a kill at any moment, and one clear line when the disk fails."""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mission_bench import target

from mine_robot.core.types import (
    Cell,
    Goal,
    LedgerGrid,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MissionState,
    MissionStatus,
    Pose2,
    Remark,
    RemarkKind,
    Target,
)
from mine_robot.mission.journal import Journal, JournalError
from mine_robot.mission.journal_reader import in_use, is_blank, read_journal
from mine_robot.mission.journal_repair import repair
from mine_robot.pipeline.recall import memory_of

STATUS = MissionStatus(1.5, MissionState.SEARCH, "searching", Goal.SEARCH, -1, 1.2, 3, 2, 1)
RESULT = MarkResult(4.0, 7, MarkStatus.CONFIRMED, 1.0, 2.0, "pulse current 1.20 A")


def grid(t: float = 0.0, value: int = Cell.PENDING) -> LedgerGrid:
    cells = np.full((30, 40), value, dtype=np.int8)
    cells[3:9, 5:20] = Cell.OUTSIDE
    return LedgerGrid(t, -2.0, 1.0, 0.05, cells)


def fill(journal: Journal) -> None:
    journal.info({"field": "demo", "seed": 4})
    journal.status(STATUS)
    journal.event(2.0, "note", {"text": "wind"})
    journal.targets(2.5, (target(7), target(8, p=0.2)))
    journal.mark_request(MarkRequest(3.0, 7, 1.0, 2.0))
    journal.mark_result(RESULT)
    journal.ledger(grid(5.0))


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite") as journal:
        fill(journal)
        journal.targets(6.0, (target(7, x=5.1), target(8, p=0.2)))
        journal.ledger(grid(7.0, Cell.SEARCHED))
    record = read_journal(tmp_path / "j.sqlite")
    assert record.info == {"field": "demo", "seed": 4}
    assert record.statuses == (STATUS,)
    assert record.events == ((2.0, "note", {"text": "wind"}),)
    assert {entry.id: entry.x for entry in record.targets} == {7: 5.1, 8: 5.0}
    assert all(isinstance(entry, Target) for entry in record.targets)
    assert record.mark_requests == (MarkRequest(3.0, 7, 1.0, 2.0),)
    assert record.mark_results == (RESULT,)
    assert (record.ledger.t, record.ledger.x0, record.ledger.resolution) == (7.0, -2.0, 0.05)
    assert np.array_equal(record.ledger.cells, grid(7.0, Cell.SEARCHED).cells)
    assert record.unresolved == ()


def test_an_empty_journal_reads(tmp_path: Path) -> None:
    Journal(tmp_path / "j.sqlite").close()
    record = read_journal(tmp_path / "j.sqlite")
    assert (record.info, record.statuses, record.targets, record.ledger) == ({}, (), (), None)


def test_is_continued_and_what_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    for _ in range(3):
        with Journal(path) as journal:
            journal.info({"seed": 4})
            journal.targets(1.0, (target(7),))
            journal.targets(2.0, (target(7),))
            journal.ledger(grid(1.0))
            journal.ledger(grid(2.0))
    with sqlite3.connect(path) as database:
        assert database.execute("select count(*) from targets").fetchone() == (1,)
        assert database.execute("select count(*) from ledgers").fetchone() == (3,)
    database.close()


def test_numbers_that_are_not_finite_and_numpy_scalars_survive(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite") as journal:
        journal.mark_result(MarkResult(np.float64(1.0), 1, MarkStatus.FAILED, math.nan, math.nan, "ü"))
        journal.event(1.0, "scores", {"n": np.int64(3), "p": np.float32(0.5)})
    record = read_journal(tmp_path / "j.sqlite")
    assert math.isnan(record.mark_results[0].x)
    assert record.events[0][2] == {"n": 3, "p": 0.5}


def test_an_interrupted_mark_is_known(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite") as journal:
        fill(journal)
        journal.mark_request(MarkRequest(9.0, 12, 0.0, 0.0))
        journal.mark_request(MarkRequest(10.0, 7, 0.0, 0.0))
    assert [request.target_id for request in read_journal(tmp_path / "j.sqlite").unresolved] == [7, 12]


def test_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite") as journal:
        fill(journal)
        assert read_journal(tmp_path / "j.sqlite").mark_results == (RESULT,)
        journal.status(replace(STATUS, t=1.7))
        assert len(read_journal(tmp_path / "j.sqlite").statuses) == 1
        journal.status(replace(STATUS, t=1.7, reason="other"))
        assert len(read_journal(tmp_path / "j.sqlite").statuses) == 2


def test_only_one_writer(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite"), pytest.raises(JournalError, match="another process"):
        Journal(tmp_path / "j.sqlite")
    Journal(tmp_path / "j.sqlite").close()


def test_copies_cut_at_any_byte_of_the_log_read_as_some_complete_write(tmp_path: Path) -> None:
    """What a power cut can leave: the file with a write-ahead log that ends anywhere."""
    with Journal(tmp_path / "j.sqlite") as journal:
        for index in range(20):
            journal.event(float(index), "n", index)
        shutil.copyfile(tmp_path / "j.sqlite", tmp_path / "base")
        log = (tmp_path / "j.sqlite-wal").read_bytes()
    rng = random.Random(1)
    seen = set()
    for case in range(40):
        copy = tmp_path / f"cut{case}.sqlite"
        shutil.copyfile(tmp_path / "base", copy)
        length = rng.randrange(len(log) // 2, len(log) + 1)
        (tmp_path / f"cut{case}.sqlite-wal").write_bytes(log[:length] + rng.randbytes(rng.randrange(0, 200)))
        with Journal(copy) as journal:
            journal.event(99.0, "after", None)
        events = read_journal(copy).events
        assert [data for _, kind, data in events if kind == "n"] == list(range(len(events) - 1))
        seen.add(len(events))
    assert len(seen) > 3


def test_a_killed_writer_loses_nothing_it_confirmed(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import sys
        from mine_robot.mission.journal import Journal
        journal = Journal(sys.argv[1])
        for index in range(10**6):
            journal.event(float(index), "n", index)
            print(index, flush=True)
    """)
    path = tmp_path / "j.sqlite"
    child = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    confirmed = [int(child.stdout.readline()) for _ in range(25)]
    child.send_signal(signal.SIGKILL)
    confirmed += [int(line) for line in child.stdout if line.endswith("\n")]
    child.wait(timeout=20)
    child.stdout.close()
    events = read_journal(path).events
    assert [data for _, _, data in events][: len(confirmed)] == confirmed
    with Journal(path) as journal:
        journal.event(0.0, "n", -1)
    assert len(read_journal(path).events) == len(events) + 1


@pytest.mark.parametrize("place", ["missing", "/proc"])
def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path: Path, place: str) -> None:
    with pytest.raises(JournalError, match="cannot write the journal") as caught:
        Journal(tmp_path / place / "j.sqlite")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_readonly_directory_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(JournalError, match="cannot write the journal"):
            Journal(tmp_path / "j.sqlite")
    finally:
        tmp_path.chmod(0o700)


def test_a_full_disk_is_one_clear_line_and_the_journal_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite") as journal:
        fill(journal)
        pages = journal._database.execute("pragma page_count").fetchone()[0]
        journal._database.execute(f"pragma max_page_count={pages}")
        with pytest.raises(JournalError, match="full"):
            journal.event(9.0, "big", "x" * 100_000)
        journal._database.execute("pragma max_page_count=100000")
        journal.event(9.0, "small", "x")
    assert [kind for _, kind, _ in read_journal(tmp_path / "j.sqlite").events] == ["note", "small"]


def test_reads_without_leave_to_write(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    fill(journal)
    place = tmp_path / "medium"
    place.mkdir()
    for suffix in ("", "-wal"):
        shutil.copyfile(tmp_path / f"j.sqlite{suffix}", place / f"j.sqlite{suffix}")
    journal.close()
    place.chmod(0o500)
    try:
        assert read_journal(place / "j.sqlite").mark_results == (RESULT,)
    finally:
        place.chmod(0o700)


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_file_that_is_no_journal_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "j.sqlite").write_bytes(content)
    with pytest.raises(JournalError) as caught:
        read_journal(tmp_path / "j.sqlite")
    assert "\n" not in str(caught.value)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    with Journal(path) as journal:
        fill(journal)
        journal._database.execute("update meta set value = '99' where key = 'schema'")
    with pytest.raises(JournalError, match="schema 99"):
        read_journal(path)
    with pytest.raises(JournalError, match="schema 99"):
        Journal(path)
    with pytest.raises(JournalError, match="no journal"):
        read_journal(tmp_path / "nothing.sqlite")


def test_a_changed_row_is_left_out_and_named(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    with Journal(path) as journal:
        fill(journal)
        journal._database.execute("update marks set data = replace(data, '1.0', '1.5') where kind = 'request'")
        journal._database.execute("delete from targets where target = 7")
    record = read_journal(path)
    assert record.mark_requests == ()
    assert record.mark_results == (RESULT,)
    assert record.damaged == ("1 of 2 entries in 'targets' are damaged", "1 of 2 entries in 'marks' are damaged")
    assert memory_of(record).grid is None  # a target may be missing: nothing counts as searched


def test_a_changed_ledger_is_written_as_its_changes(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    rng = np.random.default_rng(4)
    cells = grid().cells.copy()
    with Journal(path) as journal:
        for index in range(450):
            row, column = rng.integers(0, 27), rng.integers(0, 36)
            cells[row : row + 3, column : column + 4] = rng.choice([Cell.SEARCHED, Cell.HALO, Cell.PENDING])
            journal.ledger(LedgerGrid(float(index), -2.0, 1.0, 0.05, cells.copy()), Pose2(0.1 * index, 0.0, 0.0))
        full = journal._database.execute("select count(*) from ledgers where frame like '%\"full\": true%'").fetchone()
    record = read_journal(path)
    assert np.array_equal(record.ledger.cells, cells)
    assert record.ledger_pose.x > 40.0
    assert full[0] == 3


def test_a_robot_that_drove_on_leaves_the_doubt_about_its_old_place_behind(tmp_path: Path) -> None:
    """A mission killed after a turn stood with its tracks on what had been under its head at the last change, and stayed there."""
    path = tmp_path / "j.sqlite"
    old, near, far = Pose2(1.0, 0.0, 0.0), Pose2(1.2, 0.0, 0.1), Pose2(1.0, 0.0, 1.2)
    with Journal(path) as journal:
        for t, pose in ((0.0, old), (2.0, far), (9.0, near)):
            journal.ledger(grid(t), pose)
            assert read_journal(path).ledger_pose == old  # too soon for the detector's last word, then too near
        journal.ledger(grid(9.5), far)
    record = read_journal(path)
    assert record.ledger_pose == far
    assert np.array_equal(record.ledger.cells, grid().cells)


def damage(path: Path, rng: random.Random) -> None:
    """Flip a bit or cut the end of one of the journal's files."""
    files = [file for file in (path, Path(f"{path}-wal")) if file.is_file() and file.stat().st_size > 0]
    victim = rng.choice(files)
    data = bytearray(victim.read_bytes())
    if rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
    else:
        for _ in range(rng.choice((1, 1, 5))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    victim.write_bytes(bytes(data))


@pytest.mark.parametrize("checkpointed", [True, False])
def test_truncated_and_bit_flipped_journals_never_lie(tmp_path: Path, checkpointed: bool) -> None:
    """Whatever is read was written; what is missing is named; what can be read can be gone on with, and the original is kept."""
    whole = tmp_path / "whole.sqlite"
    journal = Journal(whole)
    for index in range(60):
        journal.targets(float(index), (target(index, x=0.5 * index),))
        journal.mark_request(MarkRequest(float(index), index, 0.5 * index, 0.0))
        journal.mark_result(MarkResult(index + 0.5, index, MarkStatus.CONFIRMED, 0.5 * index, 0.0, "x" * 40))
    if checkpointed:
        journal._database.execute("pragma wal_checkpoint(truncate)")
    files = {suffix: Path(f"{whole}{suffix}").read_bytes() for suffix in ("", "-wal")}
    journal.close()
    before = read_journal(whole)
    rng = random.Random(5 + checkpointed)
    refused = named = silent = 0
    for case in range(120):
        path = tmp_path / f"case{case}.sqlite"
        for suffix, data in files.items():
            Path(f"{path}{suffix}").write_bytes(data)
        damage(path, rng)
        try:
            record = read_journal(path)
        except JournalError as error:
            refused += 1
            assert "\n" not in str(error)
            continue
        assert set(record.targets) <= set(before.targets)
        assert set(record.mark_requests) <= set(before.mark_requests)
        assert set(record.mark_results) <= set(before.mark_results)
        if record.damaged:
            named += 1
            lines = repair(path)
            assert "kept as" in lines[-1]
            assert list(tmp_path.glob(f"case{case}.damaged-1.sqlite*"))
            again = read_journal(path)
            assert (again.damaged, again.ledger) == ((), None)
            assert set(again.mark_results) == set(record.mark_results)
            with Journal(path) as continued:
                continued.event(99.0, "goes on", None)
        elif record.targets != before.targets or record.mark_results != before.mark_results:
            silent += 1  # only the last write of a log that was merely cut short, as a power cut leaves it
            assert not checkpointed
            assert record.mark_results == before.mark_results[: len(record.mark_results)]
    assert named > 20, (refused, named, silent)


def test_a_journal_that_is_going_on_is_known(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    assert is_blank(path)
    assert not in_use(path)
    with Journal(path):
        assert in_use(path)
        assert not is_blank(path)
    assert not in_use(path)
    path.unlink()
    path.touch()
    assert is_blank(path)


def test_what_people_say_is_kept_word_for_word(tmp_path: Path) -> None:
    said = [
        Remark(4.0, "a1", RemarkKind.REJECT, 7, "'); drop table events; -- şüşə", "viewer 1"),
        Remark(5.0, "a2", RemarkKind.ACKNOWLEDGE, -1, "", "viewer 2"),
    ]
    with Journal(tmp_path / "j.sqlite") as journal:
        fill(journal)
        for remark in said:
            journal.remark(remark)
    record = read_journal(tmp_path / "j.sqlite")
    assert list(record.remarks) == said
    assert {target.id for target in record.targets} == {7, 8} and record.ledger is not None
    assert record.target_times == {7: (2.5,), 8: (2.5,)}
