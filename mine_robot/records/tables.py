"""The tables of a run: ``trajectory.csv`` and ``targets.csv``."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mine_robot.core.geodesy import Datum
from mine_robot.core.text import harmless, writable
from mine_robot.core.types import NavState, Target
from mine_robot.records.geojson import position
from mine_robot.records.marks import Mark

TRAJECTORY_COLUMNS = (
    "t", "lat", "lon", "h", "east", "north", "up", "roll", "pitch", "yaw", "sigma_e", "sigma_n", "sigma_yaw",
)  # fmt: skip
TARGET_COLUMNS = ("id", "lat", "lon", "east", "north", "depth_m", "sigma_m", "p_hazard", "class", "llr_gpr", "llr_md")
MARK_COLUMNS = ("mark", "mark_lat", "mark_lon", "mark_error_m")


def write_trajectory(path: Path, datum: Datum, nav: Sequence[NavState]) -> None:
    """Write the estimated poses of ``base_link``: degrees WGS-84, m, rad; ``t`` in s."""
    position = np.array([state.position for state in nav]).reshape(-1, 3)
    rpy = np.array([state.rpy for state in nav]).reshape(-1, 3)
    variance = np.array([np.diagonal(state.covariance)[[0, 1, 5]] for state in nav]).reshape(-1, 3)
    lon, lat, height = datum.to_wgs84(position[:, 0], position[:, 1], position[:, 2]).T
    sigma = np.sqrt(np.maximum(variance, 0.0))
    t = np.array([state.t for state in nav])
    rows = np.column_stack([t, lat, lon, height, position, rpy, sigma]) if len(nav) else np.empty((0, 13))
    formats = ["%.3f", "%.9f", "%.9f", "%.4f", *["%.4f"] * 3, *["%.6f"] * 3, "%.4f", "%.4f", "%.6f"]
    np.savetxt(path, rows, formats, delimiter=",", header=",".join(TRAJECTORY_COLUMNS), comments="")


def write_targets(path: Path, datum: Datum, targets: Sequence[Target], marks: Mapping[int, Mark]) -> None:
    """Write one row a target, with the mark on it: ``mark`` is empty, ``requested`` or the outcome."""
    rows = [[*_target_cells(datum, target), *_mark_cells(datum, target, marks.get(target.id))] for target in targets]
    write_csv(path, (*TARGET_COLUMNS, *MARK_COLUMNS), rows)


def write_found_targets(path: Path, datum: Datum | None, targets: Sequence[Target]) -> None:
    """Write one row a target of a replay, which marks nothing; without a datum latitude and longitude stay empty."""
    write_csv(path, TARGET_COLUMNS, [_target_cells(datum, target) for target in targets])


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table for people and spreadsheets: no text in it is a formula, whoever wrote it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: Any) -> Any:
    return harmless(writable(value)) if isinstance(value, str) else value


def _target_cells(datum: Datum | None, target: Target) -> list[str]:
    lat, lon = position(datum, target.x, target.y) if datum is not None else (math.nan, math.nan)
    return [
        str(target.id),
        number(lat, 9),
        number(lon, 9),
        number(target.x, 3),
        number(target.y, 3),
        number(target.depth, 3),
        number(max(target.sigma_x, target.sigma_y), 3),
        number(target.p_hazard, 4),
        target.kind.name.lower(),
        number(target.llr_gpr, 2),
        number(target.llr_md, 2),
    ]


def _mark_cells(datum: Datum, target: Target, mark: Mark | None) -> list[str]:
    if mark is None:
        return ["", "", "", ""]
    if not mark.placed:
        return [mark.state, "", "", ""]
    lat, lon = position(datum, mark.x, mark.y)
    return [mark.state, f"{lat:.9f}", f"{lon:.9f}", f"{math.hypot(mark.x - target.x, mark.y - target.y):.3f}"]


def number(value: float, decimals: int) -> str:
    """``value`` with a fixed number of decimals, empty where it is unknown."""
    return f"{value:.{decimals}f}" if math.isfinite(value) else ""
