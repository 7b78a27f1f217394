"""Everything recorded about one run, read and decoded once, from which all records are made."""

from __future__ import annotations

import datetime
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from shapely import MultiPolygon

from mine_robot.core.clock import RunClock
from mine_robot.core.field import Field
from mine_robot.core.limits import Limits
from mine_robot.core.priors import NO_PRIORS, Priors
from mine_robot.core.robot import Robot
from mine_robot.core.tally import Tally
from mine_robot.core.types import Target
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_field, load_robot
from mine_robot.pipeline.priors import priors_of_run
from mine_robot.records.errors import RecordError
from mine_robot.records.ground import Ground, partition
from mine_robot.records.log_data import LogData, read_logs
from mine_robot.records.outcome import Outcome, read_outcome
from mine_robot.records.quality import Sample, draw_sample
from mine_robot.records.run_directory import RunDirectory

STRIP_MARGIN = 0.2  # m beyond a track's half width and growth: gaps within this of an obstacle are there because of it


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
    priors: Priors = NO_PRIORS

    @property
    def simulated(self) -> bool:
        """True if no real robot was there; then everything shown or written says so."""
        return bool(self.info.get("simulation", False))

    @cached_property
    def ground(self) -> Ground:
        """The hazard area divided into searched ground and gaps."""
        reach = self.robot.track_half_width + self.limits.patch_growth + STRIP_MARGIN
        return partition(self.field, self.outcome.grid, reach)

    @cached_property
    def checksums(self) -> dict[str, str]:
        """SHA-256 of the journal's files by name: SQLite keeps the latest writes beside the journal until it is closed."""
        journal = self.directory.journal
        parts = [journal, journal.with_name(journal.name + "-wal")]
        present = [part for part in parts if part.is_file() and part.stat().st_size > 0]
        return {part.name: hashlib.sha256(part.read_bytes()).hexdigest() for part in present}

    @cached_property
    def sample(self) -> Sample:
        """The cells proposed for re-checking; the journal's hash draws them, and a merged record, which has none, proposes nothing."""
        seed = next(iter(self.checksums.values()), "")
        return draw_sample(self.ground.searched if seed else MultiPolygon(), seed)

    @property
    def started(self) -> datetime.datetime | None:
        """When the run was started (UTC), if ``run.json`` says so."""
        try:
            return datetime.datetime.fromisoformat(str(self.info.get("started"))).astimezone(datetime.timezone.utc)
        except (ValueError, OverflowError):
            return None

    @cached_property
    def tally(self) -> Tally:
        """How many targets there are, as the page and the terminal count them."""
        tally = Tally(self.limits.mark_p_hazard)
        tally.add((target.id, target.p_hazard) for target in self.outcome.targets)
        tally.add(self.outcome.highest_p.items())
        return tally

    @property
    def clock(self) -> RunClock:
        """How times of the run are said."""
        return RunClock(self.simulated, self.started.timestamp() if self.started else math.nan)

    def suspects(self) -> list[Target]:
        """Targets that are probably hazards."""
        return self.limits.suspects(self.outcome.targets)

    def placed_targets(self) -> list[Target]:
        """Targets with a position; one without can be listed, not drawn."""
        return [target for target in self.outcome.targets if math.isfinite(target.x) and math.isfinite(target.y)]


def load_run(path: Path, *, logs: bool = True) -> RunData:
    """Read a run directory, without ``logs`` only its inputs and journal.

    Raises :class:`RecordError` if an input or the journal is missing or broken.

    Problems of the log are no error: they are listed in ``log.problems``.
    """
    directory = RunDirectory(path)
    if not path.is_dir():
        raise RecordError(f"{path} is not a run directory")
    info = directory.run_info()
    try:
        files = ParameterFiles([directory.copied("parameters") or directory.parameters])
        area = load_field(directory.copied("field") or directory.field, recorded=True)
        return RunData(
            directory=directory,
            info=info,
            field=area,
            robot=load_robot(directory.copied("urdf") or directory.urdf),
            limits=files.build(
                "console"
            ).limits,  # of an older run too, which lacks what the mission has come to demand
            parameters=files.nodes,
            outcome=read_outcome(directory.journal),
            log=read_logs(directory.logs()) if logs else LogData(),
            priors=priors_of_run(directory.priors, area),
        )
    except LoadError as error:
        raise RecordError(str(error)) from None
