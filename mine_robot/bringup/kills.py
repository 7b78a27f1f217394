"""The fault ``node_kill``: the one fault that is not the world's but the runner's."""

from __future__ import annotations

import difflib
from pathlib import Path

from mine_robot.bringup.graph import GRAPH
from mine_robot.pipeline.loading import LoadError, load_field, load_scenario
from mine_robot.records.run_directory import RunDirectory
from mine_robot.sim.scenario import Scenario


def check_kills(scenario: Scenario, path: Path) -> None:
    """Raise :class:`LoadError` if a node is to be killed that does not exist."""
    names = [node.name for node in GRAPH]
    for fault in scenario.faults:
        node = fault.options.get("node")
        if fault.kind == "node_kill" and node not in names:
            nearest = difflib.get_close_matches(str(node), names, n=1, cutoff=0.4)
            hint = f"did you mean '{nearest[0]}'?" if nearest else f"known: {', '.join(names)}"
            raise LoadError(f"{path}: there is no node '{node}' to kill; {hint}")


def node_kills(directory: RunDirectory) -> list[tuple[float, str]]:
    """``node_kill`` faults of the run's scenario: simulated time and node."""
    if not directory.scenario.is_file():
        return []
    scenario = load_scenario(directory.scenario, load_field(directory.field))
    kills = [fault for fault in scenario.faults if fault.kind == "node_kill"]
    return sorted((fault.at, str(fault.options["node"])) for fault in kills)
