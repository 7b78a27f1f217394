"""``setup.py``, ``package.xml``, the pins and the CI of the ROS workspace name the same things."""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PACKAGE = ElementTree.parse(ROOT / "package.xml").getroot()
KEYS = {item.text for item in PACKAGE if item.tag.endswith("depend")}
# Where the key of rosdep is not python3-NAME.
KEY_OF = {
    "opencv-python-headless": "python3-opencv",
    "pyserial": "python3-serial",
    "pyyaml": "python3-yaml",
    "xacro": "xacro",
}
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
STEPS = [(name, step) for name, job in WORKFLOW["jobs"].items() for step in job["steps"]]


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def requirements() -> list[str]:
    """Names in ``REQUIREMENTS`` of ``setup.py``."""
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "REQUIREMENTS":
            return [re.split(r"[\[;><=]", text)[0].strip() for text in ast.literal_eval(node.value)]
    raise AssertionError("setup.py has no REQUIREMENTS")


@pytest.mark.parametrize("name", requirements())
def test_a_workspace_gets_what_the_wheels_need(name: str) -> None:
    """From rosdep or from ``requirements-ros.txt``, and not from both."""
    if name.startswith("ros-jazzy-"):
        assert name.removeprefix("ros-jazzy-").replace("-", "_") in KEYS
    else:
        assert (KEY_OF.get(name, f"python3-{name}") in KEYS) != (name in pins("requirements-ros.txt"))


def test_what_rosdep_lacks_is_pinned_as_everywhere() -> None:
    constraints = {name.lower(): version for name, version in pins("constraints.txt").items()}
    assert {name: constraints[name] for name in pins("requirements-ros.txt")} == pins("requirements-ros.txt")


def test_every_node_that_launch_files_start_is_declared() -> None:
    text = (ROOT / "mine_robot/bringup/launching.py").read_text() + (ROOT / "mine_robot/bringup/gazebo.py").read_text()
    for package in (
        "launch_ros",
        "robot_state_publisher",
        "joint_state_publisher",
        "rviz2",
        "ros_gz_bridge",
        "ros_gz_interfaces",
    ):
        assert package in text and package in KEYS


def test_the_workflow_runs_what_continuous_integration_runs() -> None:
    assert WORKFLOW["jobs"]["jazzy"]["container"] == "ros:jazzy"
    assert any(step.get("run") == ".ci/run" for name, step in STEPS if name == "wheels")


@pytest.mark.parametrize(
    "step", [step for _, step in STEPS if "run" in step], ids=lambda step: step["run"].split("\n")[-1][:20]
)
def test_a_step_names_files_that_exist(step: dict[str, str]) -> None:
    text = step["run"].replace("src/mine_robot/", "").replace("$data", "test/data")
    named = re.findall(r"(?<![\w/.-])(?:test|\.ci)/[\w./-]+|requirements[\w.-]+", text)
    assert all((ROOT / name).exists() for name in named), named
    for files in re.findall(r"for file in ([\w ]+);", text):
        assert {f"{name}.launch.py" for name in files.split()} == {path.name for path in (ROOT / "launch").glob("*.py")}
