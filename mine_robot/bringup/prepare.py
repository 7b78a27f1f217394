"""Everything a run is about, checked and copied into its run directory before a process starts."""

from __future__ import annotations

import datetime
import os
import secrets
import shutil
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mine_robot import __version__
from mine_robot.bringup.gazebo import GENERATIONS, gazebo_processes, write_gazebo_world
from mine_robot.bringup.graph import GraphNode, graph
from mine_robot.bringup.kills import check_kills
from mine_robot.bringup.namespace import checked_namespace, namespace_arguments
from mine_robot.bringup.overrides import check_overrides, into_namespace
from mine_robot.bringup.priors import copy_priors, warn_outside
from mine_robot.bringup.request import RunRequest as RunRequest
from mine_robot.bringup.resources import resource
from mine_robot.bringup.resume import check_resumable, recorded_namespace
from mine_robot.bringup.saving import saving
from mine_robot.bringup.security import OPERATOR, check_security, enclave_arguments
from mine_robot.console.address import Address
from mine_robot.core.field import Field, FieldError
from mine_robot.core.json_text import to_json
from mine_robot.core.private import make_private
from mine_robot.core.text import HIDDEN
from mine_robot.coverage.ledger import raster_of
from mine_robot.pipeline.loading import (
    KML,
    LoadError,
    ParameterFiles,
    expand_urdf,
    load_field,
    load_robot,
    load_scenario,
    read_collection,
)
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros.owners import RUNS


@dataclass(frozen=True)
class PreparedRun:
    """A run directory with its inputs, and how to start each node."""

    directory: RunDirectory
    request: RunRequest
    nodes: tuple[GraphNode, ...]
    number: int  # of the run, by which its nodes know each other

    def command(self, node: GraphNode) -> list[str]:
        """The command line of a node's process."""
        own = listening(self.request.console) if node.name == "console" and self.request.console else []
        return [
            sys.executable,
            "-m",
            "mine_robot.nodes",
            node.name,
            "--ros-args",
            *enclave_arguments(node.name, os.environ),
            *self.ros_arguments(),
            *own,
        ]

    @property
    def companions(self) -> dict[str, list[str]]:
        """Commands of the processes that are no nodes of the graph, by name; the run ends with any of them."""
        return gazebo_processes(self.request.sim, self.directory, self.request.namespace)

    def ros_arguments(self) -> list[str]:
        """What follows ``--ros-args`` for every node."""
        simulated = "true" if self.request.simulated else "false"
        return [
            *namespace_arguments(self.request.namespace),
            "--params-file",
            str(self.directory.parameters),
            "-p",
            f"use_sim_time:={simulated}",
        ]


def listening(address: Address) -> list[str]:
    """ROS arguments that tell the console where to listen; not in the run's parameters, because a resumed run may listen elsewhere."""
    values = {
        "host": f"'{address.host}'",
        "port": str(address.port),
        "certificate": f"'{address.certificate}'",
        "key": f"'{address.key}'",
        "token": f"'{address.token}'",
    }
    return [word for name, value in values.items() for word in ("-p", f"{name}:={value}")]


def _nodes(request: RunRequest) -> tuple[GraphNode, ...]:
    return graph(simulation=request.simulated, console=request.console is not None)


def _enclaves(request: RunRequest) -> list[str]:
    return [node.name for node in (*_nodes(request), OPERATOR)]


def parameter_paths(request: RunRequest) -> list[Path]:
    """Parameter files of a run, base first."""
    overlay = "config/sim.yaml" if request.simulated else "config/field.yaml"
    return [resource("config/robot.yaml"), resource(overlay), *request.parameters]


# Called when everything else is known to be good, with the number of the run: raises LoadError if it may not begin.
LastCheck = Callable[[RunRequest, int], None]


def prepare_run(
    request: RunRequest, command: Sequence[str] = (), check: LastCheck = lambda request, number: None
) -> PreparedRun:
    """Check every input, create the run directory and write the inputs there; raise :class:`LoadError` on a bad one.

    A run that is resumed keeps its directory and its inputs. ``check`` comes before anything is written.
    """
    if request.resume is not None:
        return resume_run(request, check)
    check_security(os.environ, _enclaves(request))
    request = replace(request, namespace=checked_namespace(request.namespace, os.environ))
    field = load_field(request.field)
    if request.priors is not None:
        warn_outside(request.priors, field)
    load_robot(resource("urdf/mine_robot.urdf.xacro"))
    files = ParameterFiles(parameter_paths(request))
    files.check()
    check_size(request.field, field, files)
    check_overrides(files)
    into_namespace(files, request.namespace)
    if request.simulated:
        scenario = load_scenario(request.scenario, field, -1 if request.seed is None else request.seed)
        check_kills(scenario, request.scenario or request.field)
    number = run_number(files)
    check(request, number)
    directory = RunDirectory(_new_folder(request))
    with saving(directory.path):
        _write_inputs(directory, request, files, command)
        if request.sim in GENERATIONS:
            write_gazebo_world(request.sim, directory, field, scenario)
        directory.settle()
    return PreparedRun(directory, request, _nodes(request), number)


def _write_inputs(directory: RunDirectory, request: RunRequest, files: ParameterFiles, command: Sequence[str]) -> None:
    """Copy what the run is made of into its directory."""
    directory.node_logs.mkdir(parents=True)
    if request.field.suffix.lower() == KML:
        directory.field.write_text(to_json(read_collection(request.field), indent=1), encoding="utf-8")
    else:
        shutil.copyfile(request.field, directory.field)
    directory.urdf.write_text(expand_urdf(resource("urdf/mine_robot.urdf.xacro")), encoding="utf-8")
    if request.scenario is not None and request.simulated:
        shutil.copyfile(request.scenario, directory.scenario)
    if request.priors is not None:
        copy_priors(request.priors, directory.priors)
    description = _description(request, directory, command)
    files.nodes["marker"]["run"] = zlib.crc32(f"{directory.path} {description['started']}".encode()) % 65535 + 1
    if request.simulated and request.seed is not None:
        files.nodes["simulator"]["seed"] = request.seed
    _write_parameters(files, directory, request)
    directory.run.write_text(to_json(description, indent=2), encoding="utf-8")


def check_size(path: Path, field: Field, files: ParameterFiles) -> None:
    """Raise :class:`LoadError` if the field in ``path`` is too large for the ledger."""
    try:
        raster_of(field, files.build("planner").resolution)
    except FieldError as error:
        raise LoadError(f"{path}: {error}") from None


def run_number(files: ParameterFiles) -> int:
    """The number of the run, which is drawn once and kept in its parameters."""
    return int(files.nodes["mission"].setdefault("files.run", 1 + secrets.randbelow(RUNS - 1)))


def recorded_number(directory: RunDirectory) -> int:
    """The number of the run in ``directory``."""
    return run_number(ParameterFiles([directory.parameters]))


def resume_run(request: RunRequest, check: LastCheck) -> PreparedRun:
    """Go on with a run in its own directory; raise :class:`LoadError` if it is not the same or cannot go on."""
    assert request.resume is not None
    check_security(os.environ, _enclaves(request))
    directory = RunDirectory(request.resume.absolute())
    files = check_resumable(request, directory)
    number = run_number(files)
    scenario = directory.scenario if request.simulated and directory.scenario.is_file() else None
    namespace = checked_namespace(recorded_namespace(directory), os.environ)
    resumed = replace(request, scenario=scenario, namespace=namespace)
    check(resumed, number)
    with saving(directory.path):
        make_private(directory.path)
        _write_parameters(files, directory, request)
        directory.settle()
    return PreparedRun(directory, resumed, _nodes(request), number)


def _write_parameters(files: ParameterFiles, directory: RunDirectory, request: RunRequest) -> None:
    """Write the parameters of all nodes, with the paths of the run as they are now."""
    run_values = {
        "files.field": str(directory.field),
        "files.urdf": str(directory.urdf),
        "files.run_directory": str(directory.path),
        "files.run": run_number(files),
    }
    for node in files.nodes.values():
        node.update(run_values)
    if request.simulated:
        files.nodes["marker"]["port"] = str(directory.marker_port)
        files.nodes["simulator"].update(marker_port=str(directory.marker_port), rate=request.rate, motion=request.sim)
        if directory.scenario.is_file():
            files.nodes["simulator"]["scenario"] = str(directory.scenario)
    draft = directory.parameters.with_suffix(".tmp")
    draft.write_text(files.dump(), encoding="utf-8")
    draft.replace(directory.parameters)


def _new_folder(request: RunRequest) -> Path:
    """The run directory: new, or an existing empty one."""
    if request.out is None:
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        robot = "".join(f"-{name}" for name in request.namespace.split("/") if name)
        folder = Path("runs") / f"{request.field.stem}{robot}-{stamp}"
    else:
        folder = request.out
    folder = folder.absolute()
    if HIDDEN.search(str(folder)):
        raise LoadError(f"{folder}: a run directory needs a name that can be shown; give another --out")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LoadError(f"{folder}: exists and is not empty; give another --out")
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        make_private(folder)
    except OSError as error:
        raise LoadError(f"{folder}: cannot be created: {error.strerror}") from None
    return folder


def _description(request: RunRequest, directory: RunDirectory, command: Sequence[str]) -> dict[str, object]:
    return {
        "field": directory.field.name,
        "parameters": directory.parameters.name,
        "urdf": directory.urdf.name,
        "scenario": directory.scenario.name if request.scenario is not None and request.simulated else None,
        "priors": None if request.priors is None else request.priors.name,
        "seed": request.seed,
        "simulation": request.simulated,
        "sim": request.sim,
        "namespace": request.namespace,
        "version": __version__,
        "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "command": " ".join(command),
    }
