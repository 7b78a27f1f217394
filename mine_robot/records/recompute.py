"""The evidence of a run worked out again from what the sensors sent, not from what anybody said of it.

Reads poses and raw scans from the log, in one pass, and lets the detector's :class:`~mine_robot.detection.witness.Witness` say what the
head could prove; nothing is searched for, so that an hour of log takes seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mine_robot.core.robot import Robot
from mine_robot.core.types import GprScan, MetalScan, NavState, SweepEvidence
from mine_robot.detection.params import DetectorParams
from mine_robot.detection.witness import Witness, usable_pose
from mine_robot.pipeline.scan_queue import ScanQueue
from mine_robot.records.bag import BagReader
from mine_robot.records.errors import RecordError
from mine_robot.records.log_topics import topic_of
from mine_robot.ros import decode
from mine_robot.ros.topics import GPR_SCAN, METAL_SCAN, ODOMETRY, Topic

SETTLE_S = 0.5  # after a pose, until when scans of its instant have been recorded
DECODERS: dict[Topic, Any] = {GPR_SCAN: decode.gpr, METAL_SCAN: decode.metal, ODOMETRY: decode.odometry}


@dataclass
class Proof:
    """``evidence`` in order of time, and how many ``scans`` of each topic it rests on."""

    evidence: list[SweepEvidence] = field(default_factory=list)
    scans: dict[str, int] = field(default_factory=dict)

    @property
    def lacking(self) -> tuple[str, ...]:
        """The sensors' topics of which the log has no scan at all."""
        return tuple(topic.name for topic in (GPR_SCAN, METAL_SCAN) if not self.scans.get(topic.name))


def recompute(logs: Iterable[Path], params: DetectorParams, robot: Robot) -> Proof:
    """The evidence in ``logs``, first part first; what cannot be read proves nothing (the reader of the log names it)."""
    proof = Proof()
    places = _Places(Witness(params, robot), proof)
    for path in logs:
        for item in _items(path, proof):
            places.take(item)
    places.end()
    return proof


def _items(path: Path, proof: Proof) -> Iterator[GprScan | MetalScan | NavState]:
    """Scans and poses in the order of recording."""
    try:
        for name, _, message in BagReader(path).messages(lambda name: topic_of(name, DECODERS) is not None):
            topic = topic_of(name, DECODERS)
            assert topic is not None
            try:
                item = DECODERS[topic](message)
            except decode.DecodeError:
                continue
            proof.scans[topic.name] = proof.scans.get(topic.name, 0) + 1
            yield item
    except (RecordError, OSError):
        return


class _Places:
    """Scans wait for their pose, poses until their scans have been recorded."""

    def __init__(self, witness: Witness, proof: Proof) -> None:
        self._witness, self._proof = witness, proof
        self._scans = ScanQueue(witness)
        self._poses: deque[NavState] = deque()

    def take(self, item: GprScan | MetalScan | NavState) -> None:
        """Take the next message."""
        if not isinstance(item, NavState):
            self._scans.add(item)
        elif usable_pose(item) and (not self._poses or item.t > self._poses[-1].t):
            self._poses.append(item)
            while item.t - self._poses[0].t > SETTLE_S:
                self._place(self._poses.popleft())

    def end(self) -> None:
        """Place what still waits."""
        while self._poses:
            self._place(self._poses.popleft())

    def _place(self, nav: NavState) -> None:
        self._scans.hand_over(nav.t)
        self._proof.evidence.append(self._witness.add_nav(nav))
