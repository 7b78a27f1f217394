"""The launch files: what they start is the node graph, and their mission ends like that of ``mine-robot run``.

``launch`` and ``launch_ros`` come with ROS 2 and are not on PyPI; where they are missing these tests skip.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("launch_ros") is None:
    pytest.skip("ROS 2 launch and launch_ros are not installed (they are not on PyPI)", allow_module_level=True)

ROOT = Path(__file__).parents[2]
DATA = ROOT / "test" / "data"
# What `ros2 launch FILE name:=value ...` does, without the ros2 command.
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource

arguments = [tuple(word.split(":=", 1)) for word in sys.argv[2:]]
service = LaunchService()
source = AnyLaunchDescriptionSource(sys.argv[1])
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)]))
sys.exit(service.run())
"""


def environment() -> dict[str, str]:
    return {**os.environ, "ROS_DOMAIN_ID": "85", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}


def node_argument(context: Any, action: Any) -> str:
    """Which node of the graph a launch action starts."""
    from launch.utilities import perform_substitutions

    words = [perform_substitutions(context, part) for part in action.cmd[:4]]
    assert words[:3] == [sys.executable, "-m", "mine_robot.nodes"]
    return words[3]


def test_sim_launch_starts_the_graph(tmp_path: Path) -> None:
    """Resolved without starting anything: one process a node of the graph, with the same arguments as the runner's."""
    from launch.launch_description_sources import get_launch_description_from_python_launch_file
    from launch_ros.actions import Node

    from launch import LaunchContext
    from mine_robot.bringup.graph import GRAPH, graph

    for name, simulation in (("sim", True), ("bringup", False)):
        description = get_launch_description_from_python_launch_file(str(ROOT / "launch" / f"{name}.launch.py"))
        context = LaunchContext()
        context.launch_configurations.update(field=str(DATA / "small_field.geojson"), out=str(tmp_path / name))
        actions = [action for entity in description.entities for action in entity.visit(context) or ()]
        started = [action for action in actions if isinstance(action, Node)]
        assert [node_argument(context, node) for node in started] == [
            node.name for node in graph(simulation=simulation)
        ]
    assert len(GRAPH) == len(graph(simulation=True, console=True))


def test_gazebo_launch_starts_the_graph_and_gazebo(tmp_path: Path) -> None:
    """Resolved without starting anything: the same nodes, and for Gazebo Sim its server and the bridge with the service for its steps."""
    from launch.actions import ExecuteProcess
    from launch.launch_description_sources import get_launch_description_from_python_launch_file
    from launch.utilities import perform_substitutions
    from launch_ros.actions import Node

    from launch import LaunchContext
    from mine_robot.bringup.graph import graph

    for generation, beside in (("gazebo11", []), ("harmonic", ["gz_sim", "gz_bridge"])):
        description = get_launch_description_from_python_launch_file(str(ROOT / "launch" / "gazebo.launch.py"))
        context = LaunchContext()
        out = tmp_path / generation
        context.launch_configurations.update(
            field=str(DATA / "small_field.geojson"), out=str(out), generation=generation, operate="false"
        )
        actions = [action for entity in description.entities for action in entity.visit(context) or ()]
        nodes = [action for action in actions if isinstance(action, Node)]
        assert [node_argument(context, node) for node in nodes] == [node.name for node in graph(simulation=True)]
        others = [action for action in actions if isinstance(action, ExecuteProcess) and not isinstance(action, Node)]
        assert [perform_substitutions(context, action.name) for action in others] == beside
        assert (out / "sim" / "world.sdf").is_file()
        assert f"motion: {generation}" in (out / "parameters.yaml").read_text()


def test_sim_launch_runs_a_mission(tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = [f"field:={DATA / 'small_field.geojson'}", f"scenario:={DATA / 'small_scenario.yaml'}", f"out:={out}"]
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, str(ROOT / "launch" / "sim.launch.py"), *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    )
    assert (out / "summary.json").exists(), done.stdout[-4000:]
    summary = json.loads((out / "summary.json").read_text())
    assert summary["state"] == "complete", summary
    assert summary["unsafe_ground_m2"] == 0
    assert "Traceback" not in done.stdout
