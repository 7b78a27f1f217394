"""What stands above the check of the ground: nothing moves while a stop is latched, and motion while told to stand is an alarm.

:meth:`Stops.pass_on` takes every decision of the guard on its way to the tracks. It only ever makes it a command to stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mine_robot.control.guard import GuardDecision
from mine_robot.control.params import GuardParams
from mine_robot.control.standstill import Motion, StandstillWatch
from mine_robot.core.latch import StopLatch
from mine_robot.core.limits import Limits
from mine_robot.core.robot import Robot
from mine_robot.core.types import Health, Level, MissionState, MissionStatus, NavState, Twist2, WheelSample

# Names of the reports.
BY_SERVICE, MOVED, FOREIGN, OPERATOR = "guard_stop", "standstill", "foreign_command", "operator"
ALARMS = (MOVED, FOREIGN)  # sound the siren
AGAIN_S = 10.0  # after which a stranger who goes on commanding is said again; who moved it is not in doubt meanwhile
# There the robot may be moved by hand: onto the field, or some metres so that the heading is known.
BY_HAND = (MissionState.IDLE, MissionState.ALIGN)


class Stops:
    """Latched stops, the watch over a robot that is told to stand, and the operator's heartbeat."""

    def __init__(self, params: GuardParams, limits: Limits, robot: Robot) -> None:
        self._operator_age_max = params.operator_age_max
        self._operator_t: float | None = None
        self._latch = StopLatch((BY_SERVICE, *ALARMS))
        self._watch = StandstillWatch(limits, robot.pivot_radius)
        self._mission: MissionState | None = None
        self._nav: NavState | None = None
        self._foreign: tuple[float, str] | None = None

    # --- inputs -----------------------------------------------------------------------------------------------------------
    def stop(self, t: float) -> None:
        """Stop at once, by a person's service call."""
        self._latch.stop(t, BY_SERVICE, "stopped at the guard by service")

    def set_mission(self, status: MissionStatus) -> None:
        """Take the mission's state: it takes stops over, and says when a person has resumed."""
        self._mission = status.state
        held = self._latch.held
        self._latch.set_mission(status)
        if held and not self._latch.held:
            self._watch.forget()

    def set_operator(self, t: float) -> None:
        """Take a heartbeat of the operator's side, stamped ``t``."""
        self._operator_t = t if self._operator_t is None else max(t, self._operator_t)

    def add_wheels(self, sample: WheelSample) -> None:
        """Take what the encoders of the tracks say."""
        self._watch.add_wheels(sample)

    def add_nav(self, nav: NavState) -> None:
        """Take the newest pose."""
        self._nav = nav
        self._watch.add_nav(nav)

    def add_foreign(self, t: float, command: Twist2 | None, who: Callable[[], Sequence[str]]) -> None:
        """A command (None: not readable) was on its way to the base that the guard has not sent; ``who`` finds who else sends any."""
        if self._foreign is None or self._latch.cause(FOREIGN) is None or not 0.0 <= t - self._foreign[0] < AGAIN_S:
            names = ", ".join(who()) or "somebody unknown"
            words = "not readable" if command is None else f"{command.speed:.2f} m/s, {command.yaw_rate:.2f} rad/s"
            message = f"a command that is not the guard's on cmd_vel, by {names}: {words}"
            self._latch.stop(t, FOREIGN, message, {"who": names, "what": words, **self._where()})
            self._foreign = (t, names)

    # --- output -----------------------------------------------------------------------------------------------------------
    def pass_on(self, t: float, decision: GuardDecision) -> GuardDecision:
        """The guard's decision at time ``t``, or to stand."""
        reason = self._latch.reason or self._operator_fault(t)
        if reason:
            decision = GuardDecision(Twist2(decision.twist.t, 0.0, 0.0), reason)
        stands = decision.twist.speed == 0.0 and decision.twist.yaw_rate == 0.0
        watched = self._mission is not None and self._mission not in BY_HAND
        motion = self._watch.told(t, stands and watched)
        if motion is not None:
            self._alarm(motion)
            return GuardDecision(Twist2(decision.twist.t, 0.0, 0.0), self._latch.reason)
        return decision

    @property
    def siren(self) -> bool:
        """True from an alarm until a person has resumed."""
        return any(self._latch.cause(component) is not None for component in ALARMS)

    def health(self, t: float) -> tuple[Health, ...]:
        """A report a cause of a stop, and one of the operator's heartbeat if it is demanded."""
        reports = self._latch.reports(t)
        if not self._operator_age_max:
            return reports
        fault = self._operator_fault(t)
        return (*reports, Health(OPERATOR, Level.ERROR if fault else Level.OK, fault or "there"))

    def _operator_fault(self, t: float) -> str:
        if not self._operator_age_max:
            return ""
        if self._operator_t is None:
            return "no heartbeat from the operator yet"
        age = t - self._operator_t
        fresh = -self._operator_age_max <= age <= self._operator_age_max
        return "" if fresh else f"no heartbeat from the operator for {age:.1f} s"

    def _alarm(self, motion: Motion) -> None:
        who = "unknown"
        if self._foreign is not None and motion.t - self._foreign[0] <= AGAIN_S:
            who = self._foreign[1]
        words = f"moved {motion.distance:.2f} m while told to stand (seen by the {motion.witness}, moved by {who})"
        values = {
            "who": who,
            "moved_m": f"{motion.distance:.3f}",
            "witness": motion.witness,
            "since_t": f"{motion.since:.3f}",
        }
        self._latch.stop(motion.t, MOVED, words, {**values, **self._where()})

    def _where(self) -> dict[str, str]:
        if self._nav is None:
            return {}
        return {"east_m": f"{self._nav.position[0]:.2f}", "north_m": f"{self._nav.position[1]:.2f}"}
