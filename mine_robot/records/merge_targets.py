"""One list of targets from those of several runs: what two runs found at one place is one target."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from mine_robot.core.types import Target

SAME_TARGET_MAX_M = 0.5  # farther apart no two sightings are one target, however uncertain


@dataclass(frozen=True)
class Sighting:
    """A target as run number ``run`` knows it, in the common ``map``."""

    run: int
    target: Target

    @property
    def sigma(self) -> float:
        """Larger sigma of the position, m."""
        return max(self.target.sigma_x, self.target.sigma_y)


@dataclass(frozen=True)
class Merged:
    """A target of the merged record and the sightings it stands for."""

    target: Target
    sightings: tuple[Sighting, ...]


def merge_targets(sightings: Sequence[Sighting], sigma_factor: float) -> list[Merged]:
    """Join sightings of different runs that lie within ``sigma_factor`` of their common sigma, the closest first.

    Two targets of one run are never joined: that run told them apart. A sighting whose place or sigma is unknown stands alone.
    The order, and with it the new ids from 1, is that of the first sighting of each.
    """
    owner = list(range(len(sightings)))
    runs = {i: {sighting.run} for i, sighting in enumerate(sightings)}

    def root(i: int) -> int:
        while owner[i] != i:
            i = owner[i]
        return i

    for i, j in _pairs(sightings, sigma_factor):
        first, second = sorted((root(i), root(j)))
        if first != second and not runs[first] & runs[second]:
            owner[second] = first
            runs[first] |= runs.pop(second)
    clusters: dict[int, list[Sighting]] = {}
    for i, sighting in enumerate(sightings):
        clusters.setdefault(root(i), []).append(sighting)
    return [Merged(_join(number, members), tuple(members)) for number, members in enumerate(clusters.values(), 1)]


def _pairs(sightings: Sequence[Sighting], sigma_factor: float) -> Iterable[tuple[int, int]]:
    """Pairs of different runs within the gate, by distance in sigmas."""
    values = np.array([(s.target.x, s.target.y, s.sigma) for s in sightings]).reshape(-1, 3)
    known = np.flatnonzero(np.isfinite(values).all(axis=1))
    if len(known) < 2:
        return []
    pairs = known[cKDTree(values[known, :2]).query_pairs(SAME_TARGET_MAX_M, output_type="ndarray")].reshape(-1, 2)
    apart = np.hypot(*(values[pairs[:, 0], :2] - values[pairs[:, 1], :2]).T)
    sigma = np.maximum(np.hypot(values[pairs[:, 0], 2], values[pairs[:, 1], 2]), 1e-6)
    run = np.array([s.run for s in sightings])
    near = (apart <= sigma_factor * sigma) & (run[pairs[:, 0]] != run[pairs[:, 1]])
    order = np.lexsort((pairs[near, 1], pairs[near, 0], (apart / sigma)[near]))
    return [(int(i), int(j)) for i, j in pairs[near][order]]


def _join(number: int, members: Sequence[Sighting]) -> Target:
    """The likeliest hazard among the sightings, at the mean of their places weighted by variance: a suspect stays one."""
    worst = max(members, key=lambda one: one.target.p_hazard if math.isfinite(one.target.p_hazard) else -1.0).target
    if len(members) == 1:
        return replace(worst, id=number)
    place = np.array([(m.target.x, m.target.y) for m in members])
    sigma = np.maximum([(m.target.sigma_x, m.target.sigma_y) for m in members], 1e-6)
    weight = sigma**-2.0
    (x, y), (sigma_x, sigma_y) = (place * weight).sum(axis=0) / weight.sum(axis=0), weight.sum(axis=0) ** -0.5
    return replace(worst, id=number, x=float(x), y=float(y), sigma_x=float(sigma_x), sigma_y=float(sigma_y))
