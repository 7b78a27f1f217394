"""Publishers that may not be on the topics of the stack: who is there, since when, and what the mission makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mine_robot.core.types import Health, Level

COMPONENT = "publishers"
TOLD_S = 3.0  # for which a message that was refused counts, once it was told
NOTED_MAX = 200  # comings and goings that are noted one by one: a stranger that keeps changing fills no disk
FOREIGN = "foreign"
UNNAMED = "unnamed"  # in the words for a publisher whose node is not known, or not yet

Claim = tuple[str, str]  # topic, and who publishes it, in words


class StrangerWatch:
    """Keeps the strangers of a run; ``commands`` is the topic of the base's commands: a stranger there drives the robot."""

    def __init__(self, commands: str) -> None:
        self._commands = commands
        self._told: dict[Claim, float] = {}
        self._since: dict[Claim, float] = {}
        self._noted = 0

    def tell(self, t: float, topic: str, who: str) -> None:
        """Take what a node refused at ``t``."""
        self._told[topic, who] = t

    def update(self, t: float, seen: Iterable[Claim]) -> list[dict[str, Any]]:
        """Bring up to ``t``, with those who are in the graph now; returns what is to be noted in the journal."""
        self._told = {claim: told for claim, told in self._told.items() if abs(t - told) < TOLD_S}
        present = {*seen, *self._told}
        came = [claim for claim in sorted(present) if claim not in self._since]
        gone = [claim for claim in self._since if claim not in present]
        notes = [{"who": who, "topic": topic, "since": t} for topic, who in came]
        notes += [
            {"who": who, "topic": topic, "since": self._since.pop((topic, who)), "until": t} for topic, who in gone
        ]
        self._since.update(dict.fromkeys(came, t))
        notes = notes[: NOTED_MAX - self._noted]
        self._noted += len(notes)
        return notes

    @property
    def health(self) -> Health:
        """Report :data:`COMPONENT`: ERROR while a stranger is there."""
        if not self._since:
            return Health(COMPONENT, Level.OK, "nobody else publishes the topics of the stack")
        claims = sorted(
            self._since, key=lambda claim: (claim[0] != self._commands, UNNAMED in claim[1], self._since[claim])
        )
        topic, who = claims[0]
        more = f" and {len(claims) - 1} more" if len(claims) > 1 else ""
        values = dict(reversed(claims))
        if any(topic == self._commands for topic, _ in claims):
            values["commands"] = FOREIGN
        return Health(COMPONENT, Level.ERROR, f"{who} publishes {topic}{more}", values)
