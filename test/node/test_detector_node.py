"""The order in which the detector's node hands scans and poses on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mine_robot.core.types import GprScan
from mine_robot.nodes.detector_node import POSE_WAIT_S, DetectorNode
from mine_robot.pipeline.scan_queue import WAITING_MAX, ScanQueue


class Wiring(SimpleNamespace):
    """What the node's methods need, without ROS; ``log`` holds the order of the calls."""

    def __init__(self, stamps: list[float]) -> None:
        super().__init__(waiting=None, log=[])
        detector = SimpleNamespace(add_gpr=lambda scan: self.log.append(("scan", scan.t)))
        self.scans = ScanQueue(detector)  # type: ignore[arg-type]
        for stamp in stamps:
            self.scans.add(GprScan(stamp, np.zeros((1, 1), dtype=np.float32)))

    def place(self, state: Any) -> None:
        self.log.append(("pose", state.t))


def pose(node: Wiring, t: float) -> None:
    DetectorNode.on_odometry(node, SimpleNamespace(t=t))


def test_scans_that_run_ahead_of_the_poses_wait_for_theirs() -> None:
    node = Wiring([1.00, 1.05, 1.10, 1.15])
    pose(node, 1.00)
    assert node.log == []
    pose(node, 1.05)
    pose(node, 1.10)
    assert node.log == [("scan", 1.00), ("pose", 1.00), ("scan", 1.05), ("pose", 1.05)]
    node.log.clear()
    node.scans.hand_over(9.0)
    assert node.log == [("scan", 1.10), ("scan", 1.15)]


def test_without_poses_the_sensors_are_still_heard() -> None:
    node = Wiring([1.00, 1.05, 1.10])
    DetectorNode.tick(node, 1.05 + POSE_WAIT_S)
    assert node.log == [("scan", 1.00), ("scan", 1.05)]


@pytest.mark.parametrize("stamp", [float("nan"), float("-inf")])
def test_a_scan_without_a_usable_stamp_does_not_wait(stamp: float) -> None:
    node = Wiring([stamp])
    pose(node, 1.00)
    pose(node, 1.05)
    assert len(node.log) == 2 and node.log[0][0] == "scan"


def test_scans_of_a_clock_that_is_an_hour_ahead_do_not_pile_up() -> None:
    node = Wiring([3600.0 + 0.05 * index for index in range(3 * WAITING_MAX)])
    assert len(node.scans._waiting) == WAITING_MAX
    node.scans.add(GprScan(1.0, np.zeros((1, 1), dtype=np.float32)))
    node.scans.hand_over(2.0)
    assert node.log == [("scan", 1.0)]
