"""Parameters of the mission."""

from __future__ import annotations

from dataclasses import dataclass

from mine_robot.core.parameters import param


@dataclass(frozen=True)
class Fitted:
    """What a robot may lack. Without a default: a robot that lacks one of them has somebody who says so."""

    emergency_stop: bool = param(
        "The robot reports the state of an emergency stop button; false: none is fitted, and no start waits for it."
    )
    command_link: bool = param(
        "The base reports whether commands reach it; false: it cannot, and no start waits for the report."
    )
    battery: bool = param("The robot reports its battery; false: it cannot, and no start waits for the report.")

    @property
    def absent(self) -> frozenset[str]:
        """Components of this robot that report nothing."""
        return frozenset(name for name, there in vars(self).items() if not there)


@dataclass(frozen=True)
class MissionParams:
    """Parameters of the node ``mission``."""

    health_age: float = param("Age at which a component's health is stale.", default=1.5, unit="s", low=0.2, high=30.0)
    hold_timeout: float = param(
        "Longest hold; after it the mission is aborted.", default=120.0, unit="s", low=1.0, high=3600.0
    )
    marker_wait: float = param(
        "Time the operator has to mend the marker; after it the target is put off and the search goes on.",
        default=60.0,
        unit="s",
        low=0.0,
        high=3600.0,
    )
    stop_timeout: float = param(
        "Longest wait for standstill before a plan is asked for.", default=3.0, unit="s", low=0.1, high=30.0
    )
    plan_timeout: float = param(
        "Time after which a plan is asked for again.", default=30.0, unit="s", low=1.0, high=600.0
    )
    mark_sigma_max: float = param(
        "Position sigma of a target beyond which its mark waits for a better look, or for the end of the search.",
        default=0.08,
        unit="m",
        low=0.0,
        high=1.0,
    )
    mark_timeout: float = param("Longest wait for the result of a mark.", default=60.0, unit="s", low=5.0, high=600.0)
    mark_resend: float = param(
        "Time after which a mark request is repeated.", default=2.0, unit="s", low=0.2, high=30.0
    )
    stall_timeout: float = param(
        "Time without progress after which a new plan is asked for.", default=20.0, unit="s", low=2.0, high=300.0
    )
    max_replans: int = param(
        "New plans tried in a row before the robot waits for the operator.", default=5, low=1, high=50
    )
    max_fruitless: int = param(
        "Finished search plans without new ground before the search ends.", default=3, low=1, high=20
    )
    out_of_reach_max: float = param(
        "Share of the hazard area that may be listed as gaps other than halos; a mission that leaves more of it ends short, not complete.",
        default=0.5,
        low=0.0,
        high=1.0,
    )
    heartbeat: float = param(
        "Longest time between two publications of the state.", default=0.5, unit="s", low=0.1, high=5.0
    )
    disk_min: float = param(
        "Free space below which the robot drives home.", default=200.0, unit="MiB", low=0.0, high=1e6
    )
    tilt_max: float = param(
        "Roll or pitch beyond which the robot stands until a person has looked.",
        default=0.4,
        unit="rad",
        low=0.02,
        high=0.8,
    )
