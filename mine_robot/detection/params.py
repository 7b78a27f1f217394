"""Parameters of the detector."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mine_robot.core.parameters import group, param

LIGHT = 0.299792458  # m/ns


@dataclass(frozen=True)
class GprParams:
    """The radar: what its data mean, and how they are processed."""

    sample_interval_ns: float = param("Interval of the samples.", default=0.1, unit="ns", low=0.005, high=5.0)
    first_sample_ns: float = param(
        "Time of the first sample after the transmission.", default=0.0, unit="ns", low=-100.0, high=100.0
    )
    channel_offsets_m: tuple[float, ...] = param(
        "Lateral offsets of the columns of a scan, left positive; empty: from the URDF.",
        default=(),
        unit="m",
        low=-5.0,
        high=5.0,
    )
    antenna_height_m: float = param(
        "Nominal height of the antennas above ground.", default=0.06, unit="m", low=0.0, high=1.0
    )
    pulse_delay_ns: float = param(
        "Time from the transmission to the peak of the pulse.", default=0.8, unit="ns", low=0.0, high=20.0
    )
    soil_permittivity: float = param(
        "Relative permittivity assumed for depths and hyperbolas.", default=9.0, low=1.0, high=60.0
    )
    max_depth_m: float = param("Depth down to which echoes are searched.", default=0.32, unit="m", low=0.05, high=3.0)
    threshold: float = param(
        "Natural logarithm of echo energy over clutter from which the radar raises a candidate.",
        default=2.5,
        low=0.5,
        high=10.0,
    )

    @property
    def seen_ns(self) -> float:
        """Time after the first sample by which the echo of the deepest body searched for has come."""
        way = self.antenna_height_m + self.max_depth_m * math.sqrt(self.soil_permittivity)
        return self.pulse_delay_ns - self.first_sample_ns + 2.0 * way / LIGHT

    @property
    def samples_min(self) -> float:
        """Samples that a scan needs to hold that echo."""
        return self.seen_ns / self.sample_interval_ns


@dataclass(frozen=True)
class MetalParams:
    """The metal detector."""

    coil_diameter_m: float = param("Diameter of a coil.", default=0.22, unit="m", low=0.02, high=2.0)
    threshold: float = param(
        "Natural logarithm of signal energy over noise from which the metal detector raises a candidate.",
        default=2.0,
        low=0.5,
        high=12.0,
    )


@dataclass(frozen=True)
class DetectorParams:
    """Parameters of node ``detector``."""

    gpr: GprParams = group(GprParams)
    md: MetalParams = group(MetalParams)
    association_m: float = param(
        "Distance within which two detections are the same object.", default=0.25, unit="m", low=0.05, high=1.0
    )
    prior_factor_max: float = param(
        "Factor by which prior knowledge may raise the odds of a hazard at most.", default=3.0, low=1.0, high=1000.0
    )
