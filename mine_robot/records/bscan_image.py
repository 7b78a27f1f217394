"""A picture of the scans along the track over one target: the radar's as a section, the metal detector's as traces."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mine_robot.core.types import Array, Target, wrap_angle
from mine_robot.detection.params import LIGHT, GprParams
from mine_robot.records.language import DEFAULT, language

SAME_PASS_S, SAME_YAW = 5.0, 0.2  # scans further apart in time or heading (rad) are of different passes
MIN_SCANS = 8
ALONG = "along the track, m from the target"
BESIDE_M = 0.25  # scans further than this from the target show the ground without it
CLIP = 0.98  # quantile of the amplitudes that is black or white


@dataclass
class _Pass:
    yaw: float
    t: float
    along: list[float] = field(default_factory=list)
    miss: list[float] = field(default_factory=list)
    traces: list[Array] = field(default_factory=list)
    metal: list[tuple[float, complex]] = field(default_factory=list)  # m along the track, reading


@dataclass
class Bscan:
    """Scans near ``target``, pass by pass, each of the channel or coil nearest to it."""

    target: Target
    passes: list[_Pass] = field(default_factory=list)

    def add(self, t: float, yaw: float, along: float, miss: float, trace: Array) -> None:
        """Add a scan taken ``along`` m beyond the target (negative: before it), with the channel ``miss`` m beside it."""
        this = self._pass(t, yaw)
        this.along.append(along)
        this.miss.append(abs(miss))
        this.traces.append(np.nan_to_num(np.asarray(trace, dtype=float)))

    def add_metal(self, t: float, yaw: float, along: float, reading: complex) -> None:
        """Add what the nearest coil read (in-phase + j quadrature) ``along`` m beyond the target."""
        self._pass(t, yaw).metal.append((along, reading))

    def _pass(self, t: float, yaw: float) -> _Pass:
        """The pass of an instant: the last one, or a new one."""
        last = self.passes[-1] if self.passes else None
        if last is None or t - last.t > SAME_PASS_S or abs(wrap_angle(yaw - last.yaw)) > SAME_YAW:
            last = _Pass(yaw, t)
            self.passes.append(last)
        last.t = t
        return last

    @property
    def best(self) -> _Pass | None:
        """The pass that goes nearest over the target: of those that go well beyond it, else of those that go over it, else of all."""
        near = [p for p in self.passes if len(p.along) >= MIN_SCANS]
        over = [p for p in near if min(p.along) < 0.0 < max(p.along)]
        well = [p for p in over if min(max(p.along), -min(p.along)) > BESIDE_M]
        return min(well or over or near, key=lambda p: float(np.mean(p.miss)), default=None)


def draw_bscan(file: Path | BinaryIO, bscan: Bscan, params: GprParams, *, small: bool = False) -> None:
    """Write the picture: background removed, time from the surface's bounce, depth for the assumed permittivity; below, the metal
    detector's nearest coil, if it was recorded. A ``small`` one is readable at a third of a page's width.
    """
    shown_pass = bscan.best
    if shown_pass is None:
        raise ValueError("no pass goes over the target")
    metal = sorted(shown_pass.metal, key=lambda item: item[0])
    width, height = (3.5, 3.2) if small else (5.0, 4.0)
    figure = Figure(figsize=(width, height if len(metal) < MIN_SCANS else 1.35 * height), layout="constrained")
    if len(metal) < MIN_SCANS:
        _section(figure.subplots(), bscan.target, shown_pass, params).set_xlabel(ALONG)
    else:
        section, traces = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        _section(section, bscan.target, shown_pass, params)
        _traces(traces, metal)
    figure.savefig(file, dpi=110, format="png")


def _section(axes: Axes, target: Target, shown_pass: _Pass, params: GprParams) -> Axes:
    """The radar's section, with a cross where the target is."""
    # Columns at equal distances, whatever the robot's speed: each is the scan nearest to it.
    taken = np.array(shown_pass.along)
    along = np.linspace(taken.min(), taken.max(), len(taken))
    traces = np.array(shown_pass.traces)[np.abs(taken - along[:, None]).argmin(axis=1)].T
    bounce = int(np.median(np.abs(traces[: 2 * len(traces) // 3]).argmax(axis=0)))
    beside = np.abs(along) > BESIDE_M
    traces = traces - np.median(traces[:, beside] if beside.sum() >= MIN_SCANS else traces, axis=1, keepdims=True)
    interval = params.sample_interval_ns
    stop = min(
        len(traces), bounce + round(2.0 * params.max_depth_m * math.sqrt(params.soil_permittivity) / LIGHT / interval)
    )
    shown = traces[max(0, bounce - round(1.0 / interval)) : max(stop, bounce + 8)]
    top = -min(bounce, round(1.0 / interval)) * interval
    limit = float(np.quantile(np.abs(shown), CLIP)) or 1.0
    extent = (float(along[0]), float(along[-1]), top + interval * len(shown), top)
    axes.imshow(shown, aspect="auto", cmap="gray", vmin=-limit, vmax=limit, extent=extent, interpolation="bilinear")
    depth_ns = 2.0 * target.depth * math.sqrt(params.soil_permittivity) / LIGHT
    if math.isfinite(depth_ns):
        axes.plot(
            0.0, depth_ns, "+", color="white", markersize=14, markeredgewidth=4.0
        )  # to be seen without colours too
        axes.plot(0.0, depth_ns, "+", color="tab:red", markersize=12, markeredgewidth=1.8)
    name = language(DEFAULT).kind(target.kind)
    axes.set_title(f"target {target.id}: {name}, p {target.p_hazard:.2f}", fontsize=10)
    axes.set_xlim(min(-BESIDE_M, along[0]), max(BESIDE_M, along[-1]))
    axes.set_ylabel("ns after the surface")
    metres = 2.0 * math.sqrt(params.soil_permittivity) / LIGHT
    convert = (partial(np.multiply, 1.0 / metres), partial(np.multiply, metres))
    axes.secondary_yaxis("right", functions=convert).set_ylabel("depth, m")
    return axes


def _traces(axes: Axes, metal: list[tuple[float, complex]]) -> None:
    """The metal detector's readings, less what the ground alone gives: their median along the pass."""
    along, readings = np.array([at for at, _ in metal]), np.array([reading for _, reading in metal])
    curves = ((readings.real, "-", "tab:blue", "in phase"), (readings.imag, "--", "tab:orange", "quadrature"))
    for values, style, colour, name in curves:
        axes.plot(along, values - np.nanmedian(values), style, color=colour, label=name)
    axes.axvline(0.0, color="tab:red", linewidth=0.8)
    axes.set_xlabel(ALONG)
    axes.set_ylabel("metal detector")
    axes.legend(fontsize=8, loc="best")
