"""The launch files' content: the node graph as a launch description. Needs ROS 2 `launch` and `launch_ros`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from mine_robot.bringup.gazebo import GENERATIONS, gazebo_processes, missing_harmonic
from mine_robot.bringup.graph import GraphNode
from mine_robot.bringup.prepare import PreparedRun, RunRequest, prepare_run
from mine_robot.bringup.resources import resource


def stack_description(*, simulation: bool, gazebo: bool = False) -> LaunchDescription:
    """The stack with the built-in simulator or Gazebo, or for the real robot whose drivers run elsewhere."""
    field = str(resource("config/missions/demo_field.geojson")) if simulation else ""
    arguments = [
        DeclareLaunchArgument("field", default_value=field, description="Field file (GeoJSON)."),
        DeclareLaunchArgument("params", default_value="", description="Parameter file laid over config/robot.yaml."),
        DeclareLaunchArgument("out", default_value="", description="Run directory; empty for a new one below runs/."),
        DeclareLaunchArgument("log_level", default_value="info", description="Log level of the nodes."),
        DeclareLaunchArgument(
            "operate",
            default_value="true",
            description="Start the mission when the stack is ready and shut down at its end.",
        ),
    ]
    if simulation:
        scenario = str(resource("config/scenarios/demo.yaml"))
        arguments += [
            DeclareLaunchArgument(
                "scenario", default_value=scenario, description="Scenario of the simulated world (YAML)."
            ),
            DeclareLaunchArgument("seed", default_value="", description="Seed of the world; empty for the scenario's."),
            DeclareLaunchArgument(
                "rate", default_value="0.0", description="Simulated seconds a second; 0: as fast as the stack."
            ),
        ]
    if gazebo:
        arguments += [
            DeclareLaunchArgument("headless", default_value="true", description="false: with Gazebo's own window."),
            DeclareLaunchArgument("rviz", default_value="false", description="true: RViz with plan, ledger and robot."),
            DeclareLaunchArgument(
                "generation",
                default_value="gazebo11" if missing_harmonic() else "harmonic",
                choices=list(GENERATIONS),
                description="Gazebo Sim through ros_gz_bridge, or Gazebo 11 of `make gazebo`; by default what is there.",
            ),
        ]
    return LaunchDescription(
        [
            SetEnvironmentVariable("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST"),
            *arguments,
            OpaqueFunction(function=_start, kwargs={"simulation": simulation, "gazebo": gazebo}),
        ]
    )


def _start(context: LaunchContext, *, simulation: bool, gazebo: bool) -> list[Any]:
    """Prepare the run directory and start every node of the graph."""

    def value(name: str) -> str:
        return str(LaunchConfiguration(name).perform(context))

    request = RunRequest(
        field=Path(value("field")),
        scenario=Path(value("scenario")) if simulation and value("scenario") else None,
        parameters=(Path(value("params")),) if value("params") else (),
        out=Path(value("out")) if value("out") else None,
        sim=value("generation") if gazebo else "builtin" if simulation else "none",
        rate=float(value("rate")) if simulation else 0.0,
        seed=int(value("seed")) if simulation and value("seed") else None,
    )
    prepared = prepare_run(request, sys.argv)
    actions: list[Any] = [_node_action(prepared, node, value("log_level")) for node in prepared.nodes]
    if gazebo:
        actions += _gazebo_actions(prepared, headless=value("headless") == "true", rviz=value("rviz") == "true")
    if value("operate") == "true":
        actions += _operator_actions(prepared)
    return actions


def _node_action(prepared: PreparedRun, node: GraphNode, log_level: str) -> Node:
    """One node of the graph as a launch action: the same command as the runner's."""
    return Node(
        executable=sys.executable,
        name=node.name,
        exec_name=node.name,
        arguments=["-m", "mine_robot.nodes", node.name],
        parameters=[str(prepared.directory.parameters), {"use_sim_time": prepared.request.simulated}],
        ros_arguments=["--log-level", log_level],
        output="screen",
        on_exit=[EmitEvent(event=Shutdown(reason=f"node '{node.name}' ended"))] if node.critical else None,
    )


def _gazebo_actions(prepared: PreparedRun, *, headless: bool, rviz: bool) -> list[Any]:
    """The processes beside the nodes; the end of Gazebo or its bridge is the end of the launch."""
    if prepared.request.sim == "gazebo11" and not headless:
        raise RuntimeError("headless:=false needs Gazebo Sim (generation:=harmonic)")
    companions = gazebo_processes(prepared.request.sim, prepared.directory, headless=headless)
    actions: list[Any] = [
        ExecuteProcess(
            cmd=words, name=name, output="screen", on_exit=[EmitEvent(event=Shutdown(reason=f"{name} ended"))]
        )
        for name, words in companions.items()
    ]
    if rviz:
        config = str(resource("config/rviz/mission.rviz"))
        actions.append(Node(package="rviz2", executable="rviz2", arguments=["-d", config], output="screen"))
    return actions


def _operator_actions(prepared: PreparedRun) -> list[Any]:
    """The operator as a process; its end is the end of the launch."""
    operator = ExecuteProcess(
        cmd=[sys.executable, "-m", "mine_robot.bringup.operate", str(prepared.directory.path)],
        output="screen",
        name="operator",
    )
    ended = OnProcessExit(target_action=operator, on_exit=[EmitEvent(event=Shutdown(reason="the mission ended"))])
    return [operator, RegisterEventHandler(ended)]
