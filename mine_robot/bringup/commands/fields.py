"""Commands before a mission: check the files, plan, estimate."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from mine_robot.bringup.commands.options import FieldFile, ParameterFile, Priors, console
from mine_robot.bringup.terminal import complain
from mine_robot.core.json_text import to_json
from mine_robot.pipeline.loading import LoadError


def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="Fields, parameter files, scenarios, robot descriptions."),
    ] = None,
    explain: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Say what a parameter (or a group) means and has to fit; may be repeated."),
    ] = None,
    priors: Priors = None,
) -> None:
    """Check files without starting anything, and warn of parameters that contradict each other."""
    from mine_robot.bringup.check import base_and, check_file, check_priors, is_parameter_file, warnings
    from mine_robot.bringup.explain import explain as explain_parameter

    if not files and not explain:
        raise LoadError("check: give at least one FILE, or --explain NAME")
    failed = 0
    for file in files or []:
        try:
            (summary, *details), doubts = check_file(file)
            console.print(f"{file}: {summary}", highlight=False, soft_wrap=True, markup=False)
            for line in details:
                console.print(f"  {line}", highlight=False, soft_wrap=True, markup=False)
            for line in doubts:
                typer.echo(f"warning: {file}: {line}", err=True)
        except LoadError as error:
            failed += 1
            complain(str(error))
    if failed:
        raise typer.Exit(2)
    for line in check_priors(priors, files or []) if priors is not None else []:
        console.print(line, soft_wrap=True)
    parameters = [file for file in files or [] if is_parameter_file(file)]
    for warning in warnings(files or []) if parameters else []:
        complain(f"warning: {warning}")
    for name in explain or []:
        for line in explain_parameter(name, base_and(parameters)):
            console.print(line, soft_wrap=True)


def plan(
    field: FieldFile,
    out: Annotated[Path, typer.Option(help="Plan to write (GeoJSON).")],
    params: ParameterFile = None,
    plot: Annotated[Path | None, typer.Option(help="Picture of the plan to write (PNG).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Plan the search of a field."""
    from mine_robot.bringup.planning import write_plan
    from mine_robot.records.text import percent

    summary, held, doubts = write_plan(field, tuple(params or ()), out, plot, time.perf_counter)
    for line in held:
        typer.echo(line, err=as_json)
    for line in doubts:
        typer.echo(f"warning: {field}: {line}", err=True)
    if as_json:
        typer.echo(to_json(summary, ascii_only=True))
    else:
        console.print(
            f"{summary['lanes']} lanes, {summary['length_m']:.0f} m, {summary['duration_s'] / 60.0:.0f} min, "
            f"covers {percent(summary['covered'])} of the hazard area, gaps {summary['gaps_m2']:.2f} m2 -> {out}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )


def slopes(
    field: FieldFile,
    dem: Annotated[
        Path, typer.Option(metavar="DEM.tif|DEM.xyz", help="Heights: a GeoTIFF, or text with x, y and height a line.")
    ],
    out: Annotated[Path, typer.Option(help="Field file to write.")],
    crs: Annotated[
        str | None,
        typer.Option(metavar="EPSG:N", help="Reference system of a text file; by default WGS-84, longitude first."),
    ] = None,
    params: ParameterFile = None,
) -> None:
    """Exclude what is too steep, by a height model: writes a field file with no-go zones and the direction of the lanes."""
    from mine_robot.bringup.sloping import write_slopes

    for line in write_slopes(field, dem, out, crs, tuple(params or ())):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def preview(
    wish: Annotated[Path, typer.Argument(help="What a page asks for (JSON).")],
    out: Annotated[Path, typer.Option(help="Field file to write.")],
    params: ParameterFile = None,
) -> None:
    """Print field, plan and estimate as JSON, for the console."""
    from mine_robot.bringup.previewing import preview as previewed

    typer.echo(to_json(previewed(wish, tuple(params or ()), out), ascii_only=True))


def estimate(
    fields: Annotated[
        list[Path], typer.Argument(metavar="FIELD.geojson...", help="Field files; one reaches 10 km at most.")
    ],
    params: ParameterFile = None,
    robots: Annotated[int | None, typer.Option(help="Robots at work at the same time (1).")] = None,
    hours_per_day: Annotated[float | None, typer.Option(help="Working hours of a robot a day (8).")] = None,
    battery_hours: Annotated[float | None, typer.Option(help="Work on one battery, h (4).")] = None,
    swap_minutes: Annotated[float | None, typer.Option(help="Time to change it, min (15).")] = None,
    finds_per_ha: Annotated[float | None, typer.Option(help="Marked spots by hectare (0).")] = None,
    find_seconds: Annotated[float | None, typer.Option(help="What each adds to the search, s (75).")] = None,
    block_m: Annotated[float | None, typer.Option("--block", help="Side of a block, m (30).")] = None,
    samples: Annotated[int | None, typer.Option(help="Blocks to plan in each field (4); the rest is scaled.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Estimate lanes, hours, battery swaps and robot-days for areas of any size (docs/estimates.md)."""
    from mine_robot.bringup.estimating import estimate_fields, inventory_lines, lines_of

    options = {
        "robots": robots,
        "hours_per_day": hours_per_day,
        "battery_hours": battery_hours,
        "swap_minutes": swap_minutes,
        "finds_per_ha": finds_per_ha,
        "find_seconds": find_seconds,
        "block_m": block_m,
        "samples": samples,
    }
    figures = estimate_fields(fields, tuple(params or ()), options)
    held, doubts = inventory_lines(fields)
    if as_json:
        console.print(to_json({**figures, "inventory": held, "warnings": doubts}, ascii_only=True), soft_wrap=True)
        return
    for line in [*held, *lines_of(figures)]:
        console.print(line, soft_wrap=True)
    for line in doubts:
        complain(f"warning: {line}")
