"""Which parameters each node has: the classes of its algorithms, the shared limits and the files of the run."""

from __future__ import annotations

from dataclasses import dataclass

from mine_robot.control.params import FollowerParams, GuardParams
from mine_robot.core.limits import Limits
from mine_robot.core.parameters import group, param
from mine_robot.coverage.params import CoverageParams
from mine_robot.detection.params import DetectorParams
from mine_robot.localization.params import LocalizationParams
from mine_robot.marking.params import MarkerParams
from mine_robot.mission.params import Fitted, MissionParams
from mine_robot.sim.params import SimulatorParams
from mine_robot.sim.soil_sensor_params import SoilSensorParams


@dataclass(frozen=True)
class Files:
    """What one run is about; the runner and the launch files fill it in."""

    field: str = param("Field file of the mission (GeoJSON).", default="")
    urdf: str = param("Robot description, URDF or xacro.", default="")
    run_directory: str = param("Folder that receives everything the run records.", default="")
    run: int = param(
        "Number by which the nodes of a run know each other among other stacks; the runner draws it.",
        default=0,
        low=0,
        high=2**30 - 1,
    )


@dataclass(frozen=True)
class Common:
    """What every node shares."""

    limits: Limits = group(Limits)
    files: Files = group(Files)


@dataclass(frozen=True)
class LocalizationNodeParams(Common, LocalizationParams):
    """Parameters of ``localization``."""


@dataclass(frozen=True)
class DetectorNodeParams(Common, DetectorParams):
    """Parameters of ``detector``."""


@dataclass(frozen=True)
class PlannerNodeParams(Common, CoverageParams):
    """Parameters of ``planner``."""


@dataclass(frozen=True)
class FollowerNodeParams(Common, FollowerParams):
    """Parameters of ``follower``."""


@dataclass(frozen=True)
class GuardNodeParams(Common, GuardParams):
    """Parameters of ``guard``."""


@dataclass(frozen=True)
class MarkerNodeParams(Common, MarkerParams):
    """Parameters of ``marker``."""

    port: str = param("Serial port of the marking actuator.", default="/dev/ttyUSB0")
    run: int = param(
        "Number under which the actuator remembers the pulses of this run; the runner draws it.",
        default=0,
        low=0,
        high=65535,
    )


@dataclass(frozen=True)
class MissionNodeParams(Common, MissionParams):
    """Parameters of ``mission``."""

    fitted: Fitted = group(Fitted)


@dataclass(frozen=True)
class RecorderNodeParams(Common):
    """Parameters of ``recorder``."""


@dataclass(frozen=True)
class ConsoleNodeParams(Common):
    """Parameters of ``console``; ``mine-robot run --console`` and ``mine-robot console`` fill in where it listens."""

    host: str = param("Address to listen on; one that others reach needs certificate and key.", default="127.0.0.1")
    port: int = param("Port to listen on.", default=8080, low=1, high=65535)
    certificate: str = param("Certificate for TLS (PEM file); empty for none.", default="")
    key: str = param("Key of the certificate (PEM file).", default="")
    token: str = param(
        "File with the token of those who come from elsewhere; empty for one of the run's own.", default=""
    )
    rate: float = param("Updates of a page.", default=5.0, unit="Hz", low=0.5, high=10.0)
    viewers_max: int = param("Pages that may be open at a time.", default=20, low=1, high=100)


@dataclass(frozen=True)
class SimulatorNodeParams(Common, SimulatorParams):
    """Parameters of ``simulator``."""

    soil_sensors: SoilSensorParams = group(SoilSensorParams)
    motion: str = param(
        "What moves the robot; `mine-robot run --sim` sets it.",
        default="builtin",
        choices=("builtin", "gazebo11", "harmonic"),
    )
    scenario: str = param("Scenario file (YAML); empty for an empty field of loam.", default="")
    seed: int = param("Seed of the world; -1 takes the scenario's.", default=-1, low=-1, high=2**31 - 1)
    rate: float = param(
        "Simulated seconds a second at most; 0 is as fast as the stack follows.", default=0.0, low=0.0, high=1000.0
    )
    patience: float = param(
        "Wall time for which simulated time waits for a node that has fallen silent; then it is dead, not slow (a plan takes seconds on a "
        "busy machine).",
        default=40.0,
        unit="s",
        low=1.0,
        high=600.0,
    )
    marker_port: str = param("Path at which the simulated actuator offers its serial port; empty for none.", default="")


NODE_PARAMETERS: dict[str, type] = {
    "localization": LocalizationNodeParams,
    "detector": DetectorNodeParams,
    "planner": PlannerNodeParams,
    "follower": FollowerNodeParams,
    "guard": GuardNodeParams,
    "marker": MarkerNodeParams,
    "mission": MissionNodeParams,
    "recorder": RecorderNodeParams,
    "console": ConsoleNodeParams,
    "simulator": SimulatorNodeParams,
}
