"""Ways between a lane and ground where the robot can turn: straight out, or sideways in a few strokes as a car leaves a parking space.

Ground along a border can be searched only from a lane so near to it that the robot cannot turn there. It gets there, and out again, by
strokes: a small turn, a straight drive, the turn back. Ground only gains in the course of a plan, so every way out is also a way in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain, repeat

import numpy as np

from mine_robot.core.types import Pose2, wrap_angle
from mine_robot.coverage.ground import Ground, Mask
from mine_robot.coverage.route import Route, ahead
from mine_robot.coverage.transit import TurningGround
from mine_robot.coverage.wriggle import wriggle

Move = tuple[float, float]  # turn to this yaw, then drive this signed distance in m
ESCAPE_REACH_M = 200.0  # longest straight drive out of a lane
LONG_M = 12.0  # a straight way out that is longer is not taken if there is a shorter one after a small turn
STROKE_REACH_M = 2.0  # longest stroke
MAX_STROKES = 3
TILTS = tuple(math.radians(degrees) for degrees in (20.0, 14.0, 10.0, 7.0, 5.0, 3.5, 2.5, 1.5))
NEAR_TURNING_M = 1.2  # beyond it from turning ground no few strokes lead there
COARSE_TURN_RAD = math.radians(5.0)  # between headings that are tried where nothing else is left
PLACES = 8  # along a lane from which strokes are tried
LINE_UP_RAD = math.radians(3.0)  # largest turn that lines the robot up with its lane again
LINE_UP_ASIDE_M = 0.8  # from the line the robot stands on to the turning ground that it may mean


def ways_out(route: Route, turning: TurningGround, reach: float = ESCAPE_REACH_M) -> Iterator[Sequence[Move]]:
    """Ways from the route's pose to turning ground, the simplest first; straight ones of at most ``reach`` m.

    A ``reach`` below the usual asks for a way near by, and only simple ones are looked for; so it is within a plan.
    What cannot be left with room for an error of tracking is left without, but only from where the robot really stands, before the first
    step: there it has that error already, and the guard watches every metre.
    """
    pose = route.pose
    if turning.label(pose.x, pose.y):
        yield ()
        return
    rooms, excused = _allowances(route)
    for find in (_simple_ways,) if route.steps or reach < ESCAPE_REACH_M else (_simple_ways, _wriggled):
        for room in rooms:
            ways = find(room, turning, pose, excused, reach)
            yield from ways
            if ways:
                return


def drive_moves(route: Route, moves: Sequence[Move]) -> bool:
    """Drive a way of :func:`ways_out`; ground under the robot is excused where it really stands."""
    start, ground = route.mark(), route.ground
    rooms, excused = _allowances(route)
    for room in rooms:
        route.ground = room
        done = all(
            route.turn(yaw, free) and route.drive(distance, free)
            for (yaw, distance), free in zip(moves, chain([excused], repeat(None)))
        )
        route.ground = ground
        if done:
            return True
        route.rewind(start)
    return False


def _allowances(route: Route) -> tuple[tuple[Ground, ...], Mask | None]:
    """The ground, and, where the robot really stands, that without room for an error of tracking, and what is excused under it."""
    ground = route.ground
    return ((ground,), None) if route.steps else ((ground, ground.tight()), ground.standing(route.pose))


def _simple_ways(
    ground: Ground, turning: TurningGround, pose: Pose2, excused: Mask | None, reach: float
) -> list[Sequence[Move]]:
    """Straight ways, or else one after a small turn, or else by strokes, or else after any turn; no way if none of that leads out.

    Within a plan a short way after a small turn goes before long straight ones.
    """
    ways: list[Sequence[Move]] = [((pose.yaw, out),) for out in straight_ways(ground, turning, pose, excused, reach)]
    if excused is None and (not ways or _length(ways[0]) > LONG_M):
        ways = sorted(_lined_up(ground, turning, pose, min(reach, LONG_M)) + ways, key=_length)
    if not ways:
        lined_up = _line_up(ground, turning, pose, excused, reach)
        ways = [] if lined_up is None else [(lined_up,)]
    if ways:
        return ways
    for distance in _places_near(ground, turning, pose, excused, reach):
        strokes = unpark(ground, turning, ahead(pose, distance), reach)
        if strokes:
            return [((pose.yaw, distance), *strokes)]
    turned = _least_turn(ground, turning, pose, COARSE_TURN_RAD, round(math.pi / COARSE_TURN_RAD), ESCAPE_REACH_M)
    return [] if turned is None else [(turned,)]


def _wriggled(
    ground: Ground, turning: TurningGround, pose: Pose2, excused: Mask | None, reach: float
) -> list[Sequence[Move]]:
    """A way by many small moves, if there is one."""
    moves = wriggle(ground, turning, pose, excused, thorough=True)
    return [] if moves is None else [moves]


def straight_ways(
    ground: Ground, turning: TurningGround, pose: Pose2, excused: Mask | None, reach: float = ESCAPE_REACH_M
) -> list[float]:
    """Signed distances, up to ``reach``, from ``pose`` straight to the nearest place of each part of the turning ground, nearest first.

    ``excused`` cells do not stop the robot: one that overshot into closed ground by centimetres may back out.
    """
    found: dict[int, float] = {}
    distances = np.arange(0.0, reach, ground.resolution)
    for sign in (-1.0, 1.0):
        labels = turning.labels_at(
            pose.x + sign * distances * math.cos(pose.yaw), pose.y + sign * distances * math.sin(pose.yaw)
        )
        for label in np.unique(labels[labels > 0]):
            distance = float(distances[np.argmax(labels == label)])
            if distance < abs(found.get(int(label), math.inf)) and ground.can_drive(pose, sign * distance, excused):
                found[int(label)] = sign * distance
    return sorted(found.values(), key=abs)


def _lined_up(ground: Ground, turning: TurningGround, pose: Pose2, reach: float) -> list[Sequence[Move]]:
    """The shortest straight way after a small turn somewhere along the lane, if there is one of at most ``reach`` m."""
    ways: list[Sequence[Move]] = []
    for distance in (0.0, *_places_near(ground, turning, pose, None, reach)):
        place = ahead(pose, distance)
        for yaw in (wrap_angle(pose.yaw + side * tilt) for tilt in TILTS for side in (1.0, -1.0)):
            if ground.can_pivot(place, yaw):
                out = straight_ways(ground, turning, Pose2(place.x, place.y, yaw), None, reach)
                ways += [((pose.yaw, distance), (yaw, out[0]))] if out else []
    return sorted(ways, key=_length)[:1]


def _length(moves: Sequence[Move]) -> float:
    """Of a way in m."""
    return sum(abs(distance) for _, distance in moves)


def _line_up(ground: Ground, turning: TurningGround, pose: Pose2, excused: Mask | None, reach: float) -> Move | None:
    """The least turn after which a straight drive reaches turning ground, in steps of half a cell at the far end.

    A lane leaves some centimetres on each side, and the robot stands askew in it by tenths of a degree: over ten metres that is too much.
    """
    along = np.arange(-reach, reach, ground.resolution)
    aside = turning.distances_at(pose.x + along * math.cos(pose.yaw), pose.y + along * math.sin(pose.yaw))
    near = np.abs(along[aside <= LINE_UP_ASIDE_M])
    if not len(near):
        return None
    far = max(float(near.max()), LINE_UP_ASIDE_M)
    step = 0.5 * ground.resolution / far
    return _least_turn(ground, turning, pose, step, math.floor(LINE_UP_RAD / step), far, excused)


def _least_turn(
    ground: Ground,
    turning: TurningGround,
    pose: Pose2,
    step: float,
    count: int,
    reach: float,
    excused: Mask | None = None,
) -> Move | None:
    """The least turn, of up to ``count`` steps of ``step`` rad, after which a straight drive of at most ``reach`` m leads out."""
    for i in range(1, count + 1):
        for side in (step, -step):
            turned = Pose2(pose.x, pose.y, wrap_angle(pose.yaw + i * side))
            if not ground.can_pivot(pose, turned.yaw, excused):
                continue
            found = straight_ways(ground, turning, turned, excused, reach)
            if found:
                return turned.yaw, found[0]
    return None


def unpark(
    ground: Ground, turning: TurningGround, pose: Pose2, reach: float = ESCAPE_REACH_M, wriggling: bool = False
) -> list[Move] | None:
    """Strokes that bring the robot sideways from ``pose`` to turning ground, at last by ``wriggling``; None if a few do not."""
    moves: list[Move] = []
    for _ in range(MAX_STROKES):
        options = [(_beside(turning, end), option, end) for option, end in _strokes(ground, pose)]
        distance, option, end = min(options, key=lambda item: item[0], default=(math.inf, [], pose))
        if distance > _beside(turning, pose) - 0.2 * ground.resolution:
            break
        moves += option
        pose = end
        out = straight_ways(ground, turning, pose, None, reach)
        if out:
            return [*moves, (pose.yaw, out[0])]
    rest = wriggle(ground, turning, pose) if wriggling else None
    return None if rest is None else [*moves, *rest]


def _beside(turning: TurningGround, pose: Pose2) -> float:
    """Distance in m of the line through ``pose``, as far as a stroke reaches, to the nearest place to turn."""
    along = np.linspace(-STROKE_REACH_M, STROKE_REACH_M, 41)
    x, y = pose.x + along * math.cos(pose.yaw), pose.y + along * math.sin(pose.yaw)
    return float(turning.distances_at(x, y).min())


def _strokes(ground: Ground, pose: Pose2) -> Iterator[tuple[list[Move], Pose2]]:
    """Moves of one stroke each from ``pose`` and the pose, with its heading, to which they lead."""
    for forwards in (1.0, -1.0):
        back = _farthest(ground, pose, -forwards)
        start = ahead(pose, back)
        for side in (1.0, -1.0):
            for tilt in TILTS:
                turned = Pose2(start.x, start.y, wrap_angle(start.yaw + side * tilt))
                if not ground.can_pivot(start, turned.yaw):
                    continue
                distance = _farthest(ground, turned, forwards)
                end = ahead(turned, distance)
                if abs(distance) > 2.0 * ground.resolution and ground.can_pivot(end, start.yaw):
                    yield [(start.yaw, back), (turned.yaw, distance)], Pose2(end.x, end.y, start.yaw)


def _farthest(ground: Ground, pose: Pose2, sign: float) -> float:
    """How far the robot can go straight on drivable ground, up to the length of a stroke (by bisection: the way is blocked once)."""
    low, high = 0, round(STROKE_REACH_M / ground.resolution)
    while low < high:
        middle = (low + high + 1) // 2
        if ground.can_drive(pose, sign * middle * ground.resolution):
            low = middle
        else:
            high = middle - 1
    return sign * low * ground.resolution


def _places_near(
    ground: Ground, turning: TurningGround, pose: Pose2, excused: Mask | None, reach: float
) -> list[float]:
    """Signed distances along the lane, up to ``reach``, to some places near turning ground, nearest first."""
    distances = np.arange(0.0, reach, 4.0 * ground.resolution)
    places: list[float] = []
    for sign in (-1.0, 1.0):
        x = pose.x + sign * distances * math.cos(pose.yaw)
        y = pose.y + sign * distances * math.sin(pose.yaw)
        near = distances[turning.distances_at(x, y) <= NEAR_TURNING_M]
        for distance in near[:: max(1, len(near) // PLACES)]:
            if not ground.can_drive(pose, sign * float(distance), excused):
                break
            places.append(sign * float(distance))
    return sorted(places, key=abs)
