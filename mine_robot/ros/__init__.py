"""The only package that knows ROS message types."""
