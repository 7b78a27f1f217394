"""The dependency rule of docs/architecture.md, read from the imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "mine_robot"
ALGORITHMS = ("localization", "coverage", "detection", "control", "marking", "mission", "sim")
ALLOWED = {
    "core": {"core"},
    **{name: {"core", name} for name in ALGORITHMS},
    "pipeline": {"core", "pipeline", *ALGORITHMS},
    "gazebo": {"core", "sim", "gazebo"},
    "ros": {"core", "pipeline", "ros"},
    "records": {"core", "pipeline", "ros", "records", *ALGORITHMS},
    "console": {"core", "mission", "console"},
    "nodes": {"core", "pipeline", "ros", "records", "console", "gazebo", "nodes", *ALGORITHMS},
}
ROS_PACKAGES = {
    "rclpy", "std_msgs", "sensor_msgs", "nav_msgs", "geometry_msgs", "diagnostic_msgs", "std_srvs", "rosgraph_msgs",
    "builtin_interfaces", "rcl_interfaces", "visualization_msgs", "launch", "launch_ros", "tf2_ros",
}  # fmt: skip
# The part of mine_robot.ros that knows no message package and serves replay as well.
ROS_FREE = {"mine_robot.ros.decode", "mine_robot.ros.topics", "mine_robot.ros"}


def imports(path: Path) -> set[str]:
    """Every module a file imports, wherever the statement stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def files(layer: str) -> list[Path]:
    return sorted((PACKAGE / layer).rglob("*.py"))


@pytest.mark.parametrize("layer", ALLOWED)
def test_a_layer_imports_only_what_stands_left_of_it(layer: str) -> None:
    for path in files(layer):
        for module in imports(path):
            if module.startswith("mine_robot."):
                assert module.split(".")[1] in ALLOWED[layer], f"{path} imports {module}"


@pytest.mark.parametrize("layer", ["core", *ALGORITHMS, "pipeline", "gazebo", "records", "console"])
def test_nothing_left_of_nodes_imports_ros(layer: str) -> None:
    for path in files(layer):
        found = imports(path)
        assert not {module.split(".")[0] for module in found} & ROS_PACKAGES, path
        assert all(module in ROS_FREE for module in found if module.startswith("mine_robot.ros")), path


def test_the_ros_free_part_of_ros_is_free_of_ros() -> None:
    for name in ("checks", "clouds", "decode", "gate", "refusals", "reports", "topics", "wire"):
        assert not {module.split(".")[0] for module in imports(PACKAGE / "ros" / f"{name}.py")} & ROS_PACKAGES


def test_only_the_simulator_and_the_scorer_know_the_simulation() -> None:
    """No truth leaks: of the nodes, only the simulator imports the simulated world."""
    for path in files("nodes"):
        if path.name not in ("simulator_node.py", "bridged_gazebo.py"):
            assert not any(
                module.startswith(("mine_robot.sim", "mine_robot.gazebo", "mine_robot.pipeline.simulation"))
                for module in imports(path)
            ), path
    for layer in ("localization", "coverage", "detection", "control", "marking", "mission"):
        for path in files(layer):
            assert not any(module.startswith("mine_robot.sim") for module in imports(path)), path


def test_algorithms_use_no_clock_and_no_global_generator() -> None:
    """Time and randomness are arguments."""
    for layer in ("core", *ALGORITHMS):
        for path in files(layer):
            text = path.read_text(encoding="utf-8")
            for forbidden in (
                "time.time(",
                "time.monotonic(",
                "datetime.now(",
                "np.random.seed",
                "np.random.rand",
                "import random",
            ):
                assert forbidden not in text, f"{path}: {forbidden}"
