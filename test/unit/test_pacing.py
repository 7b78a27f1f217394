"""Simulated time waits for the stack, but not for the dead."""

from __future__ import annotations

import pytest

from mine_robot.sim.pacing import Pacer


@pytest.fixture
def pacer() -> Pacer:
    """Both consumers flow up to t = 1.0 s."""
    pacer = Pacer({"guard": 0.05, "mission": 0.7}, patience=10.0)
    for t in (0.95, 1.0):
        pacer.hear("guard", t)
    for t in (0.5, 1.0):
        pacer.hear("mission", t)
    return pacer


def test_the_world_waits_for_the_slowest(pacer: Pacer) -> None:
    assert pacer.all_flow
    assert not pacer.waits_for(1.05, wall=0.0)
    assert pacer.waits_for(1.10, wall=0.0) == {"guard"}
    for step in range(1, 15):
        pacer.hear("guard", 1.0 + 0.05 * step)
    assert not pacer.waits_for(1.70, wall=0.0)
    assert pacer.waits_for(1.75, wall=0.0) == {"mission"}


def test_a_consumer_that_does_not_answer_every_step_is_not_waited_for() -> None:
    """Before the localisation is aligned the guard speaks at 10 Hz only: nothing flows that could be waited for."""
    pacer = Pacer({"guard": 0.05}, patience=10.0)
    for t in (0.0, 0.1, 0.2):
        pacer.hear("guard", t)
    assert not pacer.all_flow
    assert not pacer.waits_for(100.0, wall=0.0)
    pacer.hear("guard", 0.25)
    assert pacer.all_flow
    assert pacer.waits_for(100.0, wall=0.0) == {"guard"}


def test_a_silent_consumer_is_left_behind_until_it_flows_again(pacer: Pacer) -> None:
    assert pacer.waits_for(2.0, wall=0.0)
    assert pacer.waits_for(2.0, wall=9.9)
    assert not pacer.waits_for(2.0, wall=10.1)
    assert pacer.left_behind == {"guard", "mission"}
    assert not pacer.all_flow
    pacer.hear("guard", 2.0)
    assert not pacer.waits_for(3.0, wall=10.3)
    pacer.hear("guard", 2.05)
    assert pacer.left_behind == {"mission"}
    assert pacer.waits_for(3.0, wall=10.4) == {"guard"}


def test_patience_begins_anew_after_progress(pacer: Pacer) -> None:
    assert pacer.waits_for(1.1, wall=0.0)
    pacer.hear("guard", 1.05)
    assert not pacer.waits_for(1.1, wall=9.0)
    assert pacer.waits_for(1.2, wall=11.0) == {"guard"}


def test_older_stamps_and_strangers_change_nothing(pacer: Pacer) -> None:
    pacer.hear("guard", 0.2)
    pacer.hear("somebody", 9.0)
    assert not pacer.waits_for(1.05, wall=0.0)
    assert pacer.waits_for(1.10, wall=0.0) == {"guard"}
