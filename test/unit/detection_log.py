"""A recording of a drive over one mine, for the tests of replay and evidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from detection_lane import Lane, nav_of, truth
from rclpy.serialization import serialize_message

from mine_robot.records.bag import BagWriter
from mine_robot.ros import encode
from mine_robot.ros.topics import GPR_SCAN, METAL_SCAN, ODOMETRY
from mine_robot.sim.types import BuriedObject

MINE = BuriedObject("pmn", 1.5, 0.1, 0.06)
TOPICS = {"gpr": GPR_SCAN, "metal": METAL_SCAN, "odometry": ODOMETRY}


def record(path: Path, topics: set[str]) -> Path:
    """A drive over one mine, with the named topics."""
    lane = Lane([MINE])
    with BagWriter(path) as bag:
        for name in topics:
            bag.add_topic("/" + TOPICS[name].name, TOPICS[name].type_name)
        for i, line in enumerate(np.arange(-0.3, 2.6, 0.025)):
            state = truth(1.0 + 0.05 * i, float(line) - lane.robot.sweep_ahead)
            messages = {
                "gpr": encode.gpr(lane.gpr.scan(state.t, state)),
                "metal": encode.metal(lane.metal.scan(state.t, state)),
                "odometry": encode.odometry(nav_of(state)),
            }
            for name in sorted(topics, key="odometry metal gpr".index):
                bag.write("/" + TOPICS[name].name, round(state.t * 1e9), serialize_message(messages[name]))
    return path
