"""Smooth random ground: a plane with a sum of random waves, whose slope and curvature are exact."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mine_robot.core.types import Array

WAVES = 12


@dataclass(frozen=True)
class TerrainSpec:
    """What ground a scenario asks for; heights as a tracked vehicle feels them, short bumps are part of the slip."""

    roughness_m: float = 0.02  # RMS height of the waves
    wavelength_m: float = 6.0  # middle of their lengths
    slope_deg: float = 0.0  # steepness of the plane
    aspect_deg: float = 0.0  # direction in which the plane rises, clockwise from north
    slip: float = 0.02  # longitudinal slip of the tracks on the flat


TERRAINS = {
    "flat": TerrainSpec(roughness_m=0.0, slip=0.01),
    "meadow": TerrainSpec(),
    "rough": TerrainSpec(roughness_m=0.025, wavelength_m=5.0, slip=0.05),
    "hillside": TerrainSpec(slope_deg=6.0, slip=0.04),
}


class Terrain:
    """Height of the ground in m over ``map``; zero at the datum on average.

    Superposition of sinusoids with random directions and phases (spectral method of Shinozuka & Jan, 1972).
    """

    def __init__(self, spec: TerrainSpec, rng: np.random.Generator) -> None:
        length = spec.wavelength_m * rng.uniform(0.7, 1.8, WAVES)
        direction = rng.uniform(0.0, 2.0 * math.pi, WAVES)
        self._phase = rng.uniform(0.0, 2.0 * math.pi, WAVES)
        self._k = 2.0 * math.pi / length * np.stack([np.cos(direction), np.sin(direction)])  # (2, waves)
        self._amplitude = spec.roughness_m * math.sqrt(2.0 / WAVES)
        rise, aspect = math.tan(math.radians(spec.slope_deg)), math.radians(spec.aspect_deg)
        self._plane = np.array([rise * math.sin(aspect), rise * math.cos(aspect)])
        kx, ky = self._k
        self._second = np.stack([kx * kx, kx * ky, ky * ky])

    def height(self, points: Array) -> Array:
        """Height (...,) of the ground at ``points`` (..., 2)."""
        points = np.asarray(points, dtype=float)
        waves = np.sin(points @ self._k + self._phase).sum(axis=-1)
        return np.asarray(points @ self._plane + self._amplitude * waves)

    def surface(self, x: float, y: float) -> tuple[float, Array, Array]:
        """Height, gradient (2,) and second derivatives (3,) xx, xy, yy in 1/m at one point."""
        phase = x * self._k[0] + y * self._k[1] + self._phase
        sin, cos = np.sin(phase), np.cos(phase)
        height = float(self._plane @ (x, y) + self._amplitude * sin.sum())
        return height, self._plane + self._amplitude * (self._k @ cos), -self._amplitude * (self._second @ sin)
