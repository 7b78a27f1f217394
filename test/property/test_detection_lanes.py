"""Seeded sweep: small random lanes of hazards; nothing is missed, nothing is found twice, bare ground stays quiet."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from detection_lane import SUSPECT, Lane

from mine_robot.sim.objects import CATALOGUE
from mine_robot.sim.types import BuriedObject

HAZARDS = [name for name, kind in CATALOGUE.items() if kind.hazard]


@pytest.mark.parametrize("seed", range(900, 905))
def test_hazards_of_random_lanes_are_found_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds = rng.permutation(HAZARDS)[:5]
    objects = [
        BuriedObject(str(kind), 0.8 + 0.9 * i, float(rng.uniform(-0.5, 0.5)), float(rng.uniform(0.04, 0.11)))
        for i, kind in enumerate(kinds)
    ]
    lane = Lane(objects, seed=seed)
    lane.drive(-0.2, 5.4)
    alarms = [t for t in lane.detector.targets() if t.p_hazard >= SUSPECT]
    for item in objects:
        near = [t for t in alarms if math.hypot(t.x - item.x, t.y - item.y) < CATALOGUE[item.kind].radius_m + 0.10]
        assert len(near) == 1, (item, near)
    assert len(alarms) <= len(objects) + 1
    assert [t.id for t in lane.detector.targets()] == list(range(1, len(lane.detector.targets()) + 1))


@pytest.mark.parametrize("seed", range(910, 913))
def test_bare_ground_of_every_seed_is_quiet(seed: int) -> None:
    lane = Lane([], seed=seed)
    lane.drive(0.0, 5.0)
    assert len([t for t in lane.detector.targets() if t.p_hazard >= SUSPECT]) <= 1
