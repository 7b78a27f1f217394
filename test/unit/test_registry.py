"""The list of targets: what a pass has seen stays seen."""

from __future__ import annotations

import numpy as np
import pytest

from mine_robot.core.types import TargetClass
from mine_robot.detection.fusion import Verdict
from mine_robot.detection.targets import PASSES_MAX, Registry, Sighting

CLUTTER, AT, AP, ERW = TargetClass.CLUTTER, TargetClass.AT, TargetClass.AP_METAL, TargetClass.ERW


def look(x: float, p: float, weight: float = 1.0, kind: TargetClass = CLUTTER) -> Sighting:
    return Sighting(x, 0.0, 0.0, 0.03, weight, Verdict(0.0, 0.0, p, kind, 0.05))


def test_a_suspect_is_not_taken_back_by_what_lies_near_it():
    """The robot has stopped for it and marked it; a stronger, harmless echo 20 cm away is another thing."""
    registry = Registry(0.3, 0.2, 0.5)
    registry.update(1, look(0.0, 0.55))
    registry.update(1, look(0.2, 0.002, weight=5.0))
    (target,) = registry.targets
    assert (target.x, target.p_hazard) == (0.0, 0.55)


def test_a_later_look_at_the_same_peak_tells_the_place_and_never_a_lower_probability():
    registry = Registry(0.3, 0.2, 0.5)
    registry.update(1, look(0.0, 0.8))
    registry.update(1, look(0.04, 0.3))
    (target,) = registry.targets
    assert (target.x, target.p_hazard) == (0.04, 0.8)


def test_a_more_hazardous_peak_of_the_pass_replaces_the_first():
    registry = Registry(0.3, 0.2, 0.5)
    registry.update(1, look(0.0, 0.55))
    registry.update(1, look(0.2, 0.9, weight=5.0))
    (target,) = registry.targets
    assert (round(target.x, 6), target.p_hazard) == (0.2, 0.9)
    assert registry.revision >= 2


def test_of_two_peaks_as_probable_the_stronger_tells_the_place():
    """The edge of a large echo was a little more probable than its middle, and the target left the object's halo."""
    registry = Registry(0.3, 0.2, 0.5)
    registry.update(1, look(0.0, 0.42, weight=1000.0))
    registry.update(1, look(0.14, 0.44, weight=10.0))
    (target,) = registry.targets
    assert (target.x, target.p_hazard) == (0.0, 0.44)


def test_a_probability_that_rises_a_little_is_told():
    """The threshold may lie between: marking begins at a hundredth."""
    registry = Registry(0.3, 0.004, 0.01)
    registry.update(1, look(0.0, 0.0095))
    revision = registry.revision
    registry.update(1, look(0.0, 0.0102))
    assert registry.revision == revision + 1 and registry.targets[0].p_hazard == 0.0102


@pytest.mark.parametrize(("second", "count"), [(AT, 1), (ERW, 1), (AP, 2), (CLUTTER, 2)])
def test_the_edges_of_an_anti_tank_mine_between_two_lanes_are_one_target(second: TargetClass, count: int) -> None:
    """No two lie so near; an anti-personnel mine beside it is another target."""
    registry = Registry(0.25, 0.2, 0.5)
    registry.update(1, look(0.0, 0.99, kind=AT))
    registry.update(2, look(0.4, 0.98, kind=second))
    assert len(registry.targets) == count
    assert registry.targets[0].x == pytest.approx(0.2 if count == 1 else 0.0)


def test_two_bombs_side_by_side_stay_two() -> None:
    registry = Registry(0.25, 0.2, 0.5)
    registry.update(1, look(0.0, 0.99, kind=ERW))
    registry.update(1, look(0.4, 0.98, kind=ERW))
    assert len(registry.targets) == 2


@pytest.mark.parametrize("run", [1, 2])
def test_what_has_a_spot_marked_tells_the_place(run: int) -> None:
    """A spot judged harmless when it was passed is not marked where it lies, behind the robot's line, for what lies beside it."""
    registry = Registry(0.25, 0.004, 0.01)
    registry.update(1, look(0.0, 0.009, weight=1000.0))
    registry.update(run, look(0.2, 0.011))
    (target,) = registry.targets
    assert (round(target.x, 6), target.p_hazard) == (0.2, 0.011)


def test_a_target_passed_for_ever_is_not_remembered_for_ever_and_its_clearest_look_stays() -> None:
    registry = Registry(0.3, 0.2, 0.5)
    registry.update(0, look(0.0, 0.9))
    rng = np.random.default_rng(5)
    for run in range(1, 300):
        registry.update(run, look(float(rng.normal(0.05, 0.02)), float(rng.uniform(0.0, 0.8))))
    (target,) = registry.targets
    assert target.p_hazard == pytest.approx(0.9)
    assert target.x == pytest.approx(0.05, abs=0.02)
    assert len(registry._entries[0].sightings) == PASSES_MAX
