"""IMU, GNSS, heading and track encoders in; pose of ``base_link`` in ``map`` out."""

from __future__ import annotations

import numpy as np

from mine_robot.core.types import Health, ImuSample
from mine_robot.localization.localizer import Localizer
from mine_robot.localization.odom import OdomTrack
from mine_robot.pipeline.loading import load_field, load_robot
from mine_robot.pipeline.parameters import LocalizationNodeParams
from mine_robot.ros import decode, encode
from mine_robot.ros.node import StackNode, existing_path
from mine_robot.ros.topics import GNSS_FIX, GNSS_HEADING, IMU, ODOMETRY, WHEELS
from mine_robot.ros.transforms import TransformSender


class LocalizationNode(StackNode[LocalizationNodeParams]):
    """Binds :class:`Localizer` to its topics."""

    name = "localization"

    def __init__(self) -> None:
        super().__init__()
        files = self.params.files
        robot = load_robot(existing_path(files.urdf, "urdf"))
        datum = load_field(existing_path(files.field, "field")).datum
        self.localizer = Localizer(self.params, self.params.limits, robot, datum)
        self.odometry = self.talk(ODOMETRY)
        self.transforms, self.odom = TransformSender(self), OdomTrack()
        # The filter has the slower inputs before it steps over their time.
        self.poll(WHEELS, decode.wheels, self.localizer.add_wheels)
        self.poll(GNSS_FIX, decode.fix, self.localizer.add_fix)
        self.poll(GNSS_HEADING, decode.heading, self.localizer.add_heading)
        self.listen(IMU, decode.imu, self.on_imu)

    def on_imu(self, sample: ImuSample) -> None:
        """Step the filter; publish on the instants of the output grid."""
        state = self.localizer.add_imu(sample)
        if state is not None:
            self.odometry.publish(encode.odometry(state))
            if self.transforms.active:
                odom = self.odom.update(state)
                level = np.array([0.0, 0.0, odom.odom_yaw])
                map_to_odom = ("map", "odom", odom.odom_position, level)
                self.transforms.send(state.t, (map_to_odom, ("odom", "base_link", odom.position, odom.rpy)))

    def health(self, t: float) -> tuple[Health, ...]:
        """State of the filter."""
        return (self.localizer.health(t),)
