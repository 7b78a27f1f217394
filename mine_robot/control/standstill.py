"""Does the robot move while it is told to stand? Judged by its motion, not by commands.

Two witnesses. The tracks: their encoders' way from where the robot was told to stand, whatever the pose says. The pose: a corner of the
tracks farther away than the estimate could err, by a pose that is well known; the estimate of a robot that stands wanders while RTK
is lost, and jumps when it is back, and neither is motion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mine_robot.core.limits import Limits
from mine_robot.core.types import NavState, Pose2, WheelSample, wrap_angle

MOVED_M = 0.1  # way of a corner of the tracks, beyond braking, that is motion
STILL_SPEED = 0.02  # m/s of the fastest corner below which the robot has come to its stop
SIGMA_MAX = 0.05  # m at the corners: a pose that is known no better is no witness
BETTER = 0.5  # share of its sigma at which a new pose takes the place of the one that motion is counted from
JUMP_SPEED = 1.0  # m/s at the corners beyond the measured motion: the estimate was put right, nothing moved
GAP_S = 0.5  # without encoders: what happened meanwhile only the pose can tell
NOISE_M, NOISE_S = 0.03, 10.0  # way of the tracks that is forgotten after so long: noise adds up, too
AGAIN_S = 1.0  # between two alarms while the robot moves on


@dataclass(frozen=True)
class Motion:
    """The robot has moved ``distance`` m since ``since``, when it was told to stand; at ``t`` it is at ``pose``, if that is known."""

    t: float
    since: float
    distance: float
    witness: str
    pose: Pose2 | None


class StandstillWatch:
    """See the module: :meth:`told` with every command, :meth:`add_wheels` and :meth:`add_nav` as they come."""

    def __init__(self, limits: Limits, reach: float) -> None:
        """``reach`` is the distance in m of the farthest corner of the tracks from ``base_link``."""
        self._limits, self._reach = limits, reach
        self._nav: NavState | None = None
        self._wheels: WheelSample | None = None
        self._since: float | None = None  # told to stand
        self._alarm_t = -math.inf
        self._braking = False
        self._allowed = MOVED_M
        self._tracks = _Tracks(limits, reach)
        self._anchor: NavState | None = None
        self._shift = (0.0, 0.0, 0.0)  # how far the estimate has moved since without a witness

    def told(self, t: float, stands: bool) -> Motion | None:
        """The command at ``t`` is to stand, or is not; returns a motion there should not be."""
        if not stands:
            self._since = None
            return None
        if self._since is None:
            self._begin(t)
        elif self._braking and self._pace() < STILL_SPEED:  # it stands, so whatever it moves from here on is wrong
            self._braking, self._allowed = False, MOVED_M
            self._count_from_here(t)
        return self._motion(t)

    def add_wheels(self, sample: WheelSample) -> None:
        """Take what the encoders of the tracks say."""
        if not (math.isfinite(sample.t) and math.isfinite(sample.speed) and math.isfinite(sample.yaw_rate)):
            return
        last, self._wheels = self._wheels, sample
        if self._since is not None and last is not None and 0.0 < sample.t - last.t <= GAP_S:
            self._tracks.add(sample, sample.t - last.t)

    def add_nav(self, nav: NavState) -> None:
        """Take the newest pose."""
        if not _finite(nav):
            return
        last, self._nav = self._nav, nav
        if self._since is None:
            return
        if self._anchor is None or nav.sigma_at(self._reach) < BETTER * self._anchor.sigma_at(self._reach):
            self._anchor, self._shift = nav, (0.0, 0.0, 0.0)
        elif last is not None:
            self._discount(last, nav)

    def forget(self) -> None:
        """Begin anew: a person has seen it."""
        self._since, self._alarm_t = None, -math.inf

    # --- counting ---------------------------------------------------------------------------------------------------------
    def _begin(self, t: float) -> None:
        """Told to stand: the way to a stop is allowed, from the present speed or what it may grow to until the brakes act."""
        pace = self._pace() + self._limits.acceleration * self._limits.reaction_time
        self._since, self._braking = t, True
        self._allowed = MOVED_M + self._limits.stopping_distance(pace)
        self._count_from_here(t)

    def _pace(self) -> float:
        """Speed of the fastest corner, m/s: the faster of what pose and tracks say; the top speed if neither does."""
        paces = []
        if self._nav is not None:
            paces.append(math.hypot(*self._nav.velocity[:2]) + self._reach * abs(float(self._nav.rate[2])))
        if self._wheels is not None:
            paces.append(abs(self._wheels.speed) + self._reach * abs(self._wheels.yaw_rate))
        top = _top_speed(self._limits) + self._reach * self._limits.pivot_rate
        return min(max(paces, default=top), top)

    def _count_from_here(self, t: float) -> None:
        self._tracks.reset(t)
        self._anchor, self._shift = self._nav, (0.0, 0.0, 0.0)

    def _discount(self, last: NavState, nav: NavState) -> None:
        """What is no motion of the robot: the estimate is not well known, or moves faster than the motion it measures: it was corrected."""
        dt = nav.t - last.t
        dx, dy, turn = _difference(last.pose, nav.pose)
        pace = math.hypot(*nav.velocity[:2]) + self._reach * abs(float(nav.rate[2]))
        jumped = math.hypot(dx, dy) + self._reach * abs(turn) > (pace + JUMP_SPEED) * max(dt, 0.0)
        if jumped or not max(last.sigma_at(self._reach), nav.sigma_at(self._reach)) <= SIGMA_MAX:
            x, y, yaw = self._shift
            self._shift = (x + dx, y + dy, yaw + turn)

    # --- judging ----------------------------------------------------------------------------------------------------------
    def _motion(self, t: float) -> Motion | None:
        tracks, pose = self._tracks.way(t), self._pose_way()
        distance, witness = max((tracks, "tracks"), (pose, "pose"))
        if distance <= self._allowed or t - self._alarm_t < AGAIN_S:
            return None
        # What it moves from here on is said again, with the whole way.
        self._alarm_t, self._allowed, self._braking = t, distance + MOVED_M, False
        assert self._since is not None
        return Motion(t, self._since, distance, witness, None if self._nav is None else self._nav.pose)

    def _pose_way(self) -> float:
        """Way in m of the farthest corner that the uncertainty of the estimate cannot explain."""
        if self._anchor is None or self._nav is None:
            return 0.0
        before, now = self._anchor.sigma_at(self._reach), self._nav.sigma_at(self._reach)
        if not now <= SIGMA_MAX:
            return 0.0
        dx, dy, turn = _difference(self._anchor.pose, self._nav.pose)
        x, y, yaw = self._shift
        # With that and without it: an estimate that wandered off and jumped back has not moved, and one that jumped away neither.
        ways = (
            math.hypot(dx, dy) + self._reach * abs(turn),
            math.hypot(dx - x, dy - y) + self._reach * abs(wrap_angle(turn - yaw)),
        )
        return min(ways) - self._limits.sigma_factor * math.hypot(before, now)


class _Tracks:
    """Dead reckoning by the encoders from where the robot was told to stand.

    No sample counts for more than the robot can do, so that a single bad one is no motion.
    """

    def __init__(self, limits: Limits, reach: float) -> None:
        self._speed_max, self._rate_max, self._reach = _top_speed(limits), limits.pivot_rate, reach
        self.reset(0.0)

    def reset(self, t: float) -> None:
        self._x = self._y = self._yaw = 0.0
        self._reset_t = t

    def add(self, sample: WheelSample, dt: float) -> None:
        speed = min(max(sample.speed, -self._speed_max), self._speed_max)
        turn = min(max(sample.yaw_rate, -self._rate_max), self._rate_max) * dt
        yaw = self._yaw + 0.5 * turn
        self._x += speed * dt * math.cos(yaw)
        self._y += speed * dt * math.sin(yaw)
        self._yaw += turn

    def way(self, t: float) -> float:
        """Way of the farthest corner, m."""
        way = math.hypot(self._x, self._y) + self._reach * abs(self._yaw)
        if way < NOISE_M and t - self._reset_t > NOISE_S:
            self.reset(t)
        return way


def _top_speed(limits: Limits) -> float:
    return max(limits.drive_speed, limits.search_speed)


def _difference(first: Pose2, second: Pose2) -> tuple[float, float, float]:
    return second.x - first.x, second.y - first.y, wrap_angle(second.yaw - first.yaw)


def _finite(nav: NavState) -> bool:
    motion = (nav.t, *nav.position[:2], nav.rpy[2], *nav.velocity[:2], nav.rate[2])
    return all(math.isfinite(value) for value in motion)
