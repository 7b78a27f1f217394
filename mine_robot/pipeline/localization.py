"""A recording run through the localisation, as the node would have run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mine_robot.core.types import GnssFix, HeadingFix, Health, ImuSample, NavState, WheelSample
from mine_robot.localization.localizer import Localizer

Sample = ImuSample | GnssFix | HeadingFix | WheelSample


@dataclass
class Track:
    """Estimates, and the health with every estimate or refusal at which it changed."""

    states: list[NavState] = field(default_factory=list)
    health: list[tuple[float, Health]] = field(default_factory=list)

    def note(self, t: float, health: Health) -> None:
        """Keep the health at ``t`` if it differs from the last one in level or, but for figures, in words."""
        if not self.health or _gist(self.health[-1][1]) != _gist(health):
            self.health.append((t, health))


def _gist(health: Health) -> tuple[int, str]:
    return int(health.level), "".join(letter for letter in health.message if not letter.isdigit())


def localize(
    localizer: Localizer,
    samples: Iterable[Sample],
    health_period: float = 0.1,
    hear: Callable[[NavState], None] | None = None,
) -> Track:
    """Hand over ``samples`` in the order of their arrival; the health is looked at every ``health_period`` s of IMU time.

    ``hear`` takes every estimate at once.
    """
    track = Track()
    looked = float("-inf")
    for sample in samples:
        if isinstance(sample, ImuSample):
            state = localizer.add_imu(sample)
            if state is not None:
                track.states.append(state)
                if hear is not None:
                    hear(state)
            if not looked <= sample.t < looked + health_period:
                looked = sample.t
                track.note(sample.t, localizer.health(sample.t))
        elif isinstance(sample, GnssFix):
            localizer.add_fix(sample)
        elif isinstance(sample, HeadingFix):
            localizer.add_heading(sample)
        else:
            localizer.add_wheels(sample)
    return track
