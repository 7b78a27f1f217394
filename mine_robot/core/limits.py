"""Limits that several nodes share; they stand once, under ``/**`` in ``config/robot.yaml``.

They decide what counts as searched and where a track may go, so none of them has a default: the configuration has to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mine_robot.core.parameters import param
from mine_robot.core.types import Target


@dataclass(frozen=True)
class Limits:
    """Speeds of the robot, and the conditions of safe and searched ground."""

    search_speed: float = param("Speed while searching.", unit="m/s", low=0.05, high=1.0)
    drive_speed: float = param(
        "Speed on safe or searched ground, forwards and backwards.", unit="m/s", low=0.05, high=1.5
    )
    pivot_rate: float = param("Yaw rate while turning on the spot.", unit="rad/s", low=0.05, high=1.5)
    acceleration: float = param("Highest acceleration.", unit="m/s²", low=0.05, high=2.0)
    deceleration: float = param(
        "Deceleration the brakes always reach; stopping distances follow.", unit="m/s²", low=0.1, high=4.0
    )
    reaction_time: float = param(
        "Longest time from a measurement to the brakes; stopping distances include it.", unit="s", low=0.0, high=1.0
    )
    tracking_tolerance: float = param(
        "Growth of the contact patches for deviation from the path, beside the position uncertainty.",
        unit="m",
        low=0.0,
        high=0.3,
    )
    sigma_factor: float = param("Factor k in 'contact patch grown by k sigma of the position'.", low=1.0, high=6.0)
    position_sigma_max: float = param(
        "Largest position sigma at the sensor head at which ground counts as searched.", unit="m", low=0.005, high=0.2
    )
    evidence_speed_max: float = param(
        "Highest speed at which ground counts as searched.", unit="m/s", low=0.05, high=1.0
    )
    head_height_min: float = param(
        "Lowest antenna height at which ground counts as searched.", unit="m", low=0.0, high=0.3
    )
    head_height_max: float = param(
        "Highest antenna height at which ground counts as searched.", unit="m", low=0.02, high=0.5
    )
    halo_radius: float = param("Distance from a target within which no track may come.", unit="m", low=0.1, high=2.0)
    mark_p_hazard: float = param(
        "Probability of a hazard from which a target is marked and its halo forbidden; docs/detection.md says what it costs.",
        low=0.001,
        high=0.99,
    )
    lane_overlap: float = param("Overlap of neighbouring search lanes.", unit="m", low=0.0, high=0.6)

    @property
    def patch_growth(self) -> float:
        """Growth of the contact patches used for planning, m: tracking tolerance plus k sigma at the largest sigma of the base.

        The base is known better than the head, whose sigma ``position_sigma_max`` includes the heading; half of it is taken.
        """
        return self.tracking_tolerance + 0.5 * self.sigma_factor * self.position_sigma_max

    def suspects(self, targets: Iterable[Target]) -> list[Target]:
        """The targets that have a halo: those to be marked, where they can be placed at all."""
        return [
            target
            for target in targets
            if target.p_hazard >= self.mark_p_hazard and math.isfinite(target.x) and math.isfinite(target.y)
        ]

    def stopping_distance(self, speed: float) -> float:
        """Distance in m the robot still rolls when told to stop at ``speed`` m/s."""
        return abs(speed) * self.reaction_time + speed * speed / (2.0 * self.deceleration)
