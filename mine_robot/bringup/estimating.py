"""``mine-robot estimate``: hours, battery swaps and robot-days for areas that nobody has searched yet."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mine_robot.bringup.field_report import inventory
from mine_robot.bringup.resources import resource
from mine_robot.core.field import Field, FieldError
from mine_robot.core.parameters import ParameterError, build
from mine_robot.core.types import Plan
from mine_robot.pipeline.estimate import ACCESS_M, Block, Profile, blocks_of, estimate
from mine_robot.pipeline.first_plan import first_plan
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_field, load_robot
from mine_robot.sim.scenario import ScenarioError


def estimate_fields(paths: Sequence[Path], overlays: Sequence[Path], options: Mapping[str, Any]) -> dict[str, Any]:
    """The estimate for all fields together; ``options`` are the values given for :class:`Profile`.

    Raises :class:`LoadError` with one line for a file or an option that cannot be used.
    """
    try:
        profile: Profile = build(Profile, {key: value for key, value in options.items() if value is not None})
    except ParameterError as error:
        raise LoadError(f"estimate: {error}") from None
    fields = [(path, load_field(path)) for path in paths]
    robot = load_robot(resource("urdf/mine_robot.urdf.xacro"))
    params = ParameterFiles([resource("config/robot.yaml"), *overlays]).build("planner")

    def plan(field: Field) -> Plan:
        return first_plan(field, params, params.limits, robot)

    blocks: list[Block] = []
    for path, field in fields:
        try:
            blocks += blocks_of(field, plan, profile)
        except (ScenarioError, FieldError) as error:
            raise LoadError(f"{path}: {error}") from None
    result = estimate(blocks, profile, params.limits)
    figures = {key: _rounded(value) for key, value in dataclasses.asdict(result).items()}
    return {
        "fields": [field.name for _, field in fields],
        **figures,
        "rate_m2_per_h": round(result.rate_m2_per_h, 1),
        "profile": dataclasses.asdict(profile),
        "sample": [
            {"area_m2": round(b.area, 1), "s_per_m2": round(b.search_s / b.area, 3), "gaps_m2": round(b.gaps, 2)}
            for b in blocks
            if b.planned
        ],
        "assumptions": assumptions(profile, result.blocks, result.planned),
    }


def inventory_lines(paths: Sequence[Path]) -> tuple[list[str], list[str]]:
    """What the field files hold, and what looks wrong in them, in lines."""
    fields = [(path, load_field(path)) for path in paths]
    held = [f"{path}: {line}" for path, field in fields for line in inventory(field)]
    return held, [f"{path}: {line}" for path, field in fields for line in field.account.warnings]


def assumptions(profile: Profile, blocks: int, planned: int) -> list[str]:
    """What the figures rest on, in words."""
    lines = [
        f"finds: {profile.finds_per_ha:g} a hectare, {profile.find_seconds:g} s each",
        f"battery {profile.battery_hours:g} h, {profile.swap_minutes:g} min to change it, {profile.hours_per_day:g} h of work a day",
        "no time for set-up, weather, faults, vegetation or checking the marked spots",
    ]
    if planned < blocks:
        lines.insert(
            0,
            f"{planned} of {blocks} blocks of {profile.block_m:g} m were planned, the others scaled from the one of their size by area; "
            f"each is entered from {ACCESS_M:g} m of safe or searched ground along one side",
        )
    return lines


def lines_of(figures: Mapping[str, Any]) -> list[str]:
    """The estimate for people."""
    profile = figures["profile"]
    robots = "1 robot" if profile["robots"] == 1 else f"{profile['robots']} robots"
    return [
        f"{figures['area_m2'] / 1e4:.4g} ha in {figures['blocks']} block{'s' * (figures['blocks'] != 1)}: "
        f"{figures['lanes']} lanes, {figures['length_m'] / 1e3:.1f} km, {figures['gaps_m2']:.0f} m2 out of reach",
        f"{figures['hours']:.1f} robot-hours ({figures['search_h']:.1f} search, {figures['finds_h']:.1f} finds, "
        f"{figures['moves_h']:.1f} between blocks), {figures['swaps']} battery swaps, {figures['rate_m2_per_h']:.0f} m2/h",
        f"{figures['robot_days']:.1f} robot-days; {robots}: {figures['days']} day{'s' * (figures['days'] != 1)}",
        *(f"assumed: {line}" for line in figures["assumptions"]),
    ]


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else round(value, 3)
