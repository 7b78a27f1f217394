"""Mission, follower, guard, marker and actuator together on a small plant, with a planner of four lines."""

from __future__ import annotations

import numpy as np
from control_plant import STEP, Plant, drive, limits, pivot, robot
from mission_bench import target

from mine_robot.control.follower import Follower
from mine_robot.control.guard import Guard
from mine_robot.control.params import FollowerParams, GuardParams
from mine_robot.core.types import Cell, Goal, Health, LedgerGrid, Level, MissionState, Plan, Pose2, Twist2, wrap_angle
from mine_robot.marking.marker import Marker
from mine_robot.marking.params import MarkerParams
from mine_robot.mission.machine import Mission
from mine_robot.mission.params import MissionParams
from mine_robot.mission.reactions import REQUIRED
from mine_robot.sim.actuator import ActuatorParams, SimulatedActuator

ROBOT, LIMITS = robot(), limits()
SUSPECT = (3.2, 0.45)


def plan_for(goal: Goal, t: float, pose: Pose2, marked: bool) -> Plan:
    """One lane along y = 0 to x = 5, searched from 1.15 m ahead; past a marked target it is over, then home backwards."""
    ahead = float(ROBOT.marker[0])
    if goal is Goal.TARGET:
        x = SUSPECT[0] - ahead
        return Plan(t, (drive(pose.x, 0, x, 0, reverse=x < pose.x, sweep=False),))
    if goal is Goal.SEARCH:
        return Plan(t, () if marked or pose.x > 4.9 else (drive(pose.x, 0, 5, 0),))
    return Plan(t, (drive(pose.x, 0, 0, 0, reverse=True, speed=0.8, sweep=False), pivot(0, 0, 0, 90)))


def test_a_target_is_found_marked_and_the_robot_comes_home() -> None:
    rng = np.random.default_rng(5)
    plant = Plant(Pose2(0.0, 0.0, 0.0), (0.11, 0.08))
    cells = np.full((120, 200), Cell.SAFE, dtype=np.int8)
    mission, follower = Mission(MissionParams(), LIMITS), Follower(FollowerParams(), LIMITS, ROBOT)
    guard, marker = Guard(GuardParams(), LIMITS, ROBOT), Marker(MarkerParams(), ROBOT)
    actuator = SimulatedActuator(ActuatorParams(), rng)
    received, answered, results, stops = b"", None, [], []
    command, progress = Twist2(0.0, 0.0, 0.0), None
    for name in REQUIRED:
        mission.set_health(Health(name, Level.OK, "fine"))
    status = mission.update(0.0).status
    mission.start()
    for index in range(round(90 / STEP)):
        nav = plant.nav(error=tuple(rng.normal(0.0, 1.0, 3) * (0.003, 0.003, 0.001)))
        if index % 2 == 0:
            for name in REQUIRED.keys() - {"follower", "guard", "marker"}:
                mission.set_health(Health(name, Level.OK, "fine"))
            for part in (follower, guard, marker):
                mission.set_health(part.health(plant.t))
            if plant.pose.x + ROBOT.sweep_ahead > SUSPECT[0] + 0.2:
                mission.set_targets((target(1, *SUSPECT),))
            mission.set_nav(nav)
            output = mission.update(plant.t)
            status = output.status
            follower.set_mission(status)
            guard.set_mission(status)
            for request in output.mark_requests:
                marker.request(request)
            out, result = marker.update(plant.t, nav, received)
            actuator.feed(out)
            received = actuator.tick(plant.t)
            if result is not None:
                results.append(result)
                mission.set_mark_result(result)
            if status.goal is not Goal.NONE and status.request_t != answered:
                answered = status.request_t
                plan = plan_for(status.goal, answered, nav.pose, bool(results))
                mission.set_plan(plan)
                follower.set_plan(plan)
        guard.set_grid(LedgerGrid(plant.t, -3.0, -3.0, 0.05, cells))
        command, progress = follower.update(nav)
        mission.set_progress(progress)
        decision = guard.update(plant.t, nav, command)
        if decision.reason and status.state.drives:
            stops.append(decision.reason)
        plant.step(decision.twist)
        if status.state.ended:
            break
    assert status.state is MissionState.DONE, status
    assert stops == []
    assert len(results) == len(actuator.fired) == 1
    assert np.hypot(results[0].x - SUSPECT[0], results[0].y - SUSPECT[1]) < 0.03
    assert abs(plant.pose.x) < 0.03
    assert abs(wrap_angle(plant.pose.yaw - np.pi / 2)) < 0.02
    assert (status.marks_requested, status.marks_confirmed) == (1, 1)
