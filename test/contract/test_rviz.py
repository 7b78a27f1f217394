"""What ``config/rviz/mission.rviz`` shows is what the stack says: topics, types, quality of service, channels and frames."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rclpy.qos import DurabilityPolicy, QoSCompatibility, QoSProfile, ReliabilityPolicy, qos_check_compatible
from sensor_msgs.msg import PointCloud2, PointField

from mine_robot.core.robot import link_frames
from mine_robot.core.types import GprScan, MetalScan
from mine_robot.pipeline.loading import expand_urdf
from mine_robot.ros import encode
from mine_robot.ros.qos import profile
from mine_robot.ros.topics import GPR_SCAN, LEDGER, METAL_SCAN, ODOMETRY, PLAN, TARGETS, TOPICS, Delivery

ROOT = Path(__file__).parents[2]
MANAGER: dict[str, Any] = yaml.safe_load((ROOT / "config/rviz/mission.rviz").read_text())["Visualization Manager"]
SHOWN = {display["Name"]: display for display in MANAGER["Displays"] if "Topic" in display}
# From rviz_default_plugins: what each display can show.
TYPES = {
    "Map": "nav_msgs/msg/OccupancyGrid",
    "Path": "nav_msgs/msg/Path",
    "PointCloud2": "sensor_msgs/msg/PointCloud2",
    "Odometry": "nav_msgs/msg/Odometry",
    "Image": "sensor_msgs/msg/Image",
}
BY_NAME = {topic.name: topic for topic in TOPICS}


def asked(entry: dict[str, Any]) -> QoSProfile:
    """The quality of service that RViz asks for."""
    return QoSProfile(
        depth=entry["Depth"],
        reliability=ReliabilityPolicy[entry["Reliability Policy"].upper().replace(" ", "_")],
        durability=DurabilityPolicy[entry["Durability Policy"].upper().replace(" ", "_")],
    )


def clouds() -> dict[str, PointCloud2]:
    """An example of each topic that is shown as points."""
    metal = MetalScan(0.0, np.zeros((6, 3)), np.zeros(6), np.zeros(6))
    return {TARGETS.name: encode.targets(0.0, ()), METAL_SCAN.name: encode.metal(metal)}


def test_plan_ledger_targets_robot_and_radar_are_shown() -> None:
    on = {display["Topic"]["Value"] for display in SHOWN.values() if display["Enabled"]}
    assert {topic.name for topic in (PLAN, LEDGER, TARGETS, ODOMETRY, GPR_SCAN)} <= on
    assert [display["Enabled"] for display in MANAGER["Displays"] if display["Class"].endswith("/RobotModel")] == [True]


@pytest.mark.parametrize("name", SHOWN)
def test_a_display_fits_its_topic(name: str) -> None:
    display = SHOWN[name]
    topic = BY_NAME[display["Topic"]["Value"]]
    assert TYPES[display["Class"].removeprefix("rviz_default_plugins/")] == topic.type_name
    compatibility, reason = qos_check_compatible(profile(topic.delivery), asked(display["Topic"]))
    assert compatibility != QoSCompatibility.ERROR, reason


@pytest.mark.parametrize("name", [name for name in SHOWN if "Channel Name" in SHOWN[name]])
def test_a_cloud_has_the_channel_it_is_coloured_by(name: str) -> None:
    fields = {field.name: field.datatype for field in clouds()[SHOWN[name]["Topic"]["Value"]].fields}
    assert SHOWN[name]["Channel Name"] in fields
    assert [fields[axis] for axis in "xyz"] == [PointField.FLOAT32] * 3  # all that RViz takes


def test_the_robot_is_described_where_robot_state_publisher_does_it() -> None:
    (model,) = [display for display in MANAGER["Displays"] if display["Class"].endswith("/RobotModel")]
    assert model["Description Topic"]["Value"] == "robot_description"
    latched = profile(Delivery.STATE)
    assert qos_check_compatible(latched, asked(model["Description Topic"]))[0] != QoSCompatibility.ERROR


def test_frames_are_those_of_the_stack() -> None:
    named = set(texts(MANAGER, ("Fixed Frame", "Target Frame", "Reference Frame")))
    assert named == {"<Fixed Frame>", encode.MAP}
    urdf = ElementTree.fromstring(expand_urdf(ROOT / "urdf" / "mine_robot.urdf.xacro"))
    scan = encode.gpr(GprScan(0.0, np.zeros((4, 8), np.float32)))
    for message in (scan, *clouds().values()):
        assert message.header.frame_id in {encode.MAP, *link_frames(urdf)}


def texts(tree: Any, keys: tuple[str, ...]) -> Iterator[str]:
    """Every value of one of ``keys``, however deep."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in keys:
                yield value
            yield from texts(value, keys)
    elif isinstance(tree, list):
        for item in tree:
            yield from texts(item, keys)
