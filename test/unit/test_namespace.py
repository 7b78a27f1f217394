"""Names of a robot among others."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mine_robot.bringup.namespace import checked_namespace, namespace_arguments
from mine_robot.pipeline.loading import LoadError

WORD = st.from_regex(r"\A[a-zA-Z][a-zA-Z0-9_]{0,8}\Z").filter(lambda word: "__" not in word)


def test_a_robot_without_namespace_is_not_remapped() -> None:
    assert checked_namespace("", {}) == checked_namespace("/", {}) == ""
    assert namespace_arguments("") == []


def test_what_ros_names_absolutely_is_remapped() -> None:
    words = namespace_arguments("/robot1")
    assert words[:2] == ["-r", "__ns:=/robot1"]
    assert {"/clock:=clock", "/diagnostics:=diagnostics", "/tf:=tf", "/tf_static:=tf_static"} < set(words)


@given(st.lists(WORD, min_size=1, max_size=3))
def test_slashes_do_not_matter(parts: list[str]) -> None:
    name = "/".join(parts)
    assert checked_namespace(name, {}) == checked_namespace(f"/{name}/", {}) == f"/{name}"


@pytest.mark.parametrize("text", ["robot 1", "robot-1", "1st", "a//b", "{robot}", "~robot"])
def test_what_is_no_namespace_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(LoadError, match="namespace") as caught:
        checked_namespace(text, {})
    assert "\n" not in str(caught.value)


def test_the_security_policy_knows_no_namespace(tmp_path: Path) -> None:
    on = {"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce", "ROS_SECURITY_KEYSTORE": str(tmp_path)}
    assert checked_namespace("", on) == ""
    with pytest.raises(LoadError, match="security"):
        checked_namespace("robot1", on)
