"""The score of a run against the truth."""

from __future__ import annotations

import numpy as np
import pytest
from sim_drive import ROBOT

from mine_robot.core.types import MarkResult, MarkStatus, Target, TargetClass
from mine_robot.sim.score import clopper_pearson, detonates, double_marks, poisson_interval, position_rmse, score
from mine_robot.sim.types import BuriedObject


def mark(target_id: int, x: float, y: float, status: MarkStatus = MarkStatus.CONFIRMED) -> MarkResult:
    return MarkResult(0.0, target_id, status, x, y, "")


def target(target_id: int, x: float, y: float) -> Target:
    return Target(target_id, x, y, 0.0, 0.02, 0.02, 0.05, 3.0, 3.0, 0.9, TargetClass.UNKNOWN)


def straight(x0: float, x1: float, y: float) -> np.ndarray:
    """A drive east along ``y``."""
    x = np.arange(x0, x1, 0.025)
    return np.stack([np.arange(len(x)) * 0.05, x, np.full_like(x, y), np.zeros_like(x)], axis=1)


OBJECTS = (
    BuriedObject("pmn", 2.0, 0.0, 0.05),
    BuriedObject("tm62", 4.0, 0.0, 0.10),
    BuriedObject("m14", 6.0, 0.0, 0.02),
    BuriedObject("nail", 8.0, 0.0, 0.02),
)


def run(**changes: object) -> dict:
    path = straight(-2.0, 10.0, 3.0)
    values = {
        "truth": path,
        "objects": OBJECTS,
        "marks": [mark(1, 2.03, 0.04), mark(2, 4.0, 0.25), mark(3, 8.0, 0.1)],
        "declared": [target(1, 2.0, 0.0), target(2, 4.0, 0.2), target(3, 8.0, 0.0), target(4, 9.0, 1.0)],
        "area_m2": 50.0,
        "robot": ROBOT,
        "estimate": path + np.array([0.0, 0.03, 0.04, 0.0]),
    } | changes
    return score(**values)


def test_an_example_by_hand() -> None:
    result = run()
    assert result["n_hazards"] == 3
    assert result["pd"] == pytest.approx(2 / 3)
    assert (result["pd_low"], result["pd_high"]) == pytest.approx((0.0943, 0.9916), abs=1e-4)
    assert result["n_false_alarms"] == 2  # the marked nail, and target 4 that has no mark
    assert result["false_alarms_per_m2"] == pytest.approx(0.04)
    assert result["false_alarms_per_m2_low"] < 0.04 < result["false_alarms_per_m2_high"]
    assert result["mark_error_p95_m"] == pytest.approx(0.05 + 0.95 * 0.2)
    assert result["position_rmse_m"] == pytest.approx(0.05)
    assert result["detonations"] == 0
    assert result["double_marks"] == 0


def test_a_declared_target_without_its_mark_finds_too() -> None:
    assert run(marks=[mark(1, 2.0, 0.0, MarkStatus.FAILED)])["pd"] == pytest.approx(2 / 3)
    assert run(marks=[mark(1, 2.0, 0.0, MarkStatus.FAILED)])["mark_error_p95_m"] is None


def test_the_halo_grows_with_the_object() -> None:
    assert run(marks=[mark(1, 4.0, 0.255)], declared=[])["pd"] == pytest.approx(1 / 3)  # radius 0.16 + 0.10
    assert run(marks=[mark(1, 4.0, 0.27)], declared=[])["pd"] == 0.0
    assert run(marks=[mark(1, 6.0, 0.245)], declared=[])["pd"] == pytest.approx(1 / 3)
    assert run(marks=[mark(1, 6.0, 0.255)], declared=[])["pd"] == 0.0


def test_nothing_to_score_is_not_scored() -> None:
    empty = np.zeros((0, 4))
    result = run(objects=(), marks=[], declared=[], truth=empty, estimate=empty)
    assert result["pd"] is None
    assert result["mark_error_p95_m"] is None
    assert result["position_rmse_m"] is None
    assert (result["pd_low"], result["pd_high"]) == (0.0, 1.0)
    assert result["detonations"] == 0


def test_a_track_on_the_plate_detonates() -> None:
    centre = 0.31  # of the left track; it is 0.18 m wide
    for offset, fires in ((0.0, True), (0.09 + 0.045, True), (0.09 + 0.055, False), (-0.09 - 0.055, False)):
        at = BuriedObject("pmn", 2.0, centre + offset, 0.05)  # plate radius 0.05 m
        assert detonates(at, straight(-2.0, 5.0, 0.0), ROBOT) is fires
    assert not detonates(BuriedObject("pmn", 2.0, 0.0, 0.05), straight(-2.0, 5.0, 0.0), ROBOT)  # between the tracks
    assert not detonates(BuriedObject("nail", 2.0, centre, 0.05), straight(-2.0, 5.0, 0.0), ROBOT)
    assert run(truth=straight(-2.0, 10.0, 0.31))["detonations"] == 3


def test_double_marks_are_counted_once_each() -> None:
    assert double_marks([mark(1, 0, 0), mark(1, 3, 3)]) == 1
    assert double_marks([mark(1, 0, 0), mark(2, 0.1, 0.0), mark(3, 0.3, 0.0)]) == 1
    assert double_marks([mark(1, 0, 0), mark(2, 0.2, 0.0)]) == 0


def test_intervals_agree_with_published_values() -> None:
    assert clopper_pearson(299, 299)[0] == pytest.approx(1.0 - 0.01226, abs=1e-4)  # two-sided; one-sided it is 0.99
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert poisson_interval(0) == pytest.approx((0.0, 3.689), abs=1e-3)
    assert poisson_interval(10) == pytest.approx((4.795, 18.390), abs=1e-3)


def test_the_estimate_is_compared_at_its_own_times() -> None:
    truth = np.array([[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    estimate = np.array([[0.5, 0.5, 0.1, 0.0], [7.0, 99.0, 0.0, 0.0], [0.6, np.nan, 0.0, 0.0]])
    assert position_rmse(truth, estimate) == pytest.approx(0.1)
