"""Halos that people took back, believed only where the journal has their word."""

from __future__ import annotations

from pathlib import Path

from mine_robot.core.types import MissionStatus, Release
from mine_robot.mission.journal import JournalError
from mine_robot.mission.journal_reader import released_in


class Releases:
    """What ``mission/state`` says was released is looked up in the journal: a message alone opens no ground."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._asked = repr(())  # as text: a place that is not a number equals no other
        self.refused = ""

    def new(self, status: MissionStatus) -> tuple[Release, ...]:
        """The releases of ``status`` that the journal holds, when the state names others than before; else none."""
        if repr(status.released) == self._asked:
            return ()
        try:
            known = {repr(release): release for release in released_in(self._journal)}
        except JournalError as error:
            self.refused = str(error)
            return ()
        self._asked = repr(status.released)
        found = tuple(known[repr(one)] for one in status.released if repr(one) in known)
        unknown = [str(one.target_id) for one in status.released if repr(one) not in known]
        self.refused = f"no journalled word releases target {', '.join(unknown)}" if unknown else ""
        return found
