"""Latency of the localisation node: wall time from the stamp of an IMU sample to the odometry of the same instant in another process.

    ROS_DOMAIN_ID=62 .venv/bin/python benchmarks/localization_latency.py [--seconds 60]

Starts the node as a robot does (wall clock, `config/robot.yaml`, 50 Hz output) and hands it a simulated drive in real time, each IMU sample
when it is due. The way through DDS, there and back, and this process's own receiving are in the figures. Prints one Markdown table.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rclpy

from mine_robot.core.parameters import build
from mine_robot.core.types import Twist2
from mine_robot.pipeline.loading import load_field, load_robot
from mine_robot.ros import encode
from mine_robot.ros.decode import seconds
from mine_robot.ros.messages import message_class
from mine_robot.ros.qos import profile
from mine_robot.ros.topics import GNSS_FIX, GNSS_HEADING, IMU, ODOMETRY, WHEELS
from mine_robot.sim.params import SimulatorParams
from mine_robot.sim.scenario import scenario_from_dict
from mine_robot.sim.world import World

ROOT = Path(__file__).resolve().parents[1]
URDF, FIELD = ROOT / "urdf/mine_robot.urdf.xacro", ROOT / "config/missions/demo_field.geojson"
START_S, REST_S = 5.0, 4.0  # the node needs so long to come up; the drive begins at rest
LIMIT_MS = 20.0


def samples(duration: float) -> Iterator[tuple[float, Any, Any]]:
    """Time, topic and sample of a simulated drive, in the order of time."""
    area, robot = load_field(FIELD), load_robot(URDF)
    world = World(scenario_from_dict({"seed": 5}, area.datum), area, robot, build(SimulatorParams, {}))
    while world.t < duration:
        turn = 0.4 * np.sin(0.2 * world.t)
        batch = world.step(Twist2(world.t, *((0.4, turn) if world.t > REST_S else (0.0, 0.0))))
        due = [(sample.t, WHEELS, sample) for sample in batch.wheels]
        due += [(sample.t, GNSS_FIX, sample) for sample in batch.fixes]
        due += [(sample.t, GNSS_HEADING, sample) for sample in batch.headings]
        due += [(sample.t, IMU, sample) for sample in batch.imu]
        yield from sorted(due, key=lambda item: item[0])


def node_process() -> subprocess.Popen[bytes]:
    """The node in a process of its own."""
    arguments = ["--params-file", str(ROOT / "config/robot.yaml")]
    for key, path in (("field", FIELD), ("urdf", URDF)):
        arguments += ["-p", f"files.{key}:={path}"]
    return subprocess.Popen([sys.executable, "-m", "mine_robot.nodes", "localization", "--ros-args", *arguments])


def measure(duration: float) -> np.ndarray:
    """Latencies (n,) in ms."""
    recorded = list(samples(duration))
    node = rclpy.create_node("latency")
    latencies: list[float] = []

    def received(message: Any) -> None:
        latencies.append(1e3 * (time.time() - seconds(message.header.stamp)))

    node.create_subscription(message_class(ODOMETRY.type_name), ODOMETRY.name, received, profile(ODOMETRY.delivery))
    publishers = {
        topic: node.create_publisher(message_class(topic.type_name), topic.name, profile(topic.delivery))
        for topic in (IMU, GNSS_FIX, GNSS_HEADING, WHEELS)
    }
    encoders = {IMU: encode.imu, GNSS_FIX: encode.fix, GNSS_HEADING: encode.heading, WHEELS: encode.wheels}
    threading.Thread(target=rclpy.spin, args=(node,), daemon=True).start()
    with node_process() as process:
        try:
            time.sleep(START_S)
            began = time.time()
            for t, topic, sample in recorded:
                time.sleep(max(began + t - time.time(), 0.0))
                publishers[topic].publish(encoders[topic](replace(sample, t=began + t)))
            time.sleep(0.5)
        finally:
            process.terminate()
    return np.array(latencies)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    rclpy.init()
    latencies = measure(options.seconds)
    rclpy.try_shutdown()
    if len(latencies) == 0:
        sys.exit("no odometry came")
    beyond = 100.0 * float(np.mean(latencies > LIMIT_MS))
    print(
        "| estimates | median | p95 | p99 | max | beyond 20 ms | load of the machine |\n|---|---|---|---|---|---|---|"
    )
    p50, p95, p99 = np.percentile(latencies, [50, 95, 99])
    print(
        f"| {len(latencies)} | {p50:.1f} ms | {p95:.1f} ms | {p99:.1f} ms | {latencies.max():.1f} ms | {beyond:.2f} % "
        f"| {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores |"
    )


if __name__ == "__main__":
    main()
