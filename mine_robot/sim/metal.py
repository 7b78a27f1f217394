"""Forward model of a metal-detector array: induced dipoles under horizontal loops."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mine_robot.core.robot import Robot, rotation_from_rpy
from mine_robot.core.types import Array, MetalScan
from mine_robot.sim.gpr import Ground
from mine_robot.sim.objects import CATALOGUE
from mine_robot.sim.soil import Soil, Texture
from mine_robot.sim.soil_sensor_params import MetalModelParams
from mine_robot.sim.types import BuriedObject, TrueState

Complex = NDArray[np.complexfloating]
REFERENCE_M = 0.10  # distance under the coil at which the catalogue states the reading
SOIL_SCALE_M = 0.06  # the soil's reading falls by e over this height
MINE_SPREAD, SCRAP_SPREAD = (0.15, 4.0), (0.40, 8.0)  # of a specimen's reading: natural logarithm, degrees
SOIL_PHASE = complex(-1.0, 0.04)  # magnetite: in-phase, with the small viscous quadrature that disturbs detectors


class MetalModel:
    """Metal-detector scans of one robot over one piece of ground; arguments as for the radar's model."""

    def __init__(
        self,
        soil: Soil,
        objects: Sequence[BuriedObject],
        robot: Robot,
        params: MetalModelParams,
        rng: np.random.Generator,
        *,
        ground: Ground | None = None,
    ) -> None:
        self._soil, self._params, self._rng, self._ground = soil, params, rng, ground
        offsets = robot.coil_offsets if len(robot.coil_offsets) else np.zeros(1)
        self._positions = np.stack([0 * offsets, offsets, 0 * offsets], axis=1)
        self._coils = robot.metal_detector + self._positions
        self._nominal = float(robot.metal_detector[2])
        metals = [(item, CATALOGUE[item.kind]) for item in objects if CATALOGUE[item.kind].metal]
        self._at = np.array([(item.x, item.y, item.depth + kind.metal_below_top_m) for item, kind in metals]).reshape(
            -1, 3
        )
        self._moments = np.array([kind.metal for _, kind in metals], dtype=complex)
        # A large body answers from all of its area, so that over its inner half the reading stays level.
        self._flat = np.array([0.5 * kind.radius_m for _, kind in metals])
        self._texture = Texture(rng, 0.5)
        self._drift = params.drift * _complex_normal(rng, len(offsets))
        self._moments *= _specimens(
            params.specimens * rng.normal(size=(2, len(metals))),
            np.array([kind.hazard for _, kind in metals], dtype=bool),
        )
        self._last = -math.inf

    def scan(self, t: float, truth: TrueState) -> MetalScan:
        """The scan at the true state; readings (coils,) in the units of the catalogue."""
        at = truth.position + self._coils @ rotation_from_rpy(*truth.rpy).T
        level = np.full(len(at), truth.position[2]) if self._ground is None else self._ground(at[:, :2])
        height = np.maximum(at[:, 2] - level, 0.0)
        reading = self._metals(at[:, :2], height) + self._bare(at[:, :2], height) + self._drifted(t)
        reading = reading + self._params.noise * _complex_normal(self._rng, len(at))
        return MetalScan(t, self._positions.copy(), reading.real.copy(), reading.imag.copy())

    def _metals(self, points: Array, height: Array) -> Complex:
        if not len(self._moments):
            return np.zeros(len(points), dtype=complex)
        x, y, depth = self._at.T
        distance = np.hypot(x[:, None] - points[:, 0], y[:, None] - points[:, 1])
        near = distance.min(axis=1) < self._params.reach
        beside = np.maximum(distance[near] - self._flat[near, None], 0.0)
        below = depth[near, None] + height
        radius = 0.5 * self._params.coil_diameter
        coupling = field_squared(radius, beside, below) / field_squared(radius, 0.0, REFERENCE_M)
        return (self._moments[near, None] * coupling).sum(axis=0)

    def _bare(self, points: Array, height: Array) -> Complex:
        level = np.exp(-(height - self._nominal) / SOIL_SCALE_M) * (1.0 + 0.10 * self._texture(points))
        return self._soil.mineralisation * level * SOIL_PHASE

    def _drifted(self, t: float) -> Complex:
        """An Ornstein-Uhlenbeck process a coil."""
        keep = math.exp(-max(t - self._last, 0.0) / self._params.drift_time)
        step = self._params.drift * math.sqrt(1.0 - keep * keep)
        self._drift = keep * self._drift + step * _complex_normal(self._rng, len(self._drift))
        self._last = t
        return self._drift


def _specimens(deviations: Array, hazard: NDArray[np.bool_]) -> Complex:
    """Complex factors (n,) by which specimens differ from the catalogue: corrosion, make, and for scrap its attitude and size.

    ``deviations`` (2, n) are those of logarithm and phase, in standard deviations.
    """
    size, turn = deviations
    spread, angle = np.where(hazard, MINE_SPREAD[0], SCRAP_SPREAD[0]), np.where(hazard, MINE_SPREAD[1], SCRAP_SPREAD[1])
    return np.asarray(np.exp(spread * size + 1j * np.radians(angle * turn)))


def field_squared(radius: float, beside: Array | float, below: Array | float) -> Array:
    """Square of the field of a horizontal loop at ``beside`` m off its axis and ``below`` m under it, arbitrary units.

    Exact on the axis, ``(radius² + below²)^-3``, and the exact dipole far away, ``distance^-6``; between, the dipole
    formula with the distance softened by the radius.
    """
    r2, b2 = np.square(beside), np.square(below)
    softened = r2 + b2 + radius * radius
    vertical = 2.0 * b2 + 2.0 * radius * radius - r2
    return np.asarray((vertical * vertical + 9.0 * b2 * r2) / softened**5)


def _complex_normal(rng: np.random.Generator, count: int) -> Complex:
    return rng.normal(size=count) + 1j * rng.normal(size=count)
