"""Messages of a recording, whoever made it: MCAP, rosbag2 folder (MCAP or sqlite3), bare sqlite3 file, or a ROS 1 bag."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from mine_robot.records.bag import BagReader
from mine_robot.records.errors import RecordError
from mine_robot.ros.decode import Refusals

MCAP, PLAIN = ".mcap", (".db3", ".bag")
TELL_EVERY = 2000  # messages between two reports of progress
Progress = Callable[[float], None]  # hears the share of a task that is done, 0 to 1


class LogSource:
    """A recording. ``topics`` maps the names of topics that have messages to their types; use it as a context manager.

    ``refusals`` has the messages that are none of their type; whoever decodes the others adds to them.
    """

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        """Open ``path``; raises :class:`RecordError` with one line if it is no recording."""
        if not path.exists():
            raise RecordError(f"the log {path} does not exist")
        self.path, self._progress = path, progress
        self.problems: list[str] = []
        self.refusals = Refusals()
        self._mcap: list[BagReader] = []
        self._reader: AnyReader | None = None
        files = _files(path)
        if files and all(file.suffix == MCAP for file in files):
            self._mcap = [BagReader(file, self.refusals) for file in files]
            self._size = max(sum(file.stat().st_size for file in files), 1)
            self.topics = {
                name: kind for file in files for name, kind in _topics(file, file.stat().st_mtime_ns).items()
            }
            return
        try:
            self._reader = AnyReader(files or [path], default_typestore=get_typestore(Stores.ROS2_JAZZY))
            self._reader.open()
        except Exception as error:  # the readers of four formats raise many kinds for one thing: not readable
            self._reader = None
            raise RecordError(f"{path} cannot be read as a ROS recording: {_line(error)}") from None
        self.topics = {one.topic: one.msgtype for one in self._reader.connections if one.msgcount}

    def __enter__(self) -> LogSource:
        return self

    def __exit__(self, *_: object) -> None:
        if self._reader is not None:
            self._reader.close()

    def messages(self, topics: Mapping[str, Any]) -> Iterator[tuple[str, int, Any]]:
        """Yield ``(topic, t_ns, message)`` of ``topics`` in the order of recording; ``problems`` and ``refusals`` have the rest."""
        found = self._converted(topics) if self._reader is not None else self._own(topics)
        for count, item in enumerate(found):
            if self._progress is not None and count % TELL_EVERY == 0:
                self._progress(self._share(item[1]))
            yield item

    def first(self, topic: str) -> Any:
        """The first message of a topic that can be read; None if there is none."""
        found = self._converted([topic]) if self._reader is not None else self._own([topic])
        problems = len(self.problems)
        message = next((item[2] for item in found), None)
        del self.problems[problems:]  # they are said when the log is read
        return message

    def _share(self, t_ns: int) -> float:
        """How much of the recording was read when a message of ``t_ns`` came."""
        if self._reader is not None:
            return min((t_ns - self._reader.start_time) / max(self._reader.duration, 1), 1.0)
        return sum(reader.position for reader in self._mcap) / self._size

    def _own(self, topics: Collection[str]) -> Iterator[tuple[str, int, Any]]:
        """MCAP, read without its index, so that a file cut short is as good as any."""
        for reader in self._mcap:
            reader.position = 0
        for reader in self._mcap:
            yield from reader.messages(set(topics))
            if reader.truncated:
                self.problems.append(f"{reader.path.name} is cut short")
            if reader.damaged:
                self.problems.append(f"{reader.path.name}: {reader.damaged} damaged pieces were skipped")

    def _converted(self, topics: Collection[str]) -> Iterator[tuple[str, int, Any]]:
        """Whatever ``rosbags`` reads."""
        assert self._reader is not None
        wanted = [connection for connection in self._reader.connections if connection.topic in topics]
        try:
            for connection, t_ns, data in self._reader.messages(connections=wanted):
                try:
                    message = self._reader.deserialize(data, connection.msgtype)
                except Exception as error:  # as many kinds as above
                    self.refusals.note(connection.topic, f"no {connection.msgtype}: {_line(error)}")
                    continue
                yield connection.topic, t_ns, message
        except Exception as error:  # a damaged file; what came before it stands
            self.problems.append(f"{self.path.name} cannot be read to its end: {_line(error)}")


@lru_cache(maxsize=256)
def _topics(file: Path, changed_ns: int) -> Mapping[str, str]:
    """Topics of an MCAP file, as long as it has not changed: a replay opens its log several times."""
    return BagReader(file).topics()


def _files(path: Path) -> list[Path]:
    """The files of a recording that need no ``metadata.yaml``; empty for what the rosbag2 reader is to open as a folder."""
    if path.is_file():
        if path.suffix not in (MCAP, *PLAIN):
            raise RecordError(f"{path} is not a recording: expected a folder, .mcap, .db3 or .bag")
        return [path]
    mcap = sorted(path.glob("*.mcap"), key=_part)
    if mcap:
        return mcap
    if (path / "metadata.yaml").is_file():
        return []
    plain = sorted(path.glob("*.db3"), key=_part)
    if not plain:
        raise RecordError(f"the folder {path} holds no recording")
    return plain


def _part(path: Path) -> tuple[str, int]:
    """Order of the files of a split recording: ``log``, ``log_2``, ... ``log_10``."""
    name, number = re.fullmatch(r"(.*?)(?:_(\d+))?", path.stem).groups()  # type: ignore[union-attr]
    return name, int(number or 0)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
