"""The way to a target: the marker's slide comes to stand over it while the tracks stay out of its halo."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from mine_robot.core.limits import Limits
from mine_robot.core.raster import stamp_disc
from mine_robot.core.robot import Robot
from mine_robot.core.types import PlanStep, Pose2, Target
from mine_robot.coverage.escape import drive_moves, ways_out
from mine_robot.coverage.ground import Ground
from mine_robot.coverage.links import Links
from mine_robot.coverage.route import MIN_MOVE_M, Route, ahead, stay
from mine_robot.coverage.transit import TurningGround

REACH_MARGIN_M = 0.03
HEADINGS = 32
OFFSETS = (0.0, 0.5, -0.5, 1.0, -1.0)  # of the usable reach
RUN_UP_M = 6.0  # longest straight drive from where the robot turned


def approach(ground: Ground, pose: Pose2, target: Target, robot: Robot, limits: Limits) -> tuple[PlanStep, ...]:
    """Steps to a pose with ``target`` at x = marker, |y| <= reach of ``base_link``; none if there is no way.

    Closes the target's halo on ``ground``, whether or not the ledger has it already.
    """
    if not all(math.isfinite(value) for value in (target.x, target.y, pose.x, pose.y, pose.yaw)):
        return ()
    halo = np.zeros(ground.cells.shape, dtype=bool)
    stamp_disc(halo, ground.x0, ground.y0, ground.resolution, target.x, target.y, limits.halo_radius)
    ground.close(halo)
    reach = robot.marker_reach - REACH_MARGIN_M
    x, y = pose.to_body(np.array([target.x, target.y]))
    if abs(y) <= reach:
        steps = _straight(Route(ground, pose, limits), float(x - robot.marker[0]))
        if steps:
            return steps
    return _roundabout(Route(ground, pose, limits), target, robot, reach)


def _straight(route: Route, distance: float) -> tuple[PlanStep, ...]:
    """The move along the present heading, by centimetres; a step of no length if none is needed, no step if it is not clear."""
    excused = route.ground.standing(route.pose)
    if not route.ground.can_drive(ahead(route.pose, distance), 0.0) or not route.drive(distance, excused):
        return ()
    if abs(distance) < MIN_MOVE_M:
        return (stay(route.pose, route.limits),)
    return tuple(route.steps)


def _roundabout(route: Route, target: Target, robot: Robot, reach: float) -> tuple[PlanStep, ...]:
    """Out to turning ground, around, and straight in from the side that is reached soonest."""
    turning = TurningGround(route.ground)
    ends = [end for end in _ends(target, robot, reach, route.pose.yaw) if route.ground.can_drive(end, 0.0)]
    spots = [found for end in ends if (found := _run_up(route.ground, turning, end)) is not None]
    links = Links(route.ground, turning, _headings(route.pose.yaw))
    start = route.mark()
    for leave in ways_out(route, turning):
        if not drive_moves(route, leave):
            continue
        out = route.mark()
        position = (route.pose.x, route.pose.y)
        for spot, distance in sorted(
            spots, key=lambda item: math.dist(position, (item[0].x, item[0].y)) + abs(item[1])
        ):
            if links.drive_to(route, (spot.x, spot.y)) and route.turn(spot.yaw) and route.drive(distance):
                return tuple(route.steps)
            route.rewind(out)
        route.rewind(start)
    return ()


def _headings(yaw: float) -> list[float]:
    """Headings all round, the nearest to ``yaw`` first."""
    return [yaw + (i + 1) // 2 * (1 if i % 2 else -1) * 2.0 * math.pi / HEADINGS for i in range(HEADINGS)]


def _ends(target: Target, robot: Robot, reach: float, yaw: float) -> Iterator[Pose2]:
    """End poses around the target, the heading nearest to ``yaw`` first."""
    for turned in _headings(yaw):
        for offset in OFFSETS:
            base = Pose2(0.0, 0.0, turned).to_map(np.array([robot.marker[0], offset * reach]))
            yield Pose2(target.x - float(base[0]), target.y - float(base[1]), turned)


def _run_up(ground: Ground, turning: TurningGround, end: Pose2) -> tuple[Pose2, float] | None:
    """The nearest place to turn from which a straight drive leads to ``end``, and its signed length."""
    for i in range(round(RUN_UP_M / ground.resolution)):
        for sign in (1.0, -1.0):
            distance = sign * i * ground.resolution
            spot = ahead(end, -distance)
            if turning.label(spot.x, spot.y) and ground.can_drive(spot, distance):
                return spot, distance
    return None
