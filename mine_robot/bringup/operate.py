"""``python -m mine_robot.bringup.operate RUN_DIRECTORY``: the operator of a stack that launch files have started."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

from mine_robot.bringup.alone import hold_the_robot
from mine_robot.bringup.display import Display, show_summary
from mine_robot.bringup.graph import graph
from mine_robot.bringup.operator import Ending, Operator
from mine_robot.bringup.prepare import recorded_number
from mine_robot.bringup.terminal import complain, console, lasting_streams
from mine_robot.core.children import ending_signals
from mine_robot.core.private import keep_private
from mine_robot.pipeline.loading import LoadError
from mine_robot.records.finish import finish_run
from mine_robot.records.run_directory import RunDirectory

LOG_FLUSH_S = 2.0  # the recorder runs on; this is wall time for it to bring the end of the mission to the disk


def _interrupt(number: int, frame: Any) -> None:
    """The terminal's Ctrl-C and launch's own SIGINT may both come: the first one ends the mission, and nothing disturbs the end."""
    for each in ending_signals():
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    """Start the mission, follow it to its end, write the records; the exit codes are those of ``mine-robot run``."""
    directory = RunDirectory(Path(sys.argv[1]))
    clock = directory.clock()
    lasting_streams()
    keep_private()
    for number in ending_signals():
        signal.signal(number, _interrupt)
    operator = Operator(graph(simulation=clock.simulated), number=recorded_number(directory))
    try:
        lock = hold_the_robot(operator.namespace)
    except LoadError as error:
        complain(str(error))
        operator.close()
        return 2
    try:
        display = Display(console, clock)
        with display.running():
            ending = operator.conduct(display.show, lambda picture: None)
    except KeyboardInterrupt:  # launch ends the nodes at the same time, and says why
        ending = Ending("the launch was shut down: Ctrl-C, or a node ended", hurried=True)
    operator.spin(LOG_FLUSH_S)
    operator.close()
    lock.close()
    summary = finish_run(directory.path, figures=not (ending.hurried or ending.refused), ended_by=ending.reason)
    if ending.refused:
        print(ending.reason, file=sys.stderr)
        return 2
    show_summary(console, summary, directory.path)
    return 0 if summary["state"] == "complete" else 1


if __name__ == "__main__":
    sys.exit(main())
