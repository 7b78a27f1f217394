"""The ledger: which ground was really searched, booked cell by cell from evidence and from nothing else.

A cell counts as searched when all of it was passed by consecutive searched lines that all satisfy every limit. The lines are
shortened on each side by the position sigma of their evidence, so that the ledger never claims ground on the strength of an estimate
that may be off by as much.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from mine_robot.core.field import TOUCH_TOLERANCE_M, Field, FieldError
from mine_robot.core.hazards import Halo, Hazards
from mine_robot.core.limits import Limits
from mine_robot.core.raster import cell_range, stamp_disc
from mine_robot.core.robot import Robot
from mine_robot.core.types import Cell, LedgerGrid, Release, SweepEvidence, Target, wrap_angle

MAX_CELLS = 100_000_000  # about 1.5 GB in the ledger, twice that while it is made
MARGIN_M = 1.5  # around the field: the head overhangs its border, and distances to the border stay defined
MAX_STEP_S = 0.21  # evidence comes at 20 Hz; four missed records break the sweep
MAX_STEP_M = 0.15
MAX_STEP_RAD = 0.1
MIN_SPEED = 0.01  # slower is standing still, where a jitter of the estimate is not a sweep
NEW_PASS_S = 3.0  # a cell seen again after this time was passed again
TOUCH = 1e-4  # share of a cell below which it does not touch an area: rounding of shared borders


@dataclass(frozen=True)
class Zones:
    """What a field says about each cell; every array has the shape of the raster.

    ``hazard`` is the share of the cell within the hazard area, ``to_search`` the cells that touch it, ``safe`` those wholly within the
    safe area, ``no_go`` those that touch a no-go zone, ``border`` those to search in which no track belongs even when they are searched:
    they touch a hole or a no-go zone, or lie for the most part outside.
    """

    x0: float
    y0: float
    resolution: float
    hazard: NDArray[np.float32]
    to_search: NDArray[np.bool_]
    safe: NDArray[np.bool_]
    no_go: NDArray[np.bool_]
    border: NDArray[np.bool_]


class Ledger:
    """Raster of the field with what was searched; grows by :meth:`add`, read by :meth:`grid`."""

    def __init__(
        self, field: Field, robot: Robot, limits: Limits, resolution: float, halo_growth_max: float = 0.1
    ) -> None:
        self.zones = rasterise(field, resolution)
        self._limits = limits
        self._half_width = robot.sweep_width / 2.0
        self._known = field.known_targets
        room = (
            float(robot.marker[0])
            - robot.front
            - limits.patch_growth
            - limits.halo_radius
            - math.sqrt(2.0) * resolution
        )
        self._growth_max = max(0.0, min(halo_growth_max, room))
        shape = self.zones.safe.shape
        self.searched = np.zeros(shape, dtype=bool)
        self.passes = np.zeros(shape, dtype=np.uint8)
        self.last_seen = np.full(shape, -np.inf, dtype=np.float32)
        self.halo = np.zeros(shape, dtype=bool)
        self._last: SweepEvidence | None = None
        self._run = 0.0  # m swept without a break up to the last record
        self.hazards = Hazards(limits.mark_p_hazard)
        self._stamp()

    @cached_property
    def hazard_area(self) -> float:
        """Area to search in m², no-go zones included."""
        return float(self.zones.hazard.sum(dtype=np.float64)) * self.zones.resolution**2

    @property
    def searched_area(self) -> float:
        """Searched part of the hazard area in m², halos included."""
        return float(self.zones.hazard.sum(dtype=np.float64, where=self.searched)) * self.zones.resolution**2

    def add(self, evidence: Sequence[SweepEvidence]) -> None:
        """Book the ground between consecutive records; a record that fails a limit breaks the sweep, standing still does not."""
        for record in evidence:
            if not counts(record, self._limits):
                stands = counts(replace(record, speed=MIN_SPEED), self._limits) and record.speed < MIN_SPEED
                if stands and self._last is not None and _beside(self._last, record):
                    self._last = replace(self._last, t=record.t)
                else:
                    self._last = None
                continue
            if self._last is not None and _continues(self._last, record):
                self._book(self._last, record)
            else:
                self._run = 0.0
            self._last = record

    def _book(self, first: SweepEvidence, second: SweepEvidence) -> None:
        # A cell counts when all of it was passed: its centre lies this far within the swept ground, at its ends and sides alike.
        # The same for every heading: quadrilaterals that follow each other share their edge to the last bit, and no cell falls between.
        inset = math.sqrt(0.5) * self.zones.resolution
        half = self._half_width - max(first.sigma, second.sigma) - inset
        run = self._run
        self._run += math.hypot(second.x - first.x, second.y - first.y)
        begin = max(-inset, inset - run)
        if half <= 0.0 or self._run - inset <= run + begin:
            return
        corners = []
        for record, side, shift in (
            (first, 1.0, begin),
            (first, -1.0, begin),
            (second, -1.0, -inset),
            (second, 1.0, -inset),
        ):
            cos, sin = math.cos(record.yaw), math.sin(record.yaw)
            corners.append((record.x + shift * cos - side * half * sin, record.y + shift * sin + side * half * cos))
        zones = self.zones
        xs, ys = [c[0] for c in corners], [c[1] for c in corners]
        rows, cols = self.searched.shape
        left, right = cell_range(min(xs) - zones.x0, max(xs) - zones.x0, zones.resolution, cols)
        low, high = cell_range(min(ys) - zones.y0, max(ys) - zones.y0, zones.resolution, rows)
        if left >= right or low >= high:
            return
        x = zones.x0 + (np.arange(left, right) + 0.5) * zones.resolution
        y = (zones.y0 + (np.arange(low, high) + 0.5) * zones.resolution)[:, None]
        inside = np.ones((high - low, right - left), dtype=bool)
        for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1]):
            inside &= (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= -1e-12
        window = (slice(low, high), slice(left, right))
        self.searched[window] |= inside
        last = self.last_seen[window]
        again = inside & (second.t - last > NEW_PASS_S) & (self.passes[window] < 255)
        self.passes[window][again] += 1
        last[inside] = second.t

    def set_targets(self, targets: Sequence[Target]) -> bool:
        """Take a list of targets: it adds halos and takes none away. True if the halos have changed.

        The radius is ``limits.halo_radius`` plus k sigma of the target's position. That growth is capped: the tracks must stay out of
        the halo while the marker stands over the target. A target with a position that is not finite cannot be placed and is left out.
        """
        return self._stamped(self.hazards.take(targets))

    def recall(self, history: Iterable[Target], releases: Iterable[Release]) -> None:
        """Take over what was declared before, word by word, and what people have taken back of it."""
        self._stamped(self.hazards.recall(history, releases))

    def release(self, releases: Iterable[Release]) -> bool:
        """Open halos by a person's word; True if they have changed."""
        return self._stamped(self.hazards.release(releases))

    def _stamped(self, changed: bool) -> bool:
        if changed:
            self._stamp()
        return changed

    def _stamp(self) -> None:
        """Draw the halos of every known target of the field and of every declared one."""
        zones, radius = self.zones, self._limits.halo_radius
        halos = [(float(x), float(y), radius) for x, y in self._known]
        halos += [(halo.x, halo.y, halo.radius(radius + self._growth(halo))) for halo in self.hazards.halos]
        self.halo[:] = False
        for x, y, reach in halos:
            stamp_disc(self.halo, zones.x0, zones.y0, zones.resolution, x, y, reach)

    def _growth(self, halo: Halo) -> float:
        if halo.former:
            return 0.0
        growth = self._limits.sigma_factor * halo.sigma
        return min(growth, self._growth_max) if math.isfinite(growth) else self._growth_max

    def grid(self, t: float) -> LedgerGrid:
        """The state of every cell at time ``t``; a halo wins over everything, ground outside over what was searched."""
        zones = self.zones
        cells = np.full(self.searched.shape, Cell.OUTSIDE, dtype=np.int8)
        states = (
            (Cell.SAFE, zones.safe),
            (Cell.PENDING, zones.to_search),
            (Cell.SEARCHED, zones.to_search & self.searched),
            (Cell.HALO, self.halo),
        )
        for state, mask in states:
            np.copyto(cells, np.int8(state), where=mask)
        return LedgerGrid(t, zones.x0, zones.y0, zones.resolution, cells)

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """What has to survive a restart, as plain arrays."""
        return {"searched": self.searched.copy(), "passes": self.passes.copy(), "last_seen": self.last_seen.copy()}

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over a :meth:`snapshot` of the same field; raises ValueError if its shape does not fit."""
        for name, own in (("searched", self.searched), ("passes", self.passes), ("last_seen", self.last_seen)):
            if name not in arrays or arrays[name].shape != own.shape:
                raise ValueError(
                    f"the ledger's snapshot does not fit this field: '{name}' must have the shape {own.shape}"
                )
            own[:] = arrays[name]
        self._last = None


def counts(record: SweepEvidence, limits: Limits) -> bool:
    """True if a record satisfies every condition of searched ground; NaN satisfies none."""
    return (
        record.gpr_ok
        and record.metal_ok
        and limits.head_height_min <= record.height <= limits.head_height_max
        and MIN_SPEED <= record.speed <= limits.evidence_speed_max
        and 0.0 <= record.sigma <= limits.position_sigma_max
        and math.isfinite(record.t + record.x + record.y + record.yaw)
    )


def _continues(first: SweepEvidence, second: SweepEvidence) -> bool:
    """True if the ground between two searched lines was swept: forwards, without a break or a jump."""
    dx, dy = second.x - first.x, second.y - first.y
    ahead = math.cos(second.yaw) * dx + math.sin(second.yaw) * dy
    return (
        0.0 < second.t - first.t <= MAX_STEP_S
        and ahead > 0.0
        and math.hypot(dx, dy) <= MAX_STEP_M
        and abs(wrap_angle(second.yaw - first.yaw)) <= MAX_STEP_RAD
    )


def _beside(first: SweepEvidence, second: SweepEvidence) -> bool:
    """True if the robot stands where the sweep came to: it may go on from there."""
    return 0.0 < second.t - first.t <= MAX_STEP_S and math.hypot(second.x - first.x, second.y - first.y) <= MAX_STEP_M


def raster_of(field: Field, resolution: float) -> tuple[float, float, int, int]:
    """South-west corner in m, rows and columns of the raster over a field's bounds and :data:`MARGIN_M` around.

    Raises :class:`FieldError` if it would not fit into the memory of a robot.
    """
    west, south, east, north = field.bounds
    x0, y0 = west - MARGIN_M, south - MARGIN_M
    cols, rows = math.ceil((east + MARGIN_M - x0) / resolution), math.ceil((north + MARGIN_M - y0) / resolution)
    if rows * cols > MAX_CELLS:
        raise FieldError(
            f"the field is too large for one mission: it spans {east - west:.0f} x {north - south:.0f} m, "
            f"{rows * cols / 1e6:.0f} million cells of {resolution:g} m, and {MAX_CELLS / 1e6:.0f} million "
            f"({MAX_CELLS * resolution**2 / 1e4:.0f} ha) are the most: split it, or use `mine-robot estimate`"
        )
    return x0, y0, rows, cols


def rasterise(field: Field, resolution: float) -> Zones:
    """What the field says about each cell of its raster (:func:`raster_of`)."""
    x0, y0, rows, cols = raster_of(field, resolution)
    searched_zone = shapely.union_all([field.hazard, bridge_of(field.hazard, field.safe)])
    ground = shapely.union_all([searched_zone, field.safe])

    def share(area: shapely.Geometry) -> NDArray[np.float32]:
        return _share(area, x0, y0, resolution, rows, cols)

    hazard, zone = share(field.hazard), share(searched_zone)
    no_go = share(field.no_go) > TOUCH
    to_search = (zone > TOUCH) & ~no_go
    return Zones(
        x0=x0,
        y0=y0,
        resolution=resolution,
        hazard=hazard,
        to_search=to_search,
        safe=(share(field.safe) > 1.0 - TOUCH) & ~to_search & ~no_go,
        no_go=no_go,
        border=to_search & ((share(ground) < 0.5) | (share(_holes(ground, field)) > TOUCH)),
    )


def bridge_of(hazard: shapely.Geometry, safe: shapely.Geometry) -> shapely.Geometry:
    """Ground between borders that should coincide and differ by up to ``TOUCH_TOLERANCE_M``; it is searched like the hazard area beside it.

    Without it such a field would be cut off from its safe area, however little apart they are.
    """
    reach = TOUCH_TOLERANCE_M / 2.0 + 1e-3
    seam = hazard.buffer(reach).intersection(safe.buffer(reach))
    # The gap itself, all of it: what is closed when both grow until they meet, and shrink again.
    ground = shapely.union_all([hazard, safe])
    closed = ground.buffer(reach, join_style="mitre").buffer(-reach, join_style="mitre").difference(ground)
    gap = closed.intersection(hazard.buffer(2.0 * reach)).intersection(safe.buffer(2.0 * reach))
    wide = [part for part in shapely.get_parts(gap) if part.area > TOUCH * TOUCH_TOLERANCE_M]
    return shapely.union_all([seam, *wide]).difference(safe)


def _holes(ground: shapely.Geometry, field: Field) -> shapely.Geometry:
    """Holes of the ground (wells, ruins) and no-go zones."""
    parts = [part for part in shapely.get_parts(ground) if isinstance(part, shapely.Polygon)]
    filled = shapely.union_all([shapely.Polygon(part.exterior) for part in parts])
    return shapely.union_all([filled.difference(ground), field.no_go])


def _share(
    area: shapely.Geometry, x0: float, y0: float, resolution: float, rows: int, cols: int
) -> NDArray[np.float32]:
    """Share (rows, cols) of each cell within ``area``: exact along its border, 0 or 1 elsewhere."""
    share = np.zeros((rows, cols), dtype=np.float32)
    if area.is_empty:
        return share
    parts = [part for part in shapely.get_parts(area) if isinstance(part, shapely.Polygon)]
    for part in sorted(
        parts, key=lambda part: -shapely.Polygon(part.exterior).area
    ):  # islands after the lakes around them
        for ring, value in ((part.exterior, 1.0), *((hole, 0.0) for hole in part.interiors)):
            corners = (shapely.get_coordinates(ring) - (x0, y0)) / resolution - 0.5
            # Off by less than a cell, and only along the border.
            cv2.fillPoly(share, [np.rint(corners).astype(np.int32)], value)
    points = (shapely.get_coordinates(shapely.segmentize(area.boundary, resolution / 2.0)) - (x0, y0)) / resolution
    points = points[((points >= 0.0) & (points < (cols, rows))).all(axis=1)]
    near = np.zeros((rows + 2, cols + 2), dtype=bool)
    col, row = np.floor(points).astype(int).T
    for dr in (0, 1, 2):
        for dc in (0, 1, 2):
            near[row + dr, col + dc] = True
    row, col = np.nonzero(near[1:-1, 1:-1])
    west, south = x0 + col * resolution, y0 + row * resolution
    boxes = shapely.box(west, south, west + resolution, south + resolution)
    share[row, col] = shapely.area(shapely.intersection(boxes, area)) / resolution**2
    return share
