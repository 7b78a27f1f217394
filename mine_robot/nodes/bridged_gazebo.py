"""Gazebo Sim (Harmonic) behind ``ros_gz_bridge``: the robot's server as ROS topics and services.

``config/gazebo/bridge.yaml`` names the topics; the launch file starts server and bridge. Needs the package ``ros_gz_interfaces``.
"""

from __future__ import annotations

import subprocess
import time
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from scipy.spatial.transform import Rotation

from mine_robot.core.types import Array
from mine_robot.gazebo.place import GazeboError
from mine_robot.gazebo.vehicle import Placement
from mine_robot.gazebo.world_file import MODEL, PHYSICS_STEP_S, WORLD

START_TIMEOUT_S, ANSWER_TIMEOUT_S = 90.0, 10.0
QUIET_S = 1.0  # wall time in which the last of the first steps have surely been taken
TRUTH, TRACKS = "gazebo/truth", "gazebo/cmd_vel"  # in config/gazebo/bridge.yaml too
CONTROL = f"/world/{WORLD}/control"


class BridgedGazebo:
    """A :class:`~mine_robot.gazebo.vehicle.Server` that somebody else started, paused: it takes a step only when it is told to.

    The bridge does not say when a command has reached the tracks: it may act a step (10 ms) late, so that runs are alike, but not equal.
    """

    def __init__(self, namespace: str) -> None:
        """Wait for server and bridge."""
        try:
            from ros_gz_interfaces.srv import ControlWorld
        except ImportError:
            raise GazeboError("the ROS package ros_gz_interfaces is missing: install ros-jazzy-ros-gz") from None
        self._service = ControlWorld
        # The process's own arguments would give this node the simulator's name.
        self._node = rclpy.create_node("gazebo", namespace=namespace, use_global_arguments=False)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._heard: tuple[int, Placement] | None = None
        self._node.create_subscription(Odometry, TRUTH, self._on_truth, 10)
        self._tracks = self._node.create_publisher(Twist, TRACKS, 10)
        self._control = self._node.create_client(ControlWorld, CONTROL)
        limit = time.monotonic() + START_TIMEOUT_S
        while not (self._control.service_is_ready() and self._tracks.get_subscription_count()):
            self._spin(limit, "Gazebo Sim, its bridge or one of their topics is not there")
        self._begin(limit)

    def advance(self, speed: float, yaw_rate: float) -> Placement:
        """One physics step."""
        twist = Twist()
        twist.linear.x, twist.angular.z = speed, yaw_rate
        self._tracks.publish(twist)
        assert self._heard is not None
        wanted = self._heard[0] + 1
        self._step()
        limit = time.monotonic() + ANSWER_TIMEOUT_S
        while self._heard[0] < wanted:
            self._spin(limit, "Gazebo Sim does not answer: it ended, or its bridge did")
        if (unordered := self._heard[0] - wanted) > 0:
            raise GazeboError(f"Gazebo Sim took {unordered} steps that nobody ordered: who else unpaused it?")
        return self._heard[1]

    def put(self, pose: Array) -> None:
        """Put the robot somewhere else; the bridge of Jazzy has no such service, Gazebo's own command line has."""
        x, y, z, w = Rotation.from_euler("xyz", pose[3:]).as_quat()
        place = f"position: {{x: {pose[0]}, y: {pose[1]}, z: {pose[2]}}}"
        asked = f'name: "{MODEL}", {place}, orientation: {{x: {x}, y: {y}, z: {z}, w: {w}}}'
        kinds = ["--reqtype", "gz.msgs.Pose", "--reptype", "gz.msgs.Boolean", "--timeout", "5000", "--req", asked]
        subprocess.run(["gz", "service", "-s", f"/world/{WORLD}/set_pose", *kinds], check=False, capture_output=True)

    def close(self) -> None:
        """Leave; who started the server ends it."""
        self._executor.shutdown(timeout_sec=1.0)
        self._node.destroy_node()

    def _begin(self, limit: float) -> None:
        """Take first steps until the pose streams: the publisher is silent in the first one, and matching takes its time."""
        while self._heard is None:
            self._step()
            self._spin(limit, "Gazebo Sim does not report where the robot is")
        quiet = time.monotonic() + QUIET_S
        while time.monotonic() < quiet:
            self._executor.spin_once(timeout_sec=0.05)

    def _step(self) -> None:
        request = self._service.Request()
        request.world_control.pause = True
        request.world_control.multi_step = 1
        self._control.call_async(request)

    def _spin(self, limit: float, failure: str) -> None:
        if time.monotonic() > limit:
            raise GazeboError(failure)
        self._executor.spin_once(timeout_sec=0.05)

    def _on_truth(self, message: Any) -> None:
        place, turned = message.pose.pose.position, message.pose.pose.orientation
        attitude = Rotation.from_quat([turned.x, turned.y, turned.z, turned.w])
        stamp = message.header.stamp
        steps = round((stamp.sec + stamp.nanosec * 1e-9) / PHYSICS_STEP_S)
        self._heard = (steps, Placement(np.array([place.x, place.y, place.z]), attitude))
