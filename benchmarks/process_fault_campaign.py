"""The rows of the table of safety reactions, injected into the real processes of ``mine-robot run`` while the robot searches.

``python benchmarks/process_fault_campaign.py --out DIR --page PAGE`` runs two missions. In the first the simulated world has the
faults, at set times: dead sensors, a lost link, a robot that tilts. In the second the campaign strikes when the robot drives: it
freezes processes (SIGSTOP: one that is killed is started again or ends the run), misleads a node by one wrong pose or by false ledgers, and
where no node can be brought to say it the campaign says it on ``/diagnostics``. Measured is the time of the stack from the cause to the
first command to stand that no command to drive follows; for a frozen guard until the true robot stands; for driving home, and where the
robot stands anyway, until the decision. A row after which a person has to come counts only if the mission waits for one. Exit code 1 if a
row is late or missing. Needs a ROS_DOMAIN_ID that nobody else uses.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml
from fault_campaign import table
from kill_campaign import plot
from process_kill_campaign import Run
from witness import Witness, stands

from mine_robot.core.types import Health, Level, MissionState
from mine_robot.mission.reactions import REACTIONS, Action, Reaction
from mine_robot.pipeline.loading import overlay
from mine_robot.ros.topics import CMD, GUARD_STOP, MARKER_STOP, ODOMETRY, Topic

BEGIN_S, EVERY_S, LASTS_S = 40.0, 40.0, 6.0
RUN_UP_S = 2.0
STANDS_M = 0.005
AFTERWARDS_S = 1.0  # without a command to drive: the stop was no turn of the way
PERSON_S = 30.0  # after the cause, within which the mission must wait for a person where one is needed
WALL_S = 240.0
ROWS = {row.event: row for row in REACTIONS}
# In this order; the last ends the mission.
IN_THE_WORLD: dict[str, dict[str, object]] = {
    "radar dead or frozen": {"kind": "gpr_dead"},
    "metal detector dead or frozen": {"kind": "md_coil_dead", "coil": 1},
    "localisation degraded": {"kind": "gnss_dropout"},
    "localisation lost": {"kind": "imu_dead", "for_s": 2.0},
    "head too high or too low": {"kind": "head_high", "height_m": 0.15},
    "command link lost": {"kind": "command_link_lost"},
    "tilt": {"kind": "tilted", "roll_deg": 30.0},
    "localisation lost for longer": {"kind": "imu_dead", "for_s": 8.0},
    "emergency stop button": {"kind": "estop_button"},
    "battery low": {"kind": "low_battery"},
}
FROZEN = {
    "marker dies": "marker",
    "recorder dies or cannot write": "recorder",
    "coverage fails": "planner",
    "path follower dies": "follower",
    "guard dies": "guard",
    "guard misses an input": "localization",
}
INTRUDED = {"somebody else publishes a topic": ODOMETRY, "somebody else commands the base": CMD}
UNPLANNED = "coverage does not plan"
ASTRAY, BARRED = "path follower cannot follow", "guard stops the robot"
STOPPED = {"stopped at the guard": GUARD_STOP, "stopped at the marker": MARKER_STOP}
FOREIGN, MOVED = "a stranger's command to the base", "moved while told to stand"
SAID = (
    "no heartbeat from the operator",  # none is demanded where the time of the stack is not that of the wall
    "out of the field (geofence)",  # a robot that is carried there is lost first, and stands for that
    "journal cannot be written (disk full)",  # on real disks: disk_campaign.py
    "disk almost full",  # ends the mission
)


@dataclass
class Measured:
    """One row: what was injected, what followed, and how soon in s (NaN: never)."""

    event: str
    injected: str
    got: str
    seconds: float
    limit: float

    @property
    def good(self) -> bool:
        """In time?"""
        return self.seconds <= self.limit + 1e-9

    @property
    def reaction(self) -> str:
        """What followed, for the table."""
        return self.got if self.good else f"**{self.got}**"


class FaultRun(Run):
    """A mission on 120 m² with nothing in the ground, so that it goes on searching."""

    def __init__(self, folder: Path, seed: int, faults: list[dict[str, object]]) -> None:
        super().__init__(folder, seed)
        self.field = plot(folder, 30.0, 4.0)
        self.scenario.write_text(yaml.safe_dump({"seed": seed, "faults": faults}), encoding="utf-8")


def searches(seen: Witness) -> bool:
    """The robot searches and is under way."""
    return seen.state is MissionState.SEARCH and seen.speed > 0.1


def run_up(seen: Witness, wall_s: float = WALL_S, until: float = math.inf) -> bool:
    """Wait until the robot has been under way for a while, at most ``until`` then; resume what waits for a person."""
    while seen.t < until and seen.wait(
        lambda: searches(seen) or seen.state in (MissionState.HOLD, MissionState.ESTOP), wall_s
    ):
        if not searches(seen):
            held = seen.t
            if not seen.wait(lambda: searches(seen) or seen.t > held + 12.0, wall_s):  # noqa: B023
                return False
            if not searches(seen):
                seen.call("mission/resume")
                seen.wait(lambda: seen.state not in (MissionState.HOLD, MissionState.ESTOP), 2.0)
            continue
        began = seen.t
        if seen.wait(lambda: seen.t > began + RUN_UP_S or not searches(seen), wall_s) and searches(seen):  # noqa: B023
            return True
    return False


def stood_after(seen: Witness, t: float) -> float:
    """Seconds from ``t`` to the first command to stand that no other follows for a while; NaN if there is none."""
    commands = [command for command in list(seen.commands) if command.t >= t]
    for index, command in enumerate(commands):
        later = [item for item in commands[index:] if item.t <= command.t + AFTERWARDS_S]
        if all(stands(item) for item in later):
            return command.t - t
    return math.nan


def measure(seen: Witness, row: Reaction, injected: str, t: float) -> Measured:
    """What followed upon the cause at ``t``."""
    wanted = {Action.ESTOP: MissionState.ESTOP, Action.HOLD: MissionState.HOLD, Action.REPLAN: MissionState.PLAN}
    statuses = [status for status in list(seen.statuses) if status.t >= t]
    decided = [
        status
        for status in statuses
        if status.t <= t + row.limit + LASTS_S
        # Of holds another row may be faster than the component's own.
        and (row.label in status.reason or row.action is Action.HOLD)
        and (row.action is Action.RETURN or status.state is wanted[row.action])
    ]
    if not any(command.t < t and not stands(command) for command in list(seen.commands) if command.t > t - 0.2):
        return Measured(row.event, injected, "stood already", math.nan, row.limit)
    if not decided:
        return Measured(row.event, injected, f"not {row.action.name}", math.nan, row.limit)
    got, seconds = row.action.name, stood_after(seen, t)
    if row.action is Action.RETURN or row.event == UNPLANNED:
        seconds = decided[0].t - t
    elif row.action is Action.REPLAN:  # it stands for as long as the planner takes
        seconds = next((c.t - t for c in list(seen.commands) if c.t >= decided[0].t - 0.1 and stands(c)), math.nan)
    if row.label not in decided[0].reason:
        got += f" ({decided[0].reason.removeprefix('holding: ').split(':')[0]})"
    if row.confirm:
        waits = any(row.event in status.reason for status in statuses)
        got, seconds = (f"{got}, a person", seconds) if waits else (f"{got}, no person", math.nan)
    return Measured(row.event, injected, got, round(seconds, 2), row.limit)


def in_the_world(folder: Path, seed: int) -> list[Measured]:
    """The first mission."""
    at = {event: BEGIN_S + EVERY_S * index for index, event in enumerate(IN_THE_WORLD)}
    faults = [{"at_s": at[event], "for_s": LASTS_S, **fault} for event, fault in IN_THE_WORLD.items()]
    run, rows = FaultRun(folder, seed, faults), []
    with Witness() as seen:
        process = run.start()
        try:
            for event, t in at.items():
                run_up(seen, until=t)
                seen.wait(lambda: seen.t > t + LASTS_S + 1.0 or process.poll() is not None, WALL_S)  # noqa: B023
                if ROWS[event].confirm:
                    seen.wait(lambda: event in seen.reason or seen.t > t + PERSON_S, WALL_S)  # noqa: B023
                rows.append(measure(seen, ROWS[event], f"world: {IN_THE_WORLD[event]['kind']}", t))
                print(json.dumps(asdict(rows[-1])), flush=True)
        finally:
            end(process)
    return rows


def end(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C, if it still runs."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.wait(60.0)


class ByHand:
    """The second mission, and what the campaign does to it."""

    def __init__(self, run: FaultRun, seen: Witness) -> None:
        self.run, self.seen, self.rows = run, seen, list[Measured]()

    def signal(self, node: str, number: signal.Signals) -> None:
        """Freeze a node, or let it go on."""
        os.kill(self.run.nodes()[node], number)

    def strike(self, event: str, injected: str, act: Callable[[float], None]) -> float:
        """Once the robot is under way: ``act``, which is given the time, and see what follows; returns that time."""
        row, seen = ROWS[event], self.seen
        under_way = run_up(seen)
        t = seen.t
        if under_way:
            act(t)
            over = t + row.limit + (PERSON_S if row.confirm else 2.0)
            seen.wait(lambda: seen.t > over or (row.confirm and row.event in seen.reason), WALL_S)
            self.rows.append(measure(seen, row, injected, t))
        else:
            self.rows.append(Measured(event, injected, f"not under way: {seen.state}", math.nan, row.limit))
        return t

    def freeze(self, event: str, node: str) -> None:
        """A process that lives and is silent."""
        t = self.strike(event, f"SIGSTOP: {node}", lambda t: self.signal(node, signal.SIGSTOP))
        if node == "guard":  # who commands is frozen
            self.rows[-1].seconds = round(true_stand(self.run, t, self.seen.t), 2)
        self.signal(node, signal.SIGCONT)

    def unplanned(self) -> None:
        """A planner that is silent when it is asked."""

        def act(t: float) -> None:
            self.seen.call("mission/pause")
            self.seen.wait(lambda: self.seen.state is MissionState.PAUSED, 10.0)
            self.signal("planner", signal.SIGSTOP)
            self.seen.call("mission/resume")

        self.strike(UNPLANNED, "pause, SIGSTOP: planner, resume", act)
        self.signal("planner", signal.SIGCONT)

    def astray(self) -> None:
        """A pose for an instant beside the plan: the follower gives up on it."""
        self.strike(ASTRAY, "one pose 0.3 m aside", lambda t: self.seen.wrong_pose())

    def barred(self) -> None:
        """False ledgers in the stead of the frozen planner: the guard lets no command pass."""

        def act(t: float) -> None:
            self.signal("planner", signal.SIGSTOP)
            over = t + ROWS[BARRED].limit + 0.5
            while self.seen.t < over:
                self.seen.false_ledger()
                self.seen.report([Health("coverage", Level.OK, "injected")])
                time.sleep(0.05)

        self.strike(BARRED, "false ledgers", act)
        self.signal("planner", signal.SIGCONT)

    def call(self, service: str) -> None:
        """Call a service."""
        self.seen.call(service)

    def stopped(self, event: str) -> None:
        """A stop that the mission is not asked for."""
        self.strike(event, f"service: {STOPPED[event]}", lambda t: self.call(STOPPED[event]))

    def foreign(self) -> None:
        """One command by somebody else."""
        self.strike(FOREIGN, "/cmd_vel: one command", lambda t: self.seen.foreign_command(0.2))

    def moved(self) -> None:
        """Somebody drives on a robot that stands in an emergency stop; seconds until the alarm."""
        seen, row = self.seen, ROWS[MOVED]
        under_way = run_up(seen)
        seen.call("mission/estop")
        stood = seen.t + 3.0
        seen.wait(lambda: seen.t > stood, WALL_S)
        t, pose = seen.t, seen.pose
        while under_way and seen.t < t + 8.0 and row.label not in seen.reason:
            seen.foreign_command(0.3)
            time.sleep(0.01)
        found = [s for s in list(seen.statuses) if s.t >= t and row.label in s.reason]
        way = math.dist(pose.position[:2], seen.pose.position[:2]) if pose and seen.pose else math.nan
        got = f"ESTOP, {way:.2f} m" if found else "no alarm"
        seconds = round(found[0].t - t, 2) if found else math.nan
        # What counts is the way; the command of 0.3 m/s fights with the guard's to stand.
        self.rows.append(Measured(MOVED, "/cmd_vel: 0.3 m/s in ESTOP", got, seconds if way < 0.3 else math.nan, 8.0))

    def said(self, event: str) -> None:
        """A report in the component's stead, often enough to be heard above its own."""
        row = ROWS[event]

        def act(t: float) -> None:
            report = Health(row.component, row.level, "injected", dict([row.value]) if row.value else {})
            while self.seen.t < t + row.limit + 1.5:
                self.seen.report([report])
                time.sleep(0.005)

        self.strike(event, f"/diagnostics: {row.level.name}", act)
        self.seen.report([Health(row.component, Level.OK, "no longer injected")])  # where nobody else would say so

    def intrude(self, event: str, topic: Topic) -> None:
        """A publisher of somebody else, for a while."""

        def act(t: float) -> None:
            with self.seen.stranger(topic):
                self.seen.wait(lambda: self.seen.t > t + ROWS[event].limit + 1.5, WALL_S)

        self.strike(event, f"a publisher on {topic.name}", act)

    def everything(self) -> list[Measured]:
        """Row after row."""
        acts = [lambda event=event, node=node: self.freeze(event, node) for event, node in FROZEN.items()]
        acts += [lambda event=event, topic=topic: self.intrude(event, topic) for event, topic in INTRUDED.items()]
        acts += [self.unplanned, self.astray, self.barred, self.foreign, self.moved]
        acts += [lambda event=event: self.stopped(event) for event in STOPPED]
        for act in (*acts, *(lambda event=event: self.said(event) for event in SAID)):
            act()
            print(json.dumps(asdict(self.rows[-1])), flush=True)
        return self.rows


def by_hand(folder: Path, seed: int) -> list[Measured]:
    """The second mission."""
    run = FaultRun(folder, seed, [])
    # A cycle takes long enough to be spoken into; a frozen process is let go before DDS gives it up after 20 s.
    params = folder / "params.yaml"
    params.write_text(overlay("patience", 10.0, ["simulator"], "process_fault_campaign.py"), encoding="utf-8")
    run.options = ("--rate", "2", "--params", str(params))
    with Witness() as seen:
        seen.run = run.out
        process = run.start()
        try:
            return ByHand(run, seen).everything()
        finally:
            end(process)


def true_stand(run: Run, t: float, until: float) -> float:
    """Seconds from ``t`` until the true robot stands; NaN if it does not before ``until``."""
    lines = [line.split(",") for line in (run.out / "sim" / "truth.csv").read_text(encoding="utf-8").splitlines()]
    track = [tuple(map(float, line)) for line in lines if len(line) == 4 and line[0][:1].isdigit()]
    track = [item for item in track if t <= item[0] <= until]
    return next((item[0] - t for item in track if math.dist(item[1:3], track[-1][1:3]) < STANDS_M), math.nan)


def page(rows: list[Measured]) -> str:
    """The table for the documentation."""
    lines = [
        "# Fault campaign with the real processes",
        "",
        "Written by `python benchmarks/process_fault_campaign.py --out DIR --page docs/fault_campaign_processes.md`: rows of the",
        "[safety reactions](safety_reactions.md) injected into `mine-robot run` while the robot searches: by the simulated world, by",
        "freezing a process (SIGSTOP), by one wrong pose, by false ledgers in the stead of a frozen planner, or, where no node can be",
        "brought to say it, by a report in the component's stead. *Seconds* are time of the stack from the cause to the command to",
        "stand; for the frozen guard until the true robot stands, for RETURN and for the planner that is silent when asked (the robot",
        "stands anyway) until the decision. *A person*: the mission was seen to wait for one. Without ROS:",
        "[fault_campaign.md](fault_campaign.md); full and read-only disks: `benchmarks/disk_campaign.py`.",
        "",
        *table(rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True, help="Folder for the runs.")
    parser.add_argument("--page", type=Path, help="Markdown page to write.")
    parser.add_argument("--parts", nargs="+", choices=("world", "hand"), default=("world", "hand"))
    arguments = parser.parse_args()
    rows = []
    for part in arguments.parts:
        rows += {"world": in_the_world, "hand": by_hand}[part](arguments.out / part, arguments.seed)
    if arguments.page:
        arguments.page.write_text(page(rows), encoding="utf-8")
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
