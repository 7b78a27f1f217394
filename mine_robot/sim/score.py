"""Compares what a run claims with the truth of the simulated world. The only reader of truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import betaincinv, gammaincinv

from mine_robot.core.robot import Robot
from mine_robot.core.types import Array, MarkResult, MarkStatus, Target
from mine_robot.sim.objects import CATALOGUE
from mine_robot.sim.types import BuriedObject

HALO_BEYOND_M = 0.10  # CWA 14747-1: half the target's extent and this much
HALO_MIN_M = 0.25  # of the smallest mines; a prodder searches this far around a mark in any case
DOUBLE_MARK_M = 0.15
CONFIDENCE = 0.95


def score(
    *,
    truth: Array,
    objects: Sequence[BuriedObject],
    marks: Sequence[MarkResult],
    declared: Sequence[Target],
    area_m2: float,
    robot: Robot,
    estimate: Array,
) -> dict[str, Any]:
    """Score a run; the keys are those of ``summary.json``, and the bounds of 95 % intervals beside them.

    ``truth`` and ``estimate`` are trajectories of ``base_link`` (n, 4): t, x, y, yaw in ``map``. ``marks`` are the marks on the ground
    (failed ones are left out), ``declared`` the targets declared hazardous; one with a mark of its id counts once. A hazard is found if a
    mark or target lies within its halo: half its extent + 0.10 m, but at least 0.25 m. Any other is a false alarm.
    ``detonations`` counts the hazards whose pressure plate came under a contact patch. What cannot be told is None.
    """
    painted = [mark for mark in marks if mark.status is not MarkStatus.FAILED]
    marked = {mark.target_id for mark in painted}
    hazards = [item for item in objects if CATALOGUE[item.kind].hazard]
    places = np.array([(mark.x, mark.y) for mark in painted]).reshape(-1, 2)
    others = np.array([(item.x, item.y) for item in declared if item.id not in marked]).reshape(-1, 2)
    at = np.array([(item.x, item.y) for item in hazards]).reshape(-1, 2)
    halo = np.array([max(CATALOGUE[item.kind].radius_m + HALO_BEYOND_M, HALO_MIN_M) for item in hazards])
    to_marks = np.linalg.norm(at[:, None] - places[None], axis=2) <= halo[:, None]
    to_others = np.linalg.norm(at[:, None] - others[None], axis=2) <= halo[:, None]
    found = int((to_marks.any(axis=1) | to_others.any(axis=1)).sum())
    false_alarms = int((~to_marks.any(axis=0)).sum() + (~to_others.any(axis=0)).sum())
    errors = np.linalg.norm(at[:, None] - places[None], axis=2).min(axis=1, initial=np.inf)[to_marks.any(axis=1)]
    pd_low, pd_high = clopper_pearson(found, len(hazards))
    alarms_low, alarms_high = poisson_interval(false_alarms)
    return {
        "pd": found / len(hazards) if hazards else None,
        "pd_low": pd_low,
        "pd_high": pd_high,
        "n_hazards": len(hazards),
        "n_found": found,
        "n_false_alarms": false_alarms,
        "false_alarms_per_m2": false_alarms / area_m2,
        "false_alarms_per_m2_low": alarms_low / area_m2,
        "false_alarms_per_m2_high": alarms_high / area_m2,
        "mark_error_p95_m": float(np.percentile(errors, 95.0)) if len(errors) else None,
        "position_rmse_m": position_rmse(truth, estimate),
        "detonations": sum(detonates(item, truth, robot) for item in hazards),
        "double_marks": double_marks(painted),
    }


def clopper_pearson(found: int, trials: int) -> tuple[float, float]:
    """Exact 95 % interval of a binomial proportion (Clopper & Pearson, 1934); (0, 1) without trials."""
    tail = (1.0 - CONFIDENCE) / 2.0
    low = float(betaincinv(found, trials - found + 1, tail)) if found > 0 else 0.0
    high = float(betaincinv(found + 1, trials - found, 1.0 - tail)) if found < trials else 1.0
    return low, high


def poisson_interval(count: int) -> tuple[float, float]:
    """Exact 95 % interval of the mean of a Poisson variable of which ``count`` was seen (Garwood, 1936)."""
    tail = (1.0 - CONFIDENCE) / 2.0
    low = float(gammaincinv(count, tail)) if count > 0 else 0.0
    return low, float(gammaincinv(count + 1, 1.0 - tail))


def position_rmse(truth: Array, estimate: Array) -> float | None:
    """Horizontal RMS error in m of an ``estimate`` (n, 4) at the times that ``truth`` (m, 4) covers; None if there are none."""
    truth, estimate = np.asarray(truth, dtype=float), np.asarray(estimate, dtype=float)
    if len(truth) == 0 or len(estimate) == 0:
        return None
    inside = (estimate[:, 0] >= truth[0, 0]) & (estimate[:, 0] <= truth[-1, 0]) & np.isfinite(estimate).all(axis=1)
    if not inside.any():
        return None
    t, x, y = estimate[inside, :3].T
    return float(
        np.sqrt(
            np.mean(
                (np.interp(t, truth[:, 0], truth[:, 1]) - x) ** 2 + (np.interp(t, truth[:, 0], truth[:, 2]) - y) ** 2
            )
        )
    )


def detonates(item: BuriedObject, truth: Array, robot: Robot) -> bool:
    """Whether a contact patch ever overlapped the pressure plate of ``item``; what no pressure fires never does."""
    radius = CATALOGUE[item.kind].pressure_radius_m
    truth = np.asarray(truth, dtype=float)
    if radius <= 0.0 or len(truth) == 0:
        return False
    east, north, yaw = item.x - truth[:, 1], item.y - truth[:, 2], truth[:, 3]
    ahead = east * np.cos(yaw) + north * np.sin(yaw)
    left = north * np.cos(yaw) - east * np.sin(yaw)
    for patch in robot.contact_patches:
        beyond_x = np.maximum(np.maximum(patch.x_min - ahead, ahead - patch.x_max), 0.0)
        beyond_y = np.maximum(np.maximum(patch.y_min - left, left - patch.y_max), 0.0)
        if bool((np.hypot(beyond_x, beyond_y) <= radius).any()):
            return True
    return False


def double_marks(marks: Sequence[MarkResult]) -> int:
    """Marks too many: of a target that had its mark, or within 0.15 m of an earlier one."""
    doubled = 0
    for index, mark in enumerate(marks):
        earlier = marks[:index]
        doubled += any(
            mark.target_id == other.target_id or np.hypot(mark.x - other.x, mark.y - other.y) < DOUBLE_MARK_M
            for other in earlier
        )
    return doubled
