"""The whole stack with the built-in simulator: ``ros2 launch mine_robot sim.launch.py``."""

from launch import LaunchDescription
from mine_robot.bringup.launching import stack_description


def generate_launch_description() -> LaunchDescription:
    """Arguments: ``ros2 launch mine_robot sim.launch.py --show-args``."""
    return stack_description(simulation=True)
