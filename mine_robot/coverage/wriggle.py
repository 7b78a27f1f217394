"""A way out of a tight place by many small turns and drives: Dijkstra's algorithm over poses, each move checked on the ground.

Needed where a halo has closed the ground on which the robot turned into its lane: neither a straight drive nor a few strokes lead out,
but turning a little, driving a little and turning on may.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

from mine_robot.core.types import Pose2, wrap_angle
from mine_robot.coverage.ground import Ground, Mask
from mine_robot.coverage.route import STOP_S, ahead
from mine_robot.coverage.transit import TurningGround

SPEED, RATE = 0.8, 0.6  # typical; only the relation of moves to stops matters


@dataclass(frozen=True)
class _Moves:
    """Length in m of a drive and size of a turn; poses nearer to each other than ``cell`` m are the same; how many poses are looked at."""

    drive: float
    turn: float
    cell: float
    most: int


COARSE_TO_FINE = (
    _Moves(0.1, math.radians(7.5), 0.08, 2500),
    _Moves(0.05, math.radians(5.0), 0.04, 40000),  # some seconds, where the robot would have to be fetched otherwise
)


@dataclass(frozen=True)
class _Node:
    """A pose, the number of turning steps from the first heading, and the move that led there: 0 a turn, else the drive's sign."""

    pose: Pose2
    turned: int
    sign: int
    before: _Node | None


def wriggle(
    ground: Ground, turning: TurningGround, begin: Pose2, excused: Mask | None = None, thorough: bool = False
) -> list[tuple[float, float]] | None:
    """Moves (yaw to turn to, signed distance to drive) from ``begin`` to turning ground; None if none is found in reasonable time.

    A ``thorough`` look takes some seconds. ``excused`` cells do not stop the robot in its first drive.
    """
    if not turning.count:
        return None
    ways = (
        _search(ground, turning, begin, excused, moves)
        for moves in (COARSE_TO_FINE if thorough else COARSE_TO_FINE[:1])
    )
    return next((way for way in ways if way is not None), None)


def _search(
    ground: Ground, turning: TurningGround, begin: Pose2, excused: Mask | None, moves: _Moves
) -> list[tuple[float, float]] | None:
    queue: list[tuple[float, int, _Node]] = [(0.0, 0, _Node(begin, 0, 2, None))]
    known: set[tuple[int, int, int, int]] = set()
    number = expanded = 0
    while queue and expanded < moves.most:
        cost, _, node = heapq.heappop(queue)
        key = (round(node.pose.x / moves.cell), round(node.pose.y / moves.cell), node.turned, node.sign)
        if key in known:
            continue
        known.add(key)
        expanded += 1
        if turning.label(node.pose.x, node.pose.y):
            return _moves(node, moves.drive)
        for following, seconds in _next(ground, node, excused, moves):
            number += 1
            heapq.heappush(queue, (cost + seconds + STOP_S * (following.sign != node.sign), number, following))
    return None


def _next(ground: Ground, node: _Node, excused: Mask | None, moves: _Moves) -> list[tuple[_Node, float]]:
    """Poses one small move away, and the time it takes."""
    found = []
    for sign in (1, -1):
        # What the robot stands on at first is excused for its first drive only, as it is when the moves are driven.
        first = node.before is None or (node.sign == sign and _is_first_drive(node))
        if ground.can_drive(node.pose, sign * moves.drive, excused if first else None):
            found.append((_Node(ahead(node.pose, sign * moves.drive), node.turned, sign, node), moves.drive / SPEED))
        turned = wrap_angle(node.pose.yaw + sign * moves.turn)
        if ground.can_pivot(node.pose, turned):
            pose = Pose2(node.pose.x, node.pose.y, turned)
            found.append((_Node(pose, node.turned + sign, 0, node), moves.turn / RATE))
    return found


def _is_first_drive(node: _Node) -> bool:
    here: _Node | None = node
    while here is not None and here.before is not None:
        if here.sign != node.sign:
            return False
        here = here.before
    return True


def _moves(last: _Node, drive: float) -> list[tuple[float, float]]:
    nodes: list[_Node] = []
    here: _Node | None = last
    while here is not None:
        nodes.append(here)
        here = here.before
    moves: list[tuple[float, float]] = []
    previous = 2
    for node in reversed(nodes[:-1]):
        if node.sign == 0:
            if previous == 0:
                moves.pop()
            moves.append((node.pose.yaw, 0.0))
        elif moves and (previous == node.sign or previous == 0):
            moves[-1] = (node.pose.yaw, moves[-1][1] + node.sign * drive)
        else:
            moves.append((node.pose.yaw, node.sign * drive))
        previous = node.sign
    return moves
