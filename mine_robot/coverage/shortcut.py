"""Shorter ways from the end of a lane to the start of the next: out along one, a single leg across, in along the other.

Turning ground is where the robot may turn to any heading; a way found there corner by corner stops at every corner. Two corners are
enough wherever a straight leg joins the lines of both lanes, and the best two are seldom those nearest to the lanes' ends.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mine_robot.core.types import Pose2, wrap_angle
from mine_robot.coverage.ground import Ground, Mask
from mine_robot.coverage.route import STOP_S, Route, ahead
from mine_robot.coverage.transit import TurningGround

REACH_M = 8.0  # along either lane
SPACING_M = 0.1
NEARLY_M = 0.1  # a corner this near to turning ground may do: the ground has the last word
TRIES = 12
SAMPLES = 40  # along the leg across
CHECKED = 400
WORTHWHILE_S = 0.3

Array = NDArray[np.float64]


def shorten(route: Route, mark: tuple[int, Pose2], turning: TurningGround) -> None:
    """Replace the steps since ``mark``, none a sweep, by a sooner way with at most two corners to the same pose, if there is one.

    As in :mod:`~mine_robot.coverage.escape`, ground under the robot is excused only where it really stands, before the first step.
    """
    base, goal, begin = route.steps[mark[0] :], route.pose, mark[1]
    limit = sum(step.duration + STOP_S for step in base) - WORTHWHILE_S
    ground = route.ground
    excused = None if mark[0] else ground.standing(begin)
    out = _places(ground, turning, begin, excused)
    into = _places(ground, turning, goal, None)
    if not len(out) or not len(into):
        return
    seconds, leg = _seconds(route, begin, goal, out, into)
    order = np.argsort(seconds, axis=None, kind="stable")[:CHECKED]
    order = order[seconds.flat[order] < limit]
    tries = 0
    for index in order:
        i, j = divmod(int(index), len(into))
        first, last = ahead(begin, float(out[i])), ahead(goal, float(into[j]))
        if not turning.passes((first.x, first.y), (last.x, last.y), SAMPLES):
            continue
        tries += 1
        route.rewind(mark)
        done = route.drive(float(out[i]), excused) and _across(route, last, float(leg[i, j]))
        if done and route.turn(goal.yaw) and route.drive(-float(into[j])):
            route.pose = goal
            return
        if tries >= TRIES:
            break
    route.rewind(mark)
    route.steps += base
    route.pose = goal


def _across(route: Route, last: Pose2, yaw: float) -> bool:
    """Turn to ``yaw`` and drive to the place of ``last``, forwards or backwards."""
    dx, dy = last.x - route.pose.x, last.y - route.pose.y
    if math.hypot(dx, dy) < 1e-6:
        return True
    return route.turn(yaw) and route.drive(dx * math.cos(yaw) + dy * math.sin(yaw))


def _places(ground: Ground, turning: TurningGround, pose: Pose2, excused: Mask | None) -> Array:
    """Signed distances along ``pose`` that can be driven to where a turn may be possible."""
    ends = [_farthest(ground, pose, sign, excused) for sign in (-1.0, 1.0)]
    distances = np.arange(ends[0], ends[1] + 1, dtype=np.float64) * SPACING_M
    x, y = pose.x + distances * math.cos(pose.yaw), pose.y + distances * math.sin(pose.yaw)
    return np.asarray(distances[turning.distances_at(x, y) <= NEARLY_M])


def _farthest(ground: Ground, pose: Pose2, sign: float, excused: Mask | None) -> int:
    low, high = 0, round(REACH_M / SPACING_M)
    while low < high:
        middle = (low + high + 1) // 2
        if ground.can_drive(pose, sign * middle * SPACING_M, excused):
            low = middle
        else:
            high = middle - 1
    return int(sign) * low


def _seconds(route: Route, begin: Pose2, goal: Pose2, out: Array, into: Array) -> tuple[Array, Array]:
    """Times (n, m) of the ways over each pair of corners, and the headings of the legs across."""
    limits = route.limits
    px, py = begin.x + out * math.cos(begin.yaw), begin.y + out * math.sin(begin.yaw)
    qx, qy = goal.x + into * math.cos(goal.yaw), goal.y + into * math.sin(goal.yaw)
    dx, dy = qx[None, :] - px[:, None], qy[None, :] - py[:, None]
    length = np.hypot(dx, dy)
    forwards = np.arctan2(dy, dx)
    best = np.full(length.shape, np.inf)
    leg = np.zeros_like(length)
    for yaw in (forwards, forwards + math.pi):
        first, second = _turn(yaw, begin.yaw), _turn(yaw, goal.yaw)
        time = (first + second) / limits.pivot_rate + STOP_S * (1.0 + (first > 1e-3) + (second > 1e-3))
        sooner = time < best
        best[sooner], leg[sooner] = time[sooner], yaw[sooner]
    direct = abs(wrap_angle(goal.yaw - begin.yaw))
    at_once = direct / limits.pivot_rate + STOP_S * (direct > 1e-3)
    best = np.where(length < 1e-6, at_once, best)
    ends = np.abs(out)[:, None] + np.abs(into)[None, :]
    stops = (np.abs(out) > 1e-3)[:, None].astype(float) + (np.abs(into) > 1e-3)[None, :]
    return best + (length + ends) / limits.drive_speed + STOP_S * stops, leg


def _turn(first: Array, second: float) -> Array:
    return np.abs((first - second + math.pi) % (2.0 * math.pi) - math.pi)
