"""``map.png``: the run on one A4 page, landscape.

Symbols follow GICHD where it has them: the hazardous area is red, half transparent, with a red outline. What was searched is blue,
so that the two are told apart without red and green. Everything that carries meaning by colour carries it by shape or hatching too.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch, PathPatch, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.ticker import MultipleLocator
from shapely.geometry.base import BaseGeometry

from mine_robot.core.types import Array, MarkStatus, NavState, Target, TargetClass
from mine_robot.coverage.gaps import gap_area
from mine_robot.records.audit import AuditResult
from mine_robot.records.ground import NOT_SEARCHED
from mine_robot.records.marks import Mark
from mine_robot.records.run_data import RunData
from mine_robot.records.text import CLASS_NAMES, STATE_NAMES, clock, datum_text

SIZE = (11.69, 8.27)  # inches, A4 landscape
DPI = 160
HAZARD = "#FF0000"
SEARCHED = "#0072B2"
SAFE = "#7A8B7F"
NO_GO = "#333333"
HALO = "#CC79A7"
TARGET = "#1A1A1A"
MARK = "#E69F00"
UNSAFE = "#F0E442"
TRACK = "#10324A"
INK = "#222222"
TARGET_SHAPES = {
    TargetClass.UNKNOWN: "o",
    TargetClass.AP_MINIMUM_METAL: "v",
    TargetClass.AP_METAL: "^",
    TargetClass.AT: "s",
    TargetClass.ERW: "D",
    TargetClass.CLUTTER: "x",
}
MAX_TRACK_POINTS = 6000
MAX_LABELS = 60


def draw_map(path: Path, run: RunData, audit: AuditResult | None) -> None:
    """Draw the map of ``run`` into a PNG; ``audit`` adds the ground rolled over without proof, if there is any."""
    figure = Figure(figsize=SIZE, dpi=DPI, facecolor="white")
    axes = figure.add_axes((0.055, 0.085, 0.665, 0.845))
    _frame(axes, run)
    _areas(axes, run)
    if audit is not None and audit.unsafe.any():
        rows, columns = np.nonzero(audit.unsafe)
        axes.plot(audit.raster.samples[0][rows, columns], audit.raster.samples[1][rows, columns], ",", color="black", zorder=6)
        axes.plot(audit.raster.samples[0][rows, columns], audit.raster.samples[1][rows, columns], ",", color=UNSAFE, zorder=7)
    _track(axes, run.log.nav)
    _targets(axes, run)
    _scale_bar(axes)
    _north_arrow(axes)
    _panel(figure, run, audit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name may hold characters that the font lacks: they show as boxes
        FigureCanvasAgg(figure).print_png(str(path))


def _frame(axes: Axes, run: RunData) -> None:
    """Equal axes in metres about the field, with a grid."""
    west, south, east, north = run.field.bounds
    margin = max(0.06 * max(east - west, north - south), 1.0)
    axes.set_xlim(west - margin, east + margin)
    axes.set_ylim(south - 1.6 * margin, north + margin)
    axes.set_aspect("equal", adjustable="datalim")
    step = round_length(max(east - west, north - south) / 8.0)
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.yaxis.set_major_locator(MultipleLocator(step))
    axes.grid(color="#B8B8B8", linewidth=0.4, zorder=0)
    axes.tick_params(labelsize=7, colors=INK, length=2)
    for spine in axes.spines.values():
        spine.set_linewidth(0.6)
    axes.set_xlabel(f"east / m        grid {step:g} m, origin {datum_text(run.field.datum)}, local east-north", fontsize=7.5, color=INK)
    axes.set_ylabel("north / m", fontsize=7.5, color=INK)


def _areas(axes: Axes, run: RunData) -> None:
    field, ground = run.field, run.ground
    _fill(axes, field.safe, facecolor=SAFE, alpha=0.22, linewidth=0.0, zorder=1)
    _fill(axes, field.safe, facecolor="none", edgecolor=SAFE, linewidth=1.0, zorder=2)
    _fill(axes, field.hazard.difference(ground.searched), facecolor=HAZARD, alpha=0.22, linewidth=0.0, zorder=1)
    _fill(axes, ground.searched, facecolor=SEARCHED, alpha=0.28, linewidth=0.0, zorder=1)
    for gap in ground.gaps:
        hatch = "////" if gap.reason != NOT_SEARCHED else "...."
        _fill(axes, gap_area(gap), facecolor="none", edgecolor=HAZARD, hatch=hatch, linewidth=0.0, alpha=0.65, zorder=2)
    _fill(axes, field.no_go, facecolor="none", edgecolor=NO_GO, hatch="xx", linewidth=1.0, zorder=3)
    _fill(axes, field.hazard, facecolor="none", edgecolor=HAZARD, linewidth=1.8, alpha=0.85, zorder=4)


def _fill(axes: Axes, geometry: BaseGeometry, **style: object) -> None:
    """Draw the polygons of ``geometry`` with their holes."""
    for polygon in shapely.get_parts(geometry):
        if polygon.geom_type == "Polygon" and not polygon.is_empty:
            rings = [np.array(ring.coords)[:, :2] for ring in (polygon.exterior, *polygon.interiors)]
            outline = Outline.make_compound_path(*(Outline(ring, closed=True) for ring in rings))
            axes.add_patch(PathPatch(outline, **style))  # type: ignore[arg-type]


def _track(axes: Axes, nav: Sequence[NavState]) -> None:
    """The way of ``base_link``, thinned for the eye, its start and its end."""
    points = np.array([state.position[:2] for state in nav[:: max(1, len(nav) // MAX_TRACK_POINTS)]]).reshape(-1, 2)
    points = points[np.all(np.isfinite(points), axis=1)]
    if not len(points):
        return
    axes.plot(points[:, 0], points[:, 1], color=TRACK, linewidth=0.55, alpha=0.75, zorder=5)
    axes.plot(*points[0], "o", markersize=6.5, markerfacecolor="white", markeredgecolor=TRACK, markeredgewidth=1.5, zorder=9)
    axes.plot(*points[-1], "o", markersize=3.5, color=TRACK, zorder=9)


def _targets(axes: Axes, run: RunData) -> None:
    """Targets with halo and label, marks over them; labels dodge the ones before."""
    suspects = run.suspects()
    for target in run.outcome.targets:
        is_suspect = target in suspects
        if is_suspect:
            halo = (target.x, target.y)
            axes.add_patch(Circle(halo, run.limits.halo_radius, facecolor=HALO, alpha=0.35, linewidth=0.0, zorder=6))
            axes.add_patch(Circle(halo, run.limits.halo_radius, fill=False, edgecolor=HALO, linewidth=1.2, zorder=6))
        size, color = (4.5, TARGET) if is_suspect else (3.0, "#777777")
        shape = TARGET_SHAPES[target.kind]
        axes.plot(target.x, target.y, shape, markersize=size, color=color, markeredgewidth=1.0, zorder=10)
    for x, y in run.field.known_targets:
        axes.plot(x, y, "P", markersize=6, color=HAZARD, markeredgecolor="white", markeredgewidth=0.6, zorder=10)
    for mark in run.outcome.marks.values():
        _mark(axes, mark)
    _labels(axes, suspects[:MAX_LABELS])


def _mark(axes: Axes, mark: Mark) -> None:
    if mark.placed:
        line = "-" if mark.status is MarkStatus.CONFIRMED else ":"
        (ring,) = axes.plot(mark.x, mark.y, "o", markersize=12, markerfacecolor="none", markeredgecolor=MARK, zorder=9)
        ring.set_markeredgewidth(2.0)
        if line == ":":
            ring.set_markeredgewidth(1.0)
            axes.text(mark.x, mark.y, "?", fontsize=9, color=MARK, weight="bold", ha="right", va="bottom", zorder=11)


def _labels(axes: Axes, targets: Sequence[Target]) -> None:
    """Number, class and probability beside each suspect, above or below where a neighbour is near."""
    placed: list[tuple[float, float]] = []
    low, high = axes.get_ylim()
    line = 0.016 * (high - low)
    for target in sorted(targets, key=lambda one: (-one.y, one.x)):
        y = target.y
        while any(abs(y - other_y) < line and abs(target.x - other_x) < 10.0 * line for other_x, other_y in placed):
            y -= line
        placed.append((target.x, y))
        axes.annotate(
            f"{target.id}  {CLASS_NAMES[target.kind]}  {target.p_hazard:.2f}",
            (target.x, y),
            xytext=(9, 0),
            textcoords="offset points",
            fontsize=6,
            color=INK,
            va="center",
            zorder=12,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75},
        )


def round_length(length: float) -> float:
    """``length`` rounded to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(max(length, 1e-6)))
    return min((1.0, 2.0, 5.0, 10.0), key=lambda factor: abs(factor * power - length)) * power


def _visible(axes: Axes) -> tuple[Array, Array]:
    """Lower left corner and size of what the axes show, m; known only after the aspect is applied."""
    axes.apply_aspect()
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    return np.array([left, low]), np.array([right - left, high - low])


def _scale_bar(axes: Axes) -> None:
    corner, size = _visible(axes)
    length = round_length(0.18 * size[0])
    x, y = corner + 0.03 * size
    height = 0.008 * size[1]
    pad = 0.012 * size
    backing = Rectangle((x - pad[0], y - pad[1]), length + 4.2 * pad[0], 4.2 * pad[1], facecolor="white", alpha=0.8, zorder=13)
    axes.add_patch(backing)
    for i, color in enumerate((INK, "white")):
        part = Rectangle((x + 0.5 * i * length, y), 0.5 * length, height, facecolor=color, edgecolor=INK, linewidth=0.7)
        part.set_zorder(14)
        axes.add_patch(part)
    for at, text in ((0.0, "0"), (0.5, f"{0.5 * length:g}"), (1.0, f"{length:g} m")):
        axes.text(x + at * length, y + 1.7 * height, text, fontsize=7, ha="center", va="bottom", color=INK, zorder=14)


def _north_arrow(axes: Axes) -> None:
    style = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.6, "mutation_scale": 16}
    box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
    place = {"xycoords": "axes fraction", "textcoords": "axes fraction", "zorder": 14}
    axes.annotate("", xy=(0.965, 0.965), xytext=(0.965, 0.895), arrowprops=style, **place)
    axes.annotate("N", xy=(0.965, 0.88), xytext=(0.965, 0.88), fontsize=10, weight="bold", ha="center", va="center", bbox=box, **place)


def _panel(figure: Figure, run: RunData, audit: AuditResult | None) -> None:
    """Title, figures and legend on the right."""
    panel = figure.add_axes((0.735, 0.03, 0.255, 0.94))
    panel.set_axis_off()
    y = 0.985
    if run.simulated:
        panel.text(
            0.0,
            y,
            " SIMULATION – not a real clearance ",
            fontsize=10,
            weight="bold",
            color="white",
            va="top",
            bbox={"facecolor": "#B00000", "edgecolor": "none", "pad": 3.0},
        )
        y -= 0.05
    panel.text(0.0, y, _wrapped(run.field.name, 26), fontsize=14, weight="bold", va="top", color=INK, parse_math=False)
    y -= 0.036 * (1 + _wrapped(run.field.name, 26).count("\n")) + 0.008
    for text in _facts(run, audit):
        panel.text(0.0, y, text, fontsize=8, va="top", color=INK, parse_math=False)
        y -= 0.0235
    panel.legend(
        handles=_legend(run, audit),
        loc="lower left",
        bbox_to_anchor=(-0.03, 0.0),
        fontsize=7.5,
        frameon=False,
        labelspacing=0.62,
        handlelength=2.2,
        handleheight=1.2,
    )


def _wrapped(text: str, width: int, lines: int = 3) -> str:
    """``text`` broken to ``width`` characters and at most ``lines`` lines."""
    flat = " ".join(text.split())
    parts = [flat[i : i + width] for i in range(0, len(flat), width)] or [""]
    return "\n".join(parts[:lines]) + ("…" if len(parts) > lines else "")


def _facts(run: RunData, audit: AuditResult | None) -> list[str]:
    ground, outcome = run.ground, run.outcome
    confirmed = sum(mark.status is MarkStatus.CONFIRMED for mark in outcome.marks.values())
    proof = "not known: no track recorded" if audit is None else f"{audit.unsafe_ground_m2:.3f} m²"
    lines = [f"IMSMA ID  {run.field.imsma_id}"] if run.field.imsma_id else []
    started = run.started
    return [
        *lines,
        f"State  {STATE_NAMES[outcome.state]}",
        f"Date  {started:%Y-%m-%d %H:%M} UTC" if started else "Date  not recorded",
        f"Duration  {clock(outcome.duration_s)}",
        "",
        f"Hazardous area  {ground.hazard_m2:.2f} m²",
        f"Searched  {ground.searched_m2:.2f} m²  ({percent(ground.coverage)} of reachable)",
        f"Gaps  {ground.gaps_m2:.2f} m²",
        f"Suspect targets  {len(run.suspects())}",
        f"Marks  {confirmed} confirmed of {len(outcome.marks)}",
        f"Driven on unproven ground  {proof}",
    ]


def percent(share: float) -> str:
    """A share as percentage, rounded down: nothing is cleared by rounding."""
    return f"{math.floor(share * 1e4 + 1e-6) / 100.0:.2f} %"


def _legend(run: RunData, audit: AuditResult | None) -> list[Patch | Line2D]:
    ground = run.ground
    reasons = {gap.reason for gap in ground.gaps}
    handles: list[Patch | Line2D] = [
        Patch(facecolor="#FF000038", edgecolor=HAZARD, linewidth=1.6, label="hazardous area, not searched"),
        Patch(facecolor="#0072B247", edgecolor="none", label="searched"),
        Patch(facecolor="#7A8B7F38", edgecolor=SAFE, label="safe area"),
    ]
    if reasons - {NOT_SEARCHED}:
        handles.append(Patch(facecolor="none", edgecolor=HAZARD, hatch="////", linewidth=0, label="gap: halo, no-go, not reachable"))
    if NOT_SEARCHED in reasons:
        handles.append(Patch(facecolor="none", edgecolor=HAZARD, hatch="....", linewidth=0, label="gap: not searched"))
    if not run.field.no_go.is_empty:
        handles.append(Patch(facecolor="none", edgecolor=NO_GO, hatch="xx", label="no-go zone"))
    for kind in sorted({target.kind for target in run.outcome.targets}):
        name = f"target: {CLASS_NAMES[kind]}"
        handles.append(Line2D([], [], marker=TARGET_SHAPES[kind], color=TARGET, linestyle="", markersize=5, label=name))
    if run.suspects():
        radius = f"halo of a suspect, {run.limits.halo_radius:g} m"
        handles.append(Line2D([], [], marker="o", color=HALO, alpha=0.6, linestyle="", markersize=10, label=radius))
    if len(run.field.known_targets):
        handles.append(Line2D([], [], marker="P", color=HAZARD, linestyle="", markersize=6, label="known target"))
    states = {mark.status for mark in run.outcome.marks.values() if mark.placed}
    ring = {"marker": "o", "color": MARK, "markerfacecolor": "none", "linestyle": "", "markersize": 10}
    if MarkStatus.CONFIRMED in states:
        handles.append(Line2D([], [], markeredgewidth=2.0, label="mark, confirmed", **ring))  # type: ignore[arg-type]
    if MarkStatus.UNVERIFIED in states:
        handles.append(Line2D([], [], markeredgewidth=1.0, label="mark, unverified (?)", **ring))  # type: ignore[arg-type]
    if run.log.nav:
        handles.append(Line2D([], [], color=TRACK, linewidth=1.0, label="track of the robot"))
        start = {"marker": "o", "color": TRACK, "markerfacecolor": "white", "markeredgewidth": 1.5, "linestyle": ""}
        handles.append(Line2D([], [], markersize=7, label="start", **start))  # type: ignore[arg-type]
    if audit is not None and audit.unsafe.any():
        handles.append(Patch(facecolor=UNSAFE, edgecolor="black", label="driven on without proof"))
    return handles
