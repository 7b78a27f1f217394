"""A stop that holds by itself until the mission has taken it over, and is loosened by a person's resume only.

Guard and marker each have one, so that a stop waits for no other process. The mission hears of it by the reports and goes to its emergency
stop. From a status of that state stamped after the stop, the mission holds the robot as well; the latch opens with the first later status
of another state, which only a person's word brings about. What a mission says that had not heard of the stop, frozen or in a queue, is
older than the stop or no emergency stop, and opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mine_robot.core.types import Health, Level, MissionState, MissionStatus

HEARD_S = (
    1.0  # a cause is reported for at least so long: the mission hears of it even if its emergency stop was there first
)


@dataclass(frozen=True)
class Cause:
    """Why the robot was stopped at ``t``: words, and values for the record."""

    t: float
    message: str
    values: Mapping[str, str] = field(default_factory=dict)


class StopLatch:
    """The causes of a stop, by ``components`` under whose names they are reported."""

    def __init__(self, components: Iterable[str]) -> None:
        self._components = tuple(components)
        self._causes: dict[str, Cause] = {}
        self._stopped_t = self._mission_t = 0.0
        self._taken_over = False

    def stop(self, t: float, component: str, message: str, values: Mapping[str, str] | None = None) -> None:
        """Stop from ``t`` on because of ``component``; whatever the mission has said before opens it no more."""
        self._causes[component] = Cause(t, message, {**(values or {}), "stopped_t": f"{t:.3f}"})
        self._stopped_t, self._taken_over = max(t, self._stopped_t), False

    def set_mission(self, status: MissionStatus) -> None:
        """Take the mission's newest state."""
        if status.state is MissionState.ESTOP:
            if status.t >= self._stopped_t:
                self._mission_t, self._taken_over = status.t, True
        elif self._taken_over and status.t > self._mission_t:
            self._causes.clear()
            self._taken_over = False

    @property
    def held(self) -> bool:
        """True while nothing may move."""
        return bool(self._causes)

    @property
    def reason(self) -> str:
        """Why nothing may move: the newest cause; empty if it may."""
        return max(self._causes.values(), key=lambda cause: cause.t).message if self._causes else ""

    def cause(self, component: str) -> Cause | None:
        """Why ``component`` holds the robot; None if it does not."""
        return self._causes.get(component)

    def reports(self, t: float) -> tuple[Health, ...]:
        """A report a component: ERROR until the mission has taken the stop over, WARN while its emergency stop holds the robot."""
        return tuple(self._report(name, self._causes.get(name), t) for name in self._components)

    def _report(self, name: str, cause: Cause | None, t: float) -> Health:
        if cause is None:
            return Health(name, Level.OK, "no stop")
        heard = self._taken_over and t - cause.t >= HEARD_S
        return Health(name, Level.WARN if heard else Level.ERROR, cause.message, dict(cause.values))
