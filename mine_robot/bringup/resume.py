"""Whether a run may go on: it is the same run, and what it remembers can be trusted."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from mine_robot.bringup.overrides import into_namespace
from mine_robot.bringup.priors import same_priors
from mine_robot.bringup.request import RunRequest
from mine_robot.bringup.resources import resource
from mine_robot.bringup.terminal import complain
from mine_robot.core.field import Field
from mine_robot.core.types import MissionState
from mine_robot.mission.journal import JournalError
from mine_robot.mission.journal_reader import in_use, is_blank, read_journal
from mine_robot.mission.journal_repair import repair
from mine_robot.pipeline.loading import LoadError, ParameterFiles, expand_urdf, load_field, load_robot, load_yaml
from mine_robot.records.errors import RecordError
from mine_robot.records.run_directory import RunDirectory


def check_resumable(request: RunRequest, directory: RunDirectory) -> ParameterFiles:
    """The parameters of the run in ``directory``; raises :class:`LoadError` with the reason if it may not go on."""
    if not directory.path.is_dir():
        raise LoadError(f"{directory.path}: no such run directory")
    if not os.access(directory.path, os.W_OK | os.X_OK):
        raise LoadError(f"{directory.path}: the run directory cannot be written")
    try:
        info = directory.run_info()
    except RecordError as error:
        raise LoadError(f"cannot resume: {error}") from None
    _same_kind(request, directory, info)
    _same_field(load_field(request.field), load_field(directory.field, recorded=True), directory)
    _same_robot(directory)
    _same_world(request, directory, info)
    files = ParameterFiles([directory.parameters])
    files.check()
    _same_parameters(request, files, directory)
    if request.priors is not None:
        same_priors(request.priors, directory.priors, load_field(directory.field, recorded=True))
    _journal_usable(directory)
    return files


def _same_kind(request: RunRequest, directory: RunDirectory, info: dict[str, Any]) -> None:
    if bool(info.get("simulation")) != request.simulated:
        was, now = ("simulated", "on the robot") if info.get("simulation") else ("on the robot", "simulated")
        raise LoadError(f"cannot resume {directory.path}: it ran {was}, this run would be {now}")
    if info.get("sim", request.sim) != request.sim:
        raise LoadError(f"cannot resume {directory.path}: it ran with --sim {info['sim']}, not {request.sim}")
    namespace = recorded_namespace(directory)
    if request.namespace and request.namespace.strip("/") != namespace.strip("/"):
        raise LoadError(f"cannot resume {directory.path}: its namespace was '{namespace}', not '{request.namespace}'")
    if request.out is not None and request.out.absolute() != directory.path:
        raise LoadError(f"--out {request.out}: a resumed run stays in its directory {directory.path}")


def recorded_namespace(directory: RunDirectory) -> str:
    """The namespace that a run began in, empty for none."""
    return str(directory.run_info().get("namespace", ""))


def _same_field(asked: Field, recorded: Field, directory: RunDirectory) -> None:
    """Raise if datum or any boundary differs: what was searched would lie elsewhere."""
    if asked.datum != recorded.datum:
        raise LoadError(f"cannot resume {directory.path}: the field's datum has changed")
    for name, words in (("hazard", "hazard area"), ("safe", "safe area"), ("no_go", "no-go zones")):
        if not getattr(asked, name).equals(getattr(recorded, name)):
            raise LoadError(f"cannot resume {directory.path}: the {words} of the field has changed since the run began")
    if not np.array_equal(asked.known_targets, recorded.known_targets):
        raise LoadError(f"cannot resume {directory.path}: the known targets of the field have changed")


def _same_robot(directory: RunDirectory) -> None:
    """Raise if the geometry differs: lever arms place everything that was found."""
    if expand_urdf(resource("urdf/mine_robot.urdf.xacro")) != directory.urdf.read_text(encoding="utf-8"):
        raise LoadError(f"cannot resume {directory.path}: the robot's geometry (URDF) has changed since the run began")
    load_robot(directory.urdf)


def _same_world(request: RunRequest, directory: RunDirectory, info: dict[str, Any]) -> None:
    """Raise if another scenario or seed is asked for than the world has."""
    if request.scenario is not None:
        recorded = load_yaml(directory.scenario) if directory.scenario.is_file() else None
        if load_yaml(request.scenario) != recorded:
            raise LoadError(f"cannot resume {directory.path}: its world is that of another scenario")
    if request.seed is not None and request.seed != info.get("seed"):
        raise LoadError(f"cannot resume {directory.path}: its world has another seed than {request.seed}")


def _same_parameters(request: RunRequest, files: ParameterFiles, directory: RunDirectory) -> None:
    """Raise if a parameter file asks for other values than the run has."""
    if not request.parameters:
        return
    overlay = "config/sim.yaml" if request.simulated else "config/field.yaml"
    wanted = ParameterFiles([resource("config/robot.yaml"), resource(overlay), *request.parameters])
    into_namespace(wanted, recorded_namespace(directory))
    if wanted.overrides != files.overrides:
        raise LoadError(f"cannot resume {directory.path}: it ran with other overrides of the quality of service")
    for node, values in wanted.nodes.items():
        for key, value in values.items():
            if key != "port" and files.nodes[node].get(key) != value:
                raise LoadError(
                    f"cannot resume {directory.path}: {node}: '{key}' was {files.nodes[node].get(key)!r}, not {value!r}"
                )


def _repaired(directory: RunDirectory) -> tuple[str, ...]:
    """Put a damaged journal in order; what was lost, in words."""
    try:
        return (*repair(directory.journal), "searching all ground again: a target may have been lost")
    except JournalError as error:
        raise LoadError(f"cannot resume: {error}") from None


def _journal_usable(directory: RunDirectory) -> None:
    """Raise if the journal cannot be read, or says that nothing is left to do."""
    if is_blank(directory.journal):
        return  # killed before the mission began
    if in_use(directory.journal):
        raise LoadError(f"cannot resume {directory.path}: the run is still going on")
    try:
        record = read_journal(directory.journal)
    except JournalError as error:
        raise LoadError(f"cannot resume: {error}") from None
    for line in _repaired(directory) if record.damaged else ():
        complain(f"mine-robot: {directory.journal.name}: {line}")
    if record.statuses and record.statuses[-1].state is MissionState.DONE:
        raise LoadError(
            f"{directory.path}: the mission is complete ({record.statuses[-1].reason}); there is nothing to resume"
        )
