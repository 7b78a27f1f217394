"""The whole stack with the robot in Gazebo: ``ros2 launch mine_robot gazebo.launch.py headless:=true``."""

from launch import LaunchDescription
from mine_robot.bringup.launching import stack_description


def generate_launch_description() -> LaunchDescription:
    """Arguments: ``ros2 launch mine_robot gazebo.launch.py --show-args``."""
    return stack_description(simulation=True, gazebo=True)
