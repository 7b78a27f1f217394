"""The rows of the table of safety reactions, injected into the real processes of ``mine-robot run`` while the robot searches.

``python benchmarks/process_fault_campaign.py --out DIR --page PAGE`` runs two missions. In the first the simulated world has the
faults, at set times: dead sensors, a lost link, the button. In the second the campaign strikes when the robot drives: it freezes
processes (SIGSTOP: one that is killed is started again or ends the run), and where a row is about what a healthy node cannot be made to
say it says so in its stead on ``/diagnostics``. Measured is the time of the stack from the cause to the first command to stand that no
command to drive follows; for a frozen guard until the true robot stands, for driving home until the decision. Exit code 1 if a row is
late or missing. Needs a ROS_DOMAIN_ID that nobody else uses.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml
from fault_campaign import table
from kill_campaign import plot
from process_kill_campaign import Run
from witness import Witness, stands

from mine_robot.core.types import Health, MissionState
from mine_robot.mission.reactions import REACTIONS, Action, Reaction

BEGIN_S, EVERY_S, LASTS_S = 40.0, 30.0, 6.0
RUN_UP_S = 2.0
STANDS_M = 0.005
AFTERWARDS_S = 1.0  # without a command to drive: the stop was no turn of the way
WALL_S = 120.0
ROWS = {row.event: row for row in REACTIONS}
# In this order; the last ends the mission.
IN_THE_WORLD: dict[str, dict[str, object]] = {
    "radar dead or frozen": {"kind": "gpr_dead"},
    "metal detector dead or frozen": {"kind": "md_coil_dead", "coil": 1},
    "localisation degraded": {"kind": "gnss_dropout"},
    "localisation lost": {"kind": "imu_dead"},
    "head too high or too low": {"kind": "head_high", "height_m": 0.15},
    "command link lost": {"kind": "command_link_lost"},
    "emergency stop button": {"kind": "estop_button"},
    "battery low": {"kind": "low_battery"},
}
FROZEN = {
    "marker dies": "marker",
    "recorder dies or cannot write": "recorder",
    "coverage fails": "planner",
    "path follower dies": "follower",
    "guard dies": "guard",
}
SAID = (
    "out of the field (geofence)",  # a robot that is carried there is lost first, and stands for that
    "path follower cannot follow",
    "guard misses an input",
    "guard stops the robot",
    "journal cannot be written (disk full)",
)
LAST_WORD = "disk almost full"


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
    """A mission on 60 m² with nothing in the ground, so that it goes on searching."""

    def __init__(self, folder: Path, seed: int, faults: list[dict[str, object]]) -> None:
        super().__init__(folder, seed)
        self.field = plot(folder, 20.0, 3.0)
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
    decided = [
        status
        for status in list(seen.statuses)
        if t <= status.t <= t + row.limit + LASTS_S
        and (
            row.label in status.reason or row.action is Action.HOLD
        )  # another row may be faster than the component's own
        and (row.action is Action.RETURN or status.state is wanted[row.action])
    ]
    if row.action is Action.RETURN:
        seconds = decided[0].t - t if decided else math.nan
    elif row.action is Action.REPLAN:  # it stands for as long as the planner takes
        seconds = next(
            (c.t - t for c in list(seen.commands) if decided and c.t >= decided[0].t - 0.1 and stands(c)), math.nan
        )
    else:
        seconds = stood_after(seen, t)
    got = row.action.name if decided else f"not {row.action.name}"
    if decided and row.label not in decided[0].reason:
        got += f" ({decided[0].reason.removeprefix('holding: ').split(':')[0]})"
    return Measured(row.event, injected, got, round(seconds if decided else math.nan, 2), row.limit)


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


def say(seen: Witness, row: Reaction, over: Callable[[], bool]) -> None:
    """Speak in the component's stead, often enough to be heard above it."""
    report = Health(row.component, row.level, "injected", dict([row.value]) if row.value else {})
    while not over():
        seen.report([report])
        seen.wait(over, 0.005)


def by_hand(folder: Path, seed: int) -> list[Measured]:
    """The second mission, and the same resumed."""
    run, rows = FaultRun(folder, seed, []), []
    run.options = ("--rate", "2")  # a cycle takes long enough to be spoken into

    def strike(seen: Witness, event: str, injected: str, act: Callable[[], None]) -> None:
        row = ROWS[event]
        if not run_up(seen):
            rows.append(Measured(event, injected, f"not under way: {seen.state}", math.nan, row.limit))
        else:
            t = seen.t
            act()
            if not injected.startswith("/diagnostics"):
                seen.wait(lambda: seen.t > t + row.limit + 2.0, 90.0)
            rows.append(measure(seen, row, injected, t))
            if injected.endswith("guard"):
                rows[-1].seconds = round(true_stand(run, t, seen.t), 2)
        print(json.dumps(asdict(rows[-1])), flush=True)

    with Witness() as seen:
        process = run.start()
        try:
            for event, node in FROZEN.items():
                strike(seen, event, f"SIGSTOP: {node}", lambda: os.kill(run.nodes()[node], signal.SIGSTOP))  # noqa: B023
                os.kill(run.nodes()[node], signal.SIGCONT)
            for event in (*SAID, LAST_WORD):
                row = ROWS[event]
                until = [0.0]

                def act() -> None:
                    until[0] = seen.t + row.limit + 1.5  # noqa: B023
                    say(seen, row, lambda: seen.t > until[0])  # noqa: B023

                strike(seen, event, f"/diagnostics: {row.level.name}", act)
        finally:
            end(process)
    return rows


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
        "freezing a process (SIGSTOP), or by a report in a component's stead. *Seconds* are time of the stack from the cause to the",
        "command to stand; for the frozen guard until the true robot stands, for RETURN until the decision. A report in its stead",
        "competes with the component's own, which says every 0.5 s that all is well and begins rows with a delay anew: such a row",
        "comes late or not at all here (bold). Without ROS: [fault_campaign.md](fault_campaign.md); full and read-only disks:",
        "`benchmarks/disk_campaign.py`.",
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
