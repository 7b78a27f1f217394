"""Writes every topic to ``log.mcap`` as it came over the wire."""

from __future__ import annotations

import struct

from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from mine_robot.core.types import Health, Level
from mine_robot.pipeline.parameters import RecorderNodeParams
from mine_robot.records.run_directory import RunDirectory
from mine_robot.records.run_log import RunLog
from mine_robot.ros.node import RAW, StackNode, existing_path
from mine_robot.ros.qos import profile
from mine_robot.ros.topics import CLOCK, TOPICS, Topic

STAMP = struct.Struct("<iI")  # a stamped message begins with a std_msgs/Header; 4 bytes of CDR encapsulation precede it


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
            sec, nanosec = STAMP.unpack_from(data, 4) if topic.stamped else divmod(round(self.now * 1e9), 1_000_000_000)
            try:
                self.log.write(name, max(sec * 1_000_000_000 + nanosec, 0), data)  # MCAP knows no time before 0
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
