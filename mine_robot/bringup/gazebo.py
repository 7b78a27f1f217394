"""Which Gazebo this machine has, the world of a run in it, and the processes that go with it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import zlib

from mine_robot.bringup.namespace import namespace_arguments
from mine_robot.bringup.resources import resource
from mine_robot.core.field import Field
from mine_robot.gazebo.place import VERSION, gazebo11
from mine_robot.gazebo.world_file import GAZEBO_11, HARMONIC, WORLD, write_world
from mine_robot.pipeline.loading import LoadError, load_robot
from mine_robot.records.run_directory import RunDirectory
from mine_robot.sim.scenario import Scenario, ScenarioError
from mine_robot.sim.world import build_terrain, start_pose

GENERATIONS = {"gazebo11": GAZEBO_11, "harmonic": HARMONIC}


def pick_gazebo() -> tuple[str, str]:
    """What ``--sim gazebo`` means here: ``gazebo11`` or ``harmonic``, and the words for the operator."""
    place = gazebo11()
    if not (reason := place.missing()):
        return "gazebo11", f"Simulator: Gazebo {VERSION} in {place.folder}"
    if not (lacking := missing_harmonic()):
        return "harmonic", "Simulator: Gazebo Sim (Harmonic) through ros_gz_bridge"
    raise LoadError(f"--sim gazebo: {reason}; Gazebo Sim instead: {lacking}")


def missing_harmonic() -> str:
    """Why Gazebo Sim cannot be used here; empty if it can."""
    if shutil.which("gz") is None:
        return "the command gz is not there"
    if shutil.which("ros2") is None or importlib.util.find_spec("ros_gz_interfaces") is None:
        return "ros_gz_bridge needs a sourced ROS 2 with ros-jazzy-ros-gz"
    return ""


def write_gazebo_world(sim: str, directory: RunDirectory, field: Field, scenario: Scenario) -> None:
    """Write the world of a run; raises :class:`LoadError` if the robot has no place to start from."""
    try:
        start = start_pose(field, load_robot(directory.urdf))
    except ScenarioError as error:
        raise LoadError(str(error)) from None
    directory.gazebo_world.parent.mkdir(exist_ok=True)
    urdf = directory.urdf.read_text(encoding="utf-8")
    write_world(directory.gazebo_world, urdf, field, build_terrain(scenario), start, GENERATIONS[sim])


def gazebo_environment(sim: str, directory: RunDirectory) -> dict[str, str]:
    """What keeps Gazebo Sim's own transport on this machine and apart from other runs: it multicasts on every interface otherwise."""
    if sim != "harmonic":
        return {}
    partition = f"mine_robot_{zlib.crc32(str(directory.path.absolute()).encode()):08x}"
    return {"GZ_IP": "127.0.0.1", "GZ_PARTITION": partition}


def gazebo_processes(
    sim: str, directory: RunDirectory, namespace: str = "", *, headless: bool = True
) -> dict[str, list[str]]:
    """Commands by name of what runs beside the nodes: nothing for Gazebo 11, which is the simulator's own child."""
    if sim != "harmonic":
        return {}
    service = f"/world/{WORLD}/control@ros_gz_interfaces/srv/ControlWorld"
    config = f"config_file:={resource('config/gazebo/bridge.yaml')}"
    bridge = ["ros2", "run", "ros_gz_bridge", "parameter_bridge", service, "--ros-args", "-p", config]
    group = [sys.executable, "-m", "mine_robot.bringup.group"]
    return {
        "gz_sim": [*group, "gz", "sim", *(["-s"] if headless else []), str(directory.gazebo_world)],
        "gz_bridge": [*group, *bridge, *namespace_arguments(namespace)],
    }
