"""The log of a long mission: in parts, all of which are read; a disk that was full for a while costs what came meanwhile, and no more."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest
from mcap.writer import Writer

from mine_robot.records.bag import BagReader, BagWriter
from mine_robot.records.run_directory import RunDirectory
from mine_robot.records.run_log import PART_NS, RunLog

TOPIC, TYPE = "/imu", "sensor_msgs/msg/Imu"
SECOND = 10**9


def stamps(folder: Path) -> list[list[int]]:
    """Times of the messages in every part, ns."""
    return [[raw.t_ns for raw in BagReader(part).raw()] for part in RunDirectory(folder).logs()]


def test_a_long_mission_is_written_in_parts(tmp_path: Path) -> None:
    log = RunLog(RunDirectory(tmp_path))
    log.add_topic(TOPIC, TYPE)
    times = [share * PART_NS // 4 for share in range(1, 11)]
    for t in times:
        log.write(TOPIC, t, b"\0" * 8)
    log.close()
    parts = stamps(tmp_path)
    assert [len(part) for part in parts] == [4, 4, 2]
    assert list(chain(*parts)) == times


@pytest.mark.parametrize("jump", [3600, -3600])
def test_a_clock_that_jumps_costs_nothing(tmp_path: Path, jump: int) -> None:
    log = RunLog(RunDirectory(tmp_path))
    log.add_topic(TOPIC, TYPE)
    times = [9000 * SECOND, (9000 + jump) * SECOND, (9001 + jump) * SECOND, (9001 + 2 * jump) * SECOND]
    for t in times:
        log.write(TOPIC, t, b"\0" * 8)
    log.close()
    assert list(chain(*stamps(tmp_path))) == times


def test_after_a_full_disk_a_new_part_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = RunLog(RunDirectory(tmp_path))
    log.add_topic(TOPIC, TYPE)
    full = False

    def limited(act: Callable[..., None]) -> Callable[..., None]:
        def on_the_disk(*arguments: object, **named: object) -> None:
            if full:
                raise OSError(28, "No space left on device")
            act(*arguments, **named)

        return on_the_disk

    monkeypatch.setattr(BagWriter, "write", limited(BagWriter.write))
    monkeypatch.setattr(Writer, "start", limited(Writer.start))
    written, refused = [], []
    for step in range(100):
        t, full = step * SECOND // 4, 20 <= step < 60
        try:
            log.write(TOPIC, t, b"\0" * 8)
            written.append(t)
        except OSError:
            refused.append(t)
    log.close()
    read = list(chain(*stamps(tmp_path)))
    assert set(read) <= set(written)
    assert max(set(written) - set(read), default=0) < 20 * SECOND // 4, (
        "only the last second before the disk was full is lost"
    )
    assert read[-1] == 99 * SECOND // 4
    assert len(RunDirectory(tmp_path).logs()) == 2, "what could not be begun leaves no file"
    assert all(15 * SECOND // 4 < t < 65 * SECOND // 4 for t in refused)


def test_no_place_for_a_log_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be written"):
        RunLog(RunDirectory(tmp_path / "nothing"))
