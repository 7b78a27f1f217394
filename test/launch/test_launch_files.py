"""The launch files: their arguments, what they start, and their mission's end.

``launch``, ``launch_ros`` and ``launch_testing`` come with ROS 2 and are not on PyPI; where they are missing these tests skip.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("launch_ros") is None or importlib.util.find_spec("launch_testing") is None:
    pytest.skip("ROS 2 launch, launch_ros and launch_testing are not installed (not on PyPI)", allow_module_level=True)

from launch.actions import ExecuteProcess
from launch.launch_description_sources import get_launch_description_from_python_launch_file
from launch.utilities import perform_substitutions
from launch_ros.actions import Node

from launch import LaunchContext
from mine_robot.bringup.graph import GRAPH, graph
from mine_robot.core.types import MissionState
from mine_robot.mission.journal import JournalError
from mine_robot.mission.journal_reader import is_blank, read_journal

ROOT = Path(__file__).parents[2]
DATA = ROOT / "test" / "data"
FIELD = str(DATA / "small_field.geojson")
COMMON = ["mission", "params", "out", "priors", "namespace", "log_level", "operate", "rviz"]
SIMULATED = [*COMMON, "scenario", "seed", "rate"]
ARGUMENTS = {"bringup": COMMON, "sim": SIMULATED, "gazebo": [*SIMULATED, "headless", "generation"]}
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


def begin(command: list[str]) -> subprocess.Popen[str]:
    """A command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, "ROS_DOMAIN_ID": "87", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )


def launched(command: list[str]) -> tuple[int, str]:
    """Exit code and output of a command that ends by itself."""
    with begin(command) as process:
        said, _ = process.communicate(timeout=280)
    return process.returncode, said


def description(name: str) -> Any:
    return get_launch_description_from_python_launch_file(str(ROOT / "launch" / f"{name}.launch.py"))


def started(name: str, out: Path, **arguments: str) -> tuple[LaunchContext, list[ExecuteProcess]]:
    """The processes that a launch file would start, with its arguments resolved; nothing is started."""
    context = LaunchContext()
    context.launch_configurations.update(mission=FIELD, out=str(out), **arguments)
    actions = [action for entity in description(name).entities for action in entity.visit(context) or ()]
    return context, [action for action in actions if isinstance(action, ExecuteProcess)]


def words_of(context: LaunchContext, action: ExecuteProcess, count: int | None = None) -> list[str]:
    """The command, or its first words: the last ones of a node are known when it starts."""
    return [perform_substitutions(context, part) for part in action.cmd[:count]]


def graph_nodes(context: LaunchContext, actions: list[ExecuteProcess]) -> list[str]:
    """Which nodes of the graph are started, by the command of the runner."""
    commands = [words_of(context, action, 4) for action in actions]
    return [words[3] for words in commands if words[:3] == [sys.executable, "-m", "mine_robot.nodes"]]


@pytest.mark.parametrize("name", ARGUMENTS)
def test_show_args_reads_like_documentation(name: str) -> None:
    arguments = {argument.name: argument for argument in description(name).get_launch_arguments()}
    assert list(arguments) == ARGUMENTS[name]
    for argument in arguments.values():
        assert argument.description[0].isupper() and argument.description.count(" ") >= 4, argument.description
        assert (argument.default_value is None) == (name == "bringup" and argument.name == "mission")


@pytest.mark.parametrize(("name", "simulation"), [("sim", True), ("bringup", False)])
def test_the_graph_is_started(tmp_path: Path, name: str, simulation: bool) -> None:
    """One process a node of the graph, with the same arguments as the runner's, and the operator."""
    context, actions = started(name, tmp_path / name)
    assert graph_nodes(context, actions) == [node.name for node in graph(simulation=simulation)]
    assert words_of(context, actions[-1])[1:3] == ["-m", "mine_robot.bringup.operate"]
    assert len(actions) == len(graph(simulation=simulation)) + 1
    assert len(GRAPH) == len(graph(simulation=True, console=True))


@pytest.mark.parametrize(("generation", "beside"), [("gazebo11", []), ("harmonic", ["gz_sim", "gz_bridge"])])
def test_gazebo_is_started_beside_the_graph(tmp_path: Path, generation: str, beside: list[str]) -> None:
    """The same nodes, and for Gazebo Sim its server and the bridge with the service for its steps."""
    context, actions = started("gazebo", tmp_path / "run", generation=generation, operate="false")
    assert graph_nodes(context, actions) == [node.name for node in graph(simulation=True)]
    others = [action for action in actions if not isinstance(action, Node)]
    assert [perform_substitutions(context, action.name) for action in others] == beside
    assert (tmp_path / "run" / "sim" / "world.sdf").is_file()
    assert f"motion: {generation}" in (tmp_path / "run" / "parameters.yaml").read_text()


def test_gazebo_11_has_no_window(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="headless"):
        started("gazebo", tmp_path / "run", generation="gazebo11", headless="false")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("group", [{}, {"ros_namespace": "/team"}], ids=["alone", "within a group"])
def test_everything_is_in_the_namespace(tmp_path: Path, group: dict[str, str]) -> None:
    """The nodes, the operator, the bridge, RViz; also behind a namespace that another launch file has pushed."""
    namespace = group.get("ros_namespace", "") + "/robot1"
    options = {"generation": "harmonic", "namespace": "robot1", "rviz": "true", **group}
    context, actions = started("gazebo", tmp_path / "run", **options)
    nodes = [action for action in actions if isinstance(action, Node) and action.node_package is None]
    for node in nodes:
        node._perform_substitutions(context)  # what execute() does first; the rest would start a process
        assert node.expanded_node_namespace == namespace
        assert ("/clock", "clock") in node.expanded_remapping_rules
    others = [words_of(context, action) for action in actions if not isinstance(action, Node)]
    assert len(nodes) + 3 + len(others) == len(actions)
    for words in others:
        assert f"__ns:={namespace}" in words or "sim" in words


@pytest.mark.parametrize("chosen", [None, "SUBNET"])
def test_dds_stays_on_this_machine_unless_the_user_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str | None
) -> None:
    name = "ROS_AUTOMATIC_DISCOVERY_RANGE"
    monkeypatch.delenv(name, raising=False)
    if chosen:
        monkeypatch.setenv(name, chosen)
    context, actions = started("gazebo", tmp_path / "run", generation="harmonic", rviz="true")
    for action in actions:
        given = {
            perform_substitutions(context, key): perform_substitutions(context, value)
            for key, value in action.additional_env
        }
        assert given.get(name) == (None if chosen else "LOCALHOST")


def test_rviz_comes_with_the_robots_model(tmp_path: Path) -> None:
    _, actions = started("sim", tmp_path / "run", rviz="true")
    assert [action.node_package for action in actions if isinstance(action, Node) and action.node_package] == [
        "robot_state_publisher",
        "joint_state_publisher",
        "rviz2",
    ]


def test_the_real_robot_needs_a_mission() -> None:
    code, said = launched(["-c", LAUNCH, str(ROOT / "launch" / "bringup.launch.py")])
    assert code == 1
    assert "missing required argument 'mission'" in said


def sim_launch(out: Path) -> list[str]:
    arguments = [f"mission:={FIELD}", f"scenario:={DATA / 'small_scenario.yaml'}", f"out:={out}"]
    return ["-c", LAUNCH, str(ROOT / "launch" / "sim.launch.py"), *arguments]


def test_a_mission_ends_as_with_the_runner(tmp_path: Path) -> None:
    out = tmp_path / "run"
    _, said = launched(sim_launch(out))
    assert (out / "summary.json").exists(), said[-4000:]
    summary = json.loads((out / "summary.json").read_text())
    assert summary["state"] == "complete", summary
    assert summary["unsafe_ground_m2"] == 0
    assert "Traceback" not in said
    assert "process has died" not in said


def test_ctrl_c_leaves_records_and_no_process(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with begin(sim_launch(out)) as process:
        try:
            limit = time.monotonic() + 120.0
            while not searching(out):
                assert time.monotonic() < limit and process.poll() is None
                time.sleep(0.2)  # a wait with a limit: there is no event to wait for across processes
        finally:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            said, _ = process.communicate(timeout=90)
    assert "Traceback" not in said
    assert (out / "summary.json").exists(), said[-4000:]
    summary = json.loads((out / "summary.json").read_text())
    assert summary["state"] != "complete"
    assert "Ctrl-C" in summary["reason"], summary
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [words for words in commands if str(out).encode() in words]


def searching(out: Path) -> bool:
    try:
        return not is_blank(out / "journal.sqlite") and any(
            status.state is MissionState.SEARCH for status in read_journal(out / "journal.sqlite").statuses
        )
    except JournalError:
        return False


def test_launch_testing_sees_a_mission_through(tmp_path: Path) -> None:
    """``sim_mission.py`` in ``launch_testing``: readiness, a mission in a namespace, exit codes, clean shutdown."""
    test = ROOT / "test" / "launch" / "sim_mission.py"
    code, said = launched(["-m", "launch_testing.launch_test", str(test), f"out:={tmp_path / 'run'}"])
    print(said)
    assert code == 0
