"""The robot's geometry from its URDF."""

from __future__ import annotations

import numpy as np
import pytest

from mine_robot.core.robot import RobotError, robot_from_urdf, rotation_from_rpy
from mine_robot.pipeline.loading import load_robot


def minimal(extra: str = "") -> str:
    """Another robot's description: only the frames that replay needs."""
    links = "".join(
        f"<link name='{n}'/>" for n in ("base_link", "imu_link", "gnss_link", "gpr_link", "metal_detector_link")
    )
    joints = "".join(
        f"<joint name='{n}' type='fixed'><parent link='base_link'/><child link='{n}'/><origin xyz='{xyz}' rpy='{rpy}'/></joint>"
        for n, xyz, rpy in (
            ("imu_link", "0.1 0 0.4", "0 0 1.5707963267948966"),
            ("gnss_link", "0 0.2 1.0", "0 0 0"),
            ("gpr_link", "1 0 0.1", "0 0 0"),
            ("metal_detector_link", "1.2 0 0.1", "0 0 0"),
        )
    )
    return f"<robot name='other'>{links}{joints}{extra}</robot>"


def test_the_robot_of_the_project() -> None:
    from mine_robot.bringup.resources import resource

    robot = load_robot(resource("urdf/mine_robot.urdf.xacro"))
    assert robot.sweep_width == pytest.approx(1.2)
    assert robot.track_half_width == pytest.approx(0.4)
    assert robot.sweep_ahead - robot.front == pytest.approx(0.7)
    assert len(robot.gpr_offsets) == 8
    assert len(robot.coil_offsets) == 6
    assert np.all(np.diff(robot.gpr_offsets) < 0)  # from left to right, as the columns of the scan
    assert robot.pivot_radius == pytest.approx(np.hypot(0.45, 0.40))
    assert robot.marker_reach >= robot.sweep_width / 2  # whatever the head finds, the nozzle reaches


def test_another_robots_description_is_enough_for_replay() -> None:
    robot = robot_from_urdf(minimal())
    assert np.allclose(robot.gnss, [0, 0.2, 1.0])
    assert np.allclose(robot.imu_rotation @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    assert robot.contact_patches == ()
    assert len(robot.gpr_offsets) == 0


def test_only_the_frames_of_the_sensors_that_are_there_are_needed() -> None:
    whole = robot_from_urdf(minimal())
    without = robot_from_urdf(minimal().replace("metal_detector_link", "other_link"), ("imu_link", "gpr_link"))
    assert np.allclose(without.gpr, whole.gpr) and np.allclose(without.imu, whole.imu)
    assert np.allclose(without.metal_detector, whole.gpr) and without.sweep_ahead == whole.gpr[0]
    with pytest.raises(RobotError, match="no frame gpr_link, metal_detector_link connected"):
        robot_from_urdf(minimal().replace("metal_detector_link", "a").replace("gpr_link", "b"))


@pytest.mark.parametrize(
    ("urdf", "word"),
    [
        ("<robot", "not XML"),
        ("<robot name='x'/>", "base_link"),
        (minimal().replace("gnss_link", "antenna"), "gnss_link"),
        (
            minimal("<joint name='again' type='fixed'><parent link='imu_link'/><child link='gnss_link'/></joint>"),
            "twice",
        ),
        (
            minimal(
                "<link name='left_track_link'/><joint name='l' type='fixed'>"
                "<parent link='base_link'/><child link='left_track_link'/></joint>"
            ),
            "collision box",
        ),
    ],
)
def test_a_description_that_cannot_serve(urdf: str, word: str) -> None:
    with pytest.raises(RobotError, match=word):
        robot_from_urdf(urdf)


def test_rotation_is_about_fixed_axes_in_the_order_roll_pitch_yaw() -> None:
    roll, pitch, yaw = 0.3, -0.2, 1.1
    c, s = np.cos, np.sin
    rx = np.array([[1, 0, 0], [0, c(roll), -s(roll)], [0, s(roll), c(roll)]])
    ry = np.array([[c(pitch), 0, s(pitch)], [0, 1, 0], [-s(pitch), 0, c(pitch)]])
    rz = np.array([[c(yaw), -s(yaw), 0], [s(yaw), c(yaw), 0], [0, 0, 1]])
    assert np.allclose(rotation_from_rpy(roll, pitch, yaw), rz @ ry @ rx)
