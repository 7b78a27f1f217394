"""For ``launch_test``: ``sim.launch.py`` with one robot in a namespace, from readiness to the end of its mission and a clean shutdown.

``launch_test test/launch/sim_mission.py out:=DIRECTORY``; ``test_launch_files.py`` runs it where ``launch_testing`` is installed.
"""

from __future__ import annotations

import unittest
from pathlib import Path
from typing import Any

import launch_testing.actions
import launch_testing.asserts
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from launch import LaunchDescription
from mine_robot.bringup.graph import graph
from mine_robot.bringup.namespace import namespace_arguments
from mine_robot.bringup.operator import Operator
from mine_robot.bringup.prepare import recorded_number
from mine_robot.records.finish import finish_run
from mine_robot.records.run_directory import RunDirectory

ROOT = Path(__file__).parents[2]
DATA = ROOT / "test" / "data"
NAMESPACE = "/robot1"


def generate_test_description() -> LaunchDescription:
    """The stack without its operator: the test is the operator."""
    arguments = {
        "mission": str(DATA / "small_field.geojson"),
        "scenario": str(DATA / "small_scenario.yaml"),
        "out": LaunchConfiguration("out"),
        "namespace": NAMESPACE,
        "operate": "false",
    }
    stack = PythonLaunchDescriptionSource(str(ROOT / "launch" / "sim.launch.py"))
    return LaunchDescription(
        [
            DeclareLaunchArgument("out", description="Run directory."),
            IncludeLaunchDescription(stack, launch_arguments=arguments.items()),
            launch_testing.actions.ReadyToTest(),
        ]
    )


class TestMission(unittest.TestCase):
    """While the stack runs."""

    def test_the_mission_is_completed(self, test_args: dict[str, str], proc_info: Any) -> None:
        arguments = ["--ros-args", *namespace_arguments(NAMESPACE)]
        number = recorded_number(RunDirectory(Path(test_args["out"])))
        operator = Operator(graph(simulation=True), arguments, number=number)
        try:
            ending = operator.conduct(lambda picture: None, lambda picture: None)
        finally:
            operator.close()
        self.assertEqual(ending.reason, "")
        self.assertEqual(operator.missing, [])
        assert operator.picture.mission is not None
        self.assertEqual(operator.picture.mission.state.value, "done", operator.picture.mission.reason)


@launch_testing.post_shutdown_test()
class TestShutdown(unittest.TestCase):
    """After the stack has been shut down."""

    def test_every_process_ended_by_itself_with_code_0(self, proc_info: Any) -> None:
        self.assertEqual(len(proc_info.process_names()), len(graph(simulation=True)))
        launch_testing.asserts.assertExitCodes(proc_info)

    def test_nothing_went_wrong_on_the_way(self, proc_output: Any) -> None:
        for output in proc_output:
            self.assertNotIn(b"Traceback", output.text, output.process_name)

    def test_the_records_prove_the_mission(self, test_args: dict[str, str]) -> None:
        summary = finish_run(Path(test_args["out"]), figures=False)
        self.assertEqual(summary["state"], "complete", summary["reason"])
        self.assertEqual(summary["unsafe_ground_m2"], 0)
        self.assertGreaterEqual(summary["coverage"], 0.99)
        self.assertEqual(summary["marks_confirmed"], summary["marks_requested"])
