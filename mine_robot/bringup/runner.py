"""``mine-robot run``: starts the node graph, sees the mission through and leaves a finished run directory."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import traceback
from pathlib import Path
from typing import Any

from rich.console import Console

from mine_robot.bringup.alone import hold_the_robot
from mine_robot.bringup.display import Display, show_summary
from mine_robot.bringup.domain import VARIABLE, domain_id
from mine_robot.bringup.field_report import inventory, reach_warnings
from mine_robot.bringup.gazebo import gazebo_environment
from mine_robot.bringup.kills import node_kills
from mine_robot.bringup.namespace import operator_arguments
from mine_robot.bringup.operator import Ending, Operator, Picture, Watch
from mine_robot.bringup.prepare import PreparedRun, RunRequest, prepare_run
from mine_robot.bringup.processes import Processes
from mine_robot.bringup.resume import recorded_namespace
from mine_robot.bringup.silence import SILENT_S, Silence
from mine_robot.bringup.strangers import refuse_strangers
from mine_robot.core.children import ending_signals
from mine_robot.core.types import MissionState
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_field, load_robot
from mine_robot.pipeline.reach import reckoned_reach
from mine_robot.records.errors import RecordError
from mine_robot.records.finish import finish_run
from mine_robot.records.run_directory import RunDirectory
from mine_robot.sim.scenario import ScenarioError

WORDS = {signal.SIGINT: "Ctrl-C", signal.SIGHUP: "the terminal was closed"}
MAX_RESTARTS = 3  # of one node in a run; what dies more often is broken
DISCOVERY = "ROS_AUTOMATIC_DISCOVERY_RANGE"


class Interrupted(Exception):
    """Ctrl-C, SIGTERM, or the terminal was closed; ``number`` is the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(WORDS.get(number, signal.Signals(number).name))


def run_mission(request: RunRequest, console: Console, command: list[str]) -> int:
    """Run a mission to its end; returns the exit code of ``mine-robot run``."""
    namespace = request.namespace
    if request.resume is not None:
        with contextlib.suppress(RecordError):  # what is wrong with it is said later
            namespace = recorded_namespace(RunDirectory(request.resume.absolute()))
    os.environ[DISCOVERY] = discovery_range(remote=request.remote)  # this process is one of the run's
    with hold_the_robot(namespace):
        prepared = prepare_run(request, command, refuse_strangers)
        if request.resume is None:
            _show_field(prepared, console)
        previous = {number: signal.signal(number, _interrupt) for number in ending_signals()}
        try:
            ending = _conduct(prepared, console)
            if ending.hurried:  # nothing disturbs the records: a shell repeats the SIGHUP of its terminal
                return _finish(prepared, ending, console)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
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
    processes = Processes(prepared.directory.node_logs, environment(prepared))
    operator = None
    try:
        _announce(prepared, console)
        for name, words in prepared.companions.items():
            processes.start(name, words)
        for node in prepared.nodes:
            processes.start(node.name, prepared.command(node))
        arguments = ["--ros-args", *operator_arguments(request.namespace)]
        operator = Operator(prepared.nodes, arguments, number=prepared.number)
        display = Display(console, prepared.directory.clock())
        with display.running():
            watch = _watch(prepared, operator, processes, console)
            ending = operator.conduct(display.show, watch, start=not request.wait)
    except Exception as error:
        for number in ending_signals():
            signal.signal(number, signal.SIG_IGN)  # the end is under way and takes at most a few seconds
        ending = _broken_off(error, prepared)
        if operator is not None:
            with contextlib.suppress(Exception):
                operator.call("mission/abort", timeout=0.5)
    finally:
        processes.stop_all()
        if operator is not None:
            operator.close()
            for line in operator.refusals.lines():
                console.print(f"the runner: {line}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    return ending


def _broken_off(error: Exception, prepared: PreparedRun) -> Ending:
    """How a run ends that somebody, or an error of the runner itself, broke off: its records are written all the same."""
    if isinstance(error, Interrupted):
        return Ending(f"stopped by the operator ({error})", hurried=True)
    log = prepared.directory.node_logs / "runner.log"
    with contextlib.suppress(OSError):
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return Ending(f"the runner failed: {type(error).__name__}: {' '.join(str(error).split())}; see {log}")


def discovery_range(*, remote: bool) -> str:
    """Who may find the processes of a run: those on this machine, unless the environment or ``--remote`` says otherwise."""
    return "SUBNET" if remote else os.environ.get(DISCOVERY, "LOCALHOST")


def _announce(prepared: PreparedRun, console: Console) -> None:
    """Say where the run is recorded, and where its page is."""
    request = prepared.request
    word = "Run directory" if request.resume is None else "Resuming the run in"
    console.print(f"{word}: {prepared.directory.path}", highlight=False, soft_wrap=True)
    if request.console is not None:
        token = (
            "" if request.console.local else f"  (token: {request.console.token or prepared.directory.console_token})"
        )
        console.print(f"Console: {request.console.url}{token}", highlight=False, soft_wrap=True)


def environment(prepared: PreparedRun) -> dict[str, str]:
    """The environment of the nodes: one thread each for numeric libraries, logs in the run directory, DDS on this machine."""
    values = {**os.environ, VARIABLE: str(domain_id(os.environ))}
    values[DISCOVERY] = discovery_range(remote=prepared.request.remote)
    values["ROS_LOG_DIR"] = str(prepared.directory.node_logs)
    values["PYTHONUNBUFFERED"] = "1"
    values.update(gazebo_environment(prepared.request.sim, prepared.directory))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        values[name] = "1"  # the matrices are small and the cores are shared by all nodes
    return values


def _interrupt(number: int, frame: Any) -> None:
    raise Interrupted(number)


def _watch(prepared: PreparedRun, operator: Operator, processes: Processes, console: Console) -> Watch:
    """What the runner looks after while the mission goes on: dead nodes, and the scenario's own killings."""
    kills = node_kills(prepared.directory)
    resumed = prepared.request.resume is not None
    begun = False
    nodes = {node.name: node for node in prepared.nodes}
    restarts = dict.fromkeys(nodes, 0)
    silence = Silence()

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
            if (who := stranger_named(said)) and (
                picture.mission is None or picture.mission.state is MissionState.IDLE
            ):
                return Ending(who, refused=True)  # two clocks end a node before the mission can say why
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
        for name in silence.look(picture.spoke, time.monotonic()):
            console.print(
                f"node '{name}' has said nothing for {SILENT_S:.0f} s while others speak", style="red", highlight=False
            )
        if silence.total:
            operator.stop_robot()
            return Ending(f"guard and mission have said nothing for {SILENT_S:.0f} s: nobody watches over the robot")
        return None

    return watch


def stranger_named(text: str) -> str:
    """The first stack beside ours that a node's last words refuse; empty if none."""
    lines = (line for line in text.splitlines() if "refused: " in line and "of another stack publishes" in line)
    return next((line.split("refused: ", 1)[1].strip() for line in lines), "")


def last_line(text: str) -> str:
    """What a node that ended by itself said last."""
    return text.splitlines()[-1].strip()


def _finish(prepared: PreparedRun, ending: Ending, console: Console) -> int:
    """Write the records, show the summary."""
    directory: Path = prepared.directory.path
    summary = finish_run(
        directory,
        figures=not (ending.hurried or ending.refused),
        ended_by=ending.reason,
        language_code=prepared.request.language,
    )
    if ending.refused:
        raise LoadError(ending.reason)
    show_summary(console, summary, directory)
    return 0 if summary["state"] == "complete" else 1
