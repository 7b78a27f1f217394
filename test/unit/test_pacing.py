"""Simulated time waits for the stack, but not for the dead."""

from __future__ import annotations

from mine_robot.sim.pacing import Pacer


def test_the_world_waits_for_the_slowest() -> None:
    pacer = Pacer({"guard": 0.05, "mission": 0.7}, patience=10.0)
    pacer.hear("guard", 1.0)
    pacer.hear("mission", 0.5)
    assert not pacer.waits_for(1.05, wall=0.0)
    assert pacer.waits_for(1.10, wall=0.0) == {"guard"}
    pacer.hear("guard", 1.2)
    assert pacer.waits_for(1.25, wall=0.0) == {"mission"}


def test_a_consumer_joins_when_first_heard() -> None:
    pacer = Pacer({"guard": 0.05}, patience=10.0)
    assert pacer.missing == {"guard"}
    assert not pacer.waits_for(100.0, wall=0.0)
    pacer.hear("guard", 1.0)
    assert pacer.waits_for(100.0, wall=0.0) == {"guard"}


def test_a_silent_consumer_is_left_behind_until_it_is_heard_again() -> None:
    pacer = Pacer({"guard": 0.05}, patience=10.0)
    pacer.hear("guard", 1.0)
    assert pacer.waits_for(2.0, wall=0.0)
    assert pacer.waits_for(2.0, wall=9.9)
    assert not pacer.waits_for(2.0, wall=10.1)
    assert pacer.left_behind == {"guard"}
    assert not pacer.waits_for(3.0, wall=10.2)
    pacer.hear("guard", 2.0)
    assert pacer.left_behind == set()
    assert pacer.waits_for(3.0, wall=10.3) == {"guard"}


def test_patience_begins_anew_after_progress() -> None:
    pacer = Pacer({"guard": 0.05}, patience=10.0)
    pacer.hear("guard", 1.0)
    assert pacer.waits_for(1.2, wall=0.0)
    pacer.hear("guard", 1.2)
    assert not pacer.waits_for(1.2, wall=9.0)
    assert pacer.waits_for(1.4, wall=11.0) == {"guard"}


def test_older_stamps_and_strangers_change_nothing() -> None:
    pacer = Pacer({"guard": 0.05}, patience=10.0)
    pacer.hear("guard", 1.0)
    pacer.hear("guard", 0.2)
    pacer.hear("somebody", 9.0)
    assert not pacer.waits_for(1.05, wall=0.0)
