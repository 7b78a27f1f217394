"""Parameters of the marker."""

from __future__ import annotations

from dataclasses import dataclass

from mine_robot.core.parameters import param


@dataclass(frozen=True)
class MarkerParams:
    """Parameters of the node ``marker``."""

    tool: str = param("What marks the ground.", default="paint", choices=("paint", "flag"))
    standstill_speed: float = param(
        "Speed (m/s, and yaw rate in rad/s) below which the robot stands still.", default=0.03, low=0.001, high=0.1
    )
    standstill_time: float = param("Time the robot has to stand still.", default=0.3, unit="s", low=0.0, high=5.0)
    standstill_timeout: float = param("Longest wait for standstill.", default=8.0, unit="s", low=0.5, high=60.0)
    along_tolerance: float = param(
        "Largest distance of the target from the slide, along the robot.", default=0.05, unit="m", low=0.005, high=0.3
    )
    slide_tolerance: float = param(
        "Largest error of the slide's position.", default=0.005, unit="m", low=0.001, high=0.05
    )
    move_timeout: float = param("Longest time for a movement of the slide.", default=8.0, unit="s", low=0.5, high=60.0)
    fire_timeout: float = param(
        "Longest time for a pulse of paint to begin.", default=4.0, unit="s", low=0.4, high=20.0
    )
    pulse_current_min: float = param(
        "Lowest current of a pulse that moved the valve; below it the nozzle is jammed.",
        default=0.8,
        unit="A",
        low=0.05,
        high=5.0,
    )
    attempts: int = param("Pulses tried for one request while the nozzle is jammed.", default=3, low=1, high=10)
    ack_timeout: float = param(
        "Time after which a command without an answer is sent again.", default=0.4, unit="s", low=0.1, high=5.0
    )
    link_timeout: float = param(
        "Silence of the actuator after which the link counts as lost.", default=3.0, unit="s", low=0.5, high=30.0
    )
    poll_interval: float = param(
        "Time between two status queries while idle.", default=0.5, unit="s", low=0.1, high=5.0
    )
    nav_age: float = param("Age at which the pose is stale.", default=0.5, unit="s", low=0.06, high=2.0)
    paint_low: float = param("Paint level below which a warning is raised.", default=0.1, low=0.0, high=0.9)
    flags_low: int = param("Number of flags below which a warning is raised.", default=5, low=0, high=100)
