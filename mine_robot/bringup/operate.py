"""``python -m mine_robot.bringup.operate RUN_DIRECTORY``: the operator of a stack that launch files have started."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from mine_robot.bringup.display import Display, show_summary
from mine_robot.bringup.graph import graph
from mine_robot.bringup.operator import Operator
from mine_robot.records.finish import finish_run
from mine_robot.records.run_directory import RunDirectory

LOG_FLUSH_S = 2.0  # the recorder runs on; this is wall time for it to bring the end of the mission to the disk


def main() -> int:
    """Start the mission, follow it to its end, write the records; the exit codes are those of ``mine-robot run``."""
    directory = RunDirectory(Path(sys.argv[1]))
    simulated = bool(directory.run_info()["simulation"])
    console = Console()
    operator = Operator(graph(simulation=simulated))
    try:
        display = Display(console, simulated=simulated)
        with display.running():
            ending = operator.conduct(display.show, lambda picture: None)
        operator.spin(LOG_FLUSH_S)
    except KeyboardInterrupt:
        return 1
    finally:
        operator.close()
    summary = finish_run(directory.path, ended_by=ending.reason)
    show_summary(console, summary, str(directory.path))
    return 0 if summary["state"] == "complete" else 1


if __name__ == "__main__":
    sys.exit(main())
