"""``mine-robot tune``: replays of one recording with many values of one parameter, on all cores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mine_robot.bringup.replaying import ReplayOptions, progress_bar
from mine_robot.bringup.saving import filling, saving
from mine_robot.bringup.workers import workers
from mine_robot.core.parameters import specs
from mine_robot.pipeline.loading import LoadError
from mine_robot.pipeline.parameters import NODE_PARAMETERS
from mine_robot.records.log_source import LogSource
from mine_robot.records.log_topics import find_topics
from mine_robot.records.replay import REPLAYS
from mine_robot.records.tune import draw_effect, row_of, sweep_values, write_overlay, write_table
from mine_robot.ros.topics import ODOMETRY

REPLAYED_NODES = ("localization", "detector", "planner")


@dataclass(frozen=True)
class Sweep:
    """What is swept: a parameter as given, the nodes that have it (none: all), its key, unit, values, and the value in force."""

    name: str
    nodes: tuple[str, ...]
    key: str
    unit: str
    values: tuple[float, ...]
    present: float
    only: str

    @property
    def all_values(self) -> list[float]:
        """The values, and the one in force if it is none of them: what it gives is what the others are judged by."""
        return sorted({*self.values, self.present})


def plan_sweep(options: ReplayOptions, name: str, text: str) -> Sweep:
    """Check everything before the first replay; raises :class:`LoadError` and :class:`RecordError` with one line."""
    request = options.request(Path())
    nodes, key = request.parameters.find(name)
    replayed = [node for node in REPLAYED_NODES if node in nodes]
    if not replayed:
        raise LoadError(
            f"'{name}' belongs to {', '.join(nodes)}: a replay runs {', '.join(REPLAYED_NODES)}, nothing would change"
        )
    spec = next(spec for spec in specs(NODE_PARAMETERS[replayed[0]]) if spec.name == key)
    values = sweep_values(spec, text)
    flat = request.parameters.nodes[replayed[0]]
    present = flat.get(key, spec.default)
    with LogSource(request.log) as source:
        posed = bool(find_topics(source.topics, request.remap, (ODOMETRY,), source.first))
    shared = set(REPLAYED_NODES) <= set(nodes)
    only = "detection" if posed and "localization" not in nodes else "all"
    return Sweep(name, () if shared else tuple(nodes), key, spec.unit, tuple(values), spec.check(present), only)


def tune(options: ReplayOptions, name: str, text: str, out: Path, console: Console, dask: str = "") -> None:
    """Sweep, and write ``tune.csv``, ``tune.png``, and for each value a folder with its replay and an overlay for ``--params``.

    ``dask`` is where the replays run, as :func:`~mine_robot.bringup.workers.workers` takes it.
    """
    sweep = plan_sweep(options, name, text)
    given = (options.log, *options.params, options.urdf, options.field, options.priors)
    with filling(out, "tune", given), saving(out):
        out.mkdir(parents=True, exist_ok=True)
        values = sweep.all_values
        rows = []
        with progress_bar(console) as tell, workers(dask) as spread:
            for row in spread(partial(replay_value, options, sweep, out), values):
                rows.append(row)
                tell(f"{len(values)} replays", len(rows) / len(values))
        write_table(out / "tune.csv", rows)
        draw_effect(out / "tune.png", sweep.name, sweep.unit, rows, sweep.present)
        for value in values:
            write_overlay(overlay_path(out, value), sweep.nodes, sweep.key, value, sweep.present)
    console.print(_table(sweep, rows))
    console.print(f"{out / 'tune.csv'}, {out / 'tune.png'}", highlight=False, soft_wrap=True, markup=False)
    example = overlay_path(out, next(value for value in values if value != sweep.present))
    console.print(
        f"take a value over: mine-robot run FIELD.geojson --params {example}", highlight=False, soft_wrap=True
    )


def overlay_path(out: Path, value: float) -> Path:
    """The parameter file with ``value``."""
    return out / f"overlay_{value:g}.yaml"


def replay_value(options: ReplayOptions, sweep: Sweep, out: Path, value: float) -> dict[str, Any]:
    """Replay with one value; returns its row."""
    request = replace(options.request(out / f"{value:g}"), pictures=False)
    request.parameters.set(sweep.name, value)
    return row_of(value, REPLAYS[sweep.only](request).summary)


def _table(sweep: Sweep, rows: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(title=f"{sweep.name}, in force {sweep.present:g} {sweep.unit}".rstrip(), title_justify="left")
    rows = list(rows)
    columns = [key for key in rows[0] if key not in ("pd_low", "pd_high") and rows[0][key] is not None]
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        style = "bold" if row["value"] == sweep.present else ""
        table.add_row(*(_figure(row.get(column)) for column in columns), style=style)
    return table


def _figure(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
