"""A run directory with the log of a short drive over one mine, for the tests of replay and tuning."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from rclpy.serialization import serialize_message

from mine_robot.core.types import Twist2
from mine_robot.nodes.simulator_node import messages
from mine_robot.pipeline.loading import ParameterFiles, expand_urdf, load_field, load_robot
from mine_robot.pipeline.simulation import Simulation
from mine_robot.records.bag import BagWriter
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros.topics import TOPICS
from mine_robot.sim.scenario import scenario_from_dict

ROOT = Path(__file__).resolve().parents[2]
STAND_S, DRIVE_S = 3.0, 14.0
MINE_AHEAD_M = 2.6  # of where the robot stands at first


def record_run(folder: Path) -> Path:
    """Stand, then drive straight over a mine with 0.4 m/s; writes the inputs, the log and the simulated world."""
    directory = RunDirectory(folder)
    (folder / "sim").mkdir(parents=True)
    shutil.copyfile(ROOT / "test/data/small_field.geojson", directory.field)
    directory.urdf.write_text(expand_urdf(ROOT / "urdf/mine_robot.urdf.xacro"), encoding="utf-8")
    files = ParameterFiles([ROOT / "config/robot.yaml", ROOT / "config/sim.yaml"])
    directory.parameters.write_text(files.dump(), encoding="utf-8")
    info = {"field": "field.geojson", "parameters": "parameters.yaml", "urdf": "robot.urdf", "simulation": True}
    directory.run.write_text(json.dumps(info), encoding="utf-8")
    _drive(directory, files)
    return folder


def _drive(directory: RunDirectory, files: ParameterFiles) -> None:
    area, robot = load_field(directory.field), load_robot(directory.urdf)
    params = files.build("simulator")
    start = Simulation(scenario_from_dict({"seed": 3}, area.datum), area, robot, params).truth.pose
    east, north = start.to_map(np.array([MINE_AHEAD_M, 0.1]))
    mine = {"type": "pmn", "east": float(east), "north": float(north), "depth_m": 0.05}
    simulation = Simulation(scenario_from_dict({"seed": 3, "objects": [mine]}, area.datum), area, robot, params)
    world = {"objects": [{"kind": "pmn", "x": float(east), "y": float(north), "depth": 0.05}], "fired": []}
    directory.world.write_text(json.dumps(world), encoding="utf-8")
    truth = []
    with BagWriter(directory.log, clock=lambda: 0.0) as bag:
        for topic in TOPICS:
            bag.add_topic("/" + topic.name.lstrip("/"), topic.type_name)
        while simulation.t < STAND_S + DRIVE_S:
            speed = 0.4 if simulation.t > STAND_S else 0.0
            batch, _ = simulation.step(Twist2(simulation.t, speed, 0.0), b"")
            pose = simulation.truth.pose
            truth.append(f"{simulation.t:.3f},{pose.x:.6f},{pose.y:.6f},{pose.yaw:.6f}")
            for topic, message in messages(batch):
                stamp = message.header.stamp
                bag.write("/" + topic.name, stamp.sec * 10**9 + stamp.nanosec, serialize_message(message))
    directory.truth.write_text("\n".join(truth) + "\n", encoding="utf-8")
