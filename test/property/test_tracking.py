"""Follower, localisation and simulated vehicle together on a slope: a few of the runs of ``benchmarks/tracking.py``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import tracking


@pytest.mark.parametrize("seed", [3, 4])
def test_lanes_are_tracked_on_a_slope_with_slip(seed: int) -> None:
    rows = list(tracking.offsets(seed))
    lane = np.array([offset for kind, offset, _ in rows if kind == "lane"])
    assert tracking.rms(lane) <= 0.02
    assert np.max(np.abs(lane)) <= 0.06
    assert max(abs(offset) for _, offset, _ in rows) <= 0.085  # what plans reckon with, whatever the step


def test_tracks_stay_out_of_the_halos_of_what_is_found_on_the_way() -> None:
    found = tracking.finds(501)
    assert found
    assert min(find.at_end for find in found) >= 0.30
