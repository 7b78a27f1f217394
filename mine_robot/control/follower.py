"""Drives a plan: straight lines with state feedback, turns on the spot, a stop at each end.

Steering is linear state feedback on cross-track offset and heading error with poles placed over the *driven distance*
(Siciliano et al., *Robotics*, 2009, section 11.6), hence the same for every speed and, with the sign of the speed, for
both directions. Two disturbance observers take out what slip causes: the curvature of uneven slip of the tracks, and the drift downhill
of a robot that drives across a slope.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mine_robot.control.drift import DriftObserver
from mine_robot.control.params import FollowerParams
from mine_robot.core.limits import Limits
from mine_robot.core.parameters import ParameterError
from mine_robot.core.robot import Robot
from mine_robot.core.types import (
    Health,
    Level,
    MissionStatus,
    NavState,
    Plan,
    PlanStep,
    Pose2,
    Progress,
    Twist2,
    wrap_angle,
)

MAX_PERIOD = 0.2  # s; a longer gap between estimates does not let the command jump further
CREEP_SPEED = 0.03  # m/s and rad/s: what still moves the robot over the last centimetre
HEADING_SPEED_FLOOR = 0.15  # m/s; below it the heading is corrected as if driving this fast
ENTRY_MARGIN = 0.03  # m the offset may still grow while a plan is entered
OBSERVER_TIME = 0.5  # s
MAX_SLIP_CURVATURE = 0.3  # 1/m
SLIP_OBSERVED_FROM = 0.1  # m/s


@dataclass(frozen=True)
class _Line:
    """A straight step: ``heading`` of the robot on it in rad, ``sign`` -1 if it is driven backwards."""

    step: PlanStep
    heading: float
    sign: float

    @classmethod
    def of(cls, step: PlanStep) -> _Line:
        sign = -1.0 if step.reverse else 1.0
        heading = math.atan2(sign * (step.end.y - step.start.y), sign * (step.end.x - step.start.x))
        return cls(step, heading, sign)

    def errors(self, pose: Pose2) -> tuple[float, float, float]:
        """Distance left (m, negative beyond the end), offset to the left of the heading (m), heading error (rad)."""
        dx, dy = pose.x - self.step.end.x, pose.y - self.step.end.y
        cos, sin = math.cos(self.heading), math.sin(self.heading)
        return -self.sign * (dx * cos + dy * sin), dy * cos - dx * sin, wrap_angle(pose.yaw - self.heading)

    def continues(self, following: PlanStep) -> bool:
        """True if ``following`` goes on in the same direction, so that no stop is needed between."""
        if following.is_pivot or following.reverse != self.step.reverse:
            return False
        gap = math.hypot(following.start.x - self.step.end.x, following.start.y - self.step.end.y)
        return gap < 0.02 and abs(wrap_angle(_Line.of(following).heading - self.heading)) < math.radians(0.5)


def approach_speed(distance: float, deceleration: float, lag: float, end_speed: float = 0.0) -> float:
    """Highest speed from which ``end_speed`` is reached after ``distance`` m, with ``lag`` s before the brakes act."""
    offset = deceleration * lag
    return math.sqrt((offset + end_speed) ** 2 + 2.0 * deceleration * max(distance, 0.0)) - offset


class Follower:
    """Follows the plan the mission asks for; one :meth:`update` a navigation estimate (20 Hz)."""

    def __init__(self, params: FollowerParams, limits: Limits, robot: Robot) -> None:
        """Raise :class:`ParameterError` if the stray limit is larger than what plan and guard reckon with."""
        allowed = limits.tracking_tolerance + limits.sigma_factor * limits.position_sigma_max
        if params.stray_limit > allowed:
            raise ParameterError(
                f"'stray_limit' must be at most {allowed:g} m (tracking tolerance plus k sigma), "
                f"got {params.stray_limit}"
            )
        self._params = params
        self._limits = limits
        self._robot = robot
        self._plan: Plan | None = None
        self._mission: MissionStatus | None = None
        self._t: float | None = None
        self._fault = ""
        self._speed = self._rate = 0.0
        self._model_rate = self._slip_curvature = 0.0
        self._drift = DriftObserver()
        self._begin(None)

    def set_plan(self, plan: Plan) -> None:
        """Take a new plan and begin at its first step; a plan of the same stamp is a repetition and changes nothing."""
        if self._plan is None or plan.t != self._plan.t:
            self._begin(plan)

    def set_mission(self, status: MissionStatus) -> None:
        """Take the mission's state: it decides whether to drive, and which plan."""
        self._mission = status

    def update(self, nav: NavState) -> tuple[Twist2, Progress]:
        """Command and progress for the pose now. A pose that is not finite stops the robot at once."""
        period = min(max(nav.t - self._t, 0.0), MAX_PERIOD) if self._t is not None else 0.0
        self._t = nav.t
        values = np.concatenate((nav.position[:2], nav.rpy, nav.velocity[:2], nav.rate))
        if not np.all(np.isfinite(values)):
            self._fault = "the pose is not finite"
            self._speed = self._rate = 0.0
            return Twist2(nav.t, 0.0, 0.0), self._progress(nav.t, stopped=False)
        if self._fault == "the pose is not finite":
            self._fault = ""
        self._observe_slip(nav, period)
        speed, rate = self._wanted(nav, period)
        self._ramp(speed, rate, period)
        return Twist2(nav.t, self._speed, self._rate), self._progress(nav.t, stopped=self._standing(nav))

    def health(self, t: float) -> Health:
        """Health report ``follower``; ERROR if the robot strayed from the plan."""
        values = {
            "cross_track_m": f"{self._cross_track:.3f}" if math.isfinite(self._cross_track) else "-",
            "step": f"{self._step}/{len(self._plan.steps) if self._plan else 0}",
            "plan": f"{self._plan.t:.2f}" if self._plan else "-",
            "slip_curvature": f"{self._slip_curvature:.3f}",
        }
        if self._fault:
            return Health("follower", Level.ERROR, self._fault, values)
        if self._t is None:
            return Health("follower", Level.WARN, "no pose yet", values)
        if t - self._t > 2.0 * MAX_PERIOD:
            return Health("follower", Level.WARN, f"no pose for {t - self._t:.1f} s", values)
        return Health("follower", Level.OK, "driving" if self._follows() else "standing", values)

    # --- plan ----------------------------------------------------------------------------------------------------
    def _begin(self, plan: Plan | None) -> None:
        self._plan = plan
        self._step = 0
        self._halting = False
        self._fault = ""
        self._limit: float | None = None
        self._cross_track = math.nan
        self._left = math.nan
        self._drift.begin_line()

    def _follows(self) -> bool:
        """True if there is a plan and the mission wants it driven."""
        status = self._mission
        return (
            status is not None and self._plan is not None and status.state.drives and self._plan.t == status.request_t
        )

    @property
    def current(self) -> PlanStep | None:
        """The step that is driven now; None without a plan and at its end."""
        return self._plan.steps[self._step] if self._plan and self._step < len(self._plan.steps) else None

    def _standing(self, nav: NavState) -> bool:
        moving = max(abs(float(nav.velocity[0])), abs(float(nav.rate[2])))
        return self._speed == 0.0 and self._rate == 0.0 and moving < self._params.settle_speed

    # --- control -------------------------------------------------------------------------------------------------
    def _wanted(self, nav: NavState, period: float) -> tuple[float, float]:
        """Speed and yaw rate before acceleration limits; advances the step where one is finished."""
        if not self._follows() or self._fault:
            self._drift.begin_line()  # who stands may be moved
            return 0.0, 0.0
        for _ in range(3):  # at most: end of a drive, an empty pivot, the next drive
            step = self.current
            if step is None:
                self._cross_track = math.nan
                return 0.0, 0.0
            command = self._pivot(step, nav) if step.is_pivot else self._straight(step, nav, period)
            if command is not None:
                return command
            self._step += 1
            self._halting = False
            self._drift.begin_line()
        return 0.0, 0.0

    def _pivot(self, step: PlanStep, nav: NavState) -> tuple[float, float] | None:
        """Command of a turn on the spot, None when it is finished."""
        pose, tolerance = nav.pose, self._params.heading_tolerance
        self._cross_track = math.nan
        self._left = 0.0
        if self._strayed(math.hypot(pose.x - step.start.x, pose.y - step.start.y)):
            return 0.0, 0.0
        turn, error = wrap_angle(step.end.yaw - step.start.yaw), wrap_angle(step.end.yaw - pose.yaw)
        if abs(error) > math.pi / 2 and error * turn < 0.0:
            error += math.copysign(2.0 * math.pi, turn)  # a half turn keeps the planned direction
        if self._settled(nav, abs(error), tolerance, stop_at=0.6 * tolerance):
            return None
        if self._halting:
            return 0.0, 0.0
        rate = approach_speed(abs(error), 0.7 * self._params.yaw_acceleration, self._params.stop_lag)
        return 0.0, math.copysign(min(max(rate, CREEP_SPEED), step.speed, self._limits.pivot_rate), error)

    def _straight(self, step: PlanStep, nav: NavState, period: float) -> tuple[float, float] | None:
        """Command of a straight drive, None when it is finished."""
        line = _Line.of(step)
        left, offset, error = line.errors(nav.pose)
        self._cross_track, self._left = offset, max(left, 0.0)
        behind = left - step.length
        if self._strayed(max(abs(offset), behind)) or self._turned_away(error):
            return 0.0, 0.0
        through = self._step + 1 < len(self._plan.steps) and line.continues(self._plan.steps[self._step + 1])  # type: ignore[union-attr]
        if through and left <= 0.0:
            return None
        if not through and self._settled(
            nav, left, self._params.stop_tolerance, stop_at=0.5 * self._params.stop_tolerance
        ):
            return None
        if self._halting:
            return 0.0, 0.0
        speed = self._speed_limit(line, left) * max(1.0 - abs(error) / self._params.heading_limit, 0.0)
        speed = line.sign * min(max(speed, CREEP_SPEED), step.speed)
        drift = self._drift.update(line.heading, offset, error, float(nav.velocity[0]) * period)
        return speed, self._steer(offset, error + line.sign * drift)

    def _steer(self, offset: float, error: float) -> float:
        """Yaw rate that brings offset and course error to zero at the speed commanded now."""
        gain, damping = self._params.path_gain, self._params.damping
        reach = self._params.heading_limit * damping / gain  # keeps the heading asked for within half the heading limit
        bend = -self._speed * gain**2 * min(max(offset, -reach), reach)
        turn = -2.0 * damping * gain * max(abs(self._speed), HEADING_SPEED_FLOOR) * error
        rate = bend + turn - self._speed * self._slip_curvature
        return min(max(rate, -self._limits.pivot_rate), self._limits.pivot_rate)

    def _speed_limit(self, line: _Line, left: float) -> float:
        """Speed from which every lower limit ahead is still reached, over all steps that follow without a stop."""
        steps = self._plan.steps if self._plan else ()
        speed, distance, index = math.inf, left, self._step
        braking, lag = self._limits.deceleration, self._params.stop_lag
        while index + 1 < len(steps) and line.continues(steps[index + 1]):
            index += 1
            line = _Line.of(steps[index])
            following = steps[index].speed
            speed = min(speed, approach_speed(distance - 0.5 * lag * following, braking, lag, following))
            distance += steps[index].length
        return min(speed, approach_speed(distance, braking, lag))

    def _settled(self, nav: NavState, left: float, tolerance: float, *, stop_at: float) -> bool:
        """True once the robot stands within ``tolerance`` of the end.

        Stops it within ``stop_at`` and tries again if it fell short.
        """
        if left <= stop_at:
            self._halting = True
        if not self._standing(nav):
            return False
        self._halting = self._halting and left <= tolerance
        return left <= tolerance

    def _strayed(self, deviation: float) -> bool:
        """True if the robot is further from the plan than allowed; one that begins some way off is closed in on."""
        normal = self._params.stray_limit
        if self._limit is None:
            self._limit = self._params.entry_limit
        if deviation > self._limit:
            self._fault = f"{deviation:.2f} m from the planned track, limit {self._limit:.2f} m"
            return True
        self._limit = max(normal, min(self._limit, deviation + ENTRY_MARGIN))
        return False

    def _turned_away(self, error: float) -> bool:
        if abs(error) > self._params.heading_limit:
            self._fault = f"heading {math.degrees(error):.0f}° off the planned track"
        return bool(self._fault)

    def _ramp(self, speed: float, rate: float, period: float) -> None:
        """Move the command towards ``speed`` and ``rate`` within the accelerations."""
        braking = abs(speed) < abs(self._speed) or speed * self._speed < 0.0
        step = (self._limits.deceleration if braking else self._limits.acceleration) * period
        turn = self._params.yaw_acceleration * period
        self._speed += min(max(speed - self._speed, -step), step)
        self._rate += min(max(rate - self._rate, -turn), turn)

    def _observe_slip(self, nav: NavState, period: float) -> None:
        """Compare the yaw rate with what the commands should have caused; on straight drives the rest is slip."""
        self._model_rate += (self._rate - self._model_rate) * min(
            period / max(self._params.response_time, period, 1e-3), 1.0
        )
        speed = float(nav.velocity[0])
        step = self.current
        if step is None or step.is_pivot or abs(speed) < SLIP_OBSERVED_FROM:
            return
        seen = (float(nav.rate[2]) - self._model_rate) / speed
        self._slip_curvature += (seen - self._slip_curvature) * period / OBSERVER_TIME
        self._slip_curvature = min(max(self._slip_curvature, -MAX_SLIP_CURVATURE), MAX_SLIP_CURVATURE)

    def _searches(self, step: PlanStep) -> bool:
        """Whether a drive counts as search: the path on the wire carries its speed and direction, not the planner's intention."""
        return not step.is_pivot and not step.reverse and step.speed <= self._limits.search_speed + 1e-6

    # --- report --------------------------------------------------------------------------------------------------
    def _progress(self, t: float, *, stopped: bool) -> Progress:
        """Progress; stamps of a missing plan and the offset while turning are NaN."""
        step = self.current
        rest = self._plan.steps[self._step + 1 :] if self._plan else ()
        left = (self._left if math.isfinite(self._left) else step.length) if step else 0.0
        partial = 0.0 if step is None else (step.duration if step.is_pivot else left / step.speed)
        return Progress(
            t=t,
            plan_t=self._plan.t if self._plan else math.nan,
            step=self._step,
            done=self._plan is not None and step is None and stopped,
            remaining_m=left + sum(other.length for other in rest),
            remaining_s=partial + sum(other.duration for other in rest),
            cross_track=self._cross_track,
            stopped=stopped,
            sweeping=self._follows() and not stopped and step is not None and self._searches(step),
        )
