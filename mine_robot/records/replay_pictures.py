"""A picture of each suspect of a replay, from the radar scans near it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mine_robot.core.robot import Robot
from mine_robot.core.types import GprScan, Target
from mine_robot.detection.params import DetectorParams
from mine_robot.records.bscan_image import Bscan, draw_bscan
from mine_robot.records.log_source import LogSource, Progress
from mine_robot.records.log_topics import find_topics
from mine_robot.records.replay_detection import Findings, decoded
from mine_robot.ros.topics import GPR_SCAN

AROUND_M, ASIDE_M = 0.6, 0.5  # of the track before and behind a suspect, and beside it, from which its picture is made
FORWARD = 0.03  # m/s, slower is standing


def draw_suspects(
    log: Path,
    out: Path,
    remap: Mapping[str, str],
    found: Findings,
    suspects: list[Target],
    params: DetectorParams,
    robot: Robot,
    progress: Progress | None = None,
) -> int:
    """Read the scans near each suspect once more and draw them; returns the number of pictures."""
    if not suspects or not found.poses:
        return 0
    ahead = float(robot.gpr[0])
    offsets = np.array(params.gpr.channel_offsets_m or robot.gpr_offsets, dtype=float)
    offsets = offsets if len(offsets) else np.zeros(1)
    poses = np.array(found.poses).reshape(-1, 4)
    bscans = {target.id: Bscan(target) for target in suspects}
    with LogSource(log, progress) as source:
        for scan in decoded(source, find_topics(source.topics, remap, (GPR_SCAN,)), Findings()):
            i = int(np.searchsorted(poses[:, 0], scan.t))
            if (
                not isinstance(scan, GprScan)
                or scan.traces.ndim != 2
                or not 0 < i < len(poses)
                or scan.traces.shape[1] != len(offsets)
            ):
                continue
            yaw, step = poses[i, 3], poses[i, :3] - poses[i - 1, :3]
            cos, sin = math.cos(yaw), math.sin(yaw)
            if cos * step[1] + sin * step[2] < FORWARD * step[0]:
                continue
            x, y = poses[i - 1, 1:3] + (scan.t - poses[i - 1, 0]) / step[0] * step[1:]
            for target in suspects:
                dx, dy = target.x - x, target.y - y
                along, left = ahead - cos * dx - sin * dy, cos * dy - sin * dx
                channel = int(np.abs(offsets - left).argmin())
                if abs(along) <= AROUND_M and abs(offsets[channel] - left) < ASIDE_M:
                    trace = np.asarray(scan.traces[:, channel], dtype=np.float64)
                    bscans[target.id].add(scan.t, yaw, along, left - offsets[channel], trace)
    drawn = [bscan for bscan in bscans.values() if bscan.best is not None]
    for bscan in drawn:
        draw_bscan(out / f"target_{bscan.target.id:03d}.png", bscan, params.gpr)
    return len(drawn)
