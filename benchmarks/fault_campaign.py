"""Every row of the table of safety reactions, injected while the robot searches: how long until the wheels are told to stand?

``python benchmarks/fault_campaign.py --page docs/fault_campaign.md`` runs a mission without ROS for each row, strikes on a lane
and measures the time of the stack from the cause to the first command of zero speed (for
driving home: to the decision). A row is injected in the world where the world has such a fault, else at the component's report, which is
what its death or failure looks like to the mission. Exit code 1 if a row is late or does something else.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from kill_campaign import plot
from kill_model import install

from mine_robot.bringup.resources import resource
from mine_robot.core.types import Health, Level, MissionState, Twist2
from mine_robot.mission.reactions import REACTIONS, Action, Reaction
from mine_robot.pipeline.loading import ParameterFiles, load_field, load_robot, scenario_from_content
from mine_robot.pipeline.offline import OfflineMission
from mine_robot.sim.scenario import Fault

SEARCH_LIMIT_S = 60.0
RUN_UP_S = 2.0  # on the lane before the fault strikes
LASTS_S = 12.0
STANDS = 1e-6
# Faults of the simulated world; the models of navigation and detection know nothing of the sensors', which strike with real ones.
IN_THE_WORLD = {
    "emergency_stop": Fault(0.0, LASTS_S, "estop_button"),
    "geofence": Fault(0.0, LASTS_S, "dragged", {"east_m": 0.0, "north_m": 9.0}),
    "command_link": Fault(0.0, LASTS_S, "command_link_lost"),
    "battery": Fault(0.0, LASTS_S, "low_battery"),
}


@dataclass
class Measured:
    """One row: what was injected where, what followed, and how soon in s (NaN: never)."""

    event: str
    injected: str
    wanted: str
    got: str
    seconds: float
    limit: float

    @property
    def good(self) -> bool:
        """True if the right thing happened in time."""
        return self.got == self.wanted and self.seconds <= self.limit + 1e-9

    @property
    def reaction(self) -> str:
        """What followed, for the table."""
        return self.got if self.good else f"**{self.got}, wanted {self.wanted}**"


class Struck:
    """A mission of which one component fails at a moment."""

    def __init__(self, folder: Path, row: Reaction, seed: int) -> None:
        area = load_field(plot(folder))
        robot = load_robot(resource("urdf/mine_robot.urdf.xacro"))
        files = ParameterFiles([resource("config/robot.yaml"), resource("config/sim.yaml")])
        scenario = scenario_from_content({"seed": seed}, folder / "scenario", area.datum)
        self.row, self.mission = row, OfflineMission(area, robot, files, scenario)
        install(self.mission, robot, seed, ())
        self.commands: list[Twist2] = []
        self._watch_commands()

    def _watch_commands(self) -> None:
        decide = self.mission.stops.pass_on

        def update(*arguments: object) -> object:
            decision = decide(*arguments)  # type: ignore[arg-type]
            self.commands.append(decision.twist)
            return decision

        self.mission.stops.pass_on = update  # type: ignore[method-assign, assignment]

    def strike(self) -> str:
        """Let it fail now; returns where."""
        now = self.mission.t
        fault = IN_THE_WORLD.get(self.row.component)
        if fault is not None:
            world_ = self.mission.simulation.world
            scenario = replace(world_._scenario, faults=(replace(fault, at=now),))
            world_._scenario = self.mission.simulation.scenario = scenario
            return f"world: {fault.kind}"
        reports = self.mission.health
        values = dict([self.row.value]) if self.row.value else {}
        silent = self.row.level is Level.STALE
        bad = Health(self.row.component, self.row.level, "injected", values)

        def health() -> list[Health]:
            well = [report for report in reports() if report.name != self.row.component]
            return well if silent else [*well, bad]

        self.mission.health = health  # type: ignore[method-assign]
        if self.row.component == "tilt":
            self.mission.mission.set_nav = lambda nav: self.mission.mission.set_health(bad)  # type: ignore[method-assign]
        return "silence" if silent else f"report: {self.row.level.name}"


def measure(row: Reaction, folder: Path, seed: int) -> Measured:
    """Search, strike, watch."""
    struck = Struck(folder, row, seed)
    mission = struck.mission
    mission.start()
    searching_since = None
    while mission.t < SEARCH_LIMIT_S:
        mission.step()
        state = mission.log.states[-1].state if mission.log.states else MissionState.IDLE
        moving = bool(struck.commands) and struck.commands[-1].speed > 0.2
        if state is not MissionState.SEARCH or not moving:
            searching_since = None
        elif searching_since is None:
            searching_since = mission.t
        elif mission.t - searching_since >= RUN_UP_S:
            break
    where = struck.strike()
    began, first = mission.t, len(struck.commands)
    states = len(mission.log.states)
    while mission.t < began + row.limit + 3.0:
        mission.step()
    after = struck.commands[first:]
    decided = [status for status in mission.log.states[states:] if _is(status.state, status.reason, row)]
    got = row.action.name if decided else mission.log.states[-1].state.value
    if row.action is Action.RETURN:
        seconds = decided[0].t - began if decided else np.nan
    else:
        stood = [command.t for command in after if abs(command.speed) + abs(command.yaw_rate) < STANDS]
        seconds = stood[0] - began if stood else np.nan
    return Measured(row.event, where, row.action.name, got, round(float(seconds), 2), row.limit)


def _is(state: MissionState, reason: str, row: Reaction) -> bool:
    wanted: dict[Action, Callable[[], bool]] = {
        Action.ESTOP: lambda: state is MissionState.ESTOP,
        Action.HOLD: lambda: state is MissionState.HOLD,
        Action.REPLAN: lambda: state is MissionState.PLAN and row.label in reason,
        Action.RETURN: lambda: row.label in reason and "home" in reason,
    }
    return wanted[row.action]()


def page(rows: list[Measured]) -> str:
    """The table for the documentation."""
    lines = [
        "# Fault campaign",
        "",
        "Written by `python benchmarks/fault_campaign.py --page docs/fault_campaign.md`: every row of the",
        "[safety reactions](safety_reactions.md) that can strike while the robot searches, injected on a lane. *Seconds* are time of the",
        "stack from the cause to the command to stand, for RETURN to the decision.",
        "",
        *table(rows),
    ]
    return "\n".join(lines) + "\n"


def table(rows: Sequence[Any]) -> list[str]:
    """Lines of Markdown; a row has ``event``, ``injected``, ``reaction``, ``seconds`` and ``limit``."""
    return [
        "| event | injected as | reaction | seconds | limit |",
        "|---|---|---|---|---|",
        *(f"| {row.event} | {row.injected} | {row.reaction} | {row.seconds:.2f} | {row.limit:g} |" for row in rows),
    ]


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--page", type=Path, help="Markdown page to write.")
    parser.add_argument("--scratch", type=Path, default=Path("/tmp"))
    arguments = parser.parse_args()
    rows = []
    for row in REACTIONS:
        if MissionState.SEARCH in row.states:
            rows.append(measure(row, arguments.scratch, arguments.seed))
            print(json.dumps(asdict(rows[-1])), flush=True)
    if arguments.page:
        arguments.page.write_text(page(rows), encoding="utf-8")
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
