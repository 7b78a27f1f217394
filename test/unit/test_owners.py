"""Who may publish what: the plain rule, over seeded populations of publishers."""

from __future__ import annotations

import numpy as np
import pytest

from mine_robot.bringup.graph import GRAPH, SENSOR_TOPICS
from mine_robot.ros.owners import RESTARTED, RUNS, TAKEOVER_S, Owners, Publisher
from mine_robot.ros.topics import (
    CLOCK,
    CMD,
    DIAGNOSTICS,
    DRIVER,
    GNSS_FIX,
    HEARTBEAT,
    MARK_RESULT,
    MISSION_STATE,
    ODOMETRY,
    OF_THE_RUN,
    PUBLISHER,
    REMARK,
    SENSORS,
    TOPICS,
    publishers,
)

RUN, OTHER = 7, 8


def one(node: str, run: int | None = RUN, number: int = 0) -> Publisher:
    return Publisher(f"{run} {node} {number}".encode().ljust(16, b"."), node, run)


def owners(*, simulation: bool = True, run: int = RUN, namespace: str = "/") -> Owners:
    return Owners(run, namespace, publishers(simulation=simulation))


def test_the_table_of_publishers_is_that_of_the_graph() -> None:
    assert set(PUBLISHER) == set(TOPICS) - {DIAGNOSTICS}
    assert set(SENSORS) == set(SENSOR_TOPICS)
    for topic, node in publishers(simulation=True).items():
        if node == OF_THE_RUN:
            continue
        assert [row.name for row in GRAPH if topic in row.publishes] == [node], topic.name
    robot = publishers(simulation=False)
    assert {topic for topic, node in robot.items() if node == DRIVER} == set(SENSOR_TOPICS)
    assert CLOCK not in robot  # nobody hears it


def test_a_name_is_not_enough() -> None:
    rule = owners()
    ours, namesake, plain = one("/localization"), one("/localization", OTHER), one("/localization", None)
    assert rule.strangers(ODOMETRY, [ours, namesake, plain], 0.0) == [namesake, plain]
    assert rule.strangers(CMD, [ours], 0.0) == [ours]  # nor is the run
    assert rule.strangers(CMD, [one("")], 0.0) == []  # its name comes a moment later
    assert rule.strangers(REMARK, [one("/console"), one("/console", RUN, 1)], 0.0) == []  # two pages of one run
    assert "of another stack" in namesake.words and "/localization" in plain.words


def test_a_node_that_is_started_again_is_no_stranger_while_its_dead_predecessor_lingers() -> None:
    assert owners().strangers(MARK_RESULT, [one("/marker", RUN, 1), one("/marker", RUN, 2)], 0.0) == []


def test_a_copied_badge_is_not_enough_either() -> None:
    """Who copies name and badge of a node comes second: the node that ends the run when it dies is pinned."""
    rule = owners()
    first, copy = one("/mission", RUN, 1), one("/mission", RUN, 2)
    assert rule.strangers(MISSION_STATE, [first], 0.0) == []
    assert rule.strangers(MISSION_STATE, [copy, first], 1.0) == [copy]
    assert rule.strangers(MISSION_STATE, [copy], 2.0) == [copy]
    assert owners().strangers(MISSION_STATE, [first, copy], 0.0) == [first, copy]  # which of them?


def test_any_node_of_the_run_may_be_the_operators_heartbeat() -> None:
    rule = owners()
    terminal, page, foreign = one("/operator"), one("/console"), one("/operator", None)
    assert rule.strangers(HEARTBEAT, [terminal, page, foreign], 0.0) == [foreign]


def test_those_who_are_started_again_are_those_of_the_graph() -> None:
    assert set(RESTARTED) == {node.name for node in GRAPH if not node.critical}


def test_health_is_anybodys_but_another_stacks() -> None:
    driver, other = one("/battery_driver", None), one("/guard", OTHER)
    assert owners().strangers(DIAGNOSTICS, [driver, one("/guard"), other], 0.0) == [other]


def test_names_are_those_of_the_namespace() -> None:
    rule = owners(namespace="/robot1")
    assert rule.strangers(ODOMETRY, [one("/robot1/localization")], 0.0) == []
    assert rule.strangers(ODOMETRY, [one("/localization")], 0.0) != []


def test_the_first_driver_keeps_its_topic_and_another_takes_over_only_after_it_is_gone_for_long() -> None:
    rule = owners(simulation=False)
    first, second, third = (one(f"/gnss_{name}", None) for name in "abc")
    assert rule.strangers(GNSS_FIX, [first], 0.0) == []
    assert rule.strangers(GNSS_FIX, [second, first], 1.0) == [second]
    assert rule.strangers(GNSS_FIX, [second], 2.0) == [second]
    assert rule.strangers(GNSS_FIX, [second], 2.0 + TAKEOVER_S - 0.1) == [second]
    assert rule.strangers(GNSS_FIX, [first, second], 4.5) == [second]  # it was frozen only
    assert rule.strangers(GNSS_FIX, [second, third], 5.0) == [second, third]
    assert rule.strangers(GNSS_FIX, [second, third], 5.0 + 2 * TAKEOVER_S) == [second, third]  # which of them?
    assert rule.strangers(GNSS_FIX, [third], 5.1 + 2 * TAKEOVER_S) == []
    assert rule.strangers(GNSS_FIX, [first, third], 6.0 + 2 * TAKEOVER_S) == [first]


def test_of_drivers_that_come_together_nobody_is_heard_and_a_node_of_any_stack_is_no_driver() -> None:
    rule = owners(simulation=False)
    both = [one("/a", None), one("/b", None)]
    assert rule.strangers(GNSS_FIX, both, 0.0) == both
    simulator = one("/simulator", OTHER)
    assert rule.strangers(GNSS_FIX, [simulator], 0.1) == [simulator]
    assert rule.strangers(GNSS_FIX, [both[0], simulator], 0.2) == [simulator]


@pytest.mark.parametrize("seed", range(40))
def test_no_population_makes_a_stranger_heard(seed: int) -> None:
    """Random publishers on random topics come and go: who may speak is of this run and the topic's node, or the one driver."""
    rng = np.random.default_rng(seed)
    simulation = bool(rng.integers(2))
    rule, expected = owners(simulation=simulation), publishers(simulation=simulation)
    names = [*(f"/{node.name}" for node in GRAPH), "/evil", "/robot2/guard", "", "/ublox"]
    there: dict[str, list[Publisher]] = {topic.name: [] for topic in TOPICS}
    heard: dict[str, tuple[float, bytes]] = {}
    for step in range(200):
        t, topic = 0.1 * step, TOPICS[rng.integers(len(TOPICS))]
        present = there[topic.name]
        if present and rng.random() < 0.4:
            present.pop(rng.integers(len(present)))
        else:
            run = (RUN, OTHER, None, int(rng.integers(RUNS)))[rng.integers(4)]
            present.append(one(names[rng.integers(len(names))], run, step))
        strangers = rule.strangers(topic, present, t)
        admitted = [publisher for publisher in present if publisher not in strangers]
        assert set(strangers) <= set(present)
        node = expected.get(topic)
        if node is None:
            assert all(publisher.run in (RUN, None) for publisher in admitted)
        elif node == OF_THE_RUN:
            assert all(publisher.run == RUN for publisher in admitted)
        elif node in RESTARTED:
            assert all(publisher.run == RUN and publisher.node in (f"/{node}", "") for publisher in admitted)
        else:
            run, names_ = (None, None) if node == DRIVER else (RUN, (f"/{node}", ""))
            assert len(admitted) <= 1 and all(publisher.run == run for publisher in admitted)
            assert names_ is None or all(publisher.node in names_ for publisher in admitted)
            for publisher in admitted:
                last, gid = heard.get(topic.name, (-10.0, publisher.gid))
                assert publisher.gid == gid or t - last >= TAKEOVER_S
                heard[topic.name] = t, publisher.gid


@pytest.mark.parametrize("simulation", [True, False])
def test_of_two_stacks_each_has_all_of_the_other_as_strangers_and_none_of_its_own(simulation: bool) -> None:
    for topic, node in publishers(simulation=True).items():
        if topic in publishers(simulation=simulation):
            a, b = one(f"/{node}", RUN), one(f"/{node}", OTHER)
            sensor = node == "simulator" and not simulation
            assert owners(simulation=simulation).strangers(topic, [a, b], 0.0) == ([a, b] if sensor else [b])
            assert b not in owners(simulation=simulation, run=OTHER).strangers(topic, [a, b], 0.0) or sensor
