"""Evidence, targets and the mission's wishes in; ledger and plans out."""

from __future__ import annotations

from mine_robot.core.types import Health, MissionStatus, NavState, SweepEvidence, Target
from mine_robot.pipeline.coverage import CoverageManager
from mine_robot.pipeline.ground_watch import GroundWatch
from mine_robot.pipeline.loading import load_field, load_robot
from mine_robot.pipeline.parameters import PlannerNodeParams
from mine_robot.pipeline.recall import recall
from mine_robot.pipeline.releases import Releases
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros import decode, encode
from mine_robot.ros.node import HEARTBEAT_S, StackNode, existing_path
from mine_robot.ros.topics import EVIDENCE, LEDGER, MISSION_STATE, ODOMETRY, PLAN, TARGETS

LEDGER_PERIOD_S = 0.4  # the robot moves 0.2 m in it at search speed, well within the 0.7 m between head and tracks


class PlannerNode(StackNode[PlannerNodeParams]):
    """Binds :class:`CoverageManager` to its topics."""

    name = "planner"

    def __init__(self) -> None:
        super().__init__()
        files = self.params.files
        robot = load_robot(existing_path(files.urdf, "urdf"))
        field = load_field(existing_path(files.field, "field"))
        self.coverage = CoverageManager(self.params, self.params.limits, robot, field)
        journal = RunDirectory(existing_path(files.run_directory, "run_directory")).journal
        self.coverage.recall(recall(journal))
        self.releases = Releases(journal)
        self.watch = GroundWatch(field, self.params.limits)
        self.ledger_t = -LEDGER_PERIOD_S
        self.progress_t, self.progress = -HEARTBEAT_S, self.coverage.progress()
        self.ledger = self.talk(LEDGER)
        self.plan = self.talk(PLAN)
        self.poll(ODOMETRY, decode.odometry, self.on_odometry)  # all of them: evidence is held against its pose
        self.poll(EVIDENCE, decode.evidence, self.on_evidence)
        self.poll(MISSION_STATE, decode.mission_status, self.on_mission)
        self.listen(TARGETS, decode.targets, self.on_targets)

    def on_odometry(self, state: NavState) -> None:
        """The pose plans begin at; and is it within the field?"""
        self.coverage.set_nav(state)
        self.watch.set_nav(state)

    def on_evidence(self, records: list[SweepEvidence]) -> None:
        """Book what was swept; and is the head at its height?"""
        self.coverage.add_evidence(records)
        self.watch.add_evidence(records)

    def on_targets(self, targets: tuple[Target, ...]) -> None:
        """A target's halo reaches the guard at once: the tracks may be half a metre away from it."""
        if self.coverage.set_targets(targets):
            self.publish_ledger(self.now)

    def on_mission(self, status: MissionStatus) -> None:
        """Answer a request for a plan; the ledger goes out first, so that the guard knows the ground the plan uses."""
        self.coverage.release(self.releases.new(status))
        if self.releases.refused:
            self.get_logger().warning(self.releases.refused, throttle_duration_sec=5.0)
        plan = self.coverage.answer(status)
        if plan is not None:
            self.publish_ledger(self.now)
            self.plan.publish(encode.plan(plan))

    def tick(self, t: float) -> None:
        """Publish the ledger."""
        if not self.ledger_t <= t < self.ledger_t + LEDGER_PERIOD_S - 1e-6:
            self.publish_ledger(t)

    def publish_ledger(self, t: float) -> None:
        """Publish the ledger as it is now."""
        self.ledger_t = t
        self.ledger.publish(encode.ledger(self.coverage.grid(t)))

    def health(self, t: float) -> tuple[Health, ...]:
        """Progress of the coverage, counted anew once a heartbeat: it sums over the whole ledger."""
        if not self.progress_t <= t < self.progress_t + HEARTBEAT_S - 1e-6:
            self.progress_t, self.progress = t, self.coverage.progress()
        return (self.progress, self.coverage.track.health(), *self.watch.reports(t))
