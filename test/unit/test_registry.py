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


def test_of_two_peaks_as_probable_the_stronger_tells_the_place():
    """The edge of a large echo was a little more probable than its middle, and the target left the object's halo."""
    registry = Registry(0.3, 0.2)
    registry.update(1, look(0.0, 0.42, weight=1000.0))
    registry.update(1, look(0.14, 0.44, weight=10.0))
    (target,) = registry.targets
    assert (target.x, target.p_hazard) == (0.0, 0.44)


def test_a_probability_that_rises_a_little_is_told():
    """The threshold may lie between: marking begins at a hundredth."""
    registry = Registry(0.3, 0.004)
    registry.update(1, look(0.0, 0.0095))
    revision = registry.revision
    registry.update(1, look(0.0, 0.0102))
    assert registry.revision == revision + 1 and registry.targets[0].p_hazard == 0.0102
