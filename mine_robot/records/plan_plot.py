"""The plan as a picture: lanes in driving order by colour over the field."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely import Polygon

from mine_robot.core.field import Field
from mine_robot.core.robot import Robot
from mine_robot.core.types import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"hazard": "#f4a718", "safe": "#9fd39f", "no_go": "#555555", "gap": "#d7191c"}
TITLE_WIDTH = 80  # characters
SCALE_LENGTHS_M = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def plot_plan(plan: Plan, field: Field, robot: Robot, path: Path | str) -> None:
    """Draw ``plan`` on ``field`` into the image file ``path`` (PNG, SVG, PDF by its suffix)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 9.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw_field(axes, field)
    _draw_gaps(axes, plan)
    _draw_route(axes, plan, robot)
    axes.set_aspect("equal")
    west, south, east, north = field.bounds
    axes.set_xlim(west - 1.5, east + 1.5)
    axes.set_ylim(south - 2.2, north + 1.5)
    axes.set_xlabel("east of datum in m")
    axes.set_ylabel("north of datum in m")
    gaps = sum(gap.area for gap in plan.gaps)
    axes.set_title(
        f"{textwrap.fill(field.name, TITLE_WIDTH)} ({field.imsma_id[:TITLE_WIDTH] or 'no id'}): {field.area:.1f} m², "
        f"{plan.length:.0f} m in {plan.duration / 60.0:.1f} min, gaps {gaps:.2f} m²",
        parse_math=False,
    )
    _draw_scale(axes)
    axes.annotate("N", (0.97, 0.98), (0.97, 0.90), "axes fraction", ha="center", arrowprops={"arrowstyle": "-|>"})
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 0.9), frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


def _draw_field(axes: Axes, field: Field) -> None:
    layers = (
        (field.safe, "safe", "safe area"),
        (field.hazard, "hazard", "hazard area"),
        (field.no_go, "no_go", "no-go zone"),
    )
    for area, key, label in layers:
        for polygon in area.geoms:
            _fill(axes, polygon, COLOURS[key], 0.45, label)
            label = "_"
    if len(field.known_targets):
        axes.plot(*field.known_targets.T, "x", color="black", label="known target")


def _draw_gaps(axes: Axes, plan: Plan) -> None:
    label = "gap"
    for gap in plan.gaps:
        _fill(axes, Polygon(gap.rings[0], gap.rings[1:]), COLOURS["gap"], 0.8, label)
        label = "_"


def _fill(axes: Axes, polygon: Polygon, colour: str, alpha: float, label: str) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    polygon = shapely.orient_polygons(polygon)
    rings = [Outline(shapely.get_coordinates(ring), closed=True) for ring in (polygon.exterior, *polygon.interiors)]
    axes.add_patch(
        PathPatch(
            Outline.make_compound_path(*rings),
            facecolor=colour,
            edgecolor=colour,
            alpha=alpha,
            linewidth=1.0,
            label=label,
        )
    )


def _draw_route(axes: Axes, plan: Plan, robot: Robot) -> None:
    """Swept lanes as bands whose colour runs with the order of driving, other drives as thin lines."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    lanes = [step for step in plan.steps if step.sweep]
    colours = colormaps["viridis"]
    for number, step in enumerate(lanes):
        ahead, half = robot.sweep_ahead, robot.sweep_width / 2.0
        along = (ahead, ahead + step.length)
        corners = np.array([(along[0], -half), (along[1], -half), (along[1], half), (along[0], half)])
        colour = colours(number / max(1, len(lanes) - 1))
        axes.fill(*step.start.to_map(corners).T, facecolor=colour, alpha=0.3, edgecolor=colour, linewidth=0.4)
        if step.length > 2.0:
            x, y = step.start.to_map(np.array([along[0] + 0.5 * step.length, 0.0]))
            axes.text(x, y, str(number + 1), fontsize=7, ha="center")
    labels = {"sweep": "search", "forward": "forward without search", "reverse": "reverse"}
    for step in plan.steps:
        if step.is_pivot:
            continue
        key = "sweep" if step.sweep else "reverse" if step.reverse else "forward"
        style = {"sweep": ("-", "#1f3b73"), "forward": ("-", "#888888"), "reverse": (":", "#b03060")}[key]
        ends = (step.start.x, step.end.x), (step.start.y, step.end.y)
        axes.plot(*ends, style[0], color=style[1], linewidth=1.0, label=labels.pop(key, "_"))
    if plan.steps:
        axes.plot(plan.steps[0].start.x, plan.steps[0].start.y, "o", color="black", markersize=5, label="start")
    if lanes:
        scale = ScalarMappable(Normalize(1, max(2, len(lanes))), colours)
        axes.figure.colorbar(scale, ax=axes, label="lane, in driving order", shrink=0.5, location="bottom")


def _draw_scale(axes: Axes) -> None:
    low, high = axes.get_xlim()
    length = max(size for size in SCALE_LENGTHS_M if size <= max(1.0, (high - low) / 4.0))
    x, y = low + 0.04 * (high - low), axes.get_ylim()[0] + 0.03 * (high - low)
    axes.plot((x, x + length), (y, y), color="black", linewidth=3.0, solid_capstyle="butt", label="_")
    axes.text(x + length / 2.0, y, f"{length} m\n", ha="center", va="bottom", fontsize=8, linespacing=0.4)
