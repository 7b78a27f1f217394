"""The stack on the real robot: ``ros2 launch mine_robot bringup.launch.py mission:=FIELD.geojson``; drivers publish the sensors."""

from launch import LaunchDescription
from mine_robot.bringup.launching import stack_description


def generate_launch_description() -> LaunchDescription:
    """Arguments: ``ros2 launch mine_robot bringup.launch.py --show-args``."""
    return stack_description(simulation=False)
