"""The list of targets: what a pass has seen stays seen."""

from __future__ import annotations

from mine_robot.core.types import TargetClass
from mine_robot.detection.fusion import Verdict
from mine_robot.detection.targets import Registry, Sighting


def look(x: float, p: float, weight: float = 1.0) -> Sighting:
    return Sighting(x, 0.0, 0.0, 0.03, weight, Verdict(0.0, 0.0, p, TargetClass.CLUTTER, 0.05))


def test_a_suspect_is_not_taken_back_by_what_lies_near_it():
    """The robot has stopped for it and marked it; a stronger, harmless echo 20 cm away is another thing."""
    registry = Registry(0.3, 0.2)
    registry.update(1, look(0.0, 0.55))
    registry.update(1, look(0.2, 0.002, weight=5.0))
    (target,) = registry.targets
    assert (target.x, target.p_hazard) == (0.0, 0.55)


def test_a_later_look_at_the_same_peak_tells_the_place_and_never_a_lower_probability():
    registry = Registry(0.3, 0.2)
    registry.update(1, look(0.0, 0.8))
    registry.update(1, look(0.04, 0.3))
    (target,) = registry.targets
    assert (target.x, target.p_hazard) == (0.04, 0.8)


def test_a_more_hazardous_peak_of_the_pass_replaces_the_first():
    registry = Registry(0.3, 0.2)
    registry.update(1, look(0.0, 0.55))
    registry.update(1, look(0.2, 0.9, weight=5.0))
    (target,) = registry.targets
    assert (round(target.x, 6), target.p_hazard) == (0.2, 0.9)
    assert registry.revision >= 2
