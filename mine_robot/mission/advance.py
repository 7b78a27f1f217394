"""Whether the robot gets ahead: along its plan, and from one plan to the next."""

from __future__ import annotations

import math
from enum import Enum

from mine_robot.core.types import Progress
from mine_robot.mission.params import MissionParams

PROGRESS_STEP = 0.05  # m that count as getting ahead
REPLAN_MEMORY = 30.0  # s after which a new plan counts as the first one again
MIN_GAIN = 0.02  # m² that a finished search plan has to add to the searched ground
SAME_STAMP = 1e-6  # s; stamps that went through a message may differ in their last digits


class Drive(Enum):
    """How the drive along a plan stands."""

    UNDER_WAY = "under way"
    DONE = "done"
    STALLED = "stalled"


class Advance:
    """Bounds everything that could otherwise go on for ever without getting anywhere."""

    def __init__(self, params: MissionParams) -> None:
        self._params = params
        self._step, self._left, self._since = -1, math.inf, -math.inf
        self._replans, self._replanned_at = 0, -math.inf
        self._ground, self._ground_before, self._searched = math.nan, math.nan, False
        self.fruitless = 0

    def begin(self, t: float) -> None:
        """A drive begins."""
        self._step, self._left, self._since = -1, math.inf, t

    def drive(self, t: float, progress: Progress | None, request_t: float) -> Drive:
        """Judge the newest progress; that of another plan counts as none."""
        if progress is not None and abs(progress.plan_t - request_t) < SAME_STAMP:
            if progress.done:
                self._replans = 0
                return Drive.DONE
            if progress.step != self._step or progress.remaining_m < self._left - PROGRESS_STEP:
                self._step, self._left, self._since = progress.step, progress.remaining_m, t
        return Drive.STALLED if t - self._since > self._params.stall_timeout else Drive.UNDER_WAY

    def may_replan(self, t: float) -> bool:
        """Count one more plan that could not be driven; False if there were too many in a row."""
        if t - self._replanned_at > REPLAN_MEMORY:
            self._replans = 0
        self._replans += 1
        self._replanned_at = t
        return self._replans <= self._params.max_replans

    def forgive(self) -> None:
        """Something was achieved: forget the plans that could not be driven."""
        self._replans = 0

    def searched(self) -> None:
        """A search plan was driven to its end."""
        self._searched = True

    def set_ground(self, searched_m2: float) -> None:
        """Take the area in m² that is searched by now."""
        self._ground = searched_m2

    def gains(self) -> bool:
        """Compare the searched ground with that of the last plan; False if too many in a row were driven and added nothing."""
        if self._searched:
            self.fruitless = self.fruitless + 1 if self._ground < self._ground_before + MIN_GAIN else 0
        self._ground_before, self._searched = self._ground, False
        return self.fruitless < self._params.max_fruitless
