"""Which Gazebo this machine has."""

from __future__ import annotations

from mine_robot.gazebo.place import VERSION, gazebo11
from mine_robot.pipeline.loading import LoadError


def pick_gazebo() -> tuple[str, str]:
    """What ``--sim gazebo`` means here: the simulator's ``motion``, and the words for the operator."""
    place = gazebo11()
    if reason := place.missing():
        raise LoadError(f"--sim gazebo: {reason}")
    return "gazebo11", f"Simulator: Gazebo {VERSION} in {place.folder}"
