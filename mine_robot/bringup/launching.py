"""The launch files' content: the node graph as a launch description. Needs ROS 2 `launch` and `launch_ros`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, OpaqueFunction
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.utilities import prefix_namespace

from launch import LaunchContext, LaunchDescription
from mine_robot.bringup.gazebo import GENERATIONS, gazebo_processes, missing_harmonic
from mine_robot.bringup.graph import GraphNode
from mine_robot.bringup.namespace import REMAPPED, operator_arguments
from mine_robot.bringup.prepare import PreparedRun, RunRequest, prepare_run
from mine_robot.bringup.resources import resource
from mine_robot.bringup.runner import DISCOVERY, MAX_RESTARTS, discovery_range, environment
from mine_robot.bringup.security import enclave_arguments
from mine_robot.bringup.strangers import refuse_strangers

RECORDS_S = "30"  # that the operator may take after Ctrl-C to write the records
LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")


def stack_description(*, simulation: bool, gazebo: bool = False) -> LaunchDescription:
    """The stack with the built-in simulator or Gazebo, or for the real robot whose drivers run elsewhere."""
    started = OpaqueFunction(function=_start, kwargs={"simulation": simulation, "gazebo": gazebo})
    return LaunchDescription([*_arguments(simulation, gazebo), started])


def _arguments(simulation: bool, gazebo: bool) -> list[DeclareLaunchArgument]:
    """What ``ros2 launch ... --show-args`` shows."""
    demo = str(resource("config/missions/demo_field.geojson")) if simulation else None
    arguments = [
        _argument(
            "mission", demo, "Field to search: GeoJSON with hazard_area and safe_area, as docs/field_files.md says."
        ),
        _argument(
            "params", "", "Parameter file (YAML) laid over config/robot.yaml; 'mine-robot check FILE' checks it."
        ),
        _argument(
            "out", "", "Run directory for log, journal and report: a new or empty folder. Empty: a new one below runs/."
        ),
        _argument("priors", "", "What is known of the ground beforehand (GeoJSON), as docs/priors.md says."),
        _argument("namespace", "", "ROS namespace of the robot, such as robot1, for several robots in one DDS domain."),
        _argument("log_level", "info", "Least severity that the nodes log.", LOG_LEVELS),
        _flag("operate", "true", "Start the mission as soon as every node is ready, and shut down when it has ended."),
        _flag("rviz", "false", "Open RViz on config/rviz/mission.rviz, with the robot's model."),
    ]
    if simulation:
        scenario = str(resource("config/scenarios/demo.yaml"))
        arguments += [
            _argument(
                "scenario",
                scenario,
                "Simulated world (YAML): soil, terrain, buried objects, faults. Empty: bare ground.",
            ),
            _argument("seed", "", "Seed of the simulated world, a whole number. Empty: the scenario's own."),
            _argument("rate", "0.0", "Simulated seconds a second; 0.0: as fast as the stack follows."),
        ]
    if gazebo:
        generation = "gazebo11" if missing_harmonic() else "harmonic"
        arguments += [
            _flag("headless", "true", "Gazebo without a window; a window needs generation:=harmonic."),
            _argument(
                "generation",
                generation,
                "Gazebo 11 as 'make gazebo' fetches it, or Gazebo Sim (Harmonic) through ros_gz_bridge. Default: what is there.",
                GENERATIONS,
            ),
        ]
    return arguments


def _argument(name: str, default: str | None, words: str, choices: Any = None) -> DeclareLaunchArgument:
    """A launch argument; without a default it must be given."""
    return DeclareLaunchArgument(name, default_value=default, description=words, choices=choices and list(choices))


def _flag(name: str, default: str, words: str) -> DeclareLaunchArgument:
    return _argument(name, default, words, ("true", "false"))


def _start(context: LaunchContext, *, simulation: bool, gazebo: bool) -> list[Any]:
    """Prepare the run directory and start every node of the graph."""

    def value(name: str) -> str:
        return str(LaunchConfiguration(name).perform(context))

    request = RunRequest(
        field=Path(value("mission")),
        scenario=Path(value("scenario")) if simulation and value("scenario") else None,
        parameters=(Path(value("params")),) if value("params") else (),
        out=Path(value("out")) if value("out") else None,
        sim=value("generation") if gazebo else "builtin" if simulation else "none",
        rate=float(value("rate")) if simulation else 0.0,
        seed=int(value("seed")) if simulation and value("seed") else None,
        priors=Path(value("priors")) if value("priors") else None,
        # Within a group that another launch file pushed into a namespace.
        namespace=prefix_namespace(context.launch_configurations.get("ros_namespace"), value("namespace")) or "",
    )
    headless = not gazebo or value("headless") == "true"
    if request.sim == "gazebo11" and not headless:
        raise RuntimeError("headless:=false needs Gazebo Sim (generation:=harmonic)")
    os.environ[DISCOVERY] = discovery_range(remote=False)  # for the look at who is there
    prepared = prepare_run(request, sys.argv, refuse_strangers)
    actions = [_graph_node(prepared, node, value("log_level")) for node in prepared.nodes]
    actions += _gazebo(prepared, headless=headless)
    if value("rviz") == "true":
        actions += _rviz(prepared)
    if value("operate") == "true":
        actions.append(_operator(prepared))
    return actions


def _node(prepared: PreparedRun, name: str, *, parameters: list[Any], **options: Any) -> Node:
    """A node in the robot's namespace; its clock, health and transforms are the robot's own."""
    namespace = prepared.request.namespace
    return Node(
        name=name,
        exec_name=name,
        namespace=namespace,
        remappings=list(REMAPPED) if namespace else None,
        parameters=[*parameters, {"use_sim_time": prepared.request.simulated}],
        output="screen",
        additional_env=_environment(prepared),
        **options,
    )


def _environment(prepared: PreparedRun) -> dict[str, str]:
    """What the runner would set for its nodes."""
    return {name: word for name, word in environment(prepared).items() if os.environ.get(name) != word}


def _graph_node(prepared: PreparedRun, node: GraphNode, log_level: str) -> Node:
    """One node of the graph: the same command as the runner's, and the same end of the run."""
    return _node(
        prepared,
        node.name,
        executable=sys.executable,
        arguments=["-m", "mine_robot.nodes", node.name],
        parameters=[str(prepared.directory.parameters)],
        ros_arguments=[*enclave_arguments(node.name, os.environ), "--log-level", log_level],
        on_exit=_end(f"node '{node.name}' ended") if node.critical else None,
        respawn=not node.critical,
        respawn_max_retries=MAX_RESTARTS,
    )


def _gazebo(prepared: PreparedRun, *, headless: bool) -> list[Any]:
    """The processes beside the nodes; the end of Gazebo or its bridge is the end of the launch."""
    commands = gazebo_processes(prepared.request.sim, prepared.directory, prepared.request.namespace, headless=headless)
    return [
        ExecuteProcess(
            cmd=words,
            name=name,
            output="screen",
            additional_env=_environment(prepared),
            on_exit=_end(f"{name} ended"),
        )
        for name, words in commands.items()
    ]


def _rviz(prepared: PreparedRun) -> list[Any]:
    """RViz, and what it needs to draw the robot: its description and the transforms of its links, the nozzle at rest."""
    description = ParameterValue(prepared.directory.urdf.read_text(encoding="utf-8"), value_type=str)
    robot = [{"robot_description": description}]
    config = ["-d", str(resource("config/rviz/mission.rviz"))]
    return [
        _node(prepared, name, package=name, executable=name, parameters=parameters, arguments=arguments)
        for name, parameters, arguments in (
            ("robot_state_publisher", robot, None),
            ("joint_state_publisher", robot, None),
            ("rviz2", [], config),
        )
    ]


def _operator(prepared: PreparedRun) -> ExecuteProcess:
    """The operator as a process; its end is the end of the launch."""
    command = [sys.executable, "-m", "mine_robot.bringup.operate", str(prepared.directory.path)]
    return ExecuteProcess(
        cmd=[*command, "--ros-args", *operator_arguments(prepared.request.namespace)],
        name="operator",
        output="screen",
        additional_env=_environment(prepared),
        sigterm_timeout=RECORDS_S,
        on_exit=_end("the mission ended"),
    )


def _end(reason: str) -> list[Any]:
    return [EmitEvent(event=Shutdown(reason=reason))]
