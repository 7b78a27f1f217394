"""What changed between two results: a replay and another one, or the run itself."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from mine_robot.core.json_text import to_json
from mine_robot.records.errors import RecordError
from mine_robot.records.roc import Listed, RocPoint, roc
from mine_robot.records.run_directory import RunDirectory, read_json
from mine_robot.records.scoring import read_world

SAME_M = 0.25  # two targets farther apart are not one object; the detector's own association
MOVED_M = 0.01
SAME_P = 5e-4  # the tables have four decimals


@dataclass(frozen=True)
class Result:
    """A folder's targets, its track (n, 3) of t, east, north, and its summary."""

    folder: Path
    targets: tuple[Listed, ...]
    track: np.ndarray
    summary: Mapping[str, Any]


def read_result(folder: Path) -> Result:
    """Read a run directory or the output of a replay; raises :class:`RecordError` if it is neither."""
    files = RunDirectory(folder)
    if not files.targets.is_file():
        raise RecordError(f"{folder} holds no result to compare with: it has no {files.targets.name}")
    summary = read_json(files.summary) if files.summary.is_file() else {}
    try:
        rows = _rows(files.targets, ("id", "east", "north", "p_hazard"))
        targets = tuple(Listed(int(row[0]), *row[1:]) for row in rows)
        track = _rows(files.trajectory, ("t", "east", "north")) if files.trajectory.is_file() else []
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{folder}: its tables cannot be read: {error!r}") from None
    return Result(folder, targets, np.array(track).reshape(-1, 3), summary)


def _rows(path: Path, columns: Sequence[str]) -> list[tuple[float, ...]]:
    """The named columns of a table; an empty cell is not known."""
    with path.open(newline="", encoding="utf-8") as file:
        return [tuple(float(row[name] or "nan") for name in columns) for row in csv.DictReader(file)]


def compare(new: Result, old: Result) -> dict[str, Any]:
    """The differences from ``old`` to ``new``, ready for JSON; targets are paired by place, the closest first."""
    pairs = _pairs(new.targets, old.targets)
    kept_new, kept_old = {a.id for a, _ in pairs}, {b.id for _, b in pairs}
    moves = [(a, b, math.hypot(a.east - b.east, a.north - b.north)) for a, b in pairs]
    difference: dict[str, Any] = {
        "with": str(old.folder),
        "gained": [a._asdict() for a in new.targets if a.id not in kept_new],
        "lost": [b._asdict() for b in old.targets if b.id not in kept_old],
        "moved": [_move(a, b, way) for a, b, way in moves if way > MOVED_M],
        "changed": [_move(a, b, way) for a, b, way in moves if abs(a.p_hazard - b.p_hazard) > SAME_P],
        "unchanged": sum(way <= MOVED_M and abs(a.p_hazard - b.p_hazard) <= SAME_P for a, b, way in moves),
        "searched_m2": [old.summary.get("searched_m2"), new.summary.get("searched_m2")],
        "area_m2": [old.summary.get("area_m2"), new.summary.get("area_m2")],
        "track_m": track_difference(new.track, old.track),
    }
    return {key: _known(value) for key, value in difference.items()}


def _known(value: Any) -> Any:
    """What is not finite is not known."""
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_known(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _pairs(new: Sequence[Listed], old: Sequence[Listed]) -> list[tuple[Listed, Listed]]:
    """Targets of both that are one object, in the order of the new list."""
    near = [(math.hypot(a.east - b.east, a.north - b.north), a.id, b.id) for a, b in product(new, old)]
    partner: dict[int, int] = {}
    for _, a_id, b_id in sorted(item for item in near if item[0] <= SAME_M):
        if a_id not in partner and b_id not in partner.values():
            partner[a_id] = b_id
    of_old = {target.id: target for target in old}
    return [(target, of_old[partner[target.id]]) for target in new if target.id in partner]


def _move(new: Listed, old: Listed, way: float) -> dict[str, Any]:
    return {"id": new.id, "was": old.id, "by_m": round(way, 3), "p_hazard": [old.p_hazard, new.p_hazard]}


def track_difference(new: np.ndarray, old: np.ndarray) -> dict[str, float] | None:
    """RMS and largest horizontal distance in m of two tracks (n, 3) at the instants both have; None if there are none."""
    _, i, j = np.intersect1d(new[:, 0], old[:, 0], return_indices=True)
    apart = np.hypot(*(new[i, 1:] - old[j, 1:]).T)
    apart = apart[np.isfinite(apart)]
    if not len(apart):
        return None
    return {"rms": round(float(np.sqrt(np.mean(apart**2))), 4), "largest": round(float(apart.max()), 4)}


def compare_folders(folder: Path, other: Path, run: RunDirectory | None) -> tuple[str, ...]:
    """Compare two results, write ``compare.json`` and ``compare.png`` into ``folder``, and say in lines what changed.

    The truth is that of ``run`` (the run of the log), or else of ``other`` if that is a run; without one there is no ROC.
    """
    from mine_robot.records.compare_plot import draw_comparison  # matplotlib takes a second to import

    new, old = read_result(folder), read_result(other)
    difference = compare(new, old)
    worlds = (read_world(directory.world) for directory in (run, RunDirectory(other)) if directory is not None)
    world = next((world for world in worlds if world is not None), None)
    curves = {name: roc(result.targets, world[0]) for name, result in (("old", old), ("new", new))} if world else {}
    if world is not None:
        difference["roc"] = {name: [point._asdict() for point in curve] for name, curve in curves.items()}
    (folder / "compare.json").write_text(to_json(difference, indent=2) + "\n", encoding="utf-8")
    draw_comparison(folder / "compare.png", new, old, difference, curves)
    return (*_lines(difference), *_roc_lines(curves), f"-> {folder / 'compare.json'}, {folder / 'compare.png'}")


def _lines(difference: Mapping[str, Any]) -> Iterator[str]:
    counts = ", ".join(f"{len(difference[key])} {key}" for key in ("gained", "lost", "moved", "changed"))
    yield f"against {difference['with']}: targets: {counts} in probability, {difference['unchanged']} as before"
    for key in ("gained", "lost"):
        for target in difference[key]:
            place = f"{_text(target['east'])} east, {_text(target['north'])} north"
            yield f"  {key} {target['id']}: {place}, p {_text(target['p_hazard'], 4)}"
    for move in difference["moved"]:
        yield f"  moved {move['was']} -> {move['id']}: by {move['by_m']:.3f} m"
    for move in difference["changed"]:
        was, now = move["p_hazard"]
        yield f"  changed {move['was']} -> {move['id']}: p {_text(was, 4)} -> {_text(now, 4)}"
    was, now = difference["searched_m2"]
    if was is not None and now is not None:
        yield f"searched {was:.2f} -> {now:.2f} m² ({now - was:+.2f})"
    if difference["track_m"] is not None:
        yield f"track: {difference['track_m']['rms']:.4f} m RMS apart, {difference['track_m']['largest']:.4f} m at most"


def _roc_lines(curves: Mapping[str, Sequence[RocPoint]]) -> Iterator[str]:
    """What each list reaches at its end, and what the new one costs to find as many as the old one."""
    for name, curve in curves.items():
        best = next((point for point in curve if point.found == max(p.found for p in curve)), None)
        if best is not None:
            yield f"ROC, {name}: {best.found} hazards with {best.false_alarms} false alarms from p {best.threshold:.4f} on"


def _text(value: float | None, digits: int = 2) -> str:
    return "not known" if value is None else f"{value:.{digits}f}"
