"""The runner notices by the wall clock that nobody is left who would stop the robot."""

from __future__ import annotations

from mine_robot.bringup.silence import SILENT_S, WATCHERS, Silence

STEP = 0.25


def look(silence: Silence, spoke: dict[str, float], begin: float, seconds: float, *speaking: str) -> list[str]:
    """Look on for a time in which only ``speaking`` say something."""
    news = []
    for index in range(round(seconds / STEP)):
        wall = begin + index * STEP
        spoke.update(dict.fromkeys(speaking, wall))
        news += silence.look(spoke, wall)
    return news


def test_who_falls_silent_is_named_once_and_both_are_the_end() -> None:
    silence, spoke = Silence(), dict[str, float]()
    assert look(silence, spoke, 0.0, 20.0, "guard", "mission", "coverage") == []
    assert look(silence, spoke, 20.0, 15.0, "guard", "coverage") == ["mission"]
    assert not silence.total
    assert look(silence, spoke, 35.0, SILENT_S + 1.0, "coverage") == ["guard"]
    assert silence.total
    assert look(silence, spoke, 50.0, 1.0, "guard", "mission", "coverage") == []
    assert not silence.total


def test_time_that_stands_still_for_everybody_accuses_nobody() -> None:
    silence, spoke = Silence(), dict[str, float]()
    look(silence, spoke, 0.0, 5.0, "guard", "mission", "coverage")
    assert look(silence, spoke, 5.0, 60.0) == []
    assert look(silence, spoke, 65.0, SILENT_S - 3.0, "coverage") == []
    assert look(silence, spoke, 65.0 + SILENT_S - 3.0, 5.0, "coverage") == list(WATCHERS)


def test_who_has_not_spoken_yet_is_not_silent_and_a_runner_that_slept_counts_little() -> None:
    silence, spoke = Silence(), dict[str, float]()
    assert look(silence, spoke, 0.0, 60.0, "coverage") == []
    look(silence, spoke, 60.0, 1.0, "guard", "mission", "coverage")
    assert look(silence, spoke, 4000.0, 3.0, "coverage") == []
