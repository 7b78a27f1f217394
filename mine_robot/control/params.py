"""Parameters of the path follower and of the safety guard."""

from __future__ import annotations

from dataclasses import dataclass

from mine_robot.core.parameters import param


@dataclass(frozen=True)
class FollowerParams:
    """Parameters of the node ``follower``."""

    path_gain: float = param(
        "Natural spatial frequency of the steering: an offset from the line decays over about its inverse.",
        default=2.0,
        unit="1/m",
        low=0.5,
        high=5.0,
    )
    damping: float = param("Damping ratio of the steering.", default=1.0, low=0.6, high=2.0)
    response_time: float = param("Time constant of the tracks.", default=0.15, unit="s", low=0.0, high=1.0)
    stop_lag: float = param(
        "Lag the speed profile allows for before a stop; at least twice the response time, or the robot overshoots.",
        default=0.4,
        unit="s",
        low=0.1,
        high=2.0,
    )
    yaw_acceleration: float = param("Highest yaw acceleration.", default=1.5, unit="rad/s²", low=0.2, high=6.0)
    stop_tolerance: float = param(
        "Distance to the end at which a drive counts as finished.", default=0.01, unit="m", low=0.003, high=0.05
    )
    heading_tolerance: float = param(
        "Heading error at which a pivot counts as finished.", default=0.0087, unit="rad", low=0.002, high=0.05
    )
    settle_speed: float = param(
        "Speed (m/s, and yaw rate in rad/s) below which the robot stands still.", default=0.03, low=0.002, high=0.1
    )
    stray_limit: float = param(
        "Distance from the line at which the follower stops and reports; at most tracking tolerance plus k sigma.",
        default=0.08,
        unit="m",
        low=0.02,
        high=0.3,
    )
    entry_limit: float = param(
        "Distance from the begin of a new plan up to which it is entered.", default=0.25, unit="m", low=0.02, high=0.5
    )
    heading_limit: float = param(
        "Heading error at which a straight drive stops and reports.", default=0.5, unit="rad", low=0.1, high=1.5
    )


@dataclass(frozen=True)
class GuardParams:
    """Parameters of the node ``guard``."""

    command_age: float = param("Age at which a command is stale.", default=0.25, unit="s", low=0.06, high=1.0)
    nav_age: float = param("Age at which the pose is stale.", default=0.25, unit="s", low=0.06, high=1.0)
    grid_age: float = param("Age at which the ledger grid is stale.", default=3.0, unit="s", low=0.2, high=10.0)
    mission_age: float = param("Age at which the mission's state is stale.", default=2.0, unit="s", low=0.2, high=10.0)
    escape_speed: float = param(
        "Speed at which the robot may leave ground it should not stand on.", default=0.1, unit="m/s", low=0.02, high=0.3
    )
    sigma_limit: float = param(
        "Position sigma at the patches from which no motion is allowed at all.",
        default=0.15,
        unit="m",
        low=0.02,
        high=0.5,
    )
    operator_age_max: float = param(
        "Age of the operator's heartbeat (`mine-robot run`, or with `--console` a page that has control) beyond which the robot stands "
        "until it is back; 0 demands none.",
        default=0.0,
        unit="s",
        low=0.0,
        high=60.0,
    )
