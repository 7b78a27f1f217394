"""A running guard: a stranger's command to the base, a stop by service, a thawed mission's old word; and a marker that was stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from std_srvs.srv import Trigger

from mine_robot.bringup.prepare import RunRequest, prepare_run
from mine_robot.core.latch import StopLatch
from mine_robot.core.types import Goal, Health, Level, MissionState, MissionStatus, Twist2
from mine_robot.nodes.guard_node import GuardNode
from mine_robot.nodes.marker_node import STOP, MarkerNode
from mine_robot.ros import decode, encode
from mine_robot.ros.caller import ServiceCaller
from mine_robot.ros.messages import message_class
from mine_robot.ros.qos import profile
from mine_robot.ros.topics import CMD, DIAGNOSTICS, ESTOP, GUARD_STOP, MARKER_STOP, MISSION_STATE, SIREN, Topic

FIELD = Path(__file__).parents[1] / "data" / "small_field.geojson"
WAIT_S = 20.0


class Scene:
    """Guard and marker, and a node of somebody else."""

    def __init__(self, folder: Path) -> None:
        prepared = prepare_run(RunRequest(FIELD, out=folder / "run", sim="none"))
        rclpy.init(args=["--ros-args", *prepared.ros_arguments()], domain_id=90)
        self.guard, self.marker = GuardNode(), MarkerNode()
        self.stranger = rclpy.create_node("teleop", use_global_arguments=False)
        self.namesake = rclpy.create_node(
            "mission", use_global_arguments=False
        )  # of the run, by the badge of its process
        self.executor = SingleThreadedExecutor()
        self.nodes = (self.guard, self.marker, self.stranger, self.namesake)
        for node in self.nodes:
            self.executor.add_node(node)
        self.commands: list[Twist2] = []
        self.sirens: list[bool] = []
        self.reports: dict[str, Health] = {}
        self.hear(CMD, lambda message: self.commands.append(decode.twist(message)))
        self.hear(SIREN, lambda message: self.sirens.append(decode.siren(message)))
        self.hear(
            DIAGNOSTICS, lambda message: self.reports.update({one.name: one for one in decode.diagnostics(message)[1]})
        )

    def hear(self, topic: Topic, callback: Callable[[Any], None]) -> None:
        kind = message_class(topic.type_name)
        self.stranger.create_subscription(kind, topic.name, callback, profile(topic.delivery, reader=True))

    def voice(self, topic: Topic) -> Any:
        node = self.namesake if topic is MISSION_STATE else self.stranger
        return node.create_publisher(message_class(topic.type_name), topic.name, profile(topic.delivery))

    def until(self, what: Callable[[], Any]) -> None:
        limit = time.monotonic() + WAIT_S
        while not what():
            assert time.monotonic() < limit, (self.reports, self.commands[-3:])
            self.executor.spin_once(timeout_sec=0.05)

    def level(self, name: str) -> Level | None:
        return self.reports[name].level if name in self.reports else None

    def mission(self, voice: Any, state: MissionState, t: float) -> None:
        voice.publish(encode.mission_status(MissionStatus(t, state, "test", Goal.NONE, -1, 0.0)))


@contextmanager
def opened(folder: Path) -> Iterator[Scene]:
    made = None
    try:
        made = Scene(folder)
        yield made
    finally:
        if made is not None:
            made.executor.shutdown()
            for node in made.nodes:
                node.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with opened(tmp_path) as made:
        yield made


def test_a_strangers_command_is_named_sounds_the_siren_and_stops_the_marker(scene: Scene) -> None:
    scene.until(lambda: len(scene.commands) > 5 and scene.sirens == [False])
    assert scene.level("foreign_command") in (None, Level.OK)  # its own commands are none
    voice, mission = scene.voice(CMD), scene.voice(MISSION_STATE)
    scene.until(lambda: voice.get_subscription_count() >= 2 and mission.get_subscription_count() >= 2)
    voice.publish(encode.twist(Twist2(scene.guard.now, 0.5, 0.0)))
    scene.until(lambda: scene.level("foreign_command") is Level.ERROR and scene.level("marker_stop") is Level.ERROR)
    assert "/teleop" in scene.reports["foreign_command"].message
    assert "0.50 m/s" in scene.reports["foreign_command"].message
    assert scene.sirens == [False, True]
    heard = next(index for index, command in enumerate(scene.commands) if command.speed)
    assert all(command.speed == 0.0 for command in scene.commands[heard + 1 :])
    assert len(scene.commands) > heard + 1, "no stop after it"
    scene.mission(mission, MissionState.SEARCH, scene.guard.now - 5.0)  # an old word
    scene.mission(mission, MissionState.ESTOP, scene.guard.now)
    scene.until(lambda: scene.level("foreign_command") is Level.WARN and scene.level("marker_stop") is Level.WARN)
    assert scene.sirens[-1]
    scene.mission(mission, MissionState.PLAN, scene.guard.now)
    scene.until(lambda: scene.level("foreign_command") is Level.OK and scene.level("marker_stop") is Level.OK)
    assert scene.sirens == [False, True, False]


def test_one_call_stops_guard_and_marker_where_no_mission_answers(scene: Scene) -> None:
    caller = ServiceCaller(scene.stranger)
    try:
        scene.until(lambda: all(caller._clients[name].service_is_ready() for name in (GUARD_STOP, MARKER_STOP)))
        outcome = caller.stop()
        scene.until(outcome.done)
        assert outcome.result() == (True, "the guard has told the robot to stand")
        scene.until(lambda: scene.level("guard_stop") is Level.ERROR and scene.level("marker_stop") is Level.ERROR)
    finally:
        caller.close()


def test_without_a_guard_the_missions_answer_counts_and_says_so(scene: Scene) -> None:
    asked: list[str] = []

    def answer(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        asked.append(ESTOP)
        response.success, response.message = True, "emergency stop"
        return response

    scene.guard.destroy_service(
        next(service for service in scene.guard.services if service.srv_name.endswith(GUARD_STOP))
    )
    scene.stranger.create_service(Trigger, ESTOP, answer)
    caller = ServiceCaller(scene.stranger)
    try:
        scene.until(
            lambda: caller._clients[ESTOP].service_is_ready() and not caller._clients[GUARD_STOP].service_is_ready()
        )
        outcome = caller.stop()
        scene.until(outcome.done)
        assert outcome.result()[0]
        assert "the guard does not answer" in outcome.result()[1]
        assert asked == [ESTOP]
    finally:
        caller.close()


@pytest.mark.parametrize("by", ["service", "siren"])
def test_a_marker_that_was_stopped_marks_only_after_an_emergency_stop_and_a_resume(by: str) -> None:
    seen: list[MissionState] = []
    node = SimpleNamespace(
        stops=StopLatch((STOP,)),
        now=10.0,
        siren=False,
        marker=SimpleNamespace(set_mission=seen.append),
        tick=lambda t: None,
    )
    node.stop = lambda why: MarkerNode.stop(node, why)  # type: ignore[arg-type]

    def hear(t: float, state: MissionState) -> MissionState:
        MarkerNode.on_mission(node, MissionStatus(t, state, "test", Goal.NONE, -1, 0.0))  # type: ignore[arg-type]
        return seen[-1]

    assert hear(9.0, MissionState.MARK) is MissionState.MARK
    if by == "service":
        assert MarkerNode.on_stop(node, Trigger.Request(), Trigger.Response()).success  # type: ignore[arg-type]
    else:
        MarkerNode.on_siren(node, True)  # type: ignore[arg-type]
    assert seen[-1] is MissionState.ESTOP
    for t in (9.5, 10.5):  # a word from before, and one of a mission that has not heard of it
        assert hear(t, MissionState.MARK) is MissionState.ESTOP
    MarkerNode.on_siren(node, by == "siren")  # type: ignore[arg-type]
    assert hear(11.0, MissionState.ESTOP) is MissionState.ESTOP
    assert hear(12.0, MissionState.MARK) is MissionState.MARK
