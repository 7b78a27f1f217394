"""A plan while it grows: each move is checked on the ground before it becomes a step."""

from __future__ import annotations

import math

from mine_robot.core.limits import Limits
from mine_robot.core.types import PlanStep, Pose2, StepKind, wrap_angle
from mine_robot.coverage.ground import Ground, Mask

Point = tuple[float, float]
MIN_MOVE_M = 1e-3
MIN_TURN_RAD = 1e-4
STOP_S = 1.0  # what starting and stopping add to a step, typically
TRANSIT_M = 2.5  # a longer drive without search is a transit, a shorter one belongs to the turn between two lanes


class Route:
    """Steps driven so far over ``ground`` and the ``pose`` they lead to. A refused move changes nothing."""

    def __init__(self, ground: Ground, pose: Pose2, limits: Limits) -> None:
        self.ground = ground
        self.pose = pose
        self.limits = limits
        self.steps: list[PlanStep] = []

    @property
    def duration(self) -> float:
        """Time of all steps in s, with their stops."""
        return sum(step.duration + STOP_S for step in self.steps)

    def turn(self, yaw: float, excused: Mask | None = None) -> bool:
        """Turn on the spot, the short way, over drivable (or ``excused``) ground."""
        yaw = wrap_angle(yaw)
        if abs(wrap_angle(yaw - self.pose.yaw)) < MIN_TURN_RAD:
            return True
        if self.ground.can_pivot(self.pose, yaw, excused):
            self._append(StepKind.TURN, Pose2(self.pose.x, self.pose.y, yaw), False, False, self.limits.pivot_rate)
            return True
        if not self.ground.has_obstacles:
            return False
        # The head may be free to go the long way round.
        turn = wrap_angle(yaw - self.pose.yaw)
        half = wrap_angle(self.pose.yaw + (turn - math.copysign(2.0 * math.pi, turn)) / 2.0)
        middle = Pose2(self.pose.x, self.pose.y, half)
        if not (self.ground.can_pivot(self.pose, half) and self.ground.can_pivot(middle, yaw)):
            return False
        self._append(StepKind.TURN, middle, False, False, self.limits.pivot_rate)
        self._append(StepKind.TURN, Pose2(self.pose.x, self.pose.y, yaw), False, False, self.limits.pivot_rate)
        return True

    def drive(self, distance: float, excused: Mask | None = None) -> bool:
        """Drive straight by ``distance`` m, backwards if negative, over drivable (or ``excused``) ground."""
        if abs(distance) < MIN_MOVE_M:
            return True
        if not self.ground.can_drive(self.pose, distance, excused):
            return False
        kind = StepKind.TRANSIT if abs(distance) > TRANSIT_M else StepKind.TURN
        self._append(kind, ahead(self.pose, distance), distance < 0.0, False, self.limits.drive_speed)
        return True

    def sweep(self, distance: float) -> int:
        """Search straight ahead by ``distance`` m; returns the number of cells that it changed, 0 if refused or useless."""
        if distance < MIN_MOVE_M or not self.ground.can_sweep(self.pose, distance):
            return 0
        gain = self.ground.sweep(self.pose, distance)
        if gain > 0:
            self._append(StepKind.LANE, ahead(self.pose, distance), False, True, self.limits.search_speed)
        return gain

    def follow(self, points: list[Point]) -> bool:
        """Drive along a polyline that begins here, each leg forwards or backwards, whichever needs the smaller turn."""
        for point in points[1:]:
            dx, dy = point[0] - self.pose.x, point[1] - self.pose.y
            distance = math.hypot(dx, dy)
            if distance < MIN_MOVE_M:
                continue
            yaw = math.atan2(dy, dx)
            ways = [(yaw, distance), (wrap_angle(yaw + math.pi), -distance)]
            if abs(wrap_angle(yaw - self.pose.yaw)) > math.pi / 2.0:
                ways.reverse()
            if not any(self._leg(*way) for way in ways):
                return False
        return True

    def _leg(self, yaw: float, distance: float) -> bool:
        before = self.mark()
        if self.turn(yaw) and self.drive(distance):
            return True
        self.rewind(before)
        return False

    def mark(self) -> tuple[int, Pose2]:
        """A point to :meth:`rewind` to."""
        return len(self.steps), self.pose

    def rewind(self, mark: tuple[int, Pose2]) -> None:
        """Forget the steps since ``mark``; none of them may have been a sweep."""
        del self.steps[mark[0] :]
        self.pose = mark[1]

    def _append(self, kind: StepKind, end: Pose2, reverse: bool, sweep: bool, speed: float) -> None:
        self.steps.append(PlanStep(kind, self.pose, end, bool(reverse), sweep, speed))
        self.pose = end


def stay(pose: Pose2, limits: Limits) -> PlanStep:
    """A step of no length, for a plan that leads where the robot stands already."""
    return PlanStep(StepKind.TURN, pose, pose, False, False, limits.pivot_rate)


def ahead(pose: Pose2, distance: float) -> Pose2:
    """``pose`` moved straight by ``distance`` m."""
    return Pose2(pose.x + distance * math.cos(pose.yaw), pose.y + distance * math.sin(pose.yaw), pose.yaw)
