"""Ground that cannot be proven: it is given up after the second try, and the rest is searched."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coverage_setup import limits, robot
from random_fields import field_of

from mine_robot.core.types import (
    UNPROVEN,
    Cell,
    Goal,
    MissionState,
    MissionStatus,
    NavState,
    Plan,
    Pose2,
    SweepEvidence,
)
from mine_robot.coverage.params import CoverageParams
from mine_robot.pipeline.coverage import CoverageManager

STONE_M = 0.3
REACH_M = robot().sweep_width / 2.0 + STONE_M


class Drive:
    """A manager whose plans are driven as they are, with evidence that fails where the head is lifted by a stone."""

    def __init__(self, stone: tuple[float, float]) -> None:
        field = field_of(shapely.box(0, 0, 4, 3), shapely.box(-0.6, -2.6, 4.6, 0))
        self.manager = CoverageManager(CoverageParams(directions=1), limits(), robot(), field)
        self.stone, self.t = stone, 0.0
        self.stand(Pose2(2.0, -1.3, 0.0))

    def stand(self, pose: Pose2, t: float | None = None) -> None:
        position, rpy = np.array([pose.x, pose.y, 0.0]), np.array([0.0, 0.0, pose.yaw])
        speed, covariance = np.array([0.0 if t is None else 0.5, 0.0, 0.0]), np.eye(6) * 4e-5
        self.manager.set_nav(NavState(t or self.t, position, rpy, speed, np.zeros(3), covariance))

    def ask(self) -> Plan:
        self.t += 10.0
        plan = self.manager.answer(MissionStatus(self.t, MissionState.PLAN, "", Goal.SEARCH, 0, self.t))
        assert plan is not None
        return plan

    def drive(self, plan: Plan, steps: int | None = None) -> None:
        for step in plan.steps[:steps]:
            if step.sweep:
                self.sweep(step.start, step.length)
            self.stand(step.end)

    def sweep(self, start: Pose2, length: float) -> None:
        self.t += 10.0
        for i in range(math.ceil(length / 0.025) + 1):
            x, y = start.to_map(np.array([robot().sweep_ahead + min(0.025 * i, length), 0.0])).tolist()
            self.stand(
                Pose2(*start.to_map(np.array([min(0.025 * i, length), 0.0])).tolist(), start.yaw), self.t + 0.05 * i
            )
            ahead, aside = Pose2(x, y, start.yaw).to_body(np.array(self.stone)).tolist()
            height = 0.3 if abs(ahead) < STONE_M and abs(aside) < REACH_M else 0.06
            self.manager.add_evidence(
                [SweepEvidence(self.t + 0.05 * i, x, y, start.yaw, 0.01, height, 0.5, True, True)]
            )
        self.t += 0.05 * i

    def cells(self, state: Cell) -> int:
        return int(np.count_nonzero(self.manager.grid(self.t).cells == state))

    @property
    def unproven(self) -> float:
        return float(self.manager.progress().values[UNPROVEN])


@pytest.mark.parametrize("x", [0.3, 0.9, 1.7, 3.6])
def test_a_spot_that_cannot_be_proven_is_given_up_and_counts_as_not_searched(x: float) -> None:
    drive = Drive((x, 2.6))
    for _ in range(8):
        plan = drive.ask()
        if not plan.steps:
            break
        drive.drive(plan)
    assert not plan.steps and plan.complete
    assert drive.unproven > 0.3
    assert {gap.reason for gap in plan.gaps} == {"swept twice without proof"}
    assert drive.manager.ledger.searched_area + sum(gap.area for gap in plan.gaps) == pytest.approx(12.0, abs=0.01)
    assert float(drive.manager.progress().values["coverage"]) < 0.98
    assert drive.unproven / 0.0025 == pytest.approx(drive.cells(Cell.PENDING), abs=1.0)
    assert drive.manager.ledger.searched_area > 0.85 * 12.0


def test_plans_that_gain_or_were_broken_off_give_up_nothing() -> None:
    drive = Drive((9.0, 9.0))
    for steps in (1, 1, 1, None, None):
        drive.drive(drive.ask(), steps)
        assert drive.unproven == 0.0
    assert drive.manager.ledger.searched_area > 0.95 * 12.0
