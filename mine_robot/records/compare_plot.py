"""Picture of a comparison: both target lists on one map, and the ROC where the truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from mine_robot.records.compare import Result
    from mine_robot.records.roc import Listed, RocPoint

OLD, NEW = "#b36200", "#00497a"  # told apart in grey, too


def draw_comparison(
    path: Path,
    new: Result,
    old: Result,
    difference: Mapping[str, Any],
    curves: Mapping[str, Sequence[RocPoint]],
) -> None:
    """Write the picture: open squares are the old targets, filled discs the new ones."""
    figure = Figure(figsize=(11.0 if curves else 6.5, 5.5), layout="constrained")
    plan = figure.add_subplot(1, 2 if curves else 1, 1)
    if len(new.track):
        plan.plot(*new.track[:, 1:].T, color="#cccccc", linewidth=0.6, zorder=0)
    plan.scatter(*_places(old.targets), s=90.0, marker="s", facecolors="none", edgecolors=OLD, label="old")
    plan.scatter(*_places(new.targets), s=25.0, color=NEW, label="new")
    for key, targets, sign in (("gained", new.targets, "+"), ("lost", old.targets, "−")):
        ids = {target["id"] for target in difference[key]}
        _name(plan, [target for target in targets if target.id in ids], sign)
    plan.set(xlabel="east / m", ylabel="north / m", title="Targets (+ gained, − lost)", aspect="equal")
    plan.legend(loc="best", fontsize=8)
    if curves:
        _draw_roc(figure.add_subplot(1, 2, 2), curves)
    figure.savefig(path, dpi=110)


def _places(targets: Sequence[Listed]) -> tuple[list[float], list[float]]:
    return [target.east for target in targets], [target.north for target in targets]


def _name(axes: Any, targets: Sequence[Listed], sign: str) -> None:
    for target in targets:
        axes.annotate(f"{sign}{target.id}", (target.east, target.north), (6, 6), textcoords="offset points", fontsize=9)


def _draw_roc(axes: Any, curves: Mapping[str, Sequence[RocPoint]]) -> None:
    for name, color, style in (("old", OLD, "--"), ("new", NEW, "-")):
        points = [(0, 0), *((point.false_alarms, point.found) for point in curves[name])]
        axes.step(*zip(*points), where="post", color=color, linestyle=style, marker=".", label=name)
    axes.set(xlabel="false alarms", ylabel="hazards found", title="ROC (ends where the lists end)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=8)
