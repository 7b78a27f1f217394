"""Everything recorded about one run, read and decoded once, from which all records are made."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mine_robot.core.field import Field
from mine_robot.core.limits import Limits
from mine_robot.core.robot import Robot
from mine_robot.core.types import LedgerGrid, MissionState, PlanGap, Target
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_field, load_robot
from mine_robot.records.errors import RecordError
from mine_robot.records.ground import Ground, partition
from mine_robot.records.log_data import LogData, read_logs
from mine_robot.records.marks import Mark
from mine_robot.records.run_directory import RunDirectory


@dataclass(frozen=True)
class Event:
    """Something the mission did or met at ``t`` s on the clock of the stack."""

    t: float
    kind: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """What the journal says: the last ``state`` with its ``reason``, the events in order, and what was found and
    marked.
    """

    state: MissionState
    reason: str
    start_t: float | None = None
    end_t: float | None = None
    events: tuple[Event, ...] = ()
    targets: tuple[Target, ...] = ()
    marks: Mapping[int, Mark] = field(default_factory=dict)
    grid: LedgerGrid | None = None
    gaps: tuple[PlanGap, ...] = ()

    @property
    def duration_s(self) -> float:
        """From the start to the last entry, s; 0 for a mission that never started."""
        if self.start_t is None or self.end_t is None:
            return 0.0
        return max(self.end_t - self.start_t, 0.0)


@dataclass(frozen=True)
class RunData:
    """One run. ``parameters`` are the flat values by node."""

    directory: RunDirectory
    info: Mapping[str, Any]
    field: Field
    robot: Robot
    limits: Limits
    parameters: Mapping[str, Mapping[str, Any]]
    outcome: Outcome
    log: LogData

    @property
    def simulated(self) -> bool:
        """True if no real robot was there; then everything shown or written says so."""
        return bool(self.info.get("simulation", False))

    @cached_property
    def ground(self) -> Ground:
        """The hazard area divided into searched ground and gaps."""
        return partition(self.field, self.outcome.grid, self.outcome.gaps)

    @cached_property
    def journal_sha256(self) -> str:
        """Checksum of the journal file."""
        return hashlib.sha256(self.directory.journal.read_bytes()).hexdigest()

    @property
    def started(self) -> datetime.datetime | None:
        """When the run was started, if ``run.json`` says so."""
        try:
            return datetime.datetime.fromisoformat(str(self.info.get("started")))
        except ValueError:
            return None

    def suspects(self) -> list[Target]:
        """Targets that are probably hazards."""
        return [target for target in self.outcome.targets if target.p_hazard >= self.limits.mark_p_hazard]


def load_run(path: Path) -> RunData:
    """Read a run directory; raises :class:`RecordError` if an input or the journal is missing or broken.

    Problems of the log are no error: they are listed in ``log.problems``.
    """
    from mine_robot.records.outcome import read_outcome

    directory = RunDirectory(path)
    if not path.is_dir():
        raise RecordError(f"{path} is not a run directory")
    info = directory.run_info()
    try:
        files = ParameterFiles([directory.copied("parameters") or directory.parameters])
        return RunData(
            directory=directory,
            info=info,
            field=load_field(directory.copied("field") or directory.field),
            robot=load_robot(directory.copied("urdf") or directory.urdf),
            limits=files.build("mission").limits,
            parameters=files.nodes,
            outcome=read_outcome(directory.journal),
            log=read_logs(directory.logs()),
        )
    except LoadError as error:
        raise RecordError(str(error)) from None
