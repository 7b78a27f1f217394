"""Missions without ROS, killed with SIGKILL and resumed: a few of the runs of ``benchmarks/kill_campaign.py``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from kill_campaign import campaign


def test_a_killed_mission_loses_nothing_and_doubles_nothing() -> None:
    tally = campaign(2, 700)
    assert tally.kills >= 2
    assert tally.runs == 2
    assert (tally.faults, tally.failures) == (0, [])
