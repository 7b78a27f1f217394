"""What ROS's own tools expect of every node, asked through a real rclpy: described parameters, QoS overrides, remapping, simulated time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import rclpy
from rclpy.clock import ClockType
from rclpy.parameter import Parameter
from rclpy.qos import HistoryPolicy, ReliabilityPolicy

from mine_robot.bringup.prepare import RunRequest, prepare_run
from mine_robot.core.parameters import ParameterError, specs
from mine_robot.nodes.follower_node import FollowerNode
from mine_robot.pipeline.loading import LoadError
from mine_robot.pipeline.parameters import NODE_PARAMETERS
from mine_robot.ros import encode
from mine_robot.ros.node import ClockSet
from mine_robot.ros.topics import CLOCK

FIELD = Path(__file__).parents[1] / "data" / "small_field.geojson"


@contextmanager
def node(folder: Path, overlay: str = "", *extra: str, namespace: str = "") -> Iterator[FollowerNode]:
    """A node as the runner starts it, with a parameter file over its own, and more ROS arguments."""
    files: tuple[Path, ...] = ()
    if overlay:
        files = (folder / "overlay.yaml",)
        files[0].write_text(overlay)
    prepared = prepare_run(RunRequest(FIELD, parameters=files, out=folder / "run", namespace=namespace))
    rclpy.init(args=["--ros-args", *prepared.ros_arguments(), *extra], domain_id=89)
    made = None
    try:
        made = FollowerNode()
        yield made
    finally:
        if made is not None:
            made.destroy_node()
        rclpy.try_shutdown()


def test_every_parameter_is_described_and_bounded(tmp_path: Path) -> None:
    with node(tmp_path) as follower:
        for spec in specs(NODE_PARAMETERS["follower"]):
            descriptor = follower.describe_parameter(spec.name)
            assert spec.doc in descriptor.description
            assert spec.unit in descriptor.description
            assert descriptor.read_only
            bounded = spec.low is not None and spec.high is not None and not spec.is_list
            ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
            assert [(limit.from_value, limit.to_value) for limit in ranges] == (
                [(spec.low, spec.high)] if bounded else []
            )
            assert descriptor.additional_constraints == spec.range_text


def test_a_parameter_cannot_be_changed_while_the_robot_drives(tmp_path: Path) -> None:
    with node(tmp_path) as follower:
        before = follower.get_parameter("limits.search_speed").value
        (result,) = follower.set_parameters([Parameter("limits.search_speed", value=0.3)])
        assert not result.successful
        assert follower.get_parameter("limits.search_speed").value == before


def test_the_quality_of_service_can_be_overridden(tmp_path: Path) -> None:
    """For one end of one topic, and for every node at once; everything else stays as the table says."""
    overlay = (
        "follower: {ros__parameters: {qos_overrides: {/cmd_vel_raw: {publisher: {reliability: best_effort, depth: 7}}}}}\n"
        "/**: {ros__parameters: {qos_overrides: {/odometry/filtered: {subscription: {history: keep_all}}}}}\n"
    )
    with node(tmp_path, overlay, namespace="robot1") as follower:
        (writer,) = follower.get_publishers_info_by_topic("cmd_vel_raw")
        assert writer.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
        readers = {reader.topic_name: reader.qos_profile for reader in follower.subscriptions}
        assert readers["/robot1/odometry/filtered"].history == HistoryPolicy.KEEP_ALL
        assert readers["/robot1/coverage/plan"].history == HistoryPolicy.KEEP_LAST
        assert follower.get_parameter("qos_overrides./robot1/cmd_vel_raw.publisher.depth").value == 7


@pytest.mark.parametrize(
    ("override", "word"),
    [
        ("/cmd_vel_row: {publisher: {depth: 7}}", "did you mean 'qos_overrides./cmd_vel_raw.publisher.depth'"),
        ("/cmd_vel_raw: {subscription: {depth: 7}}", "not a parameter"),
        ("/cmd_vel_raw: {publisher: {depth: 0}}", "above 0"),
        ("/cmd_vel_raw: {publisher: {reliability: mostly}}", "one of reliable, best_effort"),
        ("/cmd_vel_raw: {publisher: {lifespan: 1}}", "not a parameter"),
    ],
)
def test_an_override_that_nobody_would_take_is_refused(tmp_path: Path, override: str, word: str) -> None:
    overlay = f"follower: {{ros__parameters: {{qos_overrides: {{{override}}}}}}}"
    with pytest.raises(LoadError, match=word), node(tmp_path, overlay):
        pass
    assert not (tmp_path / "run").exists()


def test_a_bad_override_by_hand_names_its_topic(tmp_path: Path) -> None:
    by_hand = ("-p", "qos_overrides./cmd_vel_raw.publisher.reliability:=mostly")
    with pytest.raises(ParameterError, match="cmd_vel_raw"), node(tmp_path, "", *by_hand):
        pass


def test_topics_follow_namespace_and_remapping(tmp_path: Path) -> None:
    with node(tmp_path, "", "-r", "odometry/filtered:=ekf/pose", namespace="team/robot1") as follower:
        names = {reader.topic_name for reader in follower.subscriptions}
        assert {"/team/robot1/ekf/pose", "/team/robot1/clock"} <= names
        assert "/team/robot1/odometry/filtered" not in names
        assert follower.get_fully_qualified_name() == "/team/robot1/follower"
        assert follower.resolve_topic_name("/tf") == "/team/robot1/tf"
        assert follower.resolve_topic_name("/diagnostics") == "/team/robot1/diagnostics"


def test_simulated_time_rules_where_it_is_asked_for(tmp_path: Path) -> None:
    """Time stands until the first /clock, and then is what it says; on the robot there is no such topic."""
    with node(tmp_path / "simulated") as follower:
        assert follower.now == 0.0
        (clock,) = [reader for reader in follower.subscriptions if reader.topic_name == CLOCK.name]
        clock.callback(encode.clock(12.5))
        assert follower.now == 12.5
    with node(tmp_path / "robot", "", "-p", "use_sim_time:=false") as follower:
        assert follower.now > 1e9
        assert CLOCK.name not in {reader.topic_name for reader in follower.subscriptions}


@pytest.mark.parametrize(
    ("last", "words"),
    [(1400.2, r"the clock was set back by 3599\.8 s"), (8600.0, r"the clock was set ahead by 3600\.0 s")],
)
def test_a_clock_that_is_set_ends_the_node(tmp_path: Path, last: float, words: str) -> None:
    """A correction of less than a second is taken as it is, and what a node sleeps through under load is what every staleness is for."""
    with node(tmp_path) as follower:
        (clock,) = [reader for reader in follower.subscriptions if reader.topic_name == CLOCK.name]
        for t in (4900.0, 4999.5, 5000.1, 4999.5, 5000.0):
            clock.callback(encode.clock(t))
            follower._on_tick()
        clock.callback(encode.clock(last))
        with pytest.raises(ClockSet, match=words):
            follower._on_tick()


def test_ticks_on_the_robot_do_not_sleep_through_a_clock_that_is_set_back(tmp_path: Path) -> None:
    with node(tmp_path, "", "-p", "use_sim_time:=false") as follower:
        assert {timer.clock.clock_type for timer in follower.timers} == {ClockType.STEADY_TIME}
