"""``mine-robot run`` and ``mine-robot console``: a mission, and its page."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mine_robot.bringup.commands.options import (
    Certificate,
    CertificateKey,
    FieldFile,
    Namespace,
    ParameterFile,
    Priors,
    ReportLanguage,
    console,
)
from mine_robot.pipeline.loading import LoadError


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
        scenario=scenario,
        parameters=tuple(params or ()),
        out=out,
        sim=sim,
        rate=_rate(rate),
        seed=seed,
        resume=resume,
        remote=remote,
        console=address,
        wait=wait,
        language=language,
        namespace=namespace,
        priors=priors,
    )
    raise typer.Exit(run_mission(request, console, ["mine-robot", *sys.argv[1:]]))


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
