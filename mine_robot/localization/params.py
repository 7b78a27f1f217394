"""Parameters of localisation. Lever arms are no parameters: they come from the robot's description."""

from __future__ import annotations

from dataclasses import dataclass

from mine_robot.core.parameters import group, param


def _correlated_share(default: float) -> float:
    return param("Share of the variance that is correlated in time.", default=default, low=0.0, high=0.95)


def _correlation_time(default: float) -> float:
    return param("Correlation time of that share.", default=default, unit="s", low=1.0, high=1000.0)


@dataclass(frozen=True)
class ImuNoise:
    """Errors of the inertial unit as the filter assumes them; generous values cost little accuracy, mean ones consistency."""

    gyro_noise: float = param("Gyroscope noise density.", default=1e-4, unit="rad/s/√Hz", low=1e-6, high=0.1)
    accel_noise: float = param(
        "Accelerometer noise density, with the vibration of the tracks.",
        default=0.02,
        unit="m/s²/√Hz",
        low=1e-5,
        high=1.0,
    )
    gyro_bias: float = param("Turn-on bias of the gyroscope (sigma).", default=0.01, unit="rad/s", low=1e-6, high=0.2)
    accel_bias: float = param(
        "Turn-on bias of the accelerometer (sigma).", default=0.1, unit="m/s²", low=1e-5, high=1.0
    )
    gyro_bias_walk: float = param(
        "Random walk of the gyroscope bias.", default=1e-5, unit="rad/s²/√Hz", low=0.0, high=0.01
    )
    accel_bias_walk: float = param(
        "Random walk of the accelerometer bias.", default=1e-4, unit="m/s³/√Hz", low=0.0, high=0.1
    )
    gyro_scale: float = param(
        "Scale error of the gyroscope about the vertical axis (sigma), estimated.", default=0.002, low=0.0, high=0.05
    )
    gyro_scale_time: float = param("Correlation time of that error.", default=1000.0, unit="s", low=1.0, high=1e6)
    measured_noise: float = param(
        "Factor on the noise measured in the signals themselves; the larger of that and the densities above counts.",
        default=1.5,
        low=0.0,
        high=10.0,
    )
    mount: float = param(
        "Error of the mounting angles in the robot description (sigma), estimated.",
        default=0.01,
        unit="rad",
        low=0.0,
        high=0.3,
    )
    gap_max: float = param(
        "Longest pause of the IMU that counts as uninterrupted.", default=0.1, unit="s", low=0.02, high=1.0
    )
    gap_bridged: float = param(
        "Longest pause that is bridged with inflated uncertainty; after a longer one the alignment starts again.",
        default=0.6,
        unit="s",
        low=0.05,
        high=5.0,
    )


@dataclass(frozen=True)
class GnssNoise:
    """Errors of the receiver: what it reports, but not below these floors, split in white noise and a correlated error."""

    fixed_floor: float = param(
        "Smallest horizontal sigma believed, RTK fixed.", default=0.008, unit="m", low=0.001, high=1.0
    )
    float_floor: float = param(
        "Smallest horizontal sigma believed, RTK float.", default=0.15, unit="m", low=0.01, high=5.0
    )
    single_floor: float = param(
        "Smallest horizontal sigma believed, single.", default=1.0, unit="m", low=0.1, high=50.0
    )
    correlated_share: float = _correlated_share(0.75)
    correlation_time: float = _correlation_time(40.0)
    latency: float = param(
        "Error of the time stamps against those of the IMU (sigma), estimated.",
        default=0.02,
        unit="s",
        low=0.0,
        high=0.5,
    )
    latency_time: float = param("Correlation time of that error.", default=300.0, unit="s", low=1.0, high=1e5)
    jitter: float = param("Scatter of the time stamps (sigma).", default=0.005, unit="s", low=0.0, high=0.1)
    unknown_factor: float = param(
        "Multiple of the floor that is assumed for a fix without a usable covariance.", default=4.0, low=1.0, high=100.0
    )
    timeout: float = param(
        "Age of the last usable fix at which it is stale.", default=1.0, unit="s", low=0.2, high=30.0
    )
    recovery: float = param(
        "Time of consistently contradicting fixes after which the filter gives in to them.",
        default=10.0,
        unit="s",
        low=1.0,
        high=120.0,
    )
    doubt: float = param(
        "Time for which the position is doubted after that, unless the old fixes come back.",
        default=300.0,
        unit="s",
        low=10.0,
        high=3600.0,
    )


@dataclass(frozen=True)
class HeadingNoise:
    """Errors of the dual-antenna heading."""

    floor: float = param("Smallest sigma believed.", default=0.003, unit="rad", low=1e-4, high=0.2)
    correlated_share: float = _correlated_share(0.1)
    correlation_time: float = _correlation_time(40.0)


@dataclass(frozen=True)
class WheelNoise:
    """Errors of the track encoders and of the assumption that the robot moves along its tracks."""

    sigma: float = param("Noise of the speed.", default=0.02, unit="m/s", low=1e-3, high=0.5)
    scale_sigma: float = param("Constant scale error (sigma), estimated.", default=0.03, low=0.0, high=0.5)
    slip_sigma: float = param("Slip that comes and goes (sigma), estimated.", default=0.025, low=1e-3, high=0.5)
    slip_time: float = param("Correlation time of the slip.", default=4.0, unit="s", low=0.1, high=100.0)
    slip_doubt: float = param(
        "Estimated slip from which the tracks are taken to slip and say little of the speed.",
        default=0.08,
        low=0.01,
        high=1.0,
    )
    lateral: float = param(
        "Sideways and vertical velocity (sigma) while driving straight.", default=0.02, unit="m/s", low=1e-3, high=0.5
    )
    skid: float = param(
        "Distance of the centre of rotation from base_link along x (sigma), estimated; it comes and goes like the slip.",
        default=0.04,
        unit="m",
        low=0.0,
        high=1.0,
    )
    free: float = param(
        "Sideways and vertical velocity (sigma) of a vehicle whose tracks do not report.",
        default=0.1,
        unit="m/s",
        low=1e-3,
        high=5.0,
    )
    free_skid: float = param(
        "The same per yaw rate; how far from base_link such a vehicle turns is not known well.",
        default=1.0,
        unit="m",
        low=0.0,
        high=5.0,
    )
    free_share: float = param("The same as a share of the speed.", default=0.02, low=0.0, high=0.5)


@dataclass(frozen=True)
class Standstill:
    """How standstill is told: over a window both inertial signals are quiet and the tracks, if known, do not turn."""

    window: float = param("Length of the window.", default=0.5, unit="s", low=0.1, high=5.0)
    rate: float = param(
        "Largest mean yaw rate and largest spread of any rate.", default=0.02, unit="rad/s", low=1e-4, high=0.5
    )
    force: float = param("Largest spread of the specific force.", default=0.12, unit="m/s²", low=1e-3, high=2.0)
    velocity_sigma: float = param("Sigma of the zero velocity.", default=0.005, unit="m/s", low=1e-4, high=0.1)


@dataclass(frozen=True)
class LocalizationParams:
    """Localisation: filter, alignment and health."""

    imu: ImuNoise = group(ImuNoise)
    gnss: GnssNoise = group(GnssNoise)
    heading: HeadingNoise = group(HeadingNoise)
    wheel: WheelNoise = group(WheelNoise)
    standstill: Standstill = group(Standstill)
    output_rate: float = param("Rate of the estimates.", default=50.0, unit="Hz", low=1.0, high=200.0)
    gate_probability: float = param(
        "Probability with which a sound measurement is refused as an outlier.", default=1e-5, low=1e-12, high=0.05
    )
    max_age: float = param("Oldest measurement accepted, behind the IMU.", default=0.5, unit="s", low=0.05, high=2.0)
    align_time: float = param("Standstill needed to start.", default=1.0, unit="s", low=0.2, high=60.0)
    align_distance: float = param(
        "Way needed to start without a heading sensor.", default=1.0, unit="m", low=0.2, high=100.0
    )
    heading_sigma_max: float = param(
        "Largest heading sigma with which the robot may set out.", default=0.02, unit="rad", low=1e-3, high=0.5
    )
    lost_factor: float = param(
        "Multiple of the position sigma limit at which the robot counts as lost.", default=5.0, low=1.5, high=50.0
    )
