"""Gazebo as the simulated vehicle's ground and physics: installation, server process, transport, world file, lock step."""
