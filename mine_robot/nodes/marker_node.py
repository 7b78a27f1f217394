"""Mark requests in; the actuator's serial port and proven results out."""

from __future__ import annotations

from pathlib import Path

import serial
from std_srvs.srv import Trigger

from mine_robot.core.latch import StopLatch
from mine_robot.core.types import Health, MarkRequest, MissionState, MissionStatus, NavState
from mine_robot.marking.marker import Marker
from mine_robot.pipeline.loading import load_robot
from mine_robot.pipeline.parameters import MarkerNodeParams
from mine_robot.pipeline.recall import recall
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros import decode, encode
from mine_robot.ros.node import StackNode, existing_path
from mine_robot.ros.topics import MARK_REQUEST, MARK_RESULT, MARKER_STOP, MISSION_STATE, ODOMETRY, SIREN

BAUD = 115_200
STOP = "marker_stop"  # name of the report of stops that the mission has not given


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
        self.stops = StopLatch((STOP,))
        self.siren = False
        self.result = self.talk(MARK_RESULT)
        self.poll(ODOMETRY, decode.odometry, self.on_odometry, newest=True)
        self.poll(SIREN, decode.siren, self.on_siren)
        self.poll(MISSION_STATE, decode.mission_status, self.on_mission)
        self.poll(MARK_REQUEST, decode.mark_requests, self.on_requests)
        self.create_service(Trigger, MARKER_STOP, self.on_stop)

    def on_odometry(self, state: NavState) -> None:
        """Keep the newest pose."""
        self.state = state

    def on_requests(self, requests: list[MarkRequest]) -> None:
        """Pass requests on."""
        for request in requests:
            self.marker.request(request)

    def on_mission(self, status: MissionStatus) -> None:
        """Marks are made while the mission marks; an emergency stop makes the actuator safe, and so does a stop of its own."""
        self.stops.set_mission(status)
        self.marker.set_mission(MissionState.ESTOP if self.stops.held else status.state)

    def on_siren(self, sounds: bool) -> None:
        """An alarm of the guard stops the marker, whatever the mission does."""
        if sounds and not self.siren:
            self.stop("an alarm of the guard")
        self.siren = sounds

    def on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Make the actuator safe at once, whether or not the mission can be asked."""
        self.stop("stopped at the marker by service")
        self.tick(self.now)
        response.success, response.message = True, "the marker makes the actuator safe"
        return response

    def stop(self, why: str) -> None:
        """From now on nothing is fired until a person has resumed."""
        self.stops.stop(self.now, STOP, why)
        self.marker.set_mission(MissionState.ESTOP)

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
        """State of the actuator, and what has stopped the marker."""
        return (self.marker.health(t), *self.stops.reports(t))
