"""Who may say and hear what: the SROS 2 policy of the node graph, and whether the robot may be reached from outside this machine.

Policy format: https://github.com/ros2/sros2 (``policy.xsd``, version 0.2.0). From the keystore's side::

    ros2 security create_keystore KEYS
    ros2 security generate_artifacts -k KEYS -p config/security/policy.xml
    export ROS_SECURITY_KEYSTORE=KEYS ROS_SECURITY_ENABLE=true ROS_SECURITY_STRATEGY=Enforce
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from pathlib import Path

from mine_robot.bringup.graph import GRAPH, GraphNode
from mine_robot.pipeline.loading import LoadError
from mine_robot.ros.topics import CLOCK, DIAGNOSTICS, HEARTBEAT, MISSION_STATE, PROGRESS, SERVICES, STOPS, Topic

ENCLAVE = "/mine_robot"
PARAMETER_SERVICES = (
    "describe_parameters", "get_parameter_types", "get_parameters", "get_type_description", "list_parameters",
    "set_parameters", "set_parameters_atomically",
)  # fmt: skip
OPERATOR = GraphNode(
    "operator", "The operator's seat.", subscribes=(MISSION_STATE, DIAGNOSTICS, PROGRESS), publishes=(HEARTBEAT,)
)


def policy() -> str:
    """The policy as XML: each node may publish and hear what the graph says, and nothing else."""
    root = ElementTree.Element("policy", version="0.2.0")
    enclaves = ElementTree.SubElement(root, "enclaves")
    for node in (*GRAPH, OPERATOR):
        enclave = ElementTree.SubElement(enclaves, "enclave", path=f"{ENCLAVE}/{node.name}")
        profiles = ElementTree.SubElement(enclave, "profiles")
        _profile(ElementTree.SubElement(profiles, "profile", ns="/", node=node.name), node)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _profile(profile: ElementTree.Element, node: GraphNode) -> None:
    _list(profile, "services", "service", "reply", (f"~/{name}" for name in PARAMETER_SERVICES))
    if node.name == "mission":
        _list(profile, "services", "service", "reply", SERVICES)
    _list(profile, "services", "service", "reply", (name for name in STOPS if name.startswith(f"{node.name}/")))
    if node is OPERATOR or node.name == "console":
        _list(profile, "services", "service", "request", (*SERVICES, *STOPS))
    spoken = {*_names(node.publishes), "rosout", "parameter_events"}
    _list(profile, "topics", "topic", "publish", spoken if node is OPERATOR else {*spoken, *_names([DIAGNOSTICS])})
    _list(profile, "topics", "topic", "subscribe", {*_names(node.subscribes), *_names([CLOCK]), "parameter_events"})


def _names(topics: Iterable[Topic]) -> list[str]:
    return [topic.name.lstrip("/") for topic in topics]


def _list(profile: ElementTree.Element, group: str, item: str, verb: str, names: Iterable[str]) -> None:
    names = list(names)
    if not names:
        return
    element = ElementTree.SubElement(profile, group, {verb: "ALLOW"})
    for name in sorted(names):
        ElementTree.SubElement(element, item).text = name


def secured(environment: Mapping[str, str]) -> bool:
    """True if DDS security is on and enforced, with keys that exist."""
    keys = environment.get("ROS_SECURITY_KEYSTORE", "")
    on = environment.get("ROS_SECURITY_ENABLE", "").lower() == "true"
    return on and environment.get("ROS_SECURITY_STRATEGY") == "Enforce" and bool(keys) and Path(keys).is_dir()


def check_remote(remote: bool, insecure: bool, environment: Mapping[str, str]) -> None:
    """Raise :class:`LoadError` if the robot would be open to the network without security and nobody has said that this is meant."""
    if insecure and not remote:
        raise LoadError("--insecure says something about --remote only")
    if remote and not insecure and not secured(environment):
        raise LoadError(
            "--remote needs DDS security (ROS_SECURITY_ENABLE=true, ROS_SECURITY_STRATEGY=Enforce, ROS_SECURITY_KEYSTORE: "
            "see docs/security.md), or --insecure if everybody on the network may drive the robot"
        )
