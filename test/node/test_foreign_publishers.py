"""Strangers among real publishers: a node hears its own run and nobody else, and the mission says who is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.node import Node
from rclpy.publisher import Publisher

from mine_robot.bringup.prepare import PreparedRun, RunRequest, prepare_run
from mine_robot.bringup.strangers import refuse_strangers
from mine_robot.core.types import Health, Level, MarkResult, MarkStatus, Twist2
from mine_robot.mission.journal_reader import read_journal
from mine_robot.nodes.mission_node import MissionNode
from mine_robot.pipeline.loading import LoadError
from mine_robot.ros import decode, encode
from mine_robot.ros.messages import message_class
from mine_robot.ros.node import StackNode
from mine_robot.ros.publishers import badge
from mine_robot.ros.qos import profile
from mine_robot.ros.topics import CMD_RAW, DIAGNOSTICS, GNSS_FIX, MARK_RESULT, ODOMETRY, Topic

FIELD = Path(__file__).parents[1] / "data" / "small_field.geojson"
DOMAIN = 91
LIMIT_S = 20.0


class Listener(StackNode[Any]):
    """The guard's ears: what it takes from the follower and of health."""

    name = "guard"

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []
        self.poll(CMD_RAW, decode.twist, self.heard.append)
        self.poll(MARK_RESULT, decode.mark_result, self.heard.append)
        self.poll(DIAGNOSTICS, decode.diagnostics, self.heard.append)

    def health(self, t: float) -> tuple[Health, ...]:
        return (Health("guard", Level.OK, "listening"),)


@pytest.fixture
def prepared(tmp_path: Path) -> PreparedRun:
    return prepare_run(RunRequest(FIELD, out=tmp_path / "run", sim="none"))


@contextmanager
def running(kind: type[StackNode[Any]], prepared: PreparedRun) -> Iterator[Any]:
    rclpy.init(args=["--ros-args", *prepared.ros_arguments()], domain_id=DOMAIN)
    node = None
    try:
        node = kind()
        yield node
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


@contextmanager
def other(name: str, run: int | None = None) -> Iterator[Node]:
    """A process of somebody, as far as DDS can tell; with a badge a node of a stack."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=DOMAIN)
    node = rclpy.create_node(name, context=context, start_parameter_services=False, use_global_arguments=False)
    if run is not None:
        qos = profile(DIAGNOSTICS.delivery)
        qos.lifespan = badge(run)
        node.create_publisher(message_class(DIAGNOSTICS.type_name), DIAGNOSTICS.name, qos)
    try:
        yield node
    finally:
        node.destroy_node()
        context.try_shutdown()


def voice(node: Node, topic: Topic) -> Publisher:
    return node.create_publisher(message_class(topic.type_name), topic.name, profile(topic.delivery))


def until(what: Callable[[], bool]) -> None:
    limit = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < limit, "it did not come to that"
        time.sleep(0.01)  # a wait with a limit: there is no event to wait for across participants


def test_a_node_takes_nothing_from_a_namesake_of_another_stack_nor_from_anybody_else(prepared: PreparedRun) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(running(Listener, prepared))
        ours = voice(stack.enter_context(other("follower", prepared.number)), CMD_RAW)
        strangers = [
            voice(stack.enter_context(other("follower", prepared.number ^ 1)), CMD_RAW),
            voice(stack.enter_context(other("follower")), CMD_RAW),
            voice(stack.enter_context(other("evil")), CMD_RAW),
        ]
        voices = [*strangers, ours]
        until(lambda: all(one.get_subscription_count() == 1 for one in voices))
        for number, one in enumerate(voices):
            one.publish(encode.twist(Twist2(float(number), 0.5, 0.0)))
        ours.publish(encode.twist(Twist2(9.0, 0.5, 0.0)))

        def taken() -> bool:
            listener.take_polled()
            return len(listener.heard) >= 2 and len(listener.gate.refused()) >= 3

        until(taken)
        assert [twist.t for twist in listener.heard] == [3.0, 9.0]
        until(lambda: "node /evil" in {who.publisher.words for who in listener.gate.refused()})
        assert {who.topic for who in listener.gate.refused()} == {"cmd_vel_raw"}


def test_a_node_that_is_started_again_is_heard_like_its_predecessor(prepared: PreparedRun) -> None:
    with running(Listener, prepared) as listener, other("marker", prepared.number) as first:
        for stamp, node in ((1.0, first), (2.0, None)):
            with ExitStack() as stack:
                one = voice(node or stack.enter_context(other("marker", prepared.number)), MARK_RESULT)
                until(lambda one=one: one.get_subscription_count() == 1)
                one.publish(encode.mark_result(MarkResult(stamp, 1, MarkStatus.CONFIRMED, 0.0, 0.0, "")))
                until(lambda stamp=stamp: listener.take_polled() or [t.t for t in listener.heard][-1:] == [stamp])
        assert not listener.gate.refused()


def test_who_copies_name_and_badge_of_a_node_at_work_is_refused(prepared: PreparedRun) -> None:
    with (
        running(Listener, prepared) as listener,
        other("follower", prepared.number) as follower,
        other("follower", prepared.number) as copy,
    ):
        ours = voice(follower, CMD_RAW)
        until(lambda: ours.get_subscription_count() == 1)
        ours.publish(encode.twist(Twist2(1.0, 0.5, 0.0)))
        until(lambda: listener.take_polled() or bool(listener.heard))
        forged = voice(copy, CMD_RAW)
        until(lambda: forged.get_subscription_count() == 1)
        forged.publish(encode.twist(Twist2(2.0, 0.5, 0.0)))
        until(lambda: listener.take_polled() or bool(listener.gate.refused()))
        ours.publish(encode.twist(Twist2(3.0, 0.5, 0.0)))
        until(lambda: listener.take_polled() or len(listener.heard) > 1)
        assert [twist.t for twist in listener.heard] == [1.0, 3.0]


def test_the_mission_names_who_is_there_and_does_not_start(prepared: PreparedRun) -> None:
    with running(MissionNode, prepared) as mission, other("evil") as evil:
        mission.advance(1.0, look_again=True)
        assert mission.strangers.health.level is Level.OK
        voice(evil, ODOMETRY)
        until(lambda: mission.advance(2.0, look_again=True) or "/evil" in mission.strangers.health.message)
        accepted, words = mission.mission.start()
        assert not accepted
        assert "node /evil publishes odometry/filtered" in words
        with pytest.raises(LoadError, match="node /evil publishes odometry/filtered"):
            with_domain(lambda: refuse_strangers(prepared.request, prepared.number))
    notes = [data for _, kind, data in read_journal(prepared.directory.journal).events if kind == "stranger"]
    assert any(note["who"] == "node /evil" and note["topic"] == "odometry/filtered" for note in notes)


def test_who_speaks_for_the_guard_without_being_it_is_a_stranger_and_a_driver_is_none(prepared: PreparedRun) -> None:
    with running(MissionNode, prepared) as mission, other("driver") as driver:
        said = voice(driver, DIAGNOSTICS)
        voice(driver, GNSS_FIX)
        until(lambda: said.get_subscription_count() == 1)
        reports = (Health("battery", Level.OK, "half full"), Health("guard", Level.OK, "on guard"))
        said.publish(encode.diagnostics(1.0, reports))

        def told() -> bool:
            mission.take_polled()
            mission.advance(mission.now, look_again=True)
            return mission.strangers.health.level is Level.ERROR

        until(told)
        assert mission.strangers.health.message == "node /driver publishes /diagnostics of guard"
        assert mission.mission._watch.health("guard", mission.now).level is Level.STALE
        assert mission.mission._watch.health("battery", mission.now).message == "half full"


def test_of_messages_that_come_together_each_is_believed_by_its_own_publisher(prepared: PreparedRun) -> None:
    with (
        running(MissionNode, prepared) as mission,
        other("driver") as driver,
        other("guard", prepared.number) as guard,
    ):
        voices = [(voice(driver, DIAGNOSTICS), "forged"), (voice(guard, DIAGNOSTICS), "true")]
        until(lambda: all(one.get_subscription_count() == 1 for one, _ in voices))
        said: list[Health] = []
        mission.mission.set_health = said.append

        def told() -> bool:
            for one, words in voices:
                one.publish(encode.diagnostics(1.0, (Health("guard", Level.OK, words),)))
            mission.take_polled()
            return len(said) >= 20

        until(told)
        assert {health.message for health in said} == {"true"}


def test_alone_nobody_is_refused(prepared: PreparedRun) -> None:
    with other("onlooker") as onlooker:
        onlooker.create_publisher(message_class(ODOMETRY.type_name), "elsewhere", 10)
        onlooker.create_subscription(message_class(ODOMETRY.type_name), ODOMETRY.name, lambda message: None, 10)
        with_domain(lambda: refuse_strangers(prepared.request, prepared.number))


def with_domain(act: Callable[[], None]) -> None:
    """In the tests' domain, which the process reads from its environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(DOMAIN))
        act()


def test_a_node_that_is_gone_when_its_last_words_are_read_is_still_known(prepared: PreparedRun) -> None:
    with running(MissionNode, prepared) as mission:
        last: list[bytes] = []
        for words in ("first", "second"):  # the second is admitted when the first is gone
            with other("marker", prepared.number) as marker:
                said = voice(marker, DIAGNOSTICS)
                until(lambda said=said: said.get_subscription_count() == 1)

                def heard(said: Publisher = said, words: str = words) -> bool:
                    said.publish(encode.diagnostics(1.0, (Health("marker", Level.OK, words),)))
                    mission.take_polled()
                    return bool(mission._speaker) and mission._speaker not in last

                until(heard)
                last.append(mission._speaker)
        assert all(mission.gate.owners.ours(mission.gate.publisher(gid)) for gid in last)
