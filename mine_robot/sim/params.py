"""Parameters of the simulated vehicle and its navigation sensors. The scenario says what ground and which faults they meet."""

from __future__ import annotations

from dataclasses import dataclass

from mine_robot.core.parameters import group, param
from mine_robot.sim.actuator import ActuatorParams


@dataclass(frozen=True)
class VehicleParams:
    """Response of the tracks and how they lose grip."""

    time_constant: float = param("Time constant of the track speeds.", default=0.08, unit="s", low=0.02, high=1.0)
    acceleration_max: float = param("Highest track acceleration.", default=2.5, unit="m/s²", low=0.1, high=10.0)
    track_speed_max: float = param("Highest track speed.", default=1.2, unit="m/s", low=0.1, high=5.0)
    command_timeout: float = param(
        "Age of a command at which the base stops.", default=0.3, unit="s", low=0.05, high=2.0
    )
    slip_turn: float = param("Share of the yaw rate lost to slip.", default=0.10, low=0.0, high=0.6)
    slip_drive: float = param("Slip per rad/s of yaw rate while driving.", default=0.05, low=0.0, high=0.5)
    slip_slope: float = param("Slip per unit of slope uphill.", default=0.3, low=0.0, high=2.0)
    slip_side: float = param(
        "Slip angle per unit of side slope: how far downhill of its heading the base moves. Janosi's shear law for tracks of 0.9 m gives "
        "0.04 on firm and 0.09 on loose soil.",
        unit="rad",
        default=0.1,
        low=0.0,
        high=1.0,
    )
    slip_sigma: float = param("Standard deviation of the slip's variation.", default=0.015, low=0.0, high=0.2)
    slip_time: float = param("Correlation time of slip and skid.", default=3.0, unit="s", low=0.1, high=60.0)
    skid_sigma: float = param(
        "Standard deviation of the distance of the centre of rotation from base_link, along x.",
        default=0.02,
        unit="m",
        low=0.0,
        high=0.2,
    )
    battery_life: float = param(
        "Time a full battery lasts at full speed.", default=14400.0, unit="s", low=60.0, high=1e6
    )


@dataclass(frozen=True)
class ImuParams:
    """Noise of a tactical-grade MEMS unit."""

    gyro_noise: float = param("Gyroscope noise density.", default=1e-4, unit="rad/s/√Hz", low=0.0, high=0.1)
    accel_noise: float = param("Accelerometer noise density.", default=1e-3, unit="m/s²/√Hz", low=0.0, high=1.0)
    gyro_bias: float = param("Turn-on gyroscope bias (sigma).", default=2e-3, unit="rad/s", low=0.0, high=0.1)
    accel_bias: float = param("Turn-on accelerometer bias (sigma).", default=0.02, unit="m/s²", low=0.0, high=1.0)
    gyro_bias_walk: float = param(
        "Random walk of the gyroscope bias.", default=5e-6, unit="rad/s²/√Hz", low=0.0, high=0.01
    )
    accel_bias_walk: float = param(
        "Random walk of the accelerometer bias.", default=5e-5, unit="m/s³/√Hz", low=0.0, high=0.1
    )
    vibration: float = param(
        "White force noise of the tracks, a sample, at 1 m/s.", default=0.3, unit="m/s²", low=0.0, high=5.0
    )


@dataclass(frozen=True)
class GnssParams:
    """Errors of the receiver by status: a time-correlated part (multipath, atmosphere, ambiguities) and white noise."""

    period: float = param("Time between fixes.", default=0.2, unit="s", low=0.05, high=5.0)
    fixed_sigma: float = param("Correlated horizontal error, RTK fixed.", default=0.007, unit="m", low=0.0, high=0.1)
    float_sigma: float = param("Correlated horizontal error, RTK float.", default=0.20, unit="m", low=0.0, high=5.0)
    single_sigma: float = param("Correlated horizontal error, single.", default=1.2, unit="m", low=0.0, high=20.0)
    correlation_time: float = param(
        "Correlation time of the correlated error.", default=40.0, unit="s", low=1.0, high=1e4
    )
    white_ratio: float = param("White noise in units of the correlated error.", default=0.6, low=0.0, high=3.0)
    vertical_ratio: float = param("Vertical errors in units of the horizontal.", default=1.7, low=0.5, high=5.0)
    heading_sigma: float = param(
        "White noise of the dual-antenna heading.", default=0.006, unit="rad", low=0.0, high=0.1
    )
    heading_drift: float = param(
        "Correlated error of the dual-antenna heading.", default=0.002, unit="rad", low=0.0, high=0.1
    )


@dataclass(frozen=True)
class WheelParams:
    """Errors of the track encoders, beside the slip."""

    scale_sigma: float = param("Scale error (sigma, drawn once).", default=0.01, low=0.0, high=0.2)
    noise: float = param("Noise of the track speed.", default=0.004, unit="m/s", low=0.0, high=0.2)


@dataclass(frozen=True)
class SimulatorParams:
    """The simulated vehicle, its navigation sensors and the marking actuator."""

    vehicle: VehicleParams = group(VehicleParams)
    imu: ImuParams = group(ImuParams)
    gnss: GnssParams = group(GnssParams)
    wheel: WheelParams = group(WheelParams)
    actuator: ActuatorParams = group(ActuatorParams)
