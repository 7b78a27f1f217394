"""Mark requests in; the actuator's serial port and proven results out."""

from __future__ import annotations

from pathlib import Path

import serial

from mine_robot.core.types import Health, MarkRequest, MissionStatus, NavState
from mine_robot.marking.marker import Marker
from mine_robot.pipeline.loading import load_robot
from mine_robot.pipeline.parameters import MarkerNodeParams
from mine_robot.pipeline.recall import recall
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros import decode, encode
from mine_robot.ros.node import StackNode, existing_path
from mine_robot.ros.topics import MARK_REQUEST, MARK_RESULT, MISSION_STATE, ODOMETRY

BAUD = 115_200


class MarkerNode(StackNode[MarkerNodeParams]):
    """Binds :class:`Marker` to its topics and to the serial port."""

    name = "marker"

    def __init__(self) -> None:
        super().__init__()
        robot = load_robot(existing_path(self.params.files.urdf, "urdf"))
        memory = recall(RunDirectory(existing_path(self.params.files.run_directory, "run_directory")).journal)
        self.marker = Marker(self.params, robot, memory.unresolved, self.params.run)
        self.state: NavState | None = None
        self.port: serial.Serial | None = None
        self.result = self.talk(MARK_RESULT)
        self.poll(ODOMETRY, decode.odometry, self.on_odometry, newest=True)
        self.poll(MISSION_STATE, decode.mission_status, self.on_mission)
        self.poll(MARK_REQUEST, decode.mark_requests, self.on_requests)

    def on_odometry(self, state: NavState) -> None:
        """Keep the newest pose."""
        self.state = state

    def on_requests(self, requests: list[MarkRequest]) -> None:
        """Pass requests on."""
        for request in requests:
            self.marker.request(request)

    def on_mission(self, status: MissionStatus) -> None:
        """Marks are made while the mission marks; an emergency stop makes the actuator safe."""
        self.marker.set_mission(status.state)

    def tick(self, t: float) -> None:
        """Exchange bytes with the actuator and step the sequence."""
        outgoing, result = self.marker.update(t, self.state, self.receive())
        if outgoing:
            self.send(outgoing)
        if result is not None:
            self.result.publish(encode.mark_result(result))

    def receive(self) -> bytes:
        """What the actuator sent since the last tick; nothing while the port cannot be opened or breaks."""
        try:
            if self.port is None and Path(self.params.port).exists():
                self.port = serial.Serial(self.params.port, BAUD, timeout=0, write_timeout=0)
                self.port.reset_input_buffer()  # what was meant for a predecessor
            return bytes(self.port.read(self.port.in_waiting)) if self.port is not None else b""
        except (OSError, serial.SerialException) as error:
            self.drop(error)
            return b""

    def send(self, data: bytes) -> None:
        """Send to the actuator; a lost link shows as a missing acknowledgement."""
        if self.port is None:
            return
        try:
            self.port.write(data)
        except (OSError, serial.SerialException) as error:
            self.drop(error)

    def drop(self, error: Exception) -> None:
        """Close a broken port; the next tick opens it again."""
        self.get_logger().warning(f"marking actuator on {self.params.port}: {error}", throttle_duration_sec=5.0)
        if self.port is not None:
            self.port.close()
        self.port = None

    def ready(self) -> bool:
        """Usable when the inputs are there and the port is open."""
        self.receive()
        return super().ready() and self.port is not None

    def health(self, t: float) -> tuple[Health, ...]:
        """State of the actuator."""
        return (self.marker.health(t),)
