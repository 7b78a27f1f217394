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

DRIVE_M = 0.1
TURN_RAD = math.radians(7.5)
CELL_M = 0.08  # poses nearer to each other than this are the same
SPEED, RATE = 0.8, 0.6  # typical; only the relation of moves to stops matters
EXPANDED_MAX = 2500


@dataclass(frozen=True)
class _Node:
    """A pose, the number of turning steps from the first heading, and the move that led there: 0 a turn, else the drive's sign."""

    pose: Pose2
    turned: int
    sign: int
    before: _Node | None


def wriggle(ground: Ground, turning: TurningGround, begin: Pose2, excused: Mask) -> list[tuple[float, float]] | None:
    """Moves (yaw to turn to, signed distance to drive) from ``begin`` to turning ground; None if none is found in reasonable time."""
    if turning.count < 2:
        return None
    queue: list[tuple[float, int, _Node]] = [(0.0, 0, _Node(begin, 0, 2, None))]
    known: set[tuple[int, int, int, int]] = set()
    number = expanded = 0
    while queue and expanded < EXPANDED_MAX:
        cost, _, node = heapq.heappop(queue)
        key = (round(node.pose.x / CELL_M), round(node.pose.y / CELL_M), node.turned, node.sign)
        if key in known:
            continue
        known.add(key)
        expanded += 1
        if turning.label(node.pose.x, node.pose.y):
            return _moves(node)
        for following, seconds in _next(ground, node, excused):
            number += 1
            heapq.heappush(queue, (cost + seconds + STOP_S * (following.sign != node.sign), number, following))
    return None


def _next(ground: Ground, node: _Node, excused: Mask) -> list[tuple[_Node, float]]:
    """Poses one small move away, and the time it takes."""
    found = []
    for sign in (1, -1):
        # What the robot stands on at first is excused for its first drive only, as it is when the moves are driven.
        first = node.before is None or (node.sign == sign and _is_first_drive(node))
        if ground.can_drive(node.pose, sign * DRIVE_M, excused if first else None):
            found.append((_Node(ahead(node.pose, sign * DRIVE_M), node.turned, sign, node), DRIVE_M / SPEED))
        turned = wrap_angle(node.pose.yaw + sign * TURN_RAD)
        if ground.can_pivot(node.pose, turned):
            pose = Pose2(node.pose.x, node.pose.y, turned)
            found.append((_Node(pose, node.turned + sign, 0, node), TURN_RAD / RATE))
    return found


def _is_first_drive(node: _Node) -> bool:
    here: _Node | None = node
    while here is not None and here.before is not None:
        if here.sign != node.sign:
            return False
        here = here.before
    return True


def _moves(last: _Node) -> list[tuple[float, float]]:
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
            moves[-1] = (node.pose.yaw, moves[-1][1] + node.sign * DRIVE_M)
        else:
            moves.append((node.pose.yaw, node.sign * DRIVE_M))
        previous = node.sign
    return moves
