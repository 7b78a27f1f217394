"""Who may say and hear what: the SROS 2 policy of the node graph, and whether the robot may be reached from outside this machine.

Policy format: https://github.com/ros2/sros2 (``policy.xsd``, version 0.2.0). From the keystore's side::

    ros2 security create_keystore KEYS
    ros2 security generate_artifacts -k KEYS -p config/security/policy.xml
    export ROS_SECURITY_KEYSTORE=KEYS ROS_SECURITY_ENABLE=true ROS_SECURITY_STRATEGY=Enforce
"""

from __future__ import annotations

import os
import stat
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from pathlib import Path

from mine_robot.bringup.graph import GRAPH, GraphNode
from mine_robot.pipeline.loading import LoadError
from mine_robot.ros.topics import CLOCK, DIAGNOSTICS, HEARTBEAT, MISSION_STATE, PROGRESS, SERVICES, STOPS, Topic

ENABLE, STRATEGY, KEYSTORE = "ROS_SECURITY_ENABLE", "ROS_SECURITY_STRATEGY", "ROS_SECURITY_KEYSTORE"
OVERRIDE = "ROS_SECURITY_ENCLAVE_OVERRIDE"
NO_PLUGINS = "doesn't have the security libraries"  # rmw_fastrtps on a Fast DDS without them
ENCLAVE = "/mine_robot"
# What a process needs in the folder of its enclave, or the same from a PKCS #11 token (rmw_dds_common, security.cpp).
ENCLAVE_FILES = (
    ("identity_ca.cert.pem", "identity_ca.cert.p11"),
    ("cert.pem", "cert.p11"),
    ("key.pem", "key.p11"),
    ("permissions_ca.cert.pem", "permissions_ca.cert.p11"),
    ("governance.p7s",),
    ("permissions.p7s",),
)
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
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
        # `mine-robot console` asks the mission's node where the run directory is.
        asked = () if node is OPERATOR else (f"mission/{name}" for name in PARAMETER_SERVICES)
        _list(profile, "services", "service", "request", (*SERVICES, *STOPS, *asked))
    spoken = {*_names(node.publishes), *_names([DIAGNOSTICS]), "rosout", "parameter_events"}
    if node.name == "localization":
        spoken.add("tf")  # where tf2_ros is installed
    _list(profile, "topics", "topic", "publish", spoken)
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
    """True if DDS security is on and enforced, with keys that exist. ROS takes these words as they are written here and no others."""
    keys = environment.get(KEYSTORE, "")
    on = environment.get(ENABLE) == "true" and environment.get(STRATEGY) == "Enforce"
    return on and bool(keys) and Path(keys).is_dir()


def enclave_arguments(name: str, environment: Mapping[str, str]) -> list[str]:
    """ROS arguments that put the process of the node ``name`` into its enclave, if DDS security is on."""
    return ["--enclave", f"{ENCLAVE}/{name}"] if secured(environment) else []


def check_remote(remote: bool, insecure: bool, environment: Mapping[str, str]) -> None:
    """Raise :class:`LoadError` if the robot would be open to the network without security and nobody has said that this is meant."""
    if insecure and not remote:
        raise LoadError("--insecure says something about --remote only")
    if insecure and environment.get(ENABLE) == "true":
        raise LoadError(f"--insecure contradicts {ENABLE}=true: leave out one of them")
    if remote and not insecure and not secured(environment):
        raise LoadError(
            "--remote needs DDS security (ROS_SECURITY_ENABLE=true, ROS_SECURITY_STRATEGY=Enforce, ROS_SECURITY_KEYSTORE: "
            "see docs/security.md), or --insecure if everybody on the network may drive the robot"
        )


def check_security(environment: Mapping[str, str], nodes: Iterable[str]) -> None:
    """Raise :class:`LoadError` if the environment asks for DDS security and the processes of ``nodes`` would not have it.

    ROS itself starts without security where a variable is misspelt, and lets everybody in where the strategy is not ``Enforce``.
    """
    asked = environment.get(ENABLE, "")
    if asked in ("", "false"):
        return
    if asked != "true":
        raise LoadError(f"{ENABLE}={asked:.40}: must be 'true' or 'false'; ROS takes anything else for 'false'")
    if environment.get(STRATEGY) != "Enforce":
        raise LoadError(
            f"{ENABLE}=true needs {STRATEGY}=Enforce, not '{environment.get(STRATEGY, ''):.40}': else everybody is let in"
        )
    if environment.get(OVERRIDE):
        raise LoadError(f"{OVERRIDE} is set: every node needs an enclave of its own; unset it")
    if not environment.get(KEYSTORE):
        raise LoadError(f"{ENABLE}=true needs {KEYSTORE}: the folder of the keys (docs/security.md)")
    folder = Path(environment[KEYSTORE])
    if not folder.is_dir():
        raise LoadError(f"{KEYSTORE}={folder}: no such folder")
    for name in nodes:
        _check_enclave(folder / "enclaves" / f"{ENCLAVE}/{name}".lstrip("/"))


def _check_enclave(folder: Path) -> None:
    """Raise :class:`LoadError` unless a process can use the keys of an enclave, and nobody but its user can change them."""
    make = "ros2 security generate_artifacts makes it (docs/security.md)"
    if not folder.is_dir():
        raise LoadError(f"{folder}: no such enclave; {make}")
    for kinds in ENCLAVE_FILES:
        file = next((folder / name for name in kinds if (folder / name).exists()), None)
        if file is None:
            raise LoadError(f"{folder / kinds[0]}: no such file; {make}")
        status = file.stat()
        if not os.access(file, os.R_OK):
            raise LoadError(f"{file}: cannot be read by this user")
        if status.st_uid not in (0, os.getuid()) or status.st_mode & OTHERS_WRITE:
            raise LoadError(f"{file}: belongs to another user, or others may write it: chown it and chmod go-w")


def participant_error(error: Exception) -> LoadError:
    """Why ROS could not begin here, in one line."""
    said = " ".join(str(error).split())
    if NO_PLUGINS in said:
        return LoadError(
            f"{ENABLE}=true, but this ROS has no DDS security: its Fast DDS was built without, as in the wheels of PyPI; "
            "source an installation of ROS 2 Jazzy, or unset it (docs/security.md)"
        )
    return LoadError(f"ROS cannot start: {said.split(', at /')[0]}")
