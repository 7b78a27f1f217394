"""Marks over a bad line, with jams, dead lines and restarts: nothing is marked twice, and every result is true."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from marking_campaign import Odds, run


@pytest.mark.parametrize(("seed", "tool"), [(101, "paint"), (102, "paint"), (103, "flag")])
def test_the_odds_of_the_field(seed: int, tool: str) -> None:
    tally = run(60, seed, tool=tool)
    assert tally.faults == 0, tally
    assert sum(tally.outcomes.values()) == 60
    assert tally.outcomes["confirmed"] >= 55, tally


@pytest.mark.parametrize("seed", range(110, 114))
def test_much_worse_odds(seed: int) -> None:
    odds = Odds(lost=0.35, late=0.2, jam=0.2, dead_link=0.3, restart=0.3, power_cut=0.1)
    tally = run(50, seed, odds)
    assert tally.faults == 0, tally
    assert "no result" not in tally.outcomes, tally
    assert tally.outcomes["confirmed"] >= 25, tally
    assert tally.settled_later > 0
