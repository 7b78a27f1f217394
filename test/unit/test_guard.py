"""The guard: stale inputs, unsafe ground, limits, and the way out of a violation."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from control_plant import limits, nav_state, robot, status

from mine_robot.control.guard import Guard
from mine_robot.control.params import GuardParams
from mine_robot.core.types import Cell, LedgerGrid, Level, MissionState, Release, Target, TargetClass, Twist2

ROBOT, LIMITS = robot(), limits()


def grid(t: float = 0.0, fill: int = Cell.SAFE, size: float = 8.0, resolution: float = 0.05) -> LedgerGrid:
    count = round(size / resolution)
    return LedgerGrid(t, -size / 2, -size / 2, resolution, np.full((count, count), fill, dtype=np.int8))


def block(ledger: LedgerGrid, x0: float, y0: float, x1: float, y1: float, state: int = Cell.PENDING) -> LedgerGrid:
    columns = slice(round((x0 - ledger.x0) / ledger.resolution), round((x1 - ledger.x0) / ledger.resolution))
    rows = slice(round((y0 - ledger.y0) / ledger.resolution), round((y1 - ledger.y0) / ledger.resolution))
    ledger.cells[rows, columns] = state
    return ledger


def guard(ledger: LedgerGrid | None = None, state: MissionState = MissionState.SEARCH) -> Guard:
    machine = Guard(GuardParams(), LIMITS, ROBOT)
    machine.set_grid(ledger if ledger is not None else grid())
    machine.set_mission(status(0.0, state))
    return machine


def test_passes_a_command_on_safe_ground_unchanged() -> None:
    decision = guard().update(0.1, nav_state(0.1, 0, 0, 0.3), Twist2(0.1, 0.5, 0.2))
    assert decision.reason == ""
    assert (decision.twist.speed, decision.twist.yaw_rate) == (0.5, 0.2)


@pytest.mark.parametrize("state", [state for state in MissionState if not state.drives])
def test_stops_in_every_state_that_does_not_drive(state: MissionState) -> None:
    machine = guard(state=state)
    decision = machine.update(0.1, nav_state(0.1, 0, 0, 0), Twist2(0.1, 0.5, 0.0))
    assert (decision.twist.speed, decision.twist.yaw_rate) == (0.0, 0.0)
    assert state.value in decision.reason
    assert machine.health(0.1).level == Level.OK


@pytest.mark.parametrize(
    ("nav", "command", "why"),
    [
        (None, Twist2(5.0, 0.5, 0.0), "pose"),
        (nav_state(4.0, 0, 0, 0), Twist2(5.0, 0.5, 0.0), "pose is stale"),
        (nav_state(6.0, 0, 0, 0), Twist2(5.0, 0.5, 0.0), "future"),
        (nav_state(5.0, math.nan, 0, 0), Twist2(5.0, 0.5, 0.0), "not finite"),
        (nav_state(5.0, 1e9, 0, 0), Twist2(5.0, 0.5, 0.0), "plausible"),
        (nav_state(5.0, 0, 0, 0, speed=1e9), Twist2(5.0, 0.5, 0.0), "plausible"),
        (nav_state(math.nan, 0, 0, 0), Twist2(5.0, 0.5, 0.0), "pose"),
        (nav_state(5.0, 0, 0, 0, sigma=math.nan), Twist2(5.0, 0.5, 0.0), "known"),
        (nav_state(5.0, 0, 0, 0, sigma=0.3), Twist2(5.0, 0.5, 0.0), "known"),
        (nav_state(5.0, 0, 0, 0), None, "command"),
        (nav_state(5.0, 0, 0, 0), Twist2(4.0, 0.5, 0.0), "command is stale"),
        (nav_state(5.0, 0, 0, 0), Twist2(5.0, math.inf, 0.0), "command is not finite"),
        (nav_state(5.0, 0, 0, 0), Twist2(5.0, 0.5, math.nan), "command is not finite"),
    ],
)
def test_stops_on_missing_stale_or_broken_input(nav, command, why: str) -> None:
    machine = guard(grid(t=4.5))
    machine.set_mission(status(4.5, MissionState.SEARCH))
    decision = machine.update(5.0, nav, command)
    assert (decision.twist.speed, decision.twist.yaw_rate) == (0.0, 0.0)
    assert why in decision.reason
    assert machine.health(5.0).level == Level.ERROR


def test_stops_when_ledger_or_mission_go_stale_or_never_came() -> None:
    machine = Guard(GuardParams(), LIMITS, ROBOT)
    arguments = nav_state(5.0, 0, 0, 0), Twist2(5.0, 0.5, 0.0)
    assert "mission" in machine.update(5.0, *arguments).reason
    machine.set_mission(status(5.0, MissionState.SEARCH))
    assert "ledger" in machine.update(5.0, *arguments).reason
    machine.set_grid(grid(t=1.0))
    assert "ledger is stale" in machine.update(5.0, *arguments).reason
    machine.set_grid(grid(t=4.0))
    machine.set_mission(status(1.0, MissionState.SEARCH))
    assert "mission state is stale" in machine.update(5.0, *arguments).reason


@pytest.mark.parametrize(
    ("command", "area", "blocked"),
    [
        ((0.5, 0.0), (0.70, -0.5, 0.75, 0.5), True),  # front: 0.45 m + growth 0.07 + stop 0.23 = 0.75 m
        ((0.5, 0.0), (0.75, -0.5, 0.85, 0.5), False),
        ((0.1, 0.0), (0.60, -0.5, 0.65, 0.5), False),  # slower, closer
        ((0.5, 0.0), (0.50, -0.1, 0.60, 0.1), False),  # between the tracks
        ((-0.5, 0.0), (0.60, -0.5, 0.80, 0.5), False),
        ((-0.5, 0.0), (-0.75, -0.5, -0.70, 0.5), True),
        ((0.0, 0.6), (0.55, 0.30, 0.60, 0.45), False),  # the corner turns away from it
        ((0.0, -0.6), (0.55, 0.30, 0.60, 0.45), True),  # and into this one
    ],
)
def test_looks_as_far_ahead_as_the_robot_rolls(command, area, blocked: bool) -> None:
    speed, rate = command
    nav = nav_state(0.1, 0, 0, 0, speed, rate)
    decision = guard(block(grid(), *area)).update(0.1, nav, Twist2(0.1, speed, rate))
    assert bool(decision.reason) == blocked
    assert (decision.twist.speed == 0.0 and decision.twist.yaw_rate == 0.0) == blocked


@pytest.mark.parametrize("state", [Cell.OUTSIDE, Cell.PENDING, Cell.GAP, Cell.HALO])
def test_names_the_ground_that_stops_it(state: Cell) -> None:
    words = {Cell.OUTSIDE: "outside", Cell.PENDING: "not searched", Cell.GAP: "gap", Cell.HALO: "halo"}
    machine = guard(block(grid(), 0.6, -1, 2, 1, state))
    assert words[state] in machine.update(0.1, nav_state(0.1, 0, 0, 0), Twist2(0.1, 0.5, 0.0)).reason
    assert machine.health(0.1).level == Level.WARN


def test_searched_ground_is_drivable_and_off_the_grid_is_not() -> None:
    machine = guard(grid(fill=Cell.SEARCHED))
    assert machine.update(0.1, nav_state(0.1, 0, 0, 0), Twist2(0.1, 0.5, 0.0)).reason == ""
    assert "outside" in machine.update(0.1, nav_state(0.1, 3.3, 0, 0), Twist2(0.1, 0.5, 0.0)).reason
    assert "outside" in machine.update(0.1, nav_state(0.1, 50, 50, 0), Twist2(0.1, 0.5, 0.0)).reason


def test_a_measured_speed_above_the_command_lengthens_the_look_ahead() -> None:
    machine = guard(block(grid(), 0.70, -0.5, 0.80, 0.5))
    assert machine.update(0.1, nav_state(0.1, 0, 0, 0, 0.1), Twist2(0.1, 0.1, 0.0)).reason == ""
    assert machine.update(0.1, nav_state(0.1, 0, 0, 0, 0.6), Twist2(0.1, 0.1, 0.0)).reason


def test_uncertainty_grows_the_patches() -> None:
    machine = guard(block(grid(), 0.80, -0.5, 0.95, 0.5))
    assert machine.update(0.1, nav_state(0.1, 0, 0, 0, sigma=0.01), Twist2(0.1, 0.5, 0.0)).reason == ""
    assert machine.update(0.1, nav_state(0.1, 0, 0, 0, sigma=0.05), Twist2(0.1, 0.5, 0.0)).reason


@pytest.mark.parametrize("yaw", [0.0, math.pi / 2])
def test_a_robot_planned_with_the_planned_growth_is_not_stopped(yaw: float) -> None:
    corridor = grid(fill=Cell.PENDING, resolution=0.02)
    centres = corridor.x0 + (np.arange(corridor.cells.shape[0]) + 0.5) * corridor.resolution
    free = np.abs(centres) <= ROBOT.track_half_width + LIMITS.patch_growth
    (corridor.cells.T if yaw else corridor.cells)[free] = Cell.SAFE
    nav = nav_state(0.1, 0, 0, yaw, 0.5, sigma=0.01)
    assert guard(corridor).update(0.1, nav, Twist2(0.1, 0.5, 0.0)).reason == ""


def test_clamps_to_the_limits_and_keeps_the_curvature() -> None:
    decision = guard().update(0.1, nav_state(0.1, 0, 0, 0), Twist2(0.1, 1.6, 0.4))
    assert "limits" in decision.reason
    assert decision.twist.speed == pytest.approx(0.8)
    assert decision.twist.yaw_rate == pytest.approx(0.2)
    assert guard().update(0.1, nav_state(0.1, 0, 0, 0), Twist2(0.1, 0.0, -5.0)).twist.yaw_rate == pytest.approx(-0.6)


def test_leaves_a_violation_slowly_and_goes_no_deeper() -> None:
    ledger = block(grid(), 0.3, -1, 2, 1, Cell.HALO)
    machine = guard(ledger)
    away = machine.update(0.1, nav_state(0.1, 0, 0, 0), Twist2(0.1, -0.5, 0.0))
    assert away.twist.speed == pytest.approx(-GuardParams().escape_speed)
    assert "leaving" in away.reason
    deeper = machine.update(0.1, nav_state(0.1, 0, 0, 0), Twist2(0.1, 0.5, 0.0))
    assert deeper.twist.speed == 0.0
    assert "stands on" in deeper.reason
    trapped = guard(block(ledger, -2, -1, -0.52, 1))
    assert trapped.update(0.1, nav_state(0.1, 0, 0, 0), Twist2(0.1, -0.5, 0.0)).twist.speed == 0.0


def test_standing_still_is_always_allowed() -> None:
    machine = guard(grid(fill=Cell.HALO))
    assert machine.update(0.1, nav_state(0.1, 0, 0, 0), Twist2(0.1, 0.0, 0.0)).reason == ""


def test_a_target_stops_the_robot_before_the_ledger_knows_it() -> None:
    machine = guard(grid(fill=Cell.SEARCHED))
    command, here = Twist2(0.1, 0.5, 0.0), nav_state(0.1, 0, 0, 0, speed=0.5)
    suspect = Target(1, 0.95, 0.0, 0.0, 0.02, 0.02, 0.1, 3.0, 1.0, 0.9, TargetClass.AT)
    machine.set_targets((dataclasses.replace(suspect, p_hazard=0.0),))
    assert machine.update(0.1, here, command).reason == ""
    machine.set_targets((dataclasses.replace(suspect, x=math.nan), dataclasses.replace(suspect, id=2)))
    assert machine.update(0.1, here, command).reason == "the halo of a target ahead of the tracks"
    machine.set_grid(grid(fill=Cell.SEARCHED))  # an older ledger does not open it again
    assert machine.update(0.1, here, command).twist.speed == 0.0


def test_a_target_stops_the_robot_on_ledgers_of_any_raster_until_a_person_releases_it() -> None:
    machine, here = guard(), (nav_state(0.1, 0, 0, 0, speed=0.5), Twist2(0.1, 0.5, 0.0))
    machine.set_targets((Target(1, 0.95, 0.0, 0.0, 0.02, 0.02, 0.1, 3.0, 1.0, 0.9, TargetClass.AT),))
    for ledger in (grid(), grid(size=6.0), grid(size=16.0, resolution=0.1)):
        machine.set_grid(ledger)
        assert machine.update(0.1, *here).reason == "the halo of a target ahead of the tracks"
    machine.set_targets(())
    assert machine.update(0.1, *here).reason == "the halo of a target ahead of the tracks"
    machine.release([Release(1, 0.95, 0.0)])
    assert machine.update(0.1, *here).reason == ""
    machine.recall([Target(2, 0.95, 0.0, 0.0, 0.02, 0.02, 0.1, 3.0, 1.0, 0.9, TargetClass.AT)], ())
    assert machine.update(0.1, *here).reason == "the halo of a target ahead of the tracks"  # from before a restart
