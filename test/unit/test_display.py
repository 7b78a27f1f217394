"""What the operator reads in the terminal: nothing is cleared by rounding."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from mine_robot.bringup.display import _line, show_summary
from mine_robot.bringup.operator import Picture
from mine_robot.core.types import Health, Level

SUMMARY = {
    "state": "complete",
    "reason": "all reachable ground searched",
    "area_m2": 119.1,
    "searched_m2": 113.9,
    "gaps_m2": 5.2,
    "duration_s": 1374.0,
    "targets": 20,
    "marks_confirmed": 16,
    "marks_requested": 16,
    "unsafe_ground_m2": 0.0,
    "cross_track_rms_m": None,
}


@pytest.mark.parametrize(
    ("share", "shown"), [(1.0, "100.00 %"), (0.99999, "99.99 %"), (0.523, "52.30 %"), (0.0, "0.00 %")]
)
def test_the_searched_share_is_rounded_down(share: float, shown: str) -> None:
    """A mission that left a hand's breadth was once summed up as 100.00 %, while its map said 99.99 %."""
    out = io.StringIO()
    show_summary(Console(file=out, width=120), {**SUMMARY, "coverage": share}, "runs/one")
    assert f"({shown} of what can be reached)" in out.getvalue()
    health = Health("coverage", Level.OK, "", {"coverage": f"{share:.6f}", "remaining_s": "10"})
    assert f"{shown} searched" in _line(Picture(health={"coverage": health}))
