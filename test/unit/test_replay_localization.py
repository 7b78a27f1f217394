"""The localisation of a replay in a process of its own: the same results as in turn, and errors that come through."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest
from replay_drive import record_run

from mine_robot.bringup.replaying import ReplayOptions
from mine_robot.records.errors import RecordError
from mine_robot.records.replay import replay_all
from mine_robot.records.replay_localization import BATCH, LocalizationAhead, localization, localize_log
from mine_robot.records.replay_request import ReplayRequest


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> ReplayRequest:
    """Asks for a replay of a short recorded drive, without pictures."""
    folder = tmp_path_factory.mktemp("ahead")
    return replace(ReplayOptions(record_run(folder / "run")).request(folder / "out"), pictures=False)


def test_ahead_gives_the_same_files_and_lines_as_in_turn(request_: ReplayRequest, tmp_path: Path) -> None:
    told: list[str] = []
    asked = replace(request_, tell=lambda part, _: told.append(part))
    in_turn = replay_all(replace(asked, out=tmp_path / "same"))
    files = {path.name: path.read_bytes() for path in (tmp_path / "same").iterdir()}
    ahead = replay_all(replace(asked, out=tmp_path / "same", ahead=True))
    assert ahead == in_turn and ahead.complete
    assert {path.name: path.read_bytes() for path in (tmp_path / "same").iterdir()} == files
    assert {"reading", "detection"} <= set(told)


def test_every_estimate_comes_once_and_in_order(request_: ReplayRequest, tmp_path: Path) -> None:
    times: list[float] = []
    result = localize_log(replace(request_, out=tmp_path), lambda state: times.append(state.t))
    with localization(replace(request_, out=tmp_path, ahead=True)) as track:
        assert [state.t for state in track] == times
        assert track.result == result
    assert len(times) > BATCH and times == sorted(set(times))  # more than one batch


def test_an_error_in_the_process_is_raised_here(request_: ReplayRequest, tmp_path: Path) -> None:
    asked = replace(request_, log=tmp_path / "none.mcap", ahead=True)
    with localization(asked) as track, pytest.raises(RecordError, match=r"none\.mcap does not exist"):
        list(track)


def test_a_process_that_was_killed_is_an_error(request_: ReplayRequest) -> None:
    inbox, outbox = multiprocessing.Pipe(duplex=False)
    outbox.close()
    with pytest.raises(RecordError, match="was killed"):
        list(LocalizationAhead(request_, inbox))


def test_leaving_early_ends_the_process(request_: ReplayRequest, tmp_path: Path) -> None:
    with localization(replace(request_, out=tmp_path, ahead=True)):
        assert multiprocessing.active_children()
    assert not multiprocessing.active_children()
