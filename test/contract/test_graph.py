"""The node graph, the topic table, the nodes' code and the launch files say the same."""

from __future__ import annotations

import ast
import json
from collections import Counter
from pathlib import Path

import pytest

from mine_robot.bringup.docs import pages
from mine_robot.bringup.gate_page import NOT_MEASURED, gate_page
from mine_robot.bringup.graph import GRAPH, SENSOR_TOPICS, GraphNode, graph
from mine_robot.pipeline.parameters import NODE_PARAMETERS
from mine_robot.ros import topics
from mine_robot.ros.topics import CLOCK, DIAGNOSTICS, TOPICS

ROOT = Path(__file__).parents[2]
BY_VARIABLE = {name: value for name, value in vars(topics).items() if isinstance(value, topics.Topic)}


def test_every_topic_has_exactly_one_publisher() -> None:
    publishers = Counter(topic.name for node in GRAPH for topic in node.publishes)
    for topic in TOPICS:
        if topic is not DIAGNOSTICS:  # one a node, by ROS convention
            assert publishers[topic.name] == 1, topic.name


def test_every_subscribed_topic_has_a_publisher_without_the_simulator_too() -> None:
    robot = graph(simulation=False)
    published = {topic for node in robot for topic in node.publishes} | set(SENSOR_TOPICS) | {CLOCK, DIAGNOSTICS}
    for node in robot:
        missing = set(node.subscribes) - published
        assert all(topic.optional for topic in missing), node.name


def test_what_a_person_says_of_a_target_reaches_nobody_who_plans_guards_marks_or_counts_ground() -> None:
    assert {node.name for node in GRAPH if topics.REMARK in node.subscribes} == {"mission", "recorder"}
    assert {node.name for node in GRAPH if topics.REMARK_ANSWER in node.subscribes} == {"console", "recorder"}


def test_topic_names_are_unique_and_relative() -> None:
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
    for topic in TOPICS:
        assert topic.name.startswith("/") == (topic in (CLOCK, DIAGNOSTICS)), topic.name


def test_every_node_has_parameters() -> None:
    assert {node.name for node in GRAPH} == set(NODE_PARAMETERS)


@pytest.mark.parametrize("node", [node for node in GRAPH if node.name != "recorder"], ids=lambda node: node.name)
def test_a_node_uses_the_topics_of_the_graph(node: GraphNode) -> None:
    """What the code of a node listens to and talks on is what the graph says."""
    tree = ast.parse((ROOT / "mine_robot" / "nodes" / f"{node.name}_node.py").read_text(encoding="utf-8"))
    listens: set[str] = set()
    talks: set[str] = set()  # by name; a topic that a node also listens to is found only so
    names: set[str] = set()
    for call in ast.walk(tree):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in ("listen", "poll", "overhear")
        ):
            assert isinstance(call.args[0], ast.Name)
            listens.add(call.args[0].id)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "talk":
            talks |= {call.args[0].id} if isinstance(call.args[0], ast.Name) else set()
        if isinstance(call, ast.ImportFrom) and call.module == "mine_robot.ros.topics":
            names |= {alias.name for alias in call.names if alias.name in BY_VARIABLE}
    assert {BY_VARIABLE[name] for name in listens} == set(node.subscribes)
    talks = {name for name in talks if name in BY_VARIABLE}
    assert {BY_VARIABLE[name] for name in (names - listens) | talks} == set(node.publishes)


def test_the_page_of_the_gate_takes_what_the_campaign_measured(tmp_path: Path) -> None:
    measured = tmp_path / "gate_campaign.json"
    assert NOT_MEASURED in gate_page(measured)
    one = {"topic": "detection/targets", "attack": "empty", "seconds": 0.4, "followed": "hold"}
    measured.write_text(json.dumps([one, {**one, "attack": "duplicated", "seconds": None}]))
    page = gate_page(measured)
    assert "| `detection/targets` | empty | 0.40 | hold |" in page
    assert "| `detection/targets` | duplicated | - | hold |" in page


def test_generated_pages_are_fresh() -> None:
    for path, text in pages(ROOT / "docs", ROOT / "config" / "robot.yaml").items():
        assert path.read_text(encoding="utf-8") == text, f"{path} is stale: run `make docs`"
