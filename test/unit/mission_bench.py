"""A world around the mission for its tests: components that are well, a planner and a marker that answer; time moved by hand."""

from __future__ import annotations

from dataclasses import replace

from control_plant import drive, limits, nav_state

from mine_robot.core.types import (
    HAZARD_M2,
    OUT_OF_REACH,
    SEARCHED,
    UNPROVEN,
    Goal,
    Health,
    Level,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MissionState,
    Plan,
    PlanGap,
    Progress,
    Remark,
    RemarkKind,
    Target,
    TargetClass,
)
from mine_robot.mission.machine import Mission, MissionOutput
from mine_robot.mission.params import MissionParams
from mine_robot.mission.reactions import REQUIRED
from mine_robot.mission.transitions import TRANSITIONS

COMPONENTS = tuple(REQUIRED)
PERIOD = 0.1


def target(target_id: int, x: float = 5.0, y: float = 0.0, p: float = 0.9, sigma: float = 0.02) -> Target:
    return Target(target_id, x, y, 0.0, sigma, sigma, 0.1, 3.0, 1.0, p, TargetClass.UNKNOWN)


def remark(kind: RemarkKind, target_id: int = -1, comment: str = "seen") -> Remark:
    return Remark(1.0, "a1", kind, target_id, comment, "viewer 1")


class MissionBench:
    """``lanes`` search plans are answered with steps, the next ones are empty; driving a plan takes ``drive_time`` s."""

    def __init__(self, lanes: int = 2, drive_time: float = 3.0, **changes: float) -> None:
        self.mission = Mission(replace(MissionParams(), **changes), limits())
        self.t = 0.0
        self.lanes = lanes
        self.drive_time = drive_time
        self.levels = dict.fromkeys(COMPONENTS, Level.OK)
        self.messages: dict[str, str] = {}
        self.unproven_m2 = 0.0
        self.silent: set[str] = set()
        self.unreachable: set[int] = set()
        self.way_home = True
        self.mark_status = lambda request: MarkStatus.CONFIRMED
        self.answers_plans = self.answers_marks = self.drives = True
        self.targets: list[Target] = []
        self.output: MissionOutput | None = None
        self.visited: list[MissionState] = []
        self.goals: list[tuple[Goal, int, float]] = []
        self.requests: list[MarkRequest] = []
        self.searched_m2 = 0.0
        self.out_of_reach_m2 = 0.0
        self.gain_m2 = 1.0  # of every search plan driven to its end
        self._driven = 0.0

    @property
    def status(self):
        return self.output.status

    def step(self) -> MissionOutput:
        self.t = round(self.t + PERIOD, 6)
        for name, level in self.levels.items():
            if name not in self.silent:
                message = self.messages.get(name, "fine" if not level else "broken")
                ground = {SEARCHED: f"{self.searched_m2:.3f}", UNPROVEN: f"{self.unproven_m2:.3f}"}
                ground |= {HAZARD_M2: "40.000", OUT_OF_REACH: f"{self.out_of_reach_m2:.3f}"}
                values = ground if name == "coverage" else {}
                self.mission.set_health(Health(name, level, message, values))
        self.mission.set_targets(tuple(self.targets))
        self.mission.set_nav(nav_state(self.t, 0.0, 0.0, 0.0))
        old = self.output
        if old is not None:
            self._answer(old)
        self.output = self.mission.update(self.t)
        self._check(old)
        return self.output

    def _answer(self, old: MissionOutput) -> None:
        status = old.status
        new_request = status.goal is not Goal.NONE and (not self.goals or self.goals[-1][2] != status.request_t)
        if new_request:
            self.goals.append((status.goal, status.goal_target, status.request_t))
            self._driven = 0.0
            if self.answers_plans:
                self.mission.set_plan(self._plan(status.goal, status.goal_target, status.request_t))
        self._driven += PERIOD if status.state.drives and self.drives else 0.0
        done = self._driven >= self.drive_time
        if done and status.state is MissionState.SEARCH:
            self.searched_m2 += self.gain_m2
        stopped = not status.state.drives or done or not self.drives
        left = max(self.drive_time - self._driven, 0.0)
        self.mission.set_progress(
            Progress(self.t, status.request_t, 0, done and stopped, left, left, 0.0, stopped, not stopped)
        )
        for request in old.mark_requests:
            self.requests.append(request)
            if self.answers_marks:
                result = self.mark_status(request)
                self.mission.set_mark_result(
                    MarkResult(self.t, request.target_id, result, request.x, request.y, f"test {result.value}")
                )

    def _plan(self, goal: Goal, target_id: int, t: float) -> Plan:
        if goal is Goal.SEARCH:
            if self.lanes <= 0:
                return Plan(t, ())
            self.lanes -= 1
            return Plan(t, tuple(drive(0, y, 9, y) for y in range(self.lanes + 1)))
        if goal is Goal.TARGET and target_id in self.unreachable:
            return Plan(t, (), (PlanGap((), 0.1, "behind a halo"),))
        if goal is Goal.HOME and not self.way_home:
            return Plan(t, ())
        return Plan(t, (drive(0, 0, 3, 0, sweep=False),))

    def _check(self, old: MissionOutput | None) -> None:
        status = self.output.status
        assert status.reason
        if old is not None:
            before = old.status.state
            if status.state is not before:
                reached = {before}
                for _ in range(3):  # one update may pass through a state in between
                    reached |= {state for origin in reached for state in TRANSITIONS[origin]}
                assert status.state in reached
            assert status.request_t >= old.status.request_t
            if status.request_t != old.status.request_t:
                assert status.request_t == status.t == self.t
                assert status.state is MissionState.PLAN
        if not self.visited or self.visited[-1] is not status.state:
            self.visited.append(status.state)

    def run(self, seconds: float, until: MissionState | None = None) -> MissionState:
        for _ in range(round(seconds / PERIOD)):
            self.step()
            if self.status.state is until:
                break
        return self.status.state

    def go(self, until: MissionState = MissionState.SEARCH) -> MissionBench:
        """Start and run until the state is reached."""
        self.step()
        assert self.mission.start()[0]
        assert self.run(60.0, until) is until
        return self

    def reach(self, state: MissionState) -> MissionBench:
        """Bring the mission into any state."""
        S = MissionState
        if state is S.IDLE:
            self.step()
        elif state is S.ALIGN:
            self.levels["gpr"] = Level.ERROR
            self.go(S.ALIGN)
        elif state in (S.APPROACH, S.MARK):
            self.targets = [target(1)]
            self.answers_marks = False
            self.go(state)
        elif state is S.HOLD:
            self.go()
            self.levels["localization"] = Level.ERROR
            self.run(1.0)
        elif state in (S.PAUSED, S.ABORTED, S.ESTOP):
            self.go()
            command = {S.PAUSED: self.mission.pause, S.ABORTED: self.mission.abort, S.ESTOP: self.mission.estop}[state]
            assert command()[0]
            self.step()
        elif state is S.PLAN:
            self.answers_plans = False
            self.go(state)
        else:
            self.go(state)
        assert self.status.state is state
        return self
