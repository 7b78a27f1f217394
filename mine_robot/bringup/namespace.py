"""Several robots in one DDS domain: everything that a stack says and hears in a namespace of its own.

Relative names follow the namespace by themselves; what ROS names absolutely is remapped into it, as the launch files of Nav2 do. So each
robot has its own ``/clock``, ``/diagnostics`` and TF tree, and its frames keep their names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from rclpy.exceptions import InvalidNamespaceException
from rclpy.validate_namespace import validate_namespace

from mine_robot.bringup.security import enclave_arguments, secured
from mine_robot.pipeline.loading import LoadError
from mine_robot.ros.topics import CLOCK, DIAGNOSTICS

REMAPPED = tuple((name, name.removeprefix("/")) for name in (CLOCK.name, DIAGNOSTICS.name, "/tf", "/tf_static"))


def checked_namespace(text: str, environment: Mapping[str, str]) -> str:
    """The namespace with its leading slash, empty for none; raises :class:`LoadError` if it is no namespace, or DDS security forbids it."""
    name = text.strip("/")
    if not name:
        return ""
    try:
        validate_namespace(f"/{name}")
    except InvalidNamespaceException as error:
        raise LoadError(f"namespace {text}: {str(error).splitlines()[0].rstrip(':')}") from None
    if secured(environment):
        raise LoadError(
            f"namespace {text}: the policy of DDS security (docs/security.md) is that of a stack without one"
        )
    return f"/{name}"


def namespace_arguments(namespace: str) -> list[str]:
    """What follows ``--ros-args`` of every process of a stack in ``namespace``."""
    if not namespace:
        return []
    rules = ("__ns", namespace), *REMAPPED
    return [word for old, new in rules for word in ("-r", f"{old}:={new}")]


def operator_arguments(namespace: str) -> list[str]:
    """What follows ``--ros-args`` of the process that starts and follows a mission."""
    return [*enclave_arguments("operator", os.environ), *namespace_arguments(namespace)]
