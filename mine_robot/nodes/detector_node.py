"""Radar and metal-detector scans in; targets and sweep evidence out."""

from __future__ import annotations

from mine_robot.core.types import Health, NavState
from mine_robot.detection.detector import Detector
from mine_robot.pipeline.hazard import best_judge
from mine_robot.pipeline.loading import load_field, load_robot
from mine_robot.pipeline.parameters import DetectorNodeParams
from mine_robot.pipeline.priors import priors_of_run
from mine_robot.pipeline.recall import recall
from mine_robot.pipeline.scan_queue import ScanQueue
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros import decode, encode
from mine_robot.ros.node import StackNode, existing_path
from mine_robot.ros.topics import EVIDENCE, GPR_SCAN, METAL_SCAN, ODOMETRY, TARGETS

TARGETS_PERIOD_S = 1.0  # a list that someone else overwrote is whole again after this time
POSE_WAIT_S = 0.15  # without poses: scans wait no longer, so that silence of the localisation does not look like silence of a sensor


class DetectorNode(StackNode[DetectorNodeParams]):
    """Binds :class:`Detector` to its topics."""

    name = "detector"

    def __init__(self) -> None:
        super().__init__()
        robot = load_robot(existing_path(self.params.files.urdf, "urdf"))
        directory = RunDirectory(existing_path(self.params.files.run_directory, "run_directory"))
        prior = priors_of_run(directory.priors, load_field(existing_path(self.params.files.field, "field")))
        self.detector = Detector(self.params, self.params.limits, robot, best_judge(), prior)
        self.detector.restore(recall(directory.journal).targets)
        self.published_revision, self.published_t = -1, -TARGETS_PERIOD_S
        self.waiting: NavState | None = None
        self.scans = ScanQueue(self.detector)
        self.evidence = self.talk(EVIDENCE)
        self.targets = self.talk(TARGETS)
        self.poll(GPR_SCAN, decode.gpr, self.scans.add)
        self.poll(METAL_SCAN, decode.metal, self.scans.add)
        self.listen(ODOMETRY, decode.odometry, self.on_odometry)

    def on_odometry(self, newest: NavState) -> None:
        """Take a pose when the next one has come: it travels faster than the scans of its instant, which have arrived by then."""
        state, self.waiting = self.waiting, newest
        if state is not None:
            self.scans.hand_over(state.t)
            self.place(state)

    def tick(self, t: float) -> None:
        """Without poses the sensors' health is judged all the same."""
        self.scans.hand_over(t - POSE_WAIT_S)

    def place(self, state: NavState) -> None:
        """Place the scans, publish what the head can prove and what changed among the targets."""
        records = self.detector.add_nav(state)
        # Targets first: whoever counts the evidence already knows what was found there.
        if self.detector.revision != self.published_revision or state.t - self.published_t >= TARGETS_PERIOD_S:
            self.published_revision, self.published_t = self.detector.revision, state.t
            self.targets.publish(encode.targets(state.t, self.detector.targets()))
        if records:
            self.evidence.publish(encode.evidence(records))

    def health(self, t: float) -> tuple[Health, ...]:
        """State of both sensors."""
        return self.detector.health(t)
