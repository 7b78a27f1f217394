"""What may lie in the ground: sizes, and what radar and metal detector can tell of them.

Sizes are the published ones of the ordnance, rounded to millimetres. Permittivities are those of the filling (cast TNT
about 2.9) with its case. The response to the metal detector is that of an induced dipole in the usual convention of
eddy-current detectors: quadrature is positive; in-phase is positive where eddy currents expel the field (aluminium,
brass, large bodies) and negative where magnetisation draws it in (small ferrous parts), so the phase tells them apart.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterator
from dataclasses import dataclass

from mine_robot.core.types import TargetClass


@dataclass(frozen=True)
class ObjectType:
    """A kind of object.

    ``radius_m`` is the effective horizontal radius, ``height_m`` the extent downwards from its top. ``permittivity`` is
    relative and means nothing to a ``conducting`` body. ``metal`` is the complex reading (in-phase + 1j quadrature, in
    noise units of a quiet detector) of the metal parts 0.10 m under a coil, and ``metal_below_top_m`` is where
    they lie. ``pressure_radius_m`` is the radius of the plate that fires it (0: not fired by pressure), ``depths_m`` is
    the range in which it is laid or found.
    """

    name: str
    hazard: bool
    target_class: TargetClass
    radius_m: float
    height_m: float
    permittivity: float
    conducting: bool
    metal: complex
    metal_below_top_m: float
    pressure_radius_m: float
    depths_m: tuple[float, float]


def _reading(amplitude: float, phase_deg: float) -> complex:
    return cmath.rect(amplitude, math.radians(phase_deg))


def _types() -> Iterator[ObjectType]:
    minimum, metal, at = TargetClass.AP_MINIMUM_METAL, TargetClass.AP_METAL, TargetClass.AT
    erw, clutter = TargetClass.ERW, TargetClass.CLUTTER
    # Striker and spring of steel (phase beyond 90 degrees), detonator capsule of aluminium (below 60 degrees).
    yield ObjectType("pmn", True, metal, 0.056, 0.056, 3.0, False, _reading(160.0, 88.0), 0.028, 0.050, (0.0, 0.13))
    yield ObjectType("pmn2", True, metal, 0.060, 0.054, 2.9, False, _reading(70.0, 82.0), 0.027, 0.048, (0.0, 0.13))
    yield ObjectType("pma3", True, minimum, 0.052, 0.040, 2.9, False, _reading(10.0, 48.0), 0.020, 0.050, (0.0, 0.13))
    yield ObjectType("type72", True, minimum, 0.039, 0.038, 2.9, False, _reading(7.0, 58.0), 0.020, 0.036, (0.0, 0.10))
    yield ObjectType("m14", True, minimum, 0.028, 0.040, 2.8, False, _reading(5.0, 65.0), 0.030, 0.019, (0.0, 0.08))
    yield ObjectType("tm62", True, at, 0.160, 0.112, 2.9, True, _reading(16000.0, 42.0), 0.030, 0.110, (0.03, 0.20))
    yield ObjectType("tma4", True, at, 0.142, 0.063, 2.9, False, _reading(16.0, 50.0), 0.020, 0.120, (0.03, 0.20))
    yield ObjectType("prom1", True, metal, 0.038, 0.180, 2.9, True, _reading(2600.0, 68.0), 0.050, 0.020, (0.0, 0.10))
    yield ObjectType("mortar", True, erw, 0.090, 0.082, 2.9, True, _reading(7000.0, 60.0), 0.041, 0.060, (0.0, 0.30))
    yield ObjectType("nail", False, clutter, 0.008, 0.006, 2.9, True, _reading(45.0, 132.0), 0.003, 0.0, (0.0, 0.15))
    yield ObjectType(
        "cartridge", False, clutter, 0.012, 0.012, 2.9, True, _reading(60.0, 28.0), 0.006, 0.0, (0.0, 0.15)
    )
    yield ObjectType("wire", False, clutter, 0.010, 0.003, 2.9, True, _reading(30.0, 122.0), 0.002, 0.0, (0.0, 0.12))
    yield ObjectType("can", False, clutter, 0.040, 0.066, 2.9, True, _reading(1500.0, 78.0), 0.033, 0.0, (0.0, 0.15))
    yield ObjectType("stone", False, clutter, 0.045, 0.060, 6.8, False, 0.0j, 0.030, 0.0, (0.0, 0.20))
    yield ObjectType("root", False, clutter, 0.030, 0.030, 22.0, False, 0.0j, 0.015, 0.0, (0.03, 0.20))
    yield ObjectType("cavity", False, clutter, 0.035, 0.050, 1.0, False, 0.0j, 0.025, 0.0, (0.03, 0.20))


CATALOGUE: dict[str, ObjectType] = {kind.name: kind for kind in _types()}
