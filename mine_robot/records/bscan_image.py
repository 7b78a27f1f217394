"""A picture of the radar's scans along the track over one target."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mine_robot.core.types import Array, Target, wrap_angle
from mine_robot.detection.gpr import LIGHT
from mine_robot.detection.params import GprParams

SAME_PASS_S, SAME_YAW = 5.0, 0.2  # scans further apart in time or heading (rad) are of different passes
MIN_SCANS = 8
CLIP = 0.98  # quantile of the amplitudes that is black or white


@dataclass
class _Pass:
    yaw: float
    t: float
    along: list[float] = field(default_factory=list)
    miss: list[float] = field(default_factory=list)
    traces: list[Array] = field(default_factory=list)


@dataclass
class Bscan:
    """Scans near ``target``, pass by pass, each of the channel nearest to it."""

    target: Target
    passes: list[_Pass] = field(default_factory=list)

    def add(self, t: float, yaw: float, along: float, miss: float, trace: Array) -> None:
        """Add a scan taken ``along`` m beyond the target (negative: before it), with the channel ``miss`` m beside it."""
        last = self.passes[-1] if self.passes else None
        if last is None or t - last.t > SAME_PASS_S or abs(wrap_angle(yaw - last.yaw)) > SAME_YAW:
            last = _Pass(yaw, t)
            self.passes.append(last)
        last.t = t
        last.along.append(along)
        last.miss.append(abs(miss))
        last.traces.append(np.nan_to_num(np.asarray(trace, dtype=float)))

    @property
    def best(self) -> _Pass | None:
        """The pass that goes nearest over the target, of those that go over it; None if there is none."""
        whole = [p for p in self.passes if len(p.along) >= MIN_SCANS and min(p.along) < 0.0 < max(p.along)]
        return min(whole, key=lambda p: float(np.mean(p.miss)), default=None)


def draw_bscan(path: Path, bscan: Bscan, params: GprParams) -> None:
    """Write the picture: background removed, time from the surface's bounce, depth for the assumed permittivity."""
    shown_pass = bscan.best
    if shown_pass is None:
        raise ValueError("no pass goes over the target")
    order = np.argsort(shown_pass.along)
    traces = np.array(shown_pass.traces)[order].T
    bounce = int(np.median(np.abs(traces[: 2 * len(traces) // 3]).argmax(axis=0)))
    traces = traces - np.median(traces, axis=1, keepdims=True)
    interval = params.sample_interval_ns
    stop = min(
        len(traces), bounce + round(2.0 * params.max_depth_m * math.sqrt(params.soil_permittivity) / LIGHT / interval)
    )
    shown = traces[max(0, bounce - round(1.0 / interval)) : max(stop, bounce + 8)]
    top = -min(bounce, round(1.0 / interval)) * interval
    figure = Figure(figsize=(5.0, 4.0), layout="constrained")
    axes = figure.subplots()
    limit = float(np.quantile(np.abs(shown), CLIP)) or 1.0
    along = np.array(shown_pass.along)[order]
    extent = (float(along[0]), float(along[-1]), top + interval * len(shown), top)
    axes.imshow(shown, aspect="auto", cmap="gray", vmin=-limit, vmax=limit, extent=extent, interpolation="bilinear")
    depth_ns = 2.0 * bscan.target.depth * math.sqrt(params.soil_permittivity) / LIGHT
    if math.isfinite(depth_ns):
        axes.plot(0.0, depth_ns, "+", color="tab:red", markersize=12)
    name = bscan.target.kind.name.lower().replace("_", " ")
    axes.set_title(f"target {bscan.target.id}: {name}, p {bscan.target.p_hazard:.2f}", fontsize=10)
    axes.set_xlabel("along the track, m from the target")
    axes.set_ylabel("ns after the surface")
    metres = 2.0 * math.sqrt(params.soil_permittivity) / LIGHT
    convert = (partial(np.multiply, 1.0 / metres), partial(np.multiply, metres))
    axes.secondary_yaxis("right", functions=convert).set_ylabel("depth, m")
    figure.savefig(path, dpi=110)
