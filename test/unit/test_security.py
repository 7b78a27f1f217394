"""The access policy says what the graph says, and nobody opens the robot to the network by accident."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from mine_robot.bringup.graph import GRAPH
from mine_robot.bringup.security import check_remote, policy, secured
from mine_robot.pipeline.loading import LoadError
from mine_robot.ros.topics import SERVICES


def allowed(node: str, group: str, verb: str) -> set[str]:
    profiles = ElementTree.fromstring(policy().encode()).iter("profile")
    profile = next(profile for profile in profiles if profile.get("node") == node)
    return {item.text or "" for part in profile.findall(group) if part.get(verb) == "ALLOW" for item in part}


def test_only_the_guard_moves_the_robot_and_only_operator_and_console_command_the_mission() -> None:
    names = [node.name for node in GRAPH] + ["operator"]
    assert [name for name in names if "cmd_vel" in allowed(name, "topics", "publish")] == ["guard"]
    assert [name for name in names if set(SERVICES) & allowed(name, "services", "request")] == ["console", "operator"]
    assert [name for name in names if set(SERVICES) & allowed(name, "services", "reply")] == ["mission"]


def test_every_node_may_do_what_the_graph_says() -> None:
    for node in GRAPH:
        spoken, heard = allowed(node.name, "topics", "publish"), allowed(node.name, "topics", "subscribe")
        assert {topic.name.lstrip("/") for topic in node.publishes} | {"diagnostics", "rosout"} <= spoken
        assert {topic.name.lstrip("/") for topic in node.subscribes} | {"clock"} <= heard
    assert "cmd_vel_raw" not in allowed("marker", "topics", "publish")


def test_remote_operation_needs_security_or_a_word(tmp_path: Path) -> None:
    on = {"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce", "ROS_SECURITY_KEYSTORE": str(tmp_path)}
    assert secured(on)
    check_remote(False, False, {})
    check_remote(True, False, on)
    check_remote(True, True, {})
    for key, value in (
        ("ROS_SECURITY_ENABLE", "false"),
        ("ROS_SECURITY_STRATEGY", "Permissive"),
        ("ROS_SECURITY_KEYSTORE", "/no"),
    ):
        assert not secured({**on, key: value})
        with pytest.raises(LoadError, match="--remote needs DDS security"):
            check_remote(True, False, {**on, key: value})
    with pytest.raises(LoadError, match="--insecure"):
        check_remote(False, True, {})
