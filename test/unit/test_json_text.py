"""The one encoder of JSON: knows the project's types, writes nothing that JSON does not have."""

from __future__ import annotations

import ast
import datetime
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mine_robot
from mine_robot.core.json_text import to_json
from mine_robot.core.types import MissionState, Pose2, TargetClass

KNOWN = [
    (np.bool_(True), True), (np.int64(3), 3), (np.float32(0.5), 0.5), (np.float64(0.5), 0.5), (np.arange(3), [0, 1, 2]),
    (np.array([0.0, math.nan]), [0.0, None]), (math.nan, None), (-math.inf, None), (np.float32("inf"), None),
    (Path("a/b"), "a/b"), (datetime.date(2026, 12, 1), "2026-12-01"), (MissionState.DONE, "done"),
    (TargetClass.AP_METAL, TargetClass.AP_METAL.value), (Pose2(1.0, 2.0, math.nan), {"x": 1.0, "y": 2.0, "yaw": None}),
    ({np.int64(3): 1, None: 2, "a": 3}, {"3": 1, "null": 2, "a": 3}), ("Ağdam", "Ağdam"), ("\ud800", "\ud800"), ((), []),
]  # fmt: skip


@pytest.mark.parametrize(("content", "read"), KNOWN, ids=range(len(KNOWN)))
def test_every_type_of_the_project_is_written(content: object, read: object) -> None:
    for options in ({}, {"indent": 1}, {"compact": True}, {"ascii_only": True}):
        text = to_json({"a": [content]}, **options)
        text.encode("utf-8")
        assert json.loads(text, parse_constant=pytest.fail) == {"a": [read]}


leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.floats(width=32).map(np.float32))
contents = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(contents)
def test_whatever_is_written_is_strict_json(content: object) -> None:
    text = to_json(content)
    text.encode("utf-8")
    json.loads(text, parse_constant=pytest.fail)


def test_a_memory_of_ours_keeps_what_json_does_not_know() -> None:
    assert math.isnan(json.loads(to_json({"a": np.float32("nan"), "b": np.bool_(1)}, exact=True))["a"])


def test_an_unknown_type_and_a_circle_are_bugs() -> None:
    circle: list[object] = []
    circle.append(circle)
    for content, error in ((object(), TypeError), ({1, 2}, TypeError), (circle, ValueError)):
        with pytest.raises(error):
            to_json(content)


def test_nobody_else_writes_json() -> None:
    root = Path(mine_robot.__file__).parent
    for path in root.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert path.name == "json_text.py" or not names & {"dumps", "JSONEncoder"}, f"{path}: use core/json_text.py"
