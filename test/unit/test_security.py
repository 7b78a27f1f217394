"""The access policy says what the graph says, and nobody opens the robot to the network by accident."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from mine_robot.bringup.graph import GRAPH, graph
from mine_robot.bringup.namespace import operator_arguments
from mine_robot.bringup.prepare import PreparedRun, RunRequest
from mine_robot.bringup.security import (
    ENCLAVE_FILES,
    check_remote,
    check_security,
    participant_error,
    policy,
    secured,
)
from mine_robot.pipeline.loading import LoadError
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros.topics import SERVICES


def allowed(node: str, group: str, verb: str) -> set[str]:
    profiles = ElementTree.fromstring(policy().encode()).iter("profile")
    profile = next(profile for profile in profiles if profile.get("node") == node)
    return {item.text or "" for part in profile.findall(group) if part.get(verb) == "ALLOW" for item in part}


def test_only_the_guard_moves_the_robot_and_only_operator_and_console_command_the_mission() -> None:
    names = [node.name for node in GRAPH] + ["operator"]
    assert [name for name in names if "cmd_vel" in allowed(name, "topics", "publish")] == ["guard"]
    assert [name for name in names if set(SERVICES) & allowed(name, "services", "request")] == ["console", "operator"]
    assert [name for name in names if set(SERVICES) & allowed(name, "services", "reply")] == ["mission"]


def test_every_node_may_do_what_the_graph_says() -> None:
    for node in GRAPH:
        spoken, heard = allowed(node.name, "topics", "publish"), allowed(node.name, "topics", "subscribe")
        assert {topic.name.lstrip("/") for topic in node.publishes} | {"diagnostics", "rosout"} <= spoken
        assert {topic.name.lstrip("/") for topic in node.subscribes} | {"clock"} <= heard
    assert "cmd_vel_raw" not in allowed("marker", "topics", "publish")


def test_remote_operation_needs_security_or_a_word(tmp_path: Path) -> None:
    on = {"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce", "ROS_SECURITY_KEYSTORE": str(tmp_path)}
    assert secured(on)
    check_remote(False, False, {})
    check_remote(True, False, on)
    check_remote(True, True, {})
    for key, value in (
        ("ROS_SECURITY_ENABLE", "false"),
        ("ROS_SECURITY_STRATEGY", "Permissive"),
        ("ROS_SECURITY_KEYSTORE", "/no"),
    ):
        assert not secured({**on, key: value})
        with pytest.raises(LoadError, match="--remote needs DDS security"):
            check_remote(True, False, {**on, key: value})
    with pytest.raises(LoadError, match="--insecure"):
        check_remote(False, True, {})


NODES = [*(node.name for node in GRAPH), "operator"]


def keystore(folder: Path) -> dict[str, str]:
    """A keystore as sros2 lays it out, without real keys, and the environment that names it."""
    for name in NODES:
        enclave = folder / "enclaves" / "mine_robot" / name
        enclave.mkdir(parents=True)
        for kinds in ENCLAVE_FILES:
            (enclave / kinds[0]).write_text("key")
    return {"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce", "ROS_SECURITY_KEYSTORE": str(folder)}


def test_every_process_of_a_secured_run_has_its_own_enclave_of_the_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in keystore(tmp_path).items():
        monkeypatch.setenv(name, value)
    nodes = graph(simulation=True, console=True)
    run = PreparedRun(RunDirectory(tmp_path), RunRequest(Path("field")), nodes, 1)
    commands = {node.name: run.command(node) for node in nodes} | {"operator": operator_arguments("")}
    given = {name: words[words.index("--enclave") + 1] for name, words in commands.items()}
    paths = {node.get("path") for node in ElementTree.fromstring(policy().encode()).iter("enclave")}
    assert given == {name: f"/mine_robot/{name}" for name in NODES}
    assert set(given.values()) == paths
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "false")
    assert "--enclave" not in (*run.command(nodes[0]), *operator_arguments(""))


def test_a_whole_keystore_is_good_and_without_security_nothing_is_asked(tmp_path: Path) -> None:
    check_security(keystore(tmp_path), NODES)
    for off in ({}, {"ROS_SECURITY_ENABLE": "false"}, {"ROS_SECURITY_ENABLE": ""}, {"ROS_SECURITY_KEYSTORE": "/none"}):
        check_security(off, NODES)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ROS_SECURITY_ENABLE": "True"}, "ROS_SECURITY_ENABLE=True"),  # which rcl takes for false
        ({"ROS_SECURITY_ENABLE": "1"}, "must be 'true' or 'false'"),
        ({"ROS_SECURITY_STRATEGY": "enforce"}, "ROS_SECURITY_STRATEGY=Enforce, not 'enforce'"),
        ({"ROS_SECURITY_STRATEGY": ""}, "ROS_SECURITY_STRATEGY=Enforce"),
        ({"ROS_SECURITY_KEYSTORE": ""}, "needs ROS_SECURITY_KEYSTORE"),
        ({"ROS_SECURITY_KEYSTORE": "/no/such"}, "no such folder"),
        ({"ROS_SECURITY_ENCLAVE_OVERRIDE": "/all"}, "ROS_SECURITY_ENCLAVE_OVERRIDE"),
    ],
)
def test_variables_that_contradict_each_other_are_one_line(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    with pytest.raises(LoadError, match=words) as caught:
        check_security({**keystore(tmp_path), **changes}, NODES)
    assert "\n" not in str(caught.value)


def test_what_is_missing_or_wrong_in_a_keystore_is_named(tmp_path: Path) -> None:
    environment = keystore(tmp_path)
    guard = tmp_path / "enclaves" / "mine_robot" / "guard"
    (guard / "key.pem").chmod(0o666)
    with pytest.raises(LoadError, match=r"guard/key\.pem: belongs to another user, or others may write it"):
        check_security(environment, NODES)
    (guard / "key.pem").rename(guard / "key.p11")
    (guard / "key.p11").chmod(0o600)
    check_security(environment, NODES)
    (guard / "permissions.p7s").unlink()
    with pytest.raises(LoadError, match=r"guard/permissions\.p7s: no such file"):
        check_security(environment, NODES)
    guard.rename(tmp_path / "elsewhere")
    with pytest.raises(LoadError, match="guard: no such enclave; ros2 security generate_artifacts"):
        check_security(environment, NODES)
    check_security(environment, ["mission"])


def test_security_and_the_word_that_it_is_not_wanted_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="contradicts"):
        check_remote(True, True, keystore(tmp_path))
    assert not secured({**keystore(tmp_path / "b"), "ROS_SECURITY_ENABLE": "True"})


def test_a_ros_without_security_says_so_in_one_line() -> None:
    """As rclpy of the wheels says it."""
    said = (
        "error creating node: This Fast DDS version doesn't have the security libraries\n"
        "Please compile Fast DDS using the -DSECURITY=ON CMake option, at /project/src/participant.cpp:364"
    )
    assert "this ROS has no DDS security" in str(participant_error(RuntimeError(said)))
    other = str(
        participant_error(RuntimeError("failed to initialize rcl: SECURITY ERROR: no\n keys, at /project/a.c:1"))
    )
    assert other == "ROS cannot start: failed to initialize rcl: SECURITY ERROR: no keys"


def test_the_console_may_ask_the_mission_where_the_run_is_and_localization_may_send_transforms() -> None:
    assert "mission/get_parameters" in allowed("console", "services", "request")
    assert "mission/get_parameters" not in allowed("operator", "services", "request")
    assert "tf" in allowed("localization", "topics", "publish")
