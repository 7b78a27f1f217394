"""Parameters of the simulated radar and metal detector."""

from __future__ import annotations

from dataclasses import dataclass

from mine_robot.core.parameters import group, param


@dataclass(frozen=True)
class GprModelParams:
    """The radar: sampling, pulse, imperfections. Amplitudes are relative to a mirror seen through 1 m of air."""

    samples: int = param("Samples a trace.", default=192, low=32, high=1024)
    sample_interval: float = param("Interval of the samples.", default=0.1, unit="ns", low=0.02, high=1.0)
    first_sample: float = param(
        "Time of the first sample after the transmission.", default=0.0, unit="ns", low=-20.0, high=20.0
    )
    centre_frequency: float = param("Centre frequency of the pulse.", default=1.3, unit="GHz", low=0.2, high=5.0)
    pulse_delay: float = param(
        "Time from the transmission to the peak of the pulse.", default=0.8, unit="ns", low=0.0, high=5.0
    )
    ringing: float = param("Amplitude of the antenna's ringing, of the pulse.", default=0.05, low=0.0, high=0.5)
    coupling: float = param("Amplitude of the direct coupling.", default=0.4, low=0.0, high=10.0)
    channel_spread: float = param("Standard deviation of the channels' gains.", default=0.03, low=0.0, high=0.3)
    noise: float = param("Standard deviation of the thermal noise of a sample.", default=0.003, low=0.0, high=1.0)
    specimens: float = param(
        "How much specimens differ from the catalogue: 1 as found, 0 all alike.", default=1.0, low=0.0, high=3.0
    )
    jitter: float = param("Standard deviation of the time zero of a scan.", default=0.005, unit="ns", low=0.0, high=0.2)


@dataclass(frozen=True)
class MetalModelParams:
    """The metal detector; readings are in units of the catalogue."""

    coil_diameter: float = param("Diameter of a coil.", default=0.22, unit="m", low=0.05, high=1.0)
    noise: float = param(
        "Standard deviation of a reading, each of in-phase and quadrature.", default=0.5, low=0.0, high=100.0
    )
    drift: float = param("Standard deviation of the drift of a coil.", default=3.0, low=0.0, high=1000.0)
    drift_time: float = param("Correlation time of the drift.", default=120.0, unit="s", low=1.0, high=10000.0)
    specimens: float = param(
        "How much specimens differ from the catalogue: 1 as found, 0 all alike.", default=1.0, low=0.0, high=3.0
    )
    reach: float = param("Distance beyond which an object is left out.", default=1.5, unit="m", low=0.5, high=5.0)


@dataclass(frozen=True)
class SoilSensorParams:
    """Parameters of both soil sensors."""

    gpr: GprModelParams = group(GprModelParams)
    metal: MetalModelParams = group(MetalModelParams)
