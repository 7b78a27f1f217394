"""One parameter swept over a recording: what a replay gives with each of its values."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mine_robot.core.parameters import ParameterError, ParameterSpec
from mine_robot.pipeline.loading import LoadError, overlay

VALUES_MAX = 200
FIGURES = ("targets", "suspects", "searched_m2", "gaps_m2")
SCORES = ("n_found", "n_false_alarms", "pd", "pd_low", "pd_high", "false_alarms_per_m2", "position_rmse_m")
PANELS = {  # figures that share a panel of the plot
    "targets": ("targets", "suspects"),
    "m²": ("searched_m2",),
    "hazards found": ("n_found",),
    "false alarms": ("n_false_alarms",),
    "position RMSE / m": ("position_rmse_m",),
}
Row = Mapping[str, Any]


def sweep_values(spec: ParameterSpec, text: str) -> list[float]:
    """The values of a range ``a:b:n``: n from a to b, both included; every one must be allowed by ``spec``.

    Raises :class:`LoadError` with one line.
    """
    if spec.is_list or spec.kind not in (int, float):
        raise LoadError(f"'{spec.name}' is a {spec.type_name}: only a number can be swept")
    parts = text.split(":")
    try:
        first, last, count = float(parts[0]), float(parts[1]), int(parts[2])
    except (ValueError, IndexError):
        parts = []
    if len(parts) != 3 or not (math.isfinite(first) and math.isfinite(last)):
        raise LoadError(f"--range {text}: must look like FIRST:LAST:COUNT, e.g. 2:4:5")
    if first == last or not 2 <= count <= VALUES_MAX:
        raise LoadError(f"--range {text}: must have two different ends and 2 to {VALUES_MAX} values")
    values = [float(f"{value:.6g}") for value in np.linspace(first, last, count)]
    if spec.kind is int:
        if any(value != int(value) for value in values):
            raise LoadError(f"--range {text}: '{spec.name}' takes whole numbers, got {values}")
        values = [int(value) for value in values]
    try:
        return [spec.check(value) for value in values]
    except ParameterError as error:
        raise LoadError(f"--range {text}: {error}") from None


def row_of(value: float, summary: Row) -> dict[str, Any]:
    """One line of the table from the summary of a replay."""
    score = summary.get("score") or {}
    return {
        "value": value,
        **{key: summary.get(key) for key in FIGURES},
        **{key: score[key] for key in SCORES if score.get(key) is not None},
    }


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write one line a value; columns that no value has are left out."""
    columns = [key for key in ("value", *FIGURES, *SCORES) if any(row.get(key) is not None for row in rows)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_overlay(path: Path, nodes: Sequence[str], key: str, value: float, present: float) -> None:
    """Write a parameter file with the one value, to be laid over the others with ``--params``; no ``nodes`` stand for all."""
    path.write_text(overlay(key, value, nodes, f"{key}: {present:g} -> {value:g}"), encoding="utf-8")


def draw_effect(path: Path, name: str, unit: str, rows: Sequence[Row], present: float) -> None:
    """Plot every figure over the value; the dashed line is the value in force."""
    from matplotlib.figure import Figure  # takes a second to import

    panels = {
        label: [key for key in keys if all(row.get(key) is not None for row in rows)] for label, keys in PANELS.items()
    }
    panels = {label: keys for label, keys in panels.items() if keys}
    figure = Figure(figsize=(7.0, 1.0 + 1.9 * len(panels)), layout="constrained")
    for i, (label, keys) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(len(panels), 1, i)
        for key, marker in zip(keys, "os"):
            axes.plot([row["value"] for row in rows], [row[key] for row in rows], marker=marker, label=key)
        axes.axvline(present, linestyle="--", color="#777777", linewidth=1.0)
        axes.set(ylabel=label)
        axes.grid(alpha=0.3)
        if len(keys) > 1:
            axes.legend(fontsize=8)
        if i == len(panels):
            axes.set(xlabel=f"{name} / {unit}" if unit else name)
    figure.savefig(path, dpi=110)
