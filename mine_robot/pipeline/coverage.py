"""Coverage composed: the ledger that books evidence and the planner that answers the mission's requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mine_robot.core.field import Field
from mine_robot.core.limits import Limits
from mine_robot.core.robot import Robot
from mine_robot.core.types import (
    HAZARD_M2,
    OUT_OF_REACH,
    SEARCHED,
    UNPROVEN,
    Cell,
    Goal,
    Health,
    LedgerGrid,
    Level,
    MissionStatus,
    NavState,
    Plan,
    PlanGap,
    Pose2,
    Release,
    SweepEvidence,
    Target,
)
from mine_robot.coverage import gaps
from mine_robot.coverage.head_track import HeadTrack
from mine_robot.coverage.layout import Layout
from mine_robot.coverage.ledger import Ledger
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.planner import REST_S_PER_M2, Planner, halo_gaps
from mine_robot.pipeline.in_vain import InVain
from mine_robot.pipeline.recall import Memory

# A target is declared when the searched line is at most 0.30 m beyond it (docs/detection.md); the tracks are 0.7 m behind that line.
DOUBT_M = 0.35
DOUBT_ASIDE_M = 0.1
REST_SHARE = 0.15  # of the hazard area is left by the lanes where there are finds, typically
LANE_S_PER_M2 = 3.5  # a lane 1.05 m wide at 0.5 m/s, and the way to the next
SAME_RASTER_M = 1e-6  # a resolution that went through a message is rounded


class CoverageManager:
    """Keeps the ledger of one field and plans from it.

    Feed it evidence, targets and navigation; ask :meth:`answer` with every mission status. The pose of the first navigation state that is
    finite is home.
    """

    def __init__(self, params: CoverageParams, limits: Limits, robot: Robot, field: Field) -> None:
        self.field = field
        self.ledger = Ledger(field, robot, limits, params.resolution, params.halo_growth_max)
        self.track = HeadTrack(robot.sweep_ahead, limits.evidence_speed_max)
        self.home: Pose2 | None = None
        self._robot = robot
        self._planner = Planner(params, limits, robot, field.lane_direction)
        self._in_vain = InVain(self._planner.footprint)
        self._pose: Pose2 | None = None
        self._answered: float | None = None
        self._layout: Layout | None = None
        self._left: tuple[PlanGap, ...] = ()
        self._gap_cells: NDArray[np.bool_] | None = None
        self._gaps_m2 = 0.0
        self._unproven_m2 = 0.0
        self._out_of_reach_m2 = 0.0
        self._planned_s = 0.0
        self._planned_m2 = 0.0

    def add_evidence(self, evidence: Sequence[SweepEvidence]) -> None:
        """Book what was swept, in order of time, where the poses have the head at that time; what does not fit them is refused."""
        self.ledger.add(self.track.take(evidence))

    def set_targets(self, targets: Sequence[Target]) -> bool:
        """Take a list of targets; halos follow from it, and none goes. True if they have changed."""
        return self.ledger.set_targets(targets)

    def release(self, releases: Sequence[Release]) -> bool:
        """Open halos by a person's word; True if they have changed."""
        return self.ledger.release(releases)

    def set_nav(self, state: NavState) -> None:
        """Take over a pose, every one there is; a pose that is not finite is as good as none."""
        self.track.add_nav(state)
        self.ledger.add(self.track.take(()))
        pose = state.pose
        if not np.all(np.isfinite((pose.x, pose.y, pose.yaw))):
            self._pose = None
            return
        self._pose = pose
        if self.home is None:
            self.home = pose

    def answer(self, status: MissionStatus) -> Plan | None:
        """The plan for a request not yet answered, stamped with it; None if there is none or the pose is unknown."""
        if status.goal is Goal.NONE or status.request_t == self._answered or self._pose is None:
            return None
        self._answered = status.request_t
        return self._plan(status.goal, status.goal_target, self._pose, status.request_t)

    def _plan(self, goal: Goal, target_id: int, pose: Pose2, t: float) -> Plan:
        grid, zones = self.ledger.grid(t), self.ledger.zones
        closed = {"obstacles": zones.no_go, "keep_off": zones.border}
        if goal is Goal.SEARCH:
            return self._search(grid, pose, t, **closed)
        if goal is Goal.HOME and self.home is not None:
            plan = self._planner.plan_home(grid, pose, self.home, t, **closed)
            if not plan.steps:  # shut in: what cannot be reached from here could have been from elsewhere
                self._left, self._gap_cells = (), None
                self._gaps_m2 = sum(gap.area for gap in gaps.clip_to_hazard(halo_gaps(grid), self.field))
                self._out_of_reach_m2 = 0.0
            return plan
        target = self.ledger.hazards.target(target_id)
        return Plan(t, ()) if target is None else self._planner.plan_target(grid, pose, target, t, **closed)

    def _search(self, grid: LedgerGrid, pose: Pose2, t: float, **closed: NDArray[np.bool_]) -> Plan:
        """The whole search at first, if the field is not large, and a stretch of it after that, until what is left is known to be gaps."""
        self._in_vain.judge(grid, pose, self.ledger.searched_area)
        given_up = self._in_vain.given_up(grid.cells == Cell.PENDING)
        self._unproven_m2 = int(np.count_nonzero(given_up)) * grid.resolution**2
        closed["keep_off"] = closed["keep_off"] | given_up
        self._layout = self._layout or self._planner.layout_of_large(grid, **closed)
        if self._layout is None:
            plan, self._layout = self._planner.plan_search(grid, pose, t, **closed)
        else:
            plan = self._planner.plan_on(grid, pose, t, self._layout, **closed)
        if plan.complete:
            if given_up.any():
                unproven = gaps.cells_to_area(given_up, grid.x0, grid.y0, grid.resolution)
                plan = replace(plan, gaps=tuple(gaps.relabelled(plan.gaps, unproven, gaps.NOT_PROVEN)))
            self._left = tuple(gap for gap in plan.gaps if gap.reason not in (gaps.HALO, gaps.NOT_PROVEN))
            self._gap_cells = gaps.cells_within(self._left, grid) & (grid.cells == Cell.PENDING)
        else:
            plan = replace(plan, gaps=(*plan.gaps, *self._left))
        plan = replace(plan, gaps=gaps.clip_to_hazard(plan.gaps, self.field))
        self._gaps_m2 = sum(gap.area for gap in plan.gaps if gap.reason != gaps.NOT_PROVEN)
        halos = sum(gap.area for gap in plan.gaps if gap.reason == gaps.HALO)
        self._out_of_reach_m2 = max(self._gaps_m2 - halos, 0.0)
        self._in_vain.planned(plan, self.ledger.searched_area)
        self._planned_s = plan.duration if plan.complete else self._expected_s()
        self._planned_m2 = self._open_area()
        return plan

    def _expected_s(self) -> float:
        """Time in s that the open ground will take as it usually does: lanes first, then what they left beside finds and in corners."""
        slow = min(self._open_area(), REST_SHARE * self.ledger.hazard_area)
        return slow * REST_S_PER_M2 + (self._open_area() - slow) * LANE_S_PER_M2

    def _open_area(self) -> float:
        """Ground in m² that is neither searched nor listed as a gap."""
        return max(self.ledger.hazard_area - self.ledger.searched_area - self._gaps_m2, 0.0)

    def grid(self, t: float) -> LedgerGrid:
        """The ledger at ``t``, with what the last search plan cannot reach as gaps."""
        grid = self.ledger.grid(t)
        if self._gap_cells is not None:
            grid.cells[self._gap_cells & (grid.cells == Cell.PENDING)] = Cell.GAP
        return grid

    def progress(self) -> Health:
        """How far the search is; the remaining time is that of the last search plan, by the ground that is still open."""
        searched, hazard = self.ledger.searched_area, self.ledger.hazard_area
        reachable = hazard - self._gaps_m2
        left = max(reachable - searched, 0.0)
        open_share = min(left / self._planned_m2, 1.0) if self._planned_m2 > 0.0 else 0.0
        values = {
            SEARCHED: f"{searched:.3f}",
            HAZARD_M2: f"{hazard:.3f}",
            "coverage": f"{min(searched / reachable, 1.0) if reachable > 0.0 else 1.0:.6f}",
            "remaining_s": f"{self._planned_s * open_share:.0f}",
            "gaps_m2": f"{self._gaps_m2:.3f}",
            UNPROVEN: f"{self._unproven_m2:.3f}",
            OUT_OF_REACH: f"{self._out_of_reach_m2:.3f}",
        }
        return Health("coverage", Level.OK, f"{searched:.1f} of {hazard:.1f} m² searched", values)

    def recall(self, memory: Memory) -> None:
        """Take over what a killed run knows; raises ValueError if its raster is not that of this field."""
        self.ledger.recall(memory.history, memory.released)
        if memory.home is not None:
            self.home = memory.home
        if memory.grid is None:
            return
        own, grid = self.ledger.zones, memory.grid
        places = np.subtract((own.x0, own.y0, own.resolution), (grid.x0, grid.y0, grid.resolution))
        if np.abs(places).max() > SAME_RASTER_M:
            raise ValueError("the journal's ledger lies on another raster than this field's")
        searched = (grid.cells == Cell.SEARCHED) & ~self._doubtful(grid, memory.grid_pose)
        seen = np.full(searched.shape, -np.inf, dtype=np.float32)
        self.ledger.restore({"searched": searched, "passes": searched.astype(np.uint8), "last_seen": seen})

    def _doubtful(self, grid: LedgerGrid, pose: Pose2 | None) -> NDArray[np.bool_]:
        """Cells about whose targets the detector may not have had its last word: near the head when the ledger was written."""
        if pose is None:
            return np.ones(grid.cells.shape, dtype=bool)
        x = grid.x0 + (np.arange(grid.cells.shape[1]) + 0.5) * grid.resolution
        y = grid.y0 + (np.arange(grid.cells.shape[0]) + 0.5) * grid.resolution
        at = pose.to_body(np.stack(np.meshgrid(x, y), axis=-1))
        ahead, aside = at[..., 0] - self._robot.sweep_ahead, at[..., 1]
        return (np.abs(ahead) <= DOUBT_M) & (np.abs(aside) <= self._robot.sweep_width / 2.0 + DOUBT_ASIDE_M)

    def snapshot(self) -> dict[str, Any]:
        """What has to survive a restart: the ledger's arrays and home."""
        state: dict[str, Any] = dict(self.ledger.snapshot())
        if self.home is not None:
            state["home"] = np.array([self.home.x, self.home.y, self.home.yaw])
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a :meth:`snapshot` of the same field; raises ValueError if it does not fit."""
        self.ledger.restore({name: state[name] for name in ("searched", "passes", "last_seen") if name in state})
        if "home" in state:
            self.home = Pose2(*(float(value) for value in state["home"]))
