"""From the command line of ``mine-robot replay`` to a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from mine_robot.bringup.resources import resource
from mine_robot.bringup.saving import filling
from mine_robot.core.field import Field
from mine_robot.core.priors import NO_PRIORS, Prior
from mine_robot.core.robot import Robot
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_field, load_robot
from mine_robot.pipeline.priors import load_priors
from mine_robot.records.compare import compare_folders, read_result
from mine_robot.records.errors import RecordError
from mine_robot.records.log_source import LogSource
from mine_robot.records.log_topics import LINKS, REPLAYED, find_topics
from mine_robot.records.replay import REPLAYS
from mine_robot.records.replay_request import ReplayRequest
from mine_robot.records.run_directory import RunDirectory


@dataclass(frozen=True)
class ReplayOptions:
    """The options of ``mine-robot replay`` and ``tune`` as they were given."""

    log: Path
    params: Sequence[Path] = ()
    settings: Sequence[str] = ()
    urdf: Path | None = None
    field: Path | None = None
    remap: Sequence[str] = ()
    priors: Path | None = None

    def request(self, out: Path) -> ReplayRequest:
        """The request they stand for; a log in a run directory comes with the field, robot and parameters of the run.

        Raises :class:`LoadError` and :class:`RecordError` with one line each.
        """
        run = run_of(self.log)
        field = self.field or (run.copied("field") if run is not None else None)
        area = load_field(field, recorded=self.field is None) if field else None
        return ReplayRequest(
            self.log,
            out,
            self.parameters(run),
            self._robot(run),
            dict(_pair(text) for text in self.remap),
            area,
            run,
            prior=self._prior(run, area),
        )

    def _prior(self, run: RunDirectory | None, area: Field | None) -> Prior:
        """The priors given, or else those of the run."""
        path = self.priors or (run.priors if run is not None and run.priors.is_file() else None)
        if path is None:
            return NO_PRIORS
        if area is None:
            raise LoadError(f"{path}: priors need the field of the log: give --field")
        return load_priors(path, area)

    def parameters(self, run: RunDirectory | None) -> ParameterFiles:
        """``config/robot.yaml``, the run's parameters, the files given and the single values, each over the ones before."""
        recorded = run.copied("parameters") if run is not None else None
        files = ParameterFiles([resource("config/robot.yaml"), *([recorded] if recorded else []), *self.params])
        for text in self.settings:
            files.assign(text)
        return files

    def _robot(self, run: RunDirectory | None) -> Robot:
        recorded = run.copied("urdf") if run is not None else None
        path = self.urdf or recorded or resource("urdf/mine_robot.urdf.xacro")
        return load_robot(path) if self.urdf is None else load_robot(path, self._links())

    def _links(self) -> list[str]:
        """The frames of the sensors that the log holds."""
        with LogSource(self.log) as source:
            topics = find_topics(source.topics, dict(map(_pair, self.remap)), REPLAYED, source.first)
        return [LINKS[topic] for topic in topics.values() if topic in LINKS]


def run_of(log: Path) -> RunDirectory | None:
    """The run directory that is, or holds, ``log``; None for other recordings."""
    for folder in (log, log.parent):
        if RunDirectory(folder).run.is_file():
            return RunDirectory(folder)
    return None


def replay_log(
    options: ReplayOptions, out: Path, only: str, compare: Path | None, console: Console
) -> tuple[bool, tuple[str, ...]]:
    """Replay into ``out`` with a progress bar and compare with ``compare``; returns whether there is a result, and lines to show."""
    if only not in REPLAYS:
        raise LoadError(f"--only {only}: must be one of {', '.join(REPLAYS)}")
    request = options.request(out)
    if request.run is not None and out.resolve() == request.run.path.resolve():
        raise RecordError(f"--out {out}: is the run itself, whose records would be overwritten; give another folder")
    if compare is not None:
        read_result(compare)  # a wrong folder is told before the work, not after it
    given = (options.log, *options.params, options.urdf, options.field, options.priors, compare)
    with filling(out, "replay", given), progress_bar(console) as tell:
        result = REPLAYS[only](replace(request, tell=tell, ahead=True))
    if compare is None or not result.summary:
        return result.complete, result.lines
    return result.complete, (*result.lines, *compare_folders(out, compare, request.run))


@contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[str, float], None]]:
    """Bars on a terminal, one a part of the work; elsewhere nothing."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(part: str, share: float) -> None:
            for earlier in tasks:
                if earlier != part:
                    bars.update(tasks[earlier], completed=1.0)
            if part not in tasks:
                tasks[part] = bars.add_task(part, total=1.0)
            bars.update(tasks[part], completed=share)

        yield tell


def _pair(text: str) -> tuple[str, str]:
    source, sign, target = text.partition(":=")
    if not (source and sign and target):
        raise LoadError(f"--remap {text}: must look like FROM:=TO")
    return source, target
