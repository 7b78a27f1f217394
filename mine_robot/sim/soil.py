"""The ground: its electrical properties and its random, but fixed, texture."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mine_robot.core.text import short
from mine_robot.core.types import Array

LIGHT = 0.299792458  # m/ns
TILE = 0.5  # m, side of the squares in which scatterers are drawn


class SoilError(ValueError):
    """The scenario's ``soil`` cannot be used; one line says why."""


@dataclass(frozen=True)
class Soil:
    """A soil at radar frequency.

    ``permittivity`` is relative, ``conductivity`` the effective one at about 1 GHz in S/m (water relaxation
    included), ``roughness_m`` the rms height of the surface, ``mineralisation`` the metal detector's reading of the
    bare soil at the nominal height (catalogue units), ``heterogeneity`` the strength of the scatterers in it (0:
    none, 1: very stony).
    """

    name: str
    permittivity: float
    conductivity: float
    roughness_m: float
    mineralisation: float
    heterogeneity: float

    @property
    def index(self) -> float:
        """Refractive index."""
        return math.sqrt(self.permittivity)

    @property
    def attenuation(self) -> float:
        """Attenuation of the amplitude in Np/m, low-loss approximation."""
        return 0.5 * self.conductivity * 376.73 / self.index


SOILS = {
    soil.name: soil
    for soil in (
        Soil("dry_sand", 4.0, 0.004, 0.003, 3.0, 0.20),
        Soil("loam", 9.0, 0.030, 0.004, 12.0, 0.28),
        Soil("wet_clay", 20.0, 0.130, 0.006, 20.0, 0.35),
        Soil("laterite", 12.0, 0.050, 0.006, 120.0, 0.60),
        Soil("gravel", 6.0, 0.010, 0.007, 30.0, 0.45),
    )
}
_RANGES = {
    "permittivity": (2.0, 60.0),
    "conductivity": (0.0, 1.0),
    "roughness_m": (0.0, 0.03),
    "mineralisation": (0.0, 2000.0),
    "heterogeneity": (0.0, 3.0),
}


def soil_from(data: Any) -> Soil:
    """The soil of a scenario: a name of :data:`SOILS`, or a mapping that changes values of ``base`` (default loam).

    Raises :class:`SoilError`.
    """
    if isinstance(data, str):
        return _named(data)
    if not isinstance(data, Mapping):
        raise SoilError(
            f"soil must be a name ({', '.join(SOILS)}) or a mapping of {', '.join(_RANGES)}, got {short(data)}"
        )
    base = data.get("base", "loam")
    values: dict[str, Any] = {"name": str(data.get("name", "custom"))}
    for key, value in data.items():
        if key in ("base", "name"):
            continue
        if key not in _RANGES:
            raise SoilError(f"soil has the unknown key {short(key)} (known: base, name, {', '.join(_RANGES)})")
        low, high = _RANGES[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise SoilError(f"soil.{key} must be a number from {low:g} to {high:g}, got {short(value)}")
        values[key] = float(value)
    return dataclasses.replace(_named(base), **values)


def _named(name: Any) -> Soil:
    if isinstance(name, str) and name in SOILS:
        return SOILS[name]
    nearest = difflib.get_close_matches(str(name), list(SOILS), n=1)
    hint = f"; did you mean '{nearest[0]}'?" if nearest else ""
    raise SoilError(f"unknown soil {short(name)} (known: {', '.join(SOILS)}){hint}")


class Texture:
    """A smooth random field of unit variance, a fixed function of the place: a sum of random plane waves."""

    def __init__(self, rng: np.random.Generator, correlation_m: float, waves: int = 24) -> None:
        self._vectors = rng.normal(size=(2, waves)) / correlation_m
        self._phases = rng.uniform(0.0, 2.0 * np.pi, waves)

    def __call__(self, points: Array) -> Array:
        """Values (n,) at ``points`` (n, 2) of ``map``."""
        waves = np.cos(points @ self._vectors + self._phases)
        return np.sqrt(2.0 / len(self._phases)) * waves.sum(axis=-1)


class Scatterers:
    """Point scatterers of the soil, drawn from the seed and the number of their tile: every pass meets the same."""

    def __init__(self, seed: int, per_m2: float, depth_m: float) -> None:
        self._seed = seed
        self._count = max(1, round(per_m2 * TILE * TILE))
        self._depth = depth_m
        self._tiles: dict[tuple[int, int], Array] = {}
        self._near: tuple[tuple[int, int, int, int], Array] = ((0, 0, -1, -1), np.empty((0, 4)))

    def near(self, points: Array, reach: float) -> Array:
        """Scatterers (n, 4), x, y, depth, strength, in all tiles within ``reach`` m of the bounds of ``points``."""
        low = np.floor((points.min(axis=0) - reach) / TILE).astype(int)
        high = np.floor((points.max(axis=0) + reach) / TILE).astype(int)
        key = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
        if self._near[0] != key:
            tiles = [self._tile(i, j) for i in range(key[0], key[2] + 1) for j in range(key[1], key[3] + 1)]
            self._near = (key, np.concatenate(tiles))
        return self._near[1]

    def _tile(self, i: int, j: int) -> Array:
        if (i, j) not in self._tiles:
            rng = np.random.default_rng([self._seed, i & 0xFFFFFFFF, j & 0xFFFFFFFF])
            tile = np.empty((self._count, 4))
            tile[:, :2] = (np.array([i, j]) + rng.uniform(size=(self._count, 2))) * TILE
            tile[:, 2] = rng.uniform(0.01, self._depth, self._count)
            tile[:, 3] = rng.normal(size=self._count)
            self._tiles[i, j] = tile
        return self._tiles[i, j]
