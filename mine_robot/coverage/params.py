"""Parameters of the coverage node; what several nodes share stands in :class:`mine_robot.core.limits.Limits`."""

from __future__ import annotations

from dataclasses import dataclass

from mine_robot.core.parameters import param


@dataclass(frozen=True)
class CoverageParams:
    """How finely the ground is booked, and how the search is planned."""

    resolution: float = param("Cell size of the ledger.", unit="m", low=0.02, high=0.1, default=0.05)
    halo_growth_max: float = param(
        "Most that the uncertainty of a target's position adds to the radius of its halo; never so much that the marker cannot reach it.",
        unit="m",
        low=0.0,
        high=0.5,
        default=0.1,
    )
    sweep_margin: float = param(
        "Edge of the searched line, on each side, that a plan does not count on: cross-track error and cell size.",
        unit="m",
        low=0.036,
        high=0.2,
        default=0.07,
    )
    lane_lead: float = param(
        "How far before unsearched ground the searched line starts a lane, and how far beyond it ends.",
        unit="m",
        low=0.0,
        high=0.5,
        default=0.1,
    )
    directions: int = param("Main lane directions that are planned and compared.", low=1, high=16, default=3)
    compare_area: float = param(
        "Largest hazard area that is planned in every layout of lanes to take the best; in a larger one that would take minutes.",
        unit="m²",
        low=0.0,
        high=10000.0,
        default=1000.0,
    )
    headings: int = param(
        "Headings in which the ground that the main lanes leave is tried.", low=4, high=32, default=16
    )
    min_gain: float = param(
        "Smallest unsearched area worth a drive of its own.", unit="m²", low=0.0, high=1.0, default=0.08
    )
    horizon: float = param(
        "Length of a plan that goes on with a search: what is found on the way changes the rest.",
        unit="s",
        low=10.0,
        high=3600.0,
        default=120.0,
    )
    slope_max: float = param(
        "Steepest ground that the robot drives on, by a height model (`mine-robot slopes`).",
        unit="rad",
        low=0.02,
        high=1.0,
        default=0.35,
    )
    side_slope_max: float = param(
        "Steepest slope across a lane, by a height model; turns and the short ways between lanes are held to `slope_max` alone.",
        unit="rad",
        low=0.02,
        high=1.0,
        default=0.26,
    )
