"""Writes every topic to ``log.mcap`` as it came over the wire."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from mine_robot.core.types import Health, Level
from mine_robot.pipeline.parameters import RecorderNodeParams
from mine_robot.records.run_directory import RunDirectory
from mine_robot.records.run_log import RunLog
from mine_robot.ros.intake import RAW, stamp
from mine_robot.ros.node import StackNode, existing_path
from mine_robot.ros.qos import profile
from mine_robot.ros.topics import CLOCK, TOPICS, Topic

# From the recorder's clock: nothing is recorded at a time that is so far away, nobody would find it there.
STRAY_S = 600.0


class RecorderNode(StackNode[RecorderNodeParams]):
    """Subscribes to serialised messages, so that nothing is decoded on the way to the disk."""

    name = "recorder"

    def __init__(self) -> None:
        super().__init__()
        directory = RunDirectory(existing_path(self.params.files.run_directory, "run_directory"))
        self.log = RunLog(directory)
        self.count = 0
        self.broken = ""
        for topic in TOPICS:
            if topic is not CLOCK:
                self.record(topic)

    def record(self, topic: Topic) -> None:
        """Write every message of a topic."""
        name = self.resolve_topic_name(topic.name)
        qos = profile(topic.delivery, reader=True)
        self.log.add_topic(
            name,
            topic.type_name,
            reliable=qos.reliability == ReliabilityPolicy.RELIABLE,
            transient_local=qos.durability == DurabilityPolicy.TRANSIENT_LOCAL,
            depth=qos.depth,
        )

        def write(data: bytes) -> None:
            now = self._tick_t
            t = stamp(data) if topic.stamped else self.now
            try:
                self.log.write(name, round((now if abs(t - now) > STRAY_S and now > 0.0 else t) * 1e9), data)
            except OSError as error:
                self.broken = f"the log cannot be written: {error.strerror or error}"
                return
            self.broken = ""
            self.count += 1

        self.poll(topic, RAW, write)

    def destroy_node(self) -> None:
        """Finish the file before the node goes."""
        self.log.close()
        super().destroy_node()

    def health(self, t: float) -> tuple[Health, ...]:
        """How much is recorded."""
        values = {"messages": str(self.count)}
        level = Level.ERROR if self.broken else Level.OK
        return (Health("recorder", level, self.broken or "recording", values),)
