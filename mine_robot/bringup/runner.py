"""``mine-robot run``: starts the node graph, sees the mission through and leaves a finished run directory."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

from rich.console import Console

from mine_robot.bringup.alone import hold_the_robot
from mine_robot.bringup.display import Display, show_summary
from mine_robot.bringup.field_report import inventory, reach_warnings
from mine_robot.bringup.kills import node_kills
from mine_robot.bringup.namespace import namespace_arguments
from mine_robot.bringup.operator import Ending, Operator, Picture, Watch
from mine_robot.bringup.prepare import PreparedRun, RunRequest, prepare_run
from mine_robot.bringup.processes import Processes
from mine_robot.bringup.resume import recorded_namespace
from mine_robot.pipeline.loading import ParameterFiles, load_field, load_robot
from mine_robot.pipeline.reach import reckoned_reach
from mine_robot.records.errors import RecordError
from mine_robot.records.finish import finish_run
from mine_robot.records.run_directory import RunDirectory
from mine_robot.sim.scenario import ScenarioError

MAX_RESTARTS = 3  # of one node in a run; what dies more often is broken


class Interrupted(Exception):
    """Ctrl-C or SIGTERM."""


def run_mission(request: RunRequest, console: Console, command: list[str]) -> int:
    """Run a mission to its end; returns the exit code of ``mine-robot run``."""
    namespace = request.namespace
    if request.resume is not None:
        with contextlib.suppress(RecordError):  # what is wrong with it is said later
            namespace = recorded_namespace(RunDirectory(request.resume.absolute()))
    with hold_the_robot(namespace):
        prepared = prepare_run(request, command)
        if request.resume is None:
            _show_field(prepared, console)
        ending = _conduct(prepared, console)
    return _finish(prepared, ending, console)


def _show_field(prepared: PreparedRun, console: Console) -> None:
    """Say what the field holds, and what looks wrong with it."""
    field = load_field(prepared.directory.field)
    for line in inventory(field):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    try:
        robot, limits = load_robot(prepared.directory.urdf), ParameterFiles([prepared.directory.parameters])
        doubts = [
            *field.account.warnings,
            *reach_warnings(reckoned_reach(field, limits.build("mission").limits, robot)),
        ]
    except ScenarioError:  # the real robot stands where people put it
        doubts = list(field.account.warnings)
    for line in doubts:
        console.print(f"warning: {line}", style="yellow", highlight=False, markup=False, soft_wrap=True)


def _conduct(prepared: PreparedRun, console: Console) -> Ending:
    """Start every process, follow the mission to its end, and leave no process behind."""
    request = prepared.request
    word = "Run directory" if request.resume is None else "Resuming the run in"
    console.print(f"{word}: {prepared.directory.path}", highlight=False, soft_wrap=True)
    if request.console is not None:
        token = (
            "" if request.console.local else f"  (token: {request.console.token or prepared.directory.console_token})"
        )
        console.print(f"Console: {request.console.url}{token}", highlight=False, soft_wrap=True)
    processes = Processes(prepared.directory.node_logs, environment(prepared))
    previous = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    operator = None
    try:
        for name, words in prepared.companions.items():
            processes.start(name, words)
        for node in prepared.nodes:
            processes.start(node.name, prepared.command(node))
        operator = Operator(prepared.nodes, ["--ros-args", *namespace_arguments(prepared.request.namespace)])
        display = Display(console, simulated=request.simulated)
        with display.running():
            watch = _watch(prepared, operator, processes, console)
            ending = operator.conduct(display.show, watch, start=not request.wait)
    except Interrupted:
        ending = Ending("stopped by the operator (Ctrl-C)", hurried=True)
        for number in previous:
            signal.signal(number, signal.SIG_IGN)  # the end is under way and takes at most a few seconds
        if operator is not None:
            operator.call("mission/abort", timeout=0.5)
    finally:
        processes.stop_all()
        if operator is not None:
            operator.close()
        for number, handler in previous.items():
            signal.signal(number, handler)
    return ending


def environment(prepared: PreparedRun) -> dict[str, str]:
    """The environment of the nodes: one thread each for numeric libraries, logs in the run directory, DDS on this machine."""
    values = dict(os.environ)
    if prepared.request.remote:
        values["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "SUBNET"
    values.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    values["ROS_LOG_DIR"] = str(prepared.directory.node_logs)
    values["PYTHONUNBUFFERED"] = "1"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        values[name] = "1"  # the matrices are small and the cores are shared by all nodes
    return values


def _interrupt(number: int, frame: Any) -> None:
    raise Interrupted


def _watch(prepared: PreparedRun, operator: Operator, processes: Processes, console: Console) -> Watch:
    """What the runner looks after while the mission goes on: dead nodes, and the scenario's own killings."""
    kills = node_kills(prepared.directory)
    resumed = prepared.request.resume is not None
    begun = False
    nodes = {node.name: node for node in prepared.nodes}
    restarts = dict.fromkeys(nodes, 0)

    def watch(picture: Picture) -> Ending | None:
        nonlocal begun
        if not begun and picture.t > 0.0:
            begun = True
            if resumed:  # what was killed before the run was resumed has been
                kills[:] = [kill for kill in kills if kill[0] > picture.t]
        while kills and picture.t >= kills[0][0]:
            processes.kill(kills.pop(0)[1])
        for death in processes.deaths():
            said = processes.tail(death.name)
            processes.note(death)
            console.print(
                f"{death.text}: {said or 'it said nothing'}", style="red", highlight=False, markup=False, soft_wrap=True
            )
            if death.name in prepared.companions:
                operator.stop_robot()
                return Ending(death.text)
            restarts[death.name] += 1
            if nodes[death.name].optional and restarts[death.name] > MAX_RESTARTS:
                console.print(f"node '{death.name}' stays away; the mission goes on without it", highlight=False)
                continue
            if nodes[death.name].critical or restarts[death.name] > MAX_RESTARTS:
                operator.stop_robot()
                return Ending(f"{death.text}: {last_line(said)}" if death.code > 0 and said else death.text)
            processes.start(death.name, prepared.command(nodes[death.name]))
            console.print(f"node '{death.name}' is started again", highlight=False)
        return None

    return watch


def last_line(text: str) -> str:
    """What a node that ended by itself said last."""
    return text.splitlines()[-1].strip()


def _finish(prepared: PreparedRun, ending: Ending, console: Console) -> int:
    """Write the records, show the summary."""
    directory: Path = prepared.directory.path
    summary = finish_run(
        directory, figures=not ending.hurried, ended_by=ending.reason, language_code=prepared.request.language
    )
    show_summary(console, summary, str(directory))
    if ending.hurried:
        console.print(f"Map and report: mine-robot report {directory}", highlight=False, soft_wrap=True)
    return 0 if summary["state"] == "complete" else 1
