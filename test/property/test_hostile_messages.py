"""A message of whatever content decodes to a value within the table of topics, or is refused in one line; nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from hostile_messages import TEMPLATES, TYPES, Chooser, Template, spoil, spoil_bytes, to_bytes, violation

from mine_robot.ros.checks import DecodeError
from mine_robot.ros.gate import GATE, ROWS
from mine_robot.ros.topics import CLOCK, TOPICS
from mine_robot.ros.wire import deserialiser

SETTINGS = settings(max_examples=120, derandomize=True, deadline=None)
BY_NAME = {template.topic.name: template for template in TEMPLATES}


def chooser(data: st.DataObject) -> Chooser:
    return Chooser(lambda most: data.draw(st.integers(0, max(most - 1, 0))))


def judge(template: Template, decoded: Any) -> None:
    """Decode; a value has to be within the table."""
    try:
        content = template.decode(decoded())
    except DecodeError as error:
        assert len(str(error).splitlines()) == 1
        assert len(str(error)) < 300
        return
    assert violation(template.topic, content) == ""


def test_every_topic_has_a_row_and_a_template() -> None:
    assert set(GATE) == set(TOPICS) - {CLOCK} == {template.topic for template in TEMPLATES}
    assert len(ROWS) == len(GATE)


@SETTINGS
@given(st.sampled_from(sorted(BY_NAME)), st.integers(1, 3), st.data())
def test_hostile_values_in_well_formed_messages(name: str, times: int, data: st.DataObject) -> None:
    template, choose = BY_NAME[name], chooser(data)
    message = TYPES.deserialize_cdr(template.data, template.topic.type_name)
    for _ in range(times):
        message = spoil(message, choose)
    judge(template, lambda: message)
    judge(template, lambda: deserialiser(template.topic.type_name)(to_bytes(message)))


@SETTINGS
@given(st.sampled_from(sorted(BY_NAME)), st.data())
def test_bytes_that_are_hardly_a_message(name: str, data: st.DataObject) -> None:
    template = BY_NAME[name]
    broken = spoil_bytes(template.data, chooser(data))
    judge(template, lambda: deserialiser(template.topic.type_name)(broken))


@SETTINGS
@given(st.sampled_from(sorted(BY_NAME)), st.binary(max_size=200))
def test_bytes_that_are_no_message(name: str, data: bytes) -> None:
    template = BY_NAME[name]
    judge(template, lambda: deserialiser(template.topic.type_name)(data))
    judge(template, lambda: deserialiser(template.topic.type_name)(b"\0\1\0\0" + data))


@given(st.sampled_from(sorted(BY_NAME)), st.sampled_from(sorted(BY_NAME)))
def test_a_message_of_another_topic(name: str, other: str) -> None:
    message = TYPES.deserialize_cdr(BY_NAME[other].data, BY_NAME[other].topic.type_name)
    judge(BY_NAME[name], lambda: message)
