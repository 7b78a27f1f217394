"""The log of a running mission: one MCAP file after the other, for as long as the mission lasts."""

from __future__ import annotations

from typing import Any

from mine_robot.records.bag import BagWriter
from mine_robot.records.errors import RecordError
from mine_robot.records.run_directory import RunDirectory

PART_NS = 2 * 3600 * 10**9  # the index of a part is in memory until its end: 6 MB an hour
RETRY_NS = 10**9


class RunLog:
    """Writes like a :class:`BagWriter`, and begins a new part after two hours, or when a part could not be written.

    A write that fails half way, on a full disk say, leaves a torn file of which readers take what came before: what comes later goes to
    another one.
    """

    def __init__(self, directory: RunDirectory) -> None:
        """Begin the next part of the run; raises :class:`RecordError` if it cannot be written."""
        self._directory = directory
        self._topics: list[tuple[str, str, dict[str, Any]]] = []
        self._bag: BagWriter | None = BagWriter(directory.next_log())
        self._begin_ns: int | None = None
        self._retry_ns = 0

    def add_topic(self, topic: str, type_name: str, **quality: Any) -> None:
        """Announce a topic, see :meth:`BagWriter.add_topic`."""
        self._topics.append((topic, type_name, quality))
        if self._bag is not None:
            self._bag.add_topic(topic, type_name, **quality)

    def write(self, topic: str, t_ns: int, data: bytes) -> None:
        """Append a message of time ``t_ns``; raises :class:`OSError` while there is no room for it, and the message is lost."""
        if self._bag is None and abs(t_ns - self._retry_ns) < RETRY_NS:
            raise OSError("waiting for room")
        try:
            bag = self._part(t_ns)
            bag.write(topic, t_ns, data)
        except OSError:
            self._retry_ns = t_ns
            self._abandon()
            raise

    def _part(self, t_ns: int) -> BagWriter:
        """The part that is written at ``t_ns``."""
        self._begin_ns = t_ns if self._begin_ns is None else self._begin_ns
        if self._bag is not None and abs(t_ns - self._begin_ns) >= PART_NS:
            full, self._bag = self._bag, None
            full.close()
        if self._bag is None:
            try:
                self._bag = BagWriter(self._directory.next_log())
            except RecordError as error:
                raise OSError(str(error)) from None
            self._begin_ns = t_ns
            for name, type_name, quality in self._topics:
                self._bag.add_topic(name, type_name, **quality)
        return self._bag

    def _abandon(self) -> None:
        """Let go of a part that cannot be written; what it holds up to here can be read."""
        torn, self._bag = self._bag, None
        if torn is not None:
            torn.abandon()

    def close(self) -> None:
        """Finish the last part; further calls do nothing."""
        if self._bag is not None:
            self._bag.close()
