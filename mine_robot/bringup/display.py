"""What the operator sees in the terminal: one live line of progress, and the summary at the end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mine_robot.bringup.operator import Picture
from mine_robot.core.clock import RunClock, duration
from mine_robot.core.tally import in_words
from mine_robot.core.text import one_line
from mine_robot.core.types import Level
from mine_robot.records.run_directory import RunDirectory
from mine_robot.records.text import percent

SIMULATED = RunClock(simulated=True)
PLAIN_PERIOD_S = 60.0  # simulated time between lines where the output is not a terminal


class Display:
    """Live progress on a terminal; a line a minute of mission time where the output is a file."""

    def __init__(self, console: Console, clock: RunClock) -> None:
        self.console = console
        self._clock = clock
        self._banner = "SIMULATION" if clock.simulated else "LIVE ROBOT"
        self._live: Live | None = None
        self._plain_t = -PLAIN_PERIOD_S
        self._plain_state = ""

    def running(self) -> AbstractContextManager[Any]:
        """A context in which :meth:`show` may be called."""
        if not self.console.is_terminal:
            return nullcontext()
        self._live = Live(console=self.console, refresh_per_second=4, transient=True)
        return self._live

    def show(self, picture: Picture) -> None:
        """Show the state of the mission."""
        if self._live is not None:
            self._live.update(self._panel(picture))
            return
        state = picture.mission.state.value if picture.mission else "starting"
        if picture.t - self._plain_t >= PLAIN_PERIOD_S or (state == "hold") != (self._plain_state == "hold"):
            self._plain_t, self._plain_state = picture.t, state
            self.console.print(Text(_line(picture, self._clock)), soft_wrap=True)

    def _panel(self, picture: Picture) -> Group:
        share = _share(picture)
        head = Table.grid(padding=(0, 2))
        head.add_row(
            Text(self._banner, style="bold black on yellow"),
            Text(_state(picture), style="bold"),
            Text(one_line(picture.mission.reason if picture.mission else ""), style="dim"),
        )
        bar = Table.grid(padding=(0, 1))
        bar.add_row(ProgressBar(total=100.0, completed=100.0 * share, width=40), Text(_line(picture, self._clock)))
        problems = [
            Text(
                one_line(f"  {report.name}: {report.message}"), style="red" if report.level >= Level.ERROR else "yellow"
            )
            for report in picture.health.values()
            if report.level != Level.OK
        ]
        return Group(head, bar, *problems)


def _state(picture: Picture) -> str:
    return picture.mission.state.value.upper() if picture.mission else "STARTING"


def _share(picture: Picture) -> float:
    values = picture.health["coverage"].values if "coverage" in picture.health else {}
    return min(max(float(values.get("coverage", "0")), 0.0), 1.0)


def _line(picture: Picture, clock: RunClock = SIMULATED) -> str:
    mission = picture.mission
    coverage = picture.health["coverage"].values if "coverage" in picture.health else {}
    localization = picture.health["localization"].values if "localization" in picture.health else {}
    targets = ""
    if mission:
        found = in_words(mission.targets, mission.listed)
        targets = f"{found}, {mission.marks_confirmed}/{mission.marks_requested} marks"
    left = float(coverage.get("remaining_s", "0"))
    return (
        f"{clock.both(picture.t) if picture.t else duration(0.0)}  {percent(_share(picture)):>8} searched  {targets}  "
        f"RTK {localization.get('rtk', '?')}  about {duration(left)} left  [{_state(picture).lower()}]"
    )


def show_summary(console: Console, summary: Mapping[str, Any], folder: str | Path) -> None:
    """The figures of a finished run, and what of it there is in ``folder``."""
    title = "SIMULATION - mission summary" if summary.get("simulation") else "Mission summary"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    complete = summary["state"] == "complete"
    table.add_row("State", Text(str(summary["state"]), style="bold green" if complete else "bold red"))
    table.add_row("Reason", Text(one_line(str(summary["reason"]))))
    table.add_row("Area", f"{summary['area_m2']:.1f} m²")
    reached = percent(summary["coverage"])
    whole = percent(summary["searched_m2"] / summary["area_m2"]) if summary["area_m2"] else "nothing"
    table.add_row(
        "Searched", f"{summary['searched_m2']:.1f} m², {whole} of the area ({reached} of what can be reached)"
    )
    table.add_row("Gaps", f"{summary['gaps_m2']:.1f} m², listed with reasons in the report")
    table.add_row("Duration", duration(summary["duration_s"]))
    table.add_row("Targets", in_words(summary.get("suspects", 0), summary["targets"]))
    table.add_row("Marks", f"{summary['marks_confirmed']} confirmed of {summary['marks_requested']} requested")
    table.add_row("Unsafe ground", _figure(summary["unsafe_ground_m2"], 1.0, "m² rolled over", digits=3))
    if summary.get("unsupported_m2"):
        table.add_row("Not supported", f"{summary['unsupported_m2']:.2f} m² that were claimed as searched")
    table.add_row("Cross track", _figure(summary["cross_track_rms_m"], 100.0, "cm RMS"))
    if "score" in summary:
        score = summary["score"]
        table.add_row("Found", f"Pd {_figure(score['pd'], 1.0, '')} of {score['n_hazards']} hazards")
        table.add_row("False alarms", _figure(score["false_alarms_per_m2"], 1.0, "a m²", digits=3))
        table.add_row("Mark error", _figure(score["mark_error_p95_m"], 100.0, "cm (95 %)"))
        table.add_row("Position", _figure(score["position_rmse_m"], 100.0, "cm RMSE"))
        table.add_row("Detonations", str(score["detonations"]))
    console.print(table)
    files = RunDirectory(Path(folder))
    there = [
        path.name for path in (files.summary, files.map, files.report, *files.logs(), files.journal) if path.exists()
    ]
    console.print(Text(one_line(f"In {folder}: {', '.join(there) or 'nothing'}")), soft_wrap=True)
    if not (files.map.exists() and files.report.exists()):
        console.print(Text(one_line(f"Map and report: mine-robot report {folder}")), soft_wrap=True)


def _figure(value: float | None, factor: float, unit: str, digits: int = 2) -> str:
    return "unknown" if value is None else f"{value * factor:.{digits}f} {unit}".strip()
