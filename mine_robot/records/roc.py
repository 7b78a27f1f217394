"""Receiver operating characteristic of a list of targets where the truth is known: hazards found against false alarms, by threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mine_robot.sim.objects import CATALOGUE
from mine_robot.sim.score import HALO_BEYOND_M, HALO_MIN_M
from mine_robot.sim.types import BuriedObject


class Listed(NamedTuple):
    """A target as its table has it: number, place in ``map`` in m, probability of a hazard."""

    id: int
    east: float
    north: float
    p_hazard: float


class RocPoint(NamedTuple):
    """From ``threshold`` on ``found`` of the hazards are found, at ``false_alarms`` targets beside any."""

    threshold: float
    found: int
    false_alarms: int


def roc(targets: Sequence[Listed], objects: Sequence[BuriedObject]) -> list[RocPoint]:
    """One point for each probability that occurs, the highest first; a target without a place finds nothing and alarms nobody.

    A hazard is found as in :func:`mine_robot.sim.score.score`. Targets that were never listed are on no point: the curve ends where the
    list does.
    """
    hazards = [item for item in objects if CATALOGUE[item.kind].hazard]
    placed = sorted((t for t in targets if math.isfinite(t.east + t.north)), key=lambda t: -t.p_hazard)
    at = np.array([(item.x, item.y) for item in hazards]).reshape(-1, 2)
    halo = np.array([max(CATALOGUE[item.kind].radius_m + HALO_BEYOND_M, HALO_MIN_M) for item in hazards])
    places = np.array([(t.east, t.north) for t in placed]).reshape(-1, 2)
    near = np.linalg.norm(at[:, None] - places[None], axis=2) <= halo[:, None]
    found = np.logical_or.accumulate(near, axis=1).sum(axis=0)
    alarms = np.cumsum(~near.any(axis=0))
    last = [i for i, t in enumerate(placed) if i + 1 == len(placed) or placed[i + 1].p_hazard < t.p_hazard]
    return [RocPoint(placed[i].p_hazard, int(found[i]), int(alarms[i])) for i in last]
