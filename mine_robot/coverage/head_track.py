"""Where the head really was: evidence counts only at the place and the time at which the poses have it.

The detector says what the sensors proved at an instant; where that was, how well it is known and how fast the head went are taken from
the poses that the planner hears itself. So no message of evidence, wrong, late, doubled or made up, books ground that the head was not
over; what does not fit is refused, counted and told.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from mine_robot.core.types import Health, Level, NavState, Pose2, SweepEvidence, wrap_angle

HISTORY = 400  # poses, 20 s: a planner at work lets its messages wait
POSE_GAP_S = 0.3  # poses further apart say nothing about the time between
SAME_S = 1e-6
WAIT_S = 0.5  # evidence may be ahead of its pose by so much
WAITING_MAX = 64
PLACE_M, HEADING_RAD = 0.02, 0.02  # the message rounds to a millimetre, and the detector takes the same pose
JUMP_M = 0.05  # a new fix may move the estimate by so much beside the motion
REPEATED, WINDOW_S = 3, 10.0  # so many that do not fit, within this time, are no accident


class HeadTrack:
    """Poses of the last seconds; :meth:`take` lets through what fits them. ``ahead`` m is the searched line from ``base_link``."""

    def __init__(self, ahead: float, speed_max: float) -> None:
        self._ahead, self._speed_max = ahead, speed_max
        self._poses: deque[NavState] = deque(maxlen=HISTORY)
        self._waiting: list[SweepEvidence] = []
        self._last: SweepEvidence | None = None
        self._misfits: deque[float] = deque(maxlen=REPEATED)  # when, by the poses' time
        self._refused = 0
        self._why = ""

    def add_nav(self, state: NavState) -> None:
        """Take a pose; one that is not finite or not newer than the last is none."""
        pose = state.pose
        if math.isfinite(state.t + pose.x + pose.y + pose.yaw) and (not self._poses or state.t > self._poses[-1].t):
            self._poses.append(state)

    def take(self, records: Iterable[SweepEvidence]) -> list[SweepEvidence]:
        """What fits of ``records`` and of those that waited for their pose, in order, with place, sigma and speed of the poses."""
        waiting, self._waiting = [*self._waiting, *records], []
        newest = self._poses[-1].t if self._poses else -math.inf
        found = []
        for record in waiting:
            if newest + SAME_S < record.t <= newest + WAIT_S and len(self._waiting) < WAITING_MAX:
                self._waiting.append(record)
            elif (line := self._placed(record, newest)) is not None:
                found.append(line)
        return found

    def health(self) -> Health:
        """Health report ``evidence``: WARN while something was refused lately, ERROR while that repeats itself."""
        values = {"refused": str(self._refused)}
        newest = self._poses[-1].t if self._poses else -math.inf
        lately = sum(newest - t <= WINDOW_S for t in self._misfits)
        if lately >= REPEATED:
            words = f"does not fit the poses, again and again, and does not count: {self._why}; find out who sent it"
            return Health("evidence", Level.ERROR, words, values)
        if lately:
            return Health("evidence", Level.WARN, f"refused: {self._why}", values)
        return Health("evidence", Level.OK, "fits the poses", values)

    def _placed(self, record: SweepEvidence, newest: float) -> SweepEvidence | None:
        """The record where the head was; None if it does not fit, a line that proves nothing where the poses jump."""
        if not math.isfinite(record.t + record.x + record.y + record.yaw):
            return self._refuse("its place or time is not a number")
        if record.t > newest + SAME_S:
            return self._refuse(f"its time lies {record.t - newest:.1f} s ahead of the poses")
        if self._last is not None and record.t <= self._last.t:
            return self._refuse("it comes a second time, or out of order")
        own = self._line_at(record.t)
        if own is None:
            self._refused += 1  # the pose was lost, and so is the line: an accident that only leaves a gap
            return None
        pose, sigma, speed = own
        apart = math.hypot(record.x - pose.x, record.y - pose.y)
        turned = abs(wrap_angle(record.yaw - pose.yaw))
        if apart > PLACE_M or turned > HEADING_RAD:
            return self._refuse(f"{apart:.2f} m and {math.degrees(turned):.0f} degrees from where the head was")
        # A smaller sigma is nothing the detector can know; one that is not a number stays so and counts for nothing.
        sigma = sigma if record.sigma < sigma else record.sigma
        line = replace(record, x=pose.x, y=pose.y, yaw=pose.yaw, sigma=sigma, speed=speed)
        last, self._last = self._last, line
        if last is not None and line.t - last.t <= POSE_GAP_S:
            way = math.hypot(line.x - last.x, line.y - last.y)
            if way > self._speed_max * (line.t - last.t) + JUMP_M:
                self._refuse(f"the head would have moved {way:.2f} m in {line.t - last.t:.2f} s")
                return replace(line, gpr_ok=False, metal_ok=False)
        return line

    def _refuse(self, why: str) -> SweepEvidence | None:
        """Count a line that does not fit, and remember why; there is none instead of it."""
        self._refused += 1
        self._why = why
        self._misfits.append(self._poses[-1].t if self._poses else -math.inf)
        return None

    def _line_at(self, t: float) -> tuple[Pose2, float, float] | None:
        """Searched line, its position sigma and the ground speed at ``t``, interpolated; None if the poses do not say."""
        later = bisect_left(self._poses, t - SAME_S, key=lambda state: state.t)
        if later == len(self._poses):
            return None
        b = self._poses[later]
        if b.t - t <= SAME_S:
            return self._head(b.pose), b.sigma_at(self._ahead), _speed(b)
        if later == 0:
            return None
        a = self._poses[later - 1]
        if b.t - a.t > POSE_GAP_S:
            return None
        share = (t - a.t) / (b.t - a.t)
        x, y = (float(p + share * (q - p)) for p, q in zip(a.position[:2], b.position[:2]))
        pose = Pose2(x, y, a.pose.yaw + share * wrap_angle(b.pose.yaw - a.pose.yaw))
        return self._head(pose), max(a.sigma_at(self._ahead), b.sigma_at(self._ahead)), max(_speed(a), _speed(b))

    def _head(self, pose: Pose2) -> Pose2:
        return Pose2(
            pose.x + self._ahead * math.cos(pose.yaw), pose.y + self._ahead * math.sin(pose.yaw), wrap_angle(pose.yaw)
        )


def _speed(state: NavState) -> float:
    return math.hypot(float(state.velocity[0]), float(state.velocity[1]))
