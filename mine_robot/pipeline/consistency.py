"""Parameters that have to fit each other: each within its range, and yet no robot could work with the combination."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mine_robot.core.robot import Robot
from mine_robot.coverage.ledger import MAX_STEP_M, MAX_STEP_S

DECLARED_M = 0.2  # the searched line is at most so far beyond a suspect when it is declared (docs/detection.md)
HEALTH_PERIOD_S = 0.5  # every node says how it is at least this often
ROUNDING = 1e-9

Nodes = Mapping[str, Any]  # the parameter object of every node
Problem = Callable[[Nodes, Robot], str]  # what is wrong, with figures; empty if nothing is


@dataclass(frozen=True)
class Rule:
    """What ``keys`` (node and name, ``limits`` for all nodes) have to fulfil together, in words and as a check."""

    keys: tuple[str, ...]
    words: str
    problem: Problem


def contradictions(nodes: Nodes, robot: Robot) -> list[tuple[Rule, str]]:
    """The rules that these parameters break on this robot, each with what is wrong."""
    found = [(rule, rule.problem(nodes, robot)) for rule in RULES]
    return [(rule, problem) for rule, problem in found if problem]


def _evidence_speed(nodes: Nodes, _: Robot) -> str:
    limits = nodes["mission"].limits
    if limits.search_speed <= limits.evidence_speed_max:
        return ""
    return f"at {limits.search_speed:g} m/s no ground counts, the limit is {limits.evidence_speed_max:g} m/s"


def _stop_before_halo(nodes: Nodes, robot: Robot) -> str:
    limits = nodes["mission"].limits
    stop = limits.stopping_distance(limits.search_speed)
    left = robot.sweep_ahead - robot.front - DECLARED_M - stop
    if left >= limits.halo_radius - ROUNDING:
        return ""
    return (
        f"the robot rolls {stop:.2f} m after a suspect is declared, its tracks stop {left:.2f} m before it, "
        f"within the halo of {limits.halo_radius:g} m"
    )


def _slopes(nodes: Nodes, _: Robot) -> str:
    planner = nodes["planner"]
    if planner.side_slope_max <= planner.slope_max:
        return ""
    return f"no ground is steeper than {planner.slope_max:g} rad, so {planner.side_slope_max:g} rad across a lane forbid nothing"


def _drive_speed(nodes: Nodes, _: Robot) -> str:
    limits = nodes["mission"].limits
    if limits.drive_speed >= limits.search_speed:
        return ""
    return f"searching with {limits.search_speed:g} m/s is faster than driving with {limits.drive_speed:g} m/s"


def _lane_width(nodes: Nodes, robot: Robot) -> str:
    overlap, width = nodes["mission"].limits.lane_overlap, robot.sweep_width
    gain = width - max(overlap, 2.0 * nodes["planner"].sweep_margin)
    if gain >= 0.5 * width:
        return ""
    return f"of an array {width:.2f} m wide a lane gains {max(gain, 0.0):.2f} m"


def _overlap_used(nodes: Nodes, _: Robot) -> str:
    overlap, margins = nodes["mission"].limits.lane_overlap, 2.0 * nodes["planner"].sweep_margin
    if overlap >= margins - ROUNDING:
        return ""
    return f"lanes overlap by {margins:g} m, the two margins, although {overlap:g} m are asked for"


def _margin(nodes: Nodes, _: Robot) -> str:
    planner, sigma = nodes["planner"], nodes["mission"].limits.position_sigma_max
    need = math.sqrt(0.5) * planner.resolution + sigma
    if planner.sweep_margin >= need - ROUNDING:
        return ""
    return f"a margin of {planner.sweep_margin:g} m, but the ledger takes off up to {need:.3f} m: strips stay between lanes"


def _heights(nodes: Nodes, _: Robot) -> str:
    limits, height = nodes["mission"].limits, nodes["detector"].gpr.antenna_height_m
    if limits.head_height_min >= limits.head_height_max:
        return f"no height lies between {limits.head_height_min:g} and {limits.head_height_max:g} m: nothing counts"
    if not limits.head_height_min <= height <= limits.head_height_max:
        return (
            f"at the nominal {height:g} m nothing counts ({limits.head_height_min:g} to {limits.head_height_max:g} m)"
        )
    return ""


def _columns(nodes: Nodes, robot: Robot) -> str:
    columns, antennas = len(nodes["detector"].gpr.channel_offsets_m), len(robot.gpr_offsets)
    return f"{columns} offsets are given, the robot has {antennas} antennas" if columns not in (0, antennas) else ""


def _pose_rate(nodes: Nodes, _: Robot) -> str:
    limits, period = nodes["mission"].limits, 1.0 / nodes["localization"].output_rate
    step = limits.search_speed * period
    if period > MAX_STEP_S or step > MAX_STEP_M:
        return f"a pose each {period:.2f} s or {step:.2f} m: the ledger takes that for a break and books nothing"
    if period > limits.reaction_time:
        return f"a pose each {period:.2f} s is slower than the reaction of {limits.reaction_time:g} s in stopping distances"
    if 2.0 * period > nodes["guard"].nav_age:
        return f"one lost pose (each {period:.2f} s) is already stale after {nodes['guard'].nav_age:g} s"
    return ""


def _guard_sigma(nodes: Nodes, _: Robot) -> str:
    limit, counts = nodes["guard"].sigma_limit, nodes["mission"].limits.position_sigma_max
    return f"the guard stops from {limit:g} m on, ground counts up to {counts:g} m" if limit < counts else ""


def _stop_lag(nodes: Nodes, _: Robot) -> str:
    follower = nodes["follower"]
    if follower.stop_lag >= 2.0 * follower.response_time - ROUNDING:
        return ""
    return f"{follower.stop_lag:g} s of lag for tracks that answer in {follower.response_time:g} s: stops overshoot"


def _stray(nodes: Nodes, _: Robot) -> str:
    stray, growth = nodes["follower"].stray_limit, nodes["mission"].limits.patch_growth
    if stray <= growth + ROUNDING:
        return ""
    return f"the robot may stray {stray:g} m, the tracks are planned with {growth:.3f} m"


def _marker_reach(nodes: Nodes, robot: Robot) -> str:
    limits = nodes["mission"].limits
    room = float(robot.marker[0]) - robot.front - limits.patch_growth
    if room >= limits.halo_radius - ROUNDING:
        return ""
    return f"the nozzle is {room:.2f} m ahead of the grown tracks, the halo has {limits.halo_radius:g} m: no mark is possible"


def _association(nodes: Nodes, _: Robot) -> str:
    apart, halo = nodes["detector"].association_m, nodes["mission"].limits.halo_radius
    return f"two objects {apart:g} m apart are one target, whose halo reaches {halo:g} m" if apart > halo else ""


def _mark_time(nodes: Nodes, _: Robot) -> str:
    marker, limit = nodes["marker"], nodes["mission"].mark_timeout
    longest = marker.standstill_timeout + marker.move_timeout + marker.attempts * marker.fire_timeout
    return f"a mark may take {longest:g} s, the mission waits {limit:g} s" if longest > limit else ""


def _health_age(nodes: Nodes, _: Robot) -> str:
    age = nodes["mission"].health_age
    return (
        f"{age:g} s, but health comes each {HEALTH_PERIOD_S:g} s: one late report is a fault"
        if age < 2.0 * HEALTH_PERIOD_S
        else ""
    )


RULES = (
    Rule(
        ("limits.search_speed", "limits.evidence_speed_max"),
        "Ground searched at search speed has to count.",
        _evidence_speed,
    ),
    Rule(
        ("limits.search_speed", "limits.reaction_time", "limits.deceleration", "limits.halo_radius"),
        "Between the searched line and the tracks there has to be room to stop before the halo of a new suspect.",
        _stop_before_halo,
    ),
    Rule(("limits.drive_speed", "limits.search_speed"), "Driving is not slower than searching.", _drive_speed),
    Rule(
        ("limits.lane_overlap", "planner.sweep_margin"),
        "Overlap and margins leave at least half of the array's width to each lane.",
        _lane_width,
    ),
    Rule(
        ("limits.lane_overlap", "planner.sweep_margin"),
        "An overlap below twice the margin has no effect.",
        _overlap_used,
    ),
    Rule(
        ("planner.sweep_margin", "planner.resolution", "limits.position_sigma_max"),
        "The margin covers what the ledger takes off: most of a cell, and the position sigma.",
        _margin,
    ),
    Rule(
        ("limits.head_height_min", "limits.head_height_max", "detector.gpr.antenna_height_m"),
        "Ground counts at the nominal height of the antennas.",
        _heights,
    ),
    Rule(("detector.gpr.channel_offsets_m",), "As many offsets as the robot has antennas.", _columns),
    Rule(
        ("localization.output_rate", "limits.search_speed", "limits.reaction_time", "guard.nav_age"),
        "Poses come often enough for the ledger, for the stopping distance and for the guard.",
        _pose_rate,
    ),
    Rule(
        ("guard.sigma_limit", "limits.position_sigma_max"),
        "The guard lets the robot drive where ground counts.",
        _guard_sigma,
    ),
    Rule(
        ("follower.stop_lag", "follower.response_time"),
        "The speed profile allows for the lag of the tracks.",
        _stop_lag,
    ),
    Rule(
        ("follower.stray_limit", "limits.tracking_tolerance", "limits.sigma_factor", "limits.position_sigma_max"),
        "The robot strays no farther from its path than the tracks were planned with.",
        _stray,
    ),
    Rule(
        ("limits.halo_radius", "limits.tracking_tolerance", "limits.sigma_factor", "limits.position_sigma_max"),
        "The nozzle reaches a target while the grown tracks stay out of its halo.",
        _marker_reach,
    ),
    Rule(("detector.association_m", "limits.halo_radius"), "The halo covers what counts as one object.", _association),
    Rule(
        (
            "mission.mark_timeout",
            "marker.standstill_timeout",
            "marker.move_timeout",
            "marker.fire_timeout",
            "marker.attempts",
        ),
        "The mission waits as long as a mark may take.",
        _mark_time,
    ),
    Rule(
        ("planner.side_slope_max", "planner.slope_max"), "A lane across a slope is worse than one up or down.", _slopes
    ),
    Rule(("mission.health_age",), "Health is stale only after more than one missing report.", _health_age),
)
