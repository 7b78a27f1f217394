"""Who may publish a topic of the stack, and who is a stranger there. Plain rules; :mod:`mine_robot.ros.publishers` looks at the graph.

Names do not tell two stacks apart, for both have a ``guard``. So every node of a run shows the number of its run (its *badge*) where
DDS tells it to everybody before the first message comes, and the rules go by that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mine_robot.ros.topics import DRIVER, OF_THE_RUN, Topic

UNKNOWN_NODE = ""  # a publisher is known a moment before its node
RESTARTED = (
    "marker",
    "recorder",
    "console",
)  # nodes that the runner starts again when they die; the death of another ends the run
TAKEOVER_S = 2.0  # after the driver of a sensor is gone, before another one is listened to: everything is stale by then
PARTICIPANT = 12  # bytes of a publisher's id that all publishers of one process share (DDSI-RTPS, GUID prefix)
RUNS = 2**30  # numbers of runs are drawn below this


@dataclass(frozen=True)
class Publisher:
    """A publisher in the graph: ``gid`` as its messages carry it, ``node`` with its namespace, ``run`` by its badge (None: it has none)."""

    gid: bytes
    node: str
    run: int | None = None

    @property
    def participant(self) -> bytes:
        """The process (strictly: the DDS participant) that it belongs to."""
        return self.gid[:PARTICIPANT]

    @property
    def words(self) -> str:
        """Who it is, for people."""
        name = f"node {self.node}" if self.node else "an unnamed node"
        return name if self.run is None else f"{name} of another stack"


@dataclass(frozen=True)
class Stranger:
    """A publisher where it may not be."""

    topic: str
    publisher: Publisher

    @property
    def words(self) -> str:
        """Who publishes what, for people."""
        return f"{self.publisher.words} publishes {self.topic}"


class Owners:
    """The publisher that each topic may have in the run ``run``, whose nodes live in ``namespace`` ("/" for none).

    ``expected`` gives the node's name, :data:`OF_THE_RUN` or :data:`DRIVER`. Of those that may be it, whoever is alone there first owns the
    topic: a badge can be copied, to be first it takes a race with the run itself. It loses the topic only when it is gone, and
    :data:`TAKEOVER_S` later to whoever is alone then; of several that came together nobody is heard. Nodes that are :data:`RESTARTED` come
    again while DDS still shows the dead one. Topics that are not in ``expected`` (health) are anybody's but another run's.
    """

    def __init__(self, run: int, namespace: str, expected: Mapping[Topic, str]) -> None:
        self._run = run
        prefix = namespace.rstrip("/")
        self._expected = {
            topic: node if node in (DRIVER, OF_THE_RUN) else f"{prefix}/{node}" for topic, node in expected.items()
        }
        self._owner: dict[Topic, bytes] = {}
        self._gone: dict[Topic, float] = {}

    def ours(self, publisher: Publisher) -> bool:
        """True for a publisher of this run."""
        return publisher.run == self._run

    def strangers(self, topic: Topic, present: Sequence[Publisher], t: float) -> list[Publisher]:
        """Those of ``present``, all publishers of ``topic`` at the monotonic time ``t`` in s, who may not publish it."""
        node = self._expected.get(topic)
        if node is None:
            return [one for one in present if one.run not in (None, self._run)]
        if node == OF_THE_RUN:
            return [one for one in present if not self.ours(one)]
        if node == DRIVER:
            candidates = [one for one in present if one.run is None]
        else:
            candidates = [one for one in present if self.ours(one) and one.node in (node, UNKNOWN_NODE)]
        if node.rpartition("/")[2] in RESTARTED:
            return [one for one in present if one not in candidates]
        owner = self._pinned(topic, candidates, t)
        return [one for one in present if one.gid != owner]

    def _pinned(self, topic: Topic, candidates: Sequence[Publisher], t: float) -> bytes | None:
        """The id of the topic's publisher."""
        old = self._owner.get(topic)
        if any(one.gid == old for one in candidates):
            self._gone.pop(topic, None)
        elif old is None or t - self._gone.setdefault(topic, t) >= TAKEOVER_S:
            self._gone.pop(topic, None)
            self._owner.pop(topic, None)
            if len(candidates) == 1:
                self._owner[topic] = candidates[0].gid
        return self._owner.get(topic)
