"""The run directory: the names of its files, in one place."""

from __future__ import annotations

import datetime
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mine_robot.core.clock import RunClock
from mine_robot.records.errors import RecordError


@dataclass(frozen=True)
class RunDirectory:
    """Files of one run. The runner writes ``run.json`` and the copies it names before the start, the nodes write
    journal and log, the simulator ``sim/``; :func:`mine_robot.records.finish.finish_run` writes the rest.
    """

    path: Path

    @property
    def run(self) -> Path:
        """What was run: names of the copied inputs, version, start, command."""
        return self.path / "run.json"

    @property
    def field(self) -> Path:
        """Copy of the field file."""
        return self.path / "field.geojson"

    @property
    def parameters(self) -> Path:
        """Parameters of every node, as one ROS 2 parameter file."""
        return self.path / "parameters.yaml"

    @property
    def urdf(self) -> Path:
        """The robot description, xacro expanded."""
        return self.path / "robot.urdf"

    @property
    def scenario(self) -> Path:
        """Copy of the scenario of a simulated run."""
        return self.path / "scenario.yaml"

    @property
    def priors(self) -> Path:
        """Copy of the prior knowledge, its rasters beside it; not there if nothing was known beforehand."""
        return self.path / "priors" / "priors.geojson"

    @property
    def node_logs(self) -> Path:
        """Folder with what every node printed."""
        return self.path / "log"

    @property
    def marker_port(self) -> Path:
        """Where the simulated marking actuator offers its serial port."""
        return self.path / "sim" / "marker_port"

    @property
    def gazebo_world(self) -> Path:
        """The world of a run in Gazebo."""
        return self.path / "sim" / "world.sdf"

    @property
    def console_token(self) -> Path:
        """Token of a console that others reach; for the owner of the run only."""
        return self.path / "console_token"

    @property
    def journal(self) -> Path:
        """The mission's journal."""
        return self.path / "journal.sqlite"

    @property
    def log(self) -> Path:
        """The log of the run's first part."""
        return self.path / "log.mcap"

    @property
    def summary(self) -> Path:
        """Figures of the run."""
        return self.path / "summary.json"

    @property
    def clearance(self) -> Path:
        """Searched ground, gaps, halos and marks, WGS-84."""
        return self.path / "clearance.geojson"

    @property
    def targets(self) -> Path:
        """Table of the targets and their marks."""
        return self.path / "targets.csv"

    @property
    def trajectory(self) -> Path:
        """Table of the estimated poses."""
        return self.path / "trajectory.csv"

    @property
    def map(self) -> Path:
        """Map of the run."""
        return self.path / "map.png"

    @property
    def report(self) -> Path:
        """Report of the run."""
        return self.path / "report.html"

    @property
    def sample(self) -> Path:
        """Cells proposed for re-checking."""
        return self.path / "qa_sample.csv"

    @property
    def truth(self) -> Path:
        """True poses of a simulated robot; read by the scorer only."""
        return self.path / "sim" / "truth.csv"

    @property
    def world(self) -> Path:
        """The simulated world; read by the scorer only."""
        return self.path / "sim" / "world.json"

    @property
    def handed_over(self) -> tuple[Path, ...]:
        """What is made of a run for people and other programs, the report first."""
        records = (self.report, self.map, self.summary, self.clearance, self.targets, self.trajectory, self.sample)
        return (*records, self.field)

    def logs(self) -> list[Path]:
        """The logs that exist, in the order of writing: a resumed run adds ``log_2.mcap``, ``log_3.mcap`` and so on."""
        parts = [self.log, *(self._part(n) for n in range(2, 2 + len(list(self.path.glob("log_*.mcap")))))]
        return [part for part in parts if part.exists()]

    def next_log(self) -> Path:
        """Where the next part of the run writes its log, so that nothing recorded is overwritten."""
        part, number = self.log, 1
        while part.exists():
            number += 1
            part = self._part(number)
        return part

    def _part(self, number: int) -> Path:
        return self.path / f"log_{number}.mcap"

    def settle(self) -> None:
        """Have everything in the directory, and the directory itself, on the disk when the call returns."""
        for path in (*self.path.rglob("*"), self.path, self.path.parent):
            if path.is_file() or path.is_dir():
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def require_finished(self) -> None:
        """Raise :class:`RecordError` unless this is a run directory with a summary: one of a run that is over."""
        if not self.path.is_dir():
            raise RecordError(f"{self.path} is not a run directory")
        if not self.run.is_file():
            raise RecordError(f"{self.path} is not a run directory: it has no {self.run.name}")
        if not self.summary.is_file():
            raise RecordError(
                f"{self.path} has no {self.summary.name}: the run was killed or still goes on; "
                f"`mine-robot report {self.path}` writes it from what was recorded"
            )

    def run_info(self) -> dict[str, Any]:
        """The content of ``run.json``; raises :class:`RecordError` if it is missing or broken."""
        return read_json(self.run)

    def clock(self) -> RunClock:
        """How times of the run are said; raises :class:`RecordError` as :meth:`run_info`."""
        info = self.run_info()
        try:
            began = datetime.datetime.fromisoformat(str(info.get("started"))).timestamp()
        except (ValueError, OverflowError, OSError):
            began = math.nan
        return RunClock(bool(info.get("simulation", False)), began)

    def copied(self, name: str) -> Path | None:
        """Path of the input that ``run.json`` names (``field``, ``parameters``, ``urdf``, ``scenario``), if any."""
        value = self.run_info().get(name)
        return self.path / str(value) if value else None


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; raises :class:`RecordError` naming the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise RecordError(f"{path} does not hold a JSON object")
    return content
