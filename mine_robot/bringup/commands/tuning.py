"""Commands for tuning: replay a recording, sweep a parameter over it, choose the threshold of marks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mine_robot.bringup.commands.options import (
    DaskCluster,
    LogField,
    LogFile,
    ParameterFile,
    Priors,
    Remap,
    RobotFile,
    Settings,
    console,
)


def replay(
    log: LogFile,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder that receives the results.")],
    only: Annotated[str, typer.Option(help="Part of the stack to run: localization or detection.")] = "all",
    params: ParameterFile = None,
    settings: Settings = None,
    urdf: RobotFile = None,
    field: LogField = None,
    remap: Remap = None,
    priors: Priors = None,
    compare: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Say what changed against another replay, or a run.")
    ] = None,
) -> None:
    """Run a recording through the stack's algorithms again (docs/records.md)."""
    from mine_robot.bringup.replaying import ReplayOptions, replay_log

    options = ReplayOptions(log, tuple(params or ()), tuple(settings or ()), urdf, field, tuple(remap or ()), priors)
    complete, lines = replay_log(options, out, only, compare, console)
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    raise typer.Exit(0 if complete else 1)


def tune(
    log: LogFile,
    param: Annotated[str, typer.Option(metavar="NAME", help="Parameter to sweep, e.g. detection.gpr.threshold.")],
    range_: Annotated[str, typer.Option("--range", metavar="FIRST:LAST:COUNT", help="Its values, both ends included.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder that receives table, plot, replays and overlays.")],
    params: ParameterFile = None,
    settings: Settings = None,
    urdf: RobotFile = None,
    field: LogField = None,
    remap: Remap = None,
    dask: DaskCluster = "",
) -> None:
    """Replay a recording with many values of one parameter and show the effect (docs/records.md)."""
    from mine_robot.bringup.replaying import ReplayOptions
    from mine_robot.bringup.tuning import tune as sweep

    options = ReplayOptions(log, tuple(params or ()), tuple(settings or ()), urdf, field, tuple(remap or ()))
    sweep(options, param, range_, out, console, dask)


def threshold(
    pd: Annotated[float | None, typer.Option(help="Share of the hazards that is to be marked, 0 to 1.")] = None,
    false_alarms: Annotated[float | None, typer.Option(help="False alarms per m² that are accepted.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="P.yaml", help="Parameter file to write.")] = None,
) -> None:
    """Choose from which probability to mark, by the detector's calibration; without a wish, print that (docs/detection.md)."""
    from mine_robot.bringup.threshold import choose_threshold

    for line in choose_threshold(pd, false_alarms, out):
        console.print(line, soft_wrap=True)
