"""The ``mine-robot`` command. Exit codes: 0 done, 1 the mission ended short, 2 bad input (one line)."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mine_robot.pipeline.loading import LoadError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="mine_robot: search a mined field lane by lane, mark what is found, prove what is cleared.",
)
console = Console()

FieldFile = Annotated[
    Path, typer.Argument(metavar="FIELD.geojson", help="Field file, GeoJSON or KML (docs/field_files.md).")
]
RunFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Run directory.")]
ParameterFile = Annotated[
    list[Path] | None,
    typer.Option("--params", "--robot", help="Parameter file laid over config/robot.yaml; may be repeated."),
]
LogFile = Annotated[
    Path, typer.Argument(metavar="LOG", help="Run directory, MCAP file, rosbag2 folder, sqlite3 file or ROS 1 bag.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="One parameter, e.g. detector.gpr.threshold=3; may be repeated."),
]
RobotFile = Annotated[Path | None, typer.Option(help="The robot that made the log (URDF or xacro).")]
LogField = Annotated[
    Path | None, typer.Option(help="Field of the log; its datum is the origin, by default the first fix.")
]
Remap = Annotated[
    list[str] | None, typer.Option(metavar="FROM:=TO", help="Take the log's topic FROM as TO, e.g. /fix:=gnss/fix.")
]
ReportLanguage = Annotated[str, typer.Option(help="Language of report and map: en or az.")]
Formats = Annotated[
    list[str] | None,
    typer.Option("--format", help="geojson, kml, shp, xlsx or csv; may be repeated, or a list with commas."),
]
Priors = Annotated[
    Path | None, typer.Option(metavar="P.geojson", help="What is known of the ground beforehand (docs/priors.md).")
]
DaskCluster = Annotated[
    str, typer.Option(metavar="ADDRESS|local", help="Work on a Dask cluster: its scheduler, or one on this machine.")
]
Namespace = Annotated[str, typer.Option(help="ROS namespace of the robot, for several in one DDS domain.")]
Certificate = Annotated[Path | None, typer.Option(metavar="PEM", help="Certificate of the page, for TLS.")]
CertificateKey = Annotated[Path | None, typer.Option(metavar="PEM", help="Key of the certificate.")]


@app.command()
def run(
    field: FieldFile,
    scenario: Annotated[Path | None, typer.Option(help="Scenario of the simulated world (YAML).")] = None,
    sim: Annotated[
        str,
        typer.Option(
            help="builtin: simulated world; gazebo: its physics by Gazebo; none: the real robot with its drivers."
        ),
    ] = "builtin",
    rate: Annotated[
        str, typer.Option(help="Simulated seconds a second, or 'max': as fast as the stack follows.")
    ] = "max",
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the simulated world; wins over the scenario's.")
    ] = None,
    params: ParameterFile = None,
    priors: Priors = None,
    out: Annotated[Path | None, typer.Option(help="Run directory; by default a new one below runs/.")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Go on with the run in DIR after a kill, a power cut or an abort."),
    ] = None,
    remote: Annotated[
        bool, typer.Option("--remote", help="Open the run to the network; needs DDS security (docs/security.md).")
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="With --remote: without DDS security, everybody may drive the robot.")
    ] = False,
    with_console: Annotated[
        bool, typer.Option("--console", help="Serve the operator's page for a browser (docs/console.md).")
    ] = False,
    console_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the page.")] = 8080,
    console_host: Annotated[
        str, typer.Option(help="Address to listen on; one that others reach needs a certificate.")
    ] = "127.0.0.1",
    console_certificate: Certificate = None,
    console_key: CertificateKey = None,
    console_token: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Token of the page; by default a new one in the run directory.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="With --console: begin when somebody presses Start on the page.")
    ] = False,
    language: ReportLanguage = "en",
    namespace: Namespace = "",
) -> None:
    """Run a mission: over real ROS 2 topics, in simulation or on the robot."""
    from mine_robot.bringup.console import listen_address
    from mine_robot.bringup.gazebo import pick_gazebo
    from mine_robot.bringup.prepare import RunRequest
    from mine_robot.bringup.runner import run_mission
    from mine_robot.bringup.security import check_remote
    from mine_robot.records.language import language as catalogue

    catalogue(language)
    if sim not in ("builtin", "gazebo", "none"):
        raise LoadError(f"--sim {sim}: must be builtin, gazebo or none")
    if wait and not with_console:
        raise LoadError("--wait says something about --console only")
    check_remote(remote, insecure, os.environ)
    page = (console_host, console_port, console_certificate, console_key, console_token)
    address = listen_address(*page) if with_console else None
    if sim == "gazebo":
        sim, which = pick_gazebo()
        console.print(which, highlight=False, soft_wrap=True)
    request = RunRequest(
        field,
        scenario,
        tuple(params or ()),
        out,
        sim,
        _rate(rate),
        seed,
        resume,
        remote,
        address,
        wait,
        language,
        namespace,
        priors,
    )
    raise typer.Exit(run_mission(request, console, ["mine-robot", *sys.argv[1:]]))


@app.command("console")
def serve_console(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Run directory; by default that of the running stack.")
    ] = None,
    port: Annotated[int, typer.Option("--port", "--console-port", min=1, max=65535, help="Port of the page.")] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen on; one that others reach needs a certificate.")
    ] = "127.0.0.1",
    certificate: Certificate = None,
    key: CertificateKey = None,
    namespace: Namespace = "",
    missions: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="No stack runs: let the page start missions, with their runs in DIR."),
    ] = None,
    sim: Annotated[str | None, typer.Option(help="With --missions: builtin or none, as with run. No default.")] = None,
    scenario: Annotated[Path | None, typer.Option(help="With --missions: scenario of the simulated world.")] = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Training: show a recorded run as if it were live; no robot hears it."),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(help="With --missions or --replay: seconds of the run a second (1); 'max' with --missions."),
    ] = None,
    params: ParameterFile = None,
) -> None:
    """Serve the operator's page of a stack that is running, before one runs (--missions), or of a recorded run (--replay)."""
    from mine_robot.bringup.console import listen_address, serve
    from mine_robot.bringup.lobby import Offer, serve_lobby
    from mine_robot.bringup.training import serve_training

    if (folder, missions, replay).count(None) < 2:
        raise LoadError("give one of DIR, --missions DIR and --replay RUN")
    if missions is None and (sim or scenario or params):
        raise LoadError("--sim, --scenario and --params say something about --missions only")
    address, speed = listen_address(host, port, certificate, key), _rate(rate or "1")
    if missions is not None:
        offer = Offer(missions.absolute(), sim or "", scenario, speed, tuple(params or ()), namespace, address)
        serve_lobby(offer, console)
    elif replay is not None:
        serve_training(replay, speed, address, console)
    else:
        serve(folder, namespace, address, console)


def _rate(text: str) -> float:
    """0 for ``max``."""
    if text == "max":
        return 0.0
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0.0 < rate <= 1000.0:
        raise LoadError(f"--rate {text}: must be 'max' or a number between 0 and 1000")
    return rate


def _names(texts: list[str]) -> list[str]:
    """Names from options that may hold several, with commas."""
    return [name.strip() for text in texts for name in text.split(",")]


@app.command()
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
            console.print(f"{file}: {check_file(file)}", highlight=False, soft_wrap=True)
        except LoadError as error:
            failed += 1
            typer.echo(str(error), err=True)
    if failed:
        raise typer.Exit(2)
    for line in check_priors(priors, files or []) if priors is not None else []:
        typer.echo(line)
    parameters = [file for file in files or [] if is_parameter_file(file)]
    for warning in warnings(files or []) if parameters else []:
        typer.echo(f"warning: {warning}", err=True)
    for name in explain or []:
        for line in explain_parameter(name, base_and(parameters)):
            typer.echo(line)


@app.command()
def plan(
    field: FieldFile,
    out: Annotated[Path, typer.Option(help="Plan to write (GeoJSON).")],
    params: ParameterFile = None,
    plot: Annotated[Path | None, typer.Option(help="Picture of the plan to write (PNG).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Plan the search of a field."""
    from mine_robot.bringup.planning import write_plan

    summary = write_plan(field, tuple(params or ()), out, plot, time.perf_counter)
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        console.print(
            f"{summary['lanes']} lanes, {summary['length_m']:.0f} m, {summary['duration_s'] / 60.0:.0f} min, "
            f"coverage {100.0 * summary['coverage']:.2f} %, gaps {summary['gaps_m2']:.2f} m2 -> {out}",
            highlight=False,
            soft_wrap=True,
        )


@app.command()
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


@app.command(hidden=True)
def preview(
    wish: Annotated[Path, typer.Argument(help="What a page asks for (JSON).")],
    out: Annotated[Path, typer.Option(help="Field file to write.")],
    params: ParameterFile = None,
) -> None:
    """Print field, plan and estimate as JSON, for the console."""
    from mine_robot.bringup.previewing import preview as previewed

    typer.echo(json.dumps(previewed(wish, tuple(params or ()), out)))


@app.command()
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
    from mine_robot.bringup.estimating import estimate_fields, lines_of

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
    for line in [json.dumps(figures)] if as_json else lines_of(figures):
        typer.echo(line)


@app.command()
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


@app.command()
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


@app.command()
def threshold(
    pd: Annotated[float | None, typer.Option(help="Share of the hazards that is to be marked, 0 to 1.")] = None,
    false_alarms: Annotated[float | None, typer.Option(help="False alarms per m² that are accepted.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="P.yaml", help="Parameter file to write.")] = None,
) -> None:
    """Choose from which probability to mark, by the detector's calibration; without a wish, print that (docs/detection.md)."""
    from mine_robot.bringup.threshold import choose_threshold

    for line in choose_threshold(pd, false_alarms, out):
        typer.echo(line)


@app.command()
def report(folder: RunFolder, language: ReportLanguage = "en") -> None:
    """Write summary, map, tables and report of a run again from its records."""
    from mine_robot.bringup.display import show_summary
    from mine_robot.records.finish import finish_run

    show_summary(console, finish_run(folder, language_code=language), str(folder))


@app.command()
def export(
    folder: RunFolder,
    formats: Formats = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the files; by default 'export' in the run directory.")
    ] = None,
) -> None:
    """Write what a run found and cleared for a database or GIS (docs/exports.md)."""
    from mine_robot.records.export import export_run

    for path in export_run(folder, _names(formats or ["geojson"]), out or folder / "export"):
        typer.echo(str(path))


@app.command()
def evidence(
    folder: RunFolder,
    target: Annotated[int, typer.Argument(metavar="TARGET", help="Number of the target.")],
    out: Annotated[Path | None, typer.Option(metavar="PNG", help="The picture; by default target_TARGET.png.")] = None,
) -> None:
    """Draw the scans behind a target of a run, also while the run goes on."""
    from mine_robot.records.evidence import draw_evidence

    picture = out or Path(f"target_{target:03d}.png")
    draw_evidence(folder, target, picture)
    typer.echo(str(picture))


@app.command()
def merge(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories on one area.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the merged record.")],
    formats: Formats = None,
    dask: DaskCluster = "",
) -> None:
    """Merge several runs on one area to one ledger and one report (docs/merging.md)."""
    from mine_robot.bringup.workers import workers
    from mine_robot.records.merge_record import merge_runs

    # A run is read in a hundredth of a second: processes of this machine would take longer to start.
    with workers(dask) if dask else nullcontext(map) as spread:
        summary = merge_runs(folders, out, _names(formats or []), spread=spread)
    typer.echo(
        f"{len(folders)} runs: {summary['searched_m2']:.2f} of {summary['area_m2']:.2f} m2 searched, {summary['targets']} targets, "
        f"{len(summary['contradictions'])} contradictions -> {out}"
    )


@app.command()
def score(
    folder: RunFolder,
    scenario: Annotated[
        Path | None, typer.Option(help="Scenario with the true objects; by default the run's own world.")
    ] = None,
) -> None:
    """Compare what a run found with what is buried."""
    from mine_robot.records.finish import score_run

    typer.echo(json.dumps(score_run(folder, scenario), indent=2))


def main() -> None:
    """Entry point of ``mine-robot``: an error in the input is one line and exit code 2."""
    from mine_robot.records.errors import RecordError

    try:
        app()
    except (LoadError, RecordError) as error:
        typer.echo(f"mine-robot: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
