"""Ground that nobody searched, told as evidence: bursts, twins, drives that never were; for ``gate_forged.py``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gate_messages as hostile
import numpy as np
from gate_scene import Scene

from mine_robot.core.types import Cell, NavState, SweepEvidence
from mine_robot.ros import decode, encode
from mine_robot.ros.topics import EVIDENCE, ODOMETRY, Topic

EVIDENCE_S = 0.05
HEAD_M = 1.15  # ahead of base_link
Say = Callable[[Topic, Any], None]
Paced = Callable[..., Iterator[float]]


def field_lines(scene: Scene) -> list[list[SweepEvidence]]:
    """Lanes over all of the ground that is still pending."""
    grid = scene.grid
    row, col = np.nonzero(grid.cells == np.int8(Cell.PENDING))
    if not len(row):
        return []
    y, x = grid.y0 + (row + 0.5) * grid.resolution, grid.x0 + (col + 0.5) * grid.resolution
    lanes = []
    t = scene.t - 1.0
    for north in np.arange(y.min() + 0.3, y.max() + 0.3, 0.6):
        steps = np.arange(x.min() - 0.2, x.max() + 0.2, 0.1)
        lanes.append([scene.line(t + index * 0.002, east, float(north), 0.0) for index, east in enumerate(steps)])
    return lanes


def evidence_burst(scene: Scene, say: Say, paced: Paced) -> None:
    """All at once."""
    for lane in field_lines(scene):
        say(EVIDENCE, encode.evidence(lane))


def drive_beside(scene: Scene, aside: float, begun: float) -> list[NavState]:
    """A second of a drive at 0.4 m/s that nobody makes, ``aside`` m to the left of the robot, up to now."""
    nav, steps = scene.nav, round(1.0 / EVIDENCE_S)
    found = []
    for index in range(steps):
        x, y = nav.pose.to_map(np.array([0.4 * (begun + index * EVIDENCE_S), aside]))
        t = scene.t - (steps - index) * EVIDENCE_S + 1e-3
        position, velocity = np.array([x, y, nav.position[2]]), np.array([0.4, 0.0, 0.0])
        found.append(replace(nav, t=t, position=position, velocity=velocity, covariance=1e-5 * np.eye(6)))
    return found


def lines_of(scene: Scene, drive: list[NavState]) -> list[SweepEvidence]:
    """The evidence that fits a drive."""
    heads = [(state, state.pose.to_map(np.array([HEAD_M, 0.0]))) for state in drive]
    return [scene.line(state.t, float(head[0]), float(head[1]), state.pose.yaw) for state, head in heads]


def evidence_slow(scene: Scene, say: Say, paced: Paced) -> None:
    """At a possible speed, beside the robot."""
    for passed in paced(4.0, 1.0):
        say(EVIDENCE, encode.evidence(lines_of(scene, drive_beside(scene, 0.9, passed - 2.0))))


def odometry_and_evidence(scene: Scene, say: Say, paced: Paced) -> None:
    """Pose and evidence agree with each other, and with nothing else."""
    for passed in paced(4.0, 1.0):
        drive = drive_beside(scene, 0.9, passed - 2.0)
        for state in drive:
            say(ODOMETRY, encode.odometry(state))
        say(EVIDENCE, encode.evidence(lines_of(scene, drive)))


def evidence_twins(aside: float) -> Callable[[Scene, Say, Paced], None]:
    """Every second the lines of the robot again, a hair later and beside it, so that the swath grows wider."""

    def act(scene: Scene, say: Say, paced: Paced) -> None:
        for _ in paced(4.0, 0.5):
            lines = []
            for _, data in scene.history(EVIDENCE)[-30:]:
                lines += decode.evidence(hostile.unpack(EVIDENCE, data))
            lines.sort(key=lambda item: item.t)
            for way in (aside, -aside):
                beside = [
                    scene.line(
                        item.t + 1e-4, item.x - way * math.sin(item.yaw), item.y + way * math.cos(item.yaw), item.yaw
                    )
                    for item in lines[-20:]
                ]
                say(EVIDENCE, encode.evidence(beside))

    return act
