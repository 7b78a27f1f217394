"""While a mission runs, every topic of the table carries the named type, from the publisher of the graph."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stack import SMALL_FIELD, command, environment, logs, started

pytestmark = pytest.mark.system

# Runs in a process of its own: the test's process may belong to another DDS domain.
LOOK = """
import json, sys, time
import rclpy
from mine_robot.bringup.graph import GRAPH
from mine_robot.ros.topics import SERVICES, TOPICS
rclpy.init()
node = rclpy.create_node("onlooker")
limit = time.monotonic() + 60.0
while time.monotonic() < limit:
    seen = {name: types for name, types in node.get_topic_names_and_types()}
    publishers = {}
    for topic in TOPICS:
        name = node.resolve_topic_name(topic.name)
        publishers[name] = sorted(info.node_name for info in node.get_publishers_info_by_topic(name))
    services = dict(node.get_service_names_and_types())
    nodes = {node.name for node in GRAPH} <= set(publishers["/diagnostics"])
    if nodes and all(publishers.values()) and all("/" + name in services for name in SERVICES):
        break
    time.sleep(0.2)
print(json.dumps({"types": seen, "publishers": publishers, "services": services}))
rclpy.try_shutdown()
"""


def test_topics_and_services_are_what_the_documentation_says(tmp_path: Path) -> None:
    from mine_robot.bringup.graph import GRAPH
    from mine_robot.ros.topics import DIAGNOSTICS, SERVICE_TYPE, SERVICES, TOPICS

    out = tmp_path / "run"
    options = ("--rate", "1", "--console", "--console-port", str(free_port()))
    with started(command(SMALL_FIELD, out, *options), 84):
        wait_for(out / "journal.sqlite")
        look = subprocess.run(
            [sys.executable, "-c", LOOK], env=environment(84), capture_output=True, text=True, timeout=120
        )
    assert look.returncode == 0, look.stderr + logs(out)
    seen = json.loads(look.stdout.splitlines()[-1])
    for topic in TOPICS:
        name = topic.name if topic.name.startswith("/") else "/" + topic.name
        assert seen["types"].get(name) == [topic.type_name], name
        if topic is not DIAGNOSTICS:
            assert seen["publishers"][name] == [node.name for node in GRAPH if topic in node.publishes], name
    assert set(seen["publishers"]["/diagnostics"]) >= {node.name for node in GRAPH}
    for service in SERVICES:
        assert seen["services"]["/" + service] == [SERVICE_TYPE]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(path: Path, limit_s: float = 60.0) -> None:
    limit = time.monotonic() + limit_s
    while not path.exists():
        assert time.monotonic() < limit, f"{path} did not appear"
        time.sleep(0.1)
