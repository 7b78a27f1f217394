"""Looks at the graph for a node: whose messages it may take, and which strangers are on the topics of the stack.

A node's badge, the number of its run, is the lifespan of its ``/diagnostics`` (in seconds, beyond any that means something): quality of
service is the one thing that DDS tells of a publisher together with its id, before its first message, and that a node may choose.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.topic_endpoint_info import TopicEndpointInfo

from mine_robot.ros.owners import PARTICIPANT, RUNS, UNKNOWN_NODE, Owners, Publisher, Stranger
from mine_robot.ros.topics import CMD, DIAGNOSTICS, DRIVER, Topic, publishers

COMMANDS = CMD.name  # a stranger on this topic drives the robot
BADGE_BASE_S = 2**30  # 34 years: no report of health expires by it
RECHECK_S = 0.2  # wall time between looks at one who was refused
ADMITTED_MAX, REFUSED_MAX = 256, 64  # publishers that are kept in mind
REFUSED_SHOWN_S = 3.0  # for which a refusal stands in a node's health
LOOK_S = 0.2  # wall time between looks at how many publish each topic: who comes is noticed in this time
FULL_LOOK_S = 1.0  # between looks at who they are


def badge(run: int) -> Duration:
    """The lifespan that says which run a node belongs to."""
    return Duration(seconds=BADGE_BASE_S + run)


def run_of(info: TopicEndpointInfo) -> int | None:
    """The number of the run that a publisher's lifespan tells."""
    run = info.qos_profile.lifespan.nanoseconds // 1_000_000_000 - BADGE_BASE_S
    return int(run) if 0 <= run < RUNS else None


def badges(node: Node) -> dict[bytes, int | None]:
    """The number of the run of every process that reports health, by its participant's id."""
    runs: dict[bytes, int | None] = {}
    for info in node.get_publishers_info_by_topic(DIAGNOSTICS.name):
        participant, run = bytes(info.endpoint_gid[:PARTICIPANT]), run_of(info)
        runs[participant] = runs.get(participant) if run is None else run
    return runs


def present(node: Node, topic: Topic, runs: Mapping[bytes, int | None]) -> list[Publisher]:
    """All publishers of a topic, given the :func:`badges`."""
    found = []
    for info in node.get_publishers_info_by_topic(topic.name):
        gid = bytes(info.endpoint_gid)
        found.append(Publisher(gid, _full_name(info), runs.get(gid[:PARTICIPANT])))
    return found


def _full_name(info: TopicEndpointInfo) -> str:
    if info.node_name.startswith("_NODE_NAME_UNKNOWN_"):
        return UNKNOWN_NODE
    return f"{info.node_namespace.rstrip('/')}/{info.node_name}"


class Gate:
    """Decides for a node whether a message is taken, by the id of its publisher."""

    def __init__(self, node: Node, run: int, *, simulation: bool) -> None:
        self.topics = publishers(simulation=simulation)
        self.owners = Owners(run, node.get_namespace(), self.topics)
        self._node = node
        # All by the publisher's id: where it was admitted; when one that was refused was looked at last.
        self._admitted: dict[bytes, tuple[Topic, Publisher]] = {}
        self._refused: dict[bytes, tuple[float, Stranger]] = {}
        self._refused_t: dict[Stranger, float] = {}  # heard last

    def lets_in(self, topic: Topic, gid: bytes) -> bool:
        """True if a message of the publisher ``gid`` on ``topic`` may be taken."""
        return gid in self._admitted or self._look(topic, gid)

    def publisher(self, gid: bytes) -> Publisher:
        """Who it is whose message was let in."""
        topic, publisher = self._admitted.get(gid, (DIAGNOSTICS, Publisher(gid, UNKNOWN_NODE)))
        if publisher.node == UNKNOWN_NODE:  # its name may have come since
            there = present(self._node, topic, {publisher.participant: publisher.run})
            publisher = next((one for one in there if one.gid == gid), publisher)
            self._admitted[gid] = (topic, publisher)
        return publisher

    def refused(self) -> list[Stranger]:
        """Whose messages were refused of late."""
        now = time.monotonic()
        self._refused_t = {who: t for who, t in self._refused_t.items() if now - t < REFUSED_SHOWN_S}
        return list(self._refused_t)

    def _look(self, topic: Topic, gid: bytes) -> bool:
        """Look at a publisher that was not admitted; one that was refused is looked at again after a while."""
        now = time.monotonic()
        looked_t, known = self._refused.get(gid, (float("-inf"), None))
        if known is None or now - looked_t >= RECHECK_S:
            there = present(self._node, topic, badges(self._node))
            publisher = next((one for one in there if one.gid == gid), None)
            if publisher is not None and publisher not in self.owners.strangers(topic, there, now):
                self._admit(topic, publisher, {one.gid for one in there})
                return True
            known = self._note(now, known, Stranger(topic.name, publisher or Publisher(gid, UNKNOWN_NODE)))
        self._refused_t[known] = now
        return False

    def _admit(self, topic: Topic, publisher: Publisher, there: set[bytes]) -> None:
        """Hear it from now on; a driver that is gone comes back as anybody else."""
        if self.topics.get(topic) == DRIVER:
            kept = self._admitted.items()
            self._admitted = {gid: (at, one) for gid, (at, one) in kept if at != topic or gid in there}
        self._admitted[publisher.gid] = (topic, publisher)
        self._refused.pop(publisher.gid, None)
        if len(self._admitted) > ADMITTED_MAX:
            del self._admitted[next(iter(self._admitted))]

    def _note(self, now: float, known: Stranger | None, seen: Stranger) -> Stranger:
        """Keep who was refused, by its best name; say it once."""
        stranger = seen if known is None or seen.publisher.node else known
        if stranger != known:
            self._node.get_logger().warning(f"refused: {stranger.words}")
        self._refused[stranger.publisher.gid] = (now, stranger)
        if len(self._refused) > REFUSED_MAX:
            del self._refused[min(self._refused, key=lambda gid: self._refused[gid][0])]
        return stranger


class Lookout:
    """Watches every topic of the stack for strangers; one node does that for all."""

    def __init__(self, node: Node, gate: Gate) -> None:
        self._node, self._owners = node, gate.owners
        self._topics = (*gate.topics, DIAGNOSTICS)
        self._counts: dict[Topic, int] = {}
        self._found: dict[Topic, list[Stranger]] = {}
        self._unnamed: dict[Topic, set[bytes]] = {}
        self._look_t = self._full_t = float("-inf")

    def look(self, *, at_once: bool = False) -> list[Stranger]:
        """All strangers; looks at the graph now and then, or ``at_once``."""
        now = time.monotonic()
        if not at_once and now - self._look_t < LOOK_S:
            return self.found
        self._look_t = now
        full = at_once or now - self._full_t >= FULL_LOOK_S
        self._full_t = now if full else self._full_t
        counts = {topic: self._node.count_publishers(topic.name) for topic in self._topics}
        changed = [
            topic for topic in self._topics if counts[topic] != self._counts.get(topic) or topic in self._unnamed
        ]
        self._counts = counts
        if full or changed:
            runs = badges(self._node)
            for topic in self._topics if full else changed:
                there = present(self._node, topic, runs) if counts[topic] else []
                strangers = self._owners.strangers(topic, there, now)
                self._found[topic] = self._named(topic, strangers, wait=not at_once)
        return self.found

    def _named(self, topic: Topic, strangers: list[Publisher], *, wait: bool) -> list[Stranger]:
        """The strangers on a topic; one whose node is not known yet may ``wait`` for its name until the next look."""
        seen = self._unnamed.pop(topic, set())
        unnamed = {one.gid for one in strangers if one.node == UNKNOWN_NODE}
        if unnamed:
            self._unnamed[topic] = unnamed
        return [Stranger(topic.name, one) for one in strangers if not wait or one.gid not in unnamed - seen]

    @property
    def found(self) -> list[Stranger]:
        """The strangers of the last look."""
        return [stranger for strangers in self._found.values() for stranger in strangers]
