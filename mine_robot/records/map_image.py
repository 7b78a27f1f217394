"""``map.png``: the run on one A4 page, landscape.

Symbols follow GICHD where it has them: the hazardous area is red, half transparent, with a red outline. What was
searched is blue, so that the two are told apart without red and green. Everything that carries meaning by colour
carries it by shape or hatching too.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle, PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import MultipleLocator
from shapely import MultiPolygon
from shapely.geometry.base import BaseGeometry

from mine_robot.core.priors import RASTER
from mine_robot.core.types import Array, MarkStatus, NavState, Target
from mine_robot.coverage.gaps import gap_area
from mine_robot.records.audit import AuditResult
from mine_robot.records.ground import NOT_SEARCHED
from mine_robot.records.language import DEFAULT, Language, language
from mine_robot.records.map_furniture import (
    EDGED,
    HALO,
    HAZARD,
    INK,
    MARK,
    NO_GO,
    PRIOR,
    SAFE,
    SEARCHED,
    SEARCHED_ALPHA,
    TARGET,
    TARGET_SHAPES,
    TRACK,
    add_panel,
    north_arrow,
    round_length,
    scale_bar,
)
from mine_robot.records.marks import Mark
from mine_robot.records.run_data import RunData
from mine_robot.records.text import datum_text

SIZE = (11.69, 8.27)  # inches, A4 landscape
AXES = (0.055, 0.075, 0.665, 0.895)  # left, bottom, width, height, shares of the page
DPI = 160
MAX_TRACK_POINTS = 6000
MAX_LABELS = 60


def draw_map(path: Path, run: RunData, audit: AuditResult | None, code: str = DEFAULT) -> None:
    """Draw the map of ``run`` into a PNG in the language ``code``; ``audit`` adds the ground rolled over without proof, if there is any."""
    t = language(code)
    figure = Figure(figsize=SIZE, dpi=DPI, facecolor="white")
    axes = figure.add_axes(AXES)
    _frame(axes, run, t)
    _areas(axes, run)
    if audit is not None:
        _unsafe(axes, audit)
    _track(axes, run.log.nav)
    _targets(axes, run, t)
    scale_bar(axes)
    north_arrow(axes)
    add_panel(figure, run, audit, t)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name may hold characters that the font lacks: they show as boxes
        FigureCanvasAgg(figure).print_png(str(path))


def _frame(axes: Axes, run: RunData, t: Language) -> None:
    """Equal axes in metres about the field, with a grid."""
    west, south, east, north = run.field.bounds
    margin = max(0.06 * max(east - west, north - south), 1.0)
    south -= 0.6 * margin  # room for the scale bar
    page = AXES[3] * SIZE[1] / (AXES[2] * SIZE[0])
    width = max(east - west + 2.0 * margin, (north - south + 2.0 * margin) / page)
    axes.set_xlim(0.5 * (west + east - width), 0.5 * (west + east + width))
    axes.set_ylim(0.5 * (south + north - page * width), 0.5 * (south + north + page * width))
    axes.set_aspect("equal", adjustable="box")
    step = round_length(max(east - west, north - south) / 8.0)
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.yaxis.set_major_locator(MultipleLocator(step))
    axes.grid(color="#B8B8B8", linewidth=0.4, zorder=0)
    axes.tick_params(labelsize=7, colors=INK, length=2)
    for spine in axes.spines.values():
        spine.set_linewidth(0.6)
    caption = t("axes.east", step=f"{step:g}", datum=datum_text(run.field.datum, t))
    axes.set_xlabel(caption, fontsize=7.5, color=INK)
    axes.set_ylabel(t("axes.north"), fontsize=7.5, color=INK)


def _areas(axes: Axes, run: RunData) -> None:
    field, ground = run.field, run.ground
    _fill(axes, field.safe, facecolor=SAFE, alpha=0.22, linewidth=0.0, zorder=1)
    _fill(axes, field.safe, facecolor="none", edgecolor=SAFE, linewidth=1.0, zorder=2)
    _fill(axes, field.hazard.difference(ground.searched), facecolor=HAZARD, alpha=0.22, linewidth=0.0, zorder=1)
    _fill(axes, ground.searched, facecolor=SEARCHED, alpha=SEARCHED_ALPHA, linewidth=0.0, zorder=1)
    for hatch, excused in (("////", True), ("....", False)):
        gaps = MultiPolygon([gap_area(gap) for gap in ground.gaps if (gap.reason != NOT_SEARCHED) == excused])
        _fill(axes, gaps, facecolor="none", edgecolor=HAZARD, hatch=hatch, linewidth=0.0, alpha=0.65, zorder=2)
    for suspicion in run.priors.suspicions:
        if suspicion.role != RASTER:
            _fill(axes, suspicion.extent, facecolor="none", edgecolor=PRIOR, linestyle="--", linewidth=1.1, zorder=5)
    _fill(axes, field.no_go, facecolor="none", edgecolor=NO_GO, hatch="xx", linewidth=1.0, zorder=3)
    _fill(axes, field.hazard, facecolor="none", edgecolor=HAZARD, linewidth=1.8, alpha=0.85, zorder=4)


def _fill(axes: Axes, geometry: BaseGeometry, **style: Any) -> None:
    """Draw the polygons of ``geometry`` with their holes, as one patch: a thousand of them take their time."""
    rings = shapely.get_rings([part for part in shapely.get_parts(geometry) if part.geom_type == "Polygon"])
    if len(rings):
        outlines = [Outline(shapely.get_coordinates(ring), closed=True) for ring in rings]
        axes.add_patch(PathPatch(Outline.make_compound_path(*outlines), **style))


def _track(axes: Axes, nav: Sequence[NavState]) -> None:
    """The way of ``base_link``, thinned for the eye, its start and its end."""
    points: Array = np.array([state.position[:2] for state in nav[:: max(1, len(nav) // MAX_TRACK_POINTS)]]).reshape(
        -1, 2
    )
    points = points[np.all(np.isfinite(points), axis=1)]
    if not len(points):
        return
    axes.plot(points[:, 0], points[:, 1], color=TRACK, linewidth=0.55, alpha=0.75, zorder=5)
    axes.plot(
        *points[0], "o", markersize=6.5, markerfacecolor="white", markeredgecolor=TRACK, markeredgewidth=1.5, zorder=9
    )
    axes.plot(*points[-1], "o", markersize=3.5, color=TRACK, zorder=9)


def _unsafe(axes: Axes, audit: AuditResult) -> None:
    """Ground driven on without proof, cell by cell."""
    if audit.unsafe.any():
        raster = audit.raster
        image = np.zeros((*raster.shape, 4), dtype=np.uint8)
        image[audit.unsafe, 3] = 255
        east, north = raster.x0 + raster.columns * raster.resolution, raster.y0 + raster.rows * raster.resolution
        limits = axes.get_xlim(), axes.get_ylim()
        axes.imshow(
            image, extent=(raster.x0, east, raster.y0, north), origin="lower", zorder=6, interpolation="nearest"
        )
        axes.set(xlim=limits[0], ylim=limits[1])


def _targets(axes: Axes, run: RunData, t: Language) -> None:
    """Targets with halo and label, marks over them; labels dodge the ones before."""
    suspects = run.suspects()
    halos = [Circle((target.x, target.y), run.limits.halo_radius) for target in suspects]
    axes.add_collection(PatchCollection(halos, facecolor=HALO, alpha=0.35, linewidth=0.0, zorder=6))
    axes.add_collection(PatchCollection(halos, facecolor="none", edgecolor=HALO, linewidth=1.2, zorder=6))
    for target in run.placed_targets():
        is_suspect = target in suspects
        size, color = (4.5, TARGET) if is_suspect else (3.0, "#777777")
        shape = TARGET_SHAPES[target.kind]
        axes.plot(target.x, target.y, shape, markersize=size, color=color, markeredgewidth=1.0, zorder=10)
    for x, y in run.field.known_targets:
        axes.plot(x, y, "P", markersize=6, color=HAZARD, markeredgecolor="white", markeredgewidth=0.6, zorder=10)
    for mark in run.outcome.marks.values():
        _mark(axes, mark)
    _labels(axes, suspects[:MAX_LABELS], t)


def _mark(axes: Axes, mark: Mark) -> None:
    if mark.placed:
        line = "-" if mark.status is MarkStatus.CONFIRMED else ":"
        (ring,) = axes.plot(mark.x, mark.y, "o", markersize=12, markerfacecolor="none", markeredgecolor=MARK, zorder=9)
        ring.set_markeredgewidth(2.0)
        ring.set_path_effects(EDGED)
        if line == ":":
            ring.set_markeredgewidth(1.0)
            axes.text(mark.x, mark.y, "?", fontsize=9, color=MARK, weight="bold", ha="right", va="bottom", zorder=11)


def _labels(axes: Axes, targets: Sequence[Target], t: Language) -> None:
    """Number, class and probability beside each suspect, above or below where a neighbour is near."""
    placed: list[tuple[float, float]] = []
    low, high = axes.get_ylim()
    line = 0.016 * (high - low)
    for target in sorted(targets, key=lambda one: (-one.y, one.x)):
        y = target.y
        while any(abs(y - other_y) < line and abs(target.x - other_x) < 10.0 * line for other_x, other_y in placed):
            y -= line
        placed.append((target.x, y))
        if y < target.y:
            axes.plot([target.x, target.x + line], [target.y, y], color=INK, linewidth=0.5, zorder=11)
        axes.annotate(
            f"{target.id}  {t.kind(target.kind)}  {target.p_hazard:.2f}",
            (target.x, y),
            xytext=(9, 0),
            textcoords="offset points",
            fontsize=6,
            color=INK,
            va="center",
            zorder=12,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75},
        )
