"""A picture of each suspect of a replay, from the scans near it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mine_robot.core.robot import Robot
from mine_robot.core.types import Array, GprScan, MetalScan, NavState, Target
from mine_robot.detection.params import DetectorParams
from mine_robot.records.bscan_image import Bscan, draw_bscan
from mine_robot.records.log_source import LogSource, Progress
from mine_robot.records.log_topics import SCANS, find_topics
from mine_robot.records.replay_detection import Findings, decoded

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
    with LogSource(log, progress) as source:
        scans = decoded(source, find_topics(source.topics, remap, SCANS, source.first), Findings())
        drawn = [b for b in scans_over(scans, np.array(found.poses), suspects, params, robot) if b.best is not None]
    for bscan in drawn:
        draw_bscan(out / f"target_{bscan.target.id:03d}.png", bscan, params.gpr)
    return len(drawn)


def scans_over(
    scans: Iterable[GprScan | MetalScan | NavState],
    poses: Array,
    targets: Sequence[Target],
    params: DetectorParams,
    robot: Robot,
) -> list[Bscan]:
    """The scans taken while the robot drove forward over each of ``targets``; ``poses`` (n, 4) are t in s, x, y in m, yaw in rad."""
    offsets = np.array(params.gpr.channel_offsets_m or robot.gpr_offsets, dtype=float)
    offsets = offsets if len(offsets) else np.zeros(1)
    bscans = [Bscan(target) for target in targets]
    at = np.array([(target.x, target.y) for target in targets]).reshape(-1, 2)
    for scan in scans:
        i = int(np.searchsorted(poses[:, 0], scan.t))
        if isinstance(scan, NavState) or not 0 < i < len(poses):
            continue
        yaw, step = float(poses[i, 3]), poses[i, :3] - poses[i - 1, :3]
        cos, sin = math.cos(yaw), math.sin(yaw)
        if cos * step[1] + sin * step[2] < FORWARD * step[0]:
            continue
        x, y = poses[i - 1, 1:3] + (scan.t - poses[i - 1, 0]) / step[0] * step[1:]
        if isinstance(scan, MetalScan):
            ahead, elements = float(robot.metal_detector[0]), scan.positions[:, :2].reshape(-1, 2)
        else:
            ahead, elements = float(robot.gpr[0]), np.stack([np.zeros(len(offsets)), offsets], axis=1)
        dx, dy = at[:, 0] - x, at[:, 1] - y
        front, left = cos * dx + sin * dy, cos * dy - sin * dx
        along, aside = np.abs(elements).max(axis=0, initial=0.0).tolist()
        for k in np.flatnonzero((np.abs(front - ahead) <= AROUND_M + along) & (np.abs(left) <= ASIDE_M + aside)):
            place = (scan.t, yaw, float(front[k]), float(left[k]), ahead)
            if isinstance(scan, MetalScan):
                _add_metal(bscans[k], scan, *place)
            elif scan.traces.ndim == 2 and scan.traces.shape[1] == len(offsets):
                _add_traces(bscans[k], scan, *place, offsets)
    return bscans


def _add_traces(
    bscan: Bscan, scan: GprScan, t: float, yaw: float, front: float, left: float, ahead: float, offsets: Array
) -> None:
    """Add the channel nearest to a target ``front`` m in front of ``base_link`` and ``left`` m to its left, of an array ``ahead`` m in
    front of it.
    """
    channel = int(np.abs(offsets - left).argmin())
    if abs(ahead - front) <= AROUND_M and abs(offsets[channel] - left) < ASIDE_M:
        trace = np.asarray(scan.traces[:, channel], dtype=np.float64)
        bscan.add(t, yaw, ahead - front, left - offsets[channel], trace)


def _add_metal(bscan: Bscan, scan: MetalScan, t: float, yaw: float, front: float, left: float, ahead: float) -> None:
    """Add the coil nearest to the target, as :func:`_add_traces`."""
    if not len(scan.positions):
        return
    coil = int(np.abs(scan.positions[:, 1] - left).argmin())
    along = ahead + float(scan.positions[coil, 0]) - front
    if abs(along) <= AROUND_M and abs(scan.positions[coil, 1] - left) < ASIDE_M:
        bscan.add_metal(t, yaw, along, complex(scan.in_phase[coil], scan.quadrature[coil]))
