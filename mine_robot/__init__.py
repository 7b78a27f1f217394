"""mine_robot: the open control stack for a humanitarian demining robot."""

__version__ = "0.1.0"
