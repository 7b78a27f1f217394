"""Overrides of the topics' quality of service in parameter files, named as ROS does: ``qos_overrides./gpr/scan.subscription.depth``.

rclpy ignores a name that fits no topic of the node, so they are checked against the node graph before anything starts. A file gives a
topic its name of ``docs/topics.md``; a robot in a namespace gets it behind its namespace.
"""

from __future__ import annotations

from typing import Any

from mine_robot.bringup.graph import GRAPH, GraphNode
from mine_robot.core.parameters import unknown_key
from mine_robot.pipeline.loading import QOS_OVERRIDES, WILDCARD, LoadError, ParameterFiles
from mine_robot.ros.topics import DIAGNOSTICS

POLICIES: dict[str, tuple[str, ...]] = {
    "history": ("keep_last", "keep_all"),
    "depth": (),
    "reliability": ("reliable", "best_effort"),
}


def override_names(node: GraphNode) -> list[str]:
    """Every override that a node takes."""
    ends = [("publisher", topic) for topic in (*node.publishes, DIAGNOSTICS)]
    ends += [("subscription", topic) for topic in node.subscribes]
    return [f"{QOS_OVERRIDES}/{topic.name.lstrip('/')}.{end}.{policy}" for end, topic in ends for policy in POLICIES]


def check_overrides(files: ParameterFiles) -> None:
    """Raise :class:`LoadError` for an override that no node would take."""
    for owner, values in files.overrides.items():
        known = [name for node in GRAPH if owner in (node.name, WILDCARD) for name in override_names(node)]
        for name, value in values.items():
            if name not in known:
                raise LoadError(f"{owner}: {unknown_key(name, known)}")
            _check_value(name, value)


def _check_value(name: str, value: Any) -> None:
    choices = POLICIES[name.rpartition(".")[2]]
    if choices and value not in choices:
        raise LoadError(f"'{name}' must be one of {', '.join(choices)}, got {value!r}")
    if not choices and (type(value) is not int or value < 1):
        raise LoadError(f"'{name}' must be a whole number above 0, got {value!r}")


def into_namespace(files: ParameterFiles, namespace: str) -> None:
    """Name the topics as they are called in ``namespace``."""
    for owner, values in files.overrides.items():
        moved = {name.replace(QOS_OVERRIDES, QOS_OVERRIDES + namespace, 1): value for name, value in values.items()}
        files.overrides[owner] = moved
