"""What a replay is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mine_robot.core.field import Field
from mine_robot.core.geodesy import Datum
from mine_robot.core.priors import NO_PRIORS, Prior
from mine_robot.core.robot import Robot
from mine_robot.pipeline.loading import ParameterFiles
from mine_robot.records.log_source import Progress
from mine_robot.records.run_directory import RunDirectory


def silent(_: str, __: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class ReplayRequest:
    """What to replay: a ``log``, the parameter files, the robot that made it, where results go.

    ``remap`` maps names of the log's topics to names of ours; the datum of ``area`` is the origin of ``map``, without it the first
    fix. ``run`` is the run directory of the log, whose truth scores the result. ``tell`` hears the part of the work and how much of
    it is done (0 to 1); without ``pictures`` no B-scans are drawn. ``prior`` is what is known of the ground beforehand. With ``ahead``
    the localisation runs in a process of its own, ahead of the detection; the results are the same.
    """

    log: Path
    out: Path
    parameters: ParameterFiles
    robot: Robot
    remap: Mapping[str, str] = field(default_factory=dict)
    area: Field | None = None
    run: RunDirectory | None = None
    tell: Callable[[str, float], None] = silent
    pictures: bool = True
    prior: Prior = NO_PRIORS
    ahead: bool = False

    @property
    def datum(self) -> Datum | None:
        """Origin of ``map``, if it was given."""
        return self.area.datum if self.area is not None else None

    def progress(self, part: str) -> Progress:
        """What hears the progress of one part of the work."""
        return partial(self.tell, part)


@dataclass(frozen=True)
class ReplayResult:
    """``complete`` tells whether there is a result at all; ``lines`` say what was done and what was wrong, ``summary`` are its figures."""

    complete: bool
    lines: tuple[str, ...]
    summary: Mapping[str, Any] = field(default_factory=dict)
