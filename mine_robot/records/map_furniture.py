"""Colours and symbols of the map, and what stands around it: scale bar, north arrow, figures and legend."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import AbstractPathEffect, withStroke

from mine_robot.core.priors import RASTER
from mine_robot.core.types import MarkStatus, TargetClass
from mine_robot.records.audit import AuditResult
from mine_robot.records.ground import NOT_SEARCHED
from mine_robot.records.language import Language
from mine_robot.records.run_data import RunData
from mine_robot.records.text import clock, moment, percent

HAZARD = "#FF0000"
SEARCHED, SEARCHED_ALPHA = "#0072B2", 0.45  # printed in black and white it is darker than what was not searched
SAFE = "#7A8B7F"
NO_GO = "#333333"
PRIOR = "#B07000"  # GICHD's orange of a suspected area, darker: it is a thin line
HALO = "#CC79A7"
TARGET = "#1A1A1A"
MARK = "#E69F00"
UNSAFE = "#000000"
TRACK = "#10324A"
INK = "#222222"
MAX_ID = 40  # characters of an identifier for which the panel has room
EDGED: list[AbstractPathEffect] = [
    withStroke(linewidth=3.4, foreground=INK)
]  # a mark's ring within its halo, for print in black and white
TARGET_SHAPES = {
    TargetClass.UNKNOWN: "o",
    TargetClass.AP_MINIMUM_METAL: "v",
    TargetClass.AP_METAL: "^",
    TargetClass.AT: "s",
    TargetClass.ERW: "D",
    TargetClass.CLUTTER: "x",
}


def round_length(length: float) -> float:
    """``length`` rounded to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(max(length, 1e-6)))
    return min((1.0, 2.0, 5.0, 10.0), key=lambda factor: abs(factor * power - length)) * power


def scale_bar(axes: Axes) -> None:
    """A bar of a round length at the lower left."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    corner, size = np.array([left, low]), np.array([right - left, high - low])
    length = round_length(0.18 * size[0])
    x, y = corner + 0.03 * size
    height = 0.008 * size[1]
    pad = 0.012 * size
    backing = Rectangle((x - pad[0], y - pad[1]), length + 4.2 * pad[0], 4.2 * pad[1], facecolor="white", alpha=0.8)
    backing.set_zorder(13)
    axes.add_patch(backing)
    for i, color in enumerate((INK, "white")):
        part = Rectangle((x + 0.5 * i * length, y), 0.5 * length, height, facecolor=color, edgecolor=INK, linewidth=0.7)
        part.set_zorder(14)
        axes.add_patch(part)
    for at, text in ((0.0, "0"), (0.5, f"{0.5 * length:g}"), (1.0, f"{length:g} m")):
        axes.text(x + at * length, y + 1.7 * height, text, fontsize=7, ha="center", va="bottom", color=INK, zorder=14)


def north_arrow(axes: Axes) -> None:
    """An arrow to the top, which is grid north, at the upper right."""
    style: dict[str, Any] = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.6, "mutation_scale": 16}
    place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "axes fraction", "zorder": 14}
    axes.annotate("", xy=(0.965, 0.965), xytext=(0.965, 0.895), arrowprops=style, **place)
    letter: dict[str, Any] = {"fontsize": 10, "weight": "bold", "ha": "center", "va": "center"}
    axes.text(0.965, 0.88, "N", transform=axes.transAxes, zorder=14, **letter)


def add_panel(figure: Figure, run: RunData, audit: AuditResult | None, t: Language) -> None:
    """Title, figures and legend on the right."""
    panel = figure.add_axes((0.735, 0.03, 0.255, 0.94))
    panel.set_axis_off()
    y = 0.985
    if run.simulated:
        panel.text(
            0.0,
            y,
            f" {t('simulation.map')} ",
            fontsize=10,
            weight="bold",
            color="white",
            va="top",
            bbox={"facecolor": "#B00000", "edgecolor": "none", "pad": 3.0},
        )
        y -= 0.05
    title = textwrap.wrap(run.field.name, 23, max_lines=3, placeholder=" …") or ["field"]
    panel.text(0.0, y, "\n".join(title), fontsize=14, weight="bold", va="top", color=INK, parse_math=False)
    y -= 0.036 * len(title) + 0.008
    for text in _facts(run, audit, t):
        panel.text(0.0, y, text, fontsize=8, va="top", color=INK, parse_math=False)
        y -= 0.0235
    panel.legend(
        handles=_legend(run, audit, t),
        loc="lower left",
        bbox_to_anchor=(-0.03, 0.0),
        fontsize=7.5,
        frameon=False,
        labelspacing=0.62,
        handlelength=2.2,
        handleheight=1.2,
    )


def _facts(run: RunData, audit: AuditResult | None, t: Language) -> list[str]:
    ground, outcome = run.ground, run.outcome
    confirmed = sum(mark.status is MarkStatus.CONFIRMED for mark in outcome.marks.values())
    proof = t("figure.no_track") if audit is None else f"{audit.unsafe_ground_m2:.3f} m²"
    lines = [f"{t('head.imsma')}  {run.field.imsma_id[:MAX_ID]}"] if run.field.imsma_id else []
    share = t("figure.reachable", share=percent(ground.coverage))
    return [
        *lines,
        f"{t('figure.state')}  {t.state(outcome.state)}",
        f"{t('figure.date')}  " + moment(run.started, t),
        f"{t('figure.duration')}  {clock(outcome.duration_s, t)}",
        "",
        f"{t('figure.area')}  {ground.hazard_m2:.2f} m²",
        f"{t('figure.searched')}  {ground.searched_m2:.2f} m²  {share}",
        f"{t('figure.gaps')}  {ground.gaps_m2:.2f} m²",
        f"{t('figure.suspects')}  {run.tally.suspects} / {run.tally.listed}",
        f"{t('figure.marks')}  {t('figure.confirmed', confirmed=confirmed, all=len(outcome.marks))}",
        f"{t('figure.unsafe')}  {proof}",
    ]


def _legend(run: RunData, audit: AuditResult | None, t: Language) -> list[Patch | Line2D]:
    ground = run.ground
    reasons = {gap.reason for gap in ground.gaps}
    handles: list[Patch | Line2D] = [
        Patch(facecolor="#FF000038", edgecolor=HAZARD, linewidth=1.6, label=t("legend.hazard")),
        Patch(facecolor=to_rgba(SEARCHED, SEARCHED_ALPHA), edgecolor="none", label=t("legend.searched")),
        Patch(facecolor="#7A8B7F38", edgecolor=SAFE, label=t("legend.safe")),
    ]
    if reasons - {NOT_SEARCHED}:
        label = t("legend.gap")
        handles.append(Patch(facecolor="none", edgecolor=HAZARD, hatch="////", linewidth=0, label=label))
    if NOT_SEARCHED in reasons:
        handles.append(
            Patch(facecolor="none", edgecolor=HAZARD, hatch="....", linewidth=0, label=t("legend.not_searched"))
        )
    if not run.field.no_go.is_empty:
        handles.append(Patch(facecolor="none", edgecolor=NO_GO, hatch="xx", label=t("legend.no_go")))
    if any(suspicion.role != RASTER for suspicion in run.priors.suspicions):
        handles.append(Patch(facecolor="none", edgecolor=PRIOR, linestyle="--", label=t("legend.prior")))
    for kind in sorted({target.kind for target in run.outcome.targets}):
        name = t("legend.target", kind=t.kind(kind))
        handles.append(Line2D([], [], marker=TARGET_SHAPES[kind], color=TARGET, linestyle="", markersize=5, label=name))
    if run.suspects():
        radius = t("legend.halo", radius=f"{run.limits.halo_radius:g}")
        handles.append(Line2D([], [], marker="o", color=HALO, alpha=0.6, linestyle="", markersize=10, label=radius))
    if len(run.field.known_targets):
        handles.append(Line2D([], [], marker="P", color=HAZARD, linestyle="", markersize=6, label=t("legend.known")))
    states = {mark.status for mark in run.outcome.marks.values() if mark.placed}
    ring: dict[str, Any] = {"marker": "o", "color": MARK, "markerfacecolor": "none", "linestyle": "", "markersize": 10}
    if MarkStatus.CONFIRMED in states:
        handles.append(Line2D([], [], markeredgewidth=2.0, path_effects=EDGED, label=t("legend.confirmed"), **ring))
    if MarkStatus.UNVERIFIED in states:
        handles.append(Line2D([], [], markeredgewidth=1.0, label=t("legend.unverified"), **ring))
    if run.log.nav:
        handles.append(Line2D([], [], color=TRACK, linewidth=1.0, label=t("legend.track")))
        start: dict[str, Any] = {
            "marker": "o",
            "color": TRACK,
            "markerfacecolor": "white",
            "markeredgewidth": 1.5,
            "linestyle": "",
        }
        handles.append(Line2D([], [], markersize=7, label=t("legend.start"), **start))
    if audit is not None and audit.unsafe.any():
        handles.append(Patch(facecolor=UNSAFE, label=t("legend.unsafe")))
    return handles
