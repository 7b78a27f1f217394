"""The languages of report and map: a catalogue of messages each, ``languages/CODE.json``. A further language is a further file.

What the stack writes into the journal (reasons, events) and the names of parameters stay as they were recorded.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from mine_robot.core.types import MissionState, TargetClass
from mine_robot.coverage.gaps import (
    HALO,
    NEAR_BORDER,
    NEAR_HALO,
    NEAR_NO_GO,
    NO_GO,
    TOO_STEEP,
    TOO_STEEP_ACROSS,
    UNREACHABLE,
)
from mine_robot.records.errors import RecordError
from mine_robot.records.ground import NOT_SEARCHED

DEFAULT = "en"
GAPS = {
    HALO: "halo",
    NO_GO: "no_go",
    TOO_STEEP: "too_steep",
    TOO_STEEP_ACROSS: "too_steep_across",
    NEAR_HALO: "near_halo",
    NEAR_NO_GO: "near_no_go",
    NEAR_BORDER: "near_border",
    UNREACHABLE: "unreachable",
    NOT_SEARCHED: "not_searched",
}
OWN_WORDS = (MissionState.IDLE, MissionState.DONE, MissionState.ABORTED, MissionState.ESTOP)


class Language:
    """The messages of one language."""

    def __init__(self, code: str, messages: dict[str, str]) -> None:
        self.code, self._messages = code, messages

    def __call__(self, key: str, **values: object) -> str:
        """The message of ``key`` with ``values`` in its places; a key that is not there is a mistake in the code (KeyError)."""
        return self._messages[key].format(**values)

    def gap(self, reason: str) -> str:
        """The reason of a gap; one that a newer or older stack wrote stays as it is."""
        return self(f"gap.{GAPS[reason]}") if reason in GAPS else reason

    def kind(self, kind: TargetClass) -> str:
        """The class of a target."""
        return self(f"class.{kind.name.lower()}")

    def score(self, key: str) -> str:
        """A figure of the score; one that the catalogue does not know stays as it is."""
        return self._messages.get(f"score.{key}", key.replace("_", " "))

    def state(self, state: MissionState) -> str:
        """How a mission ended that was last in ``state``."""
        return self(f"state.{state.value}") if state in OWN_WORDS else self("state.within", state=state.value)


def languages() -> list[str]:
    """Codes of all catalogues."""
    folder = files("mine_robot.records") / "languages"
    return sorted(item.name.removesuffix(".json") for item in folder.iterdir() if item.name.endswith(".json"))


@cache
def language(code: str = DEFAULT) -> Language:
    """The catalogue of ``code``; raises :class:`RecordError` if there is none."""
    if code not in languages():
        raise RecordError(f"--language {code}: must be one of {', '.join(languages())}")
    text = (files("mine_robot.records") / "languages" / f"{code}.json").read_text(encoding="utf-8")
    return Language(code, json.loads(text))
