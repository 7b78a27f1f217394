"""What a field file held: how much of each role, what was left out, and what a person should look at before a robot goes there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from mine_robot.core.types import Array

FAR_M = 20.0  # from the ground of the field: no zone or target there has an effect on a robot in it
FINE_DIGITS = 7  # of a degree: a centimetre
METRES_A_DEGREE = 111_320.0
ON_GRID_DEG = 1e-9  # as far as coordinates are written
GRID_VALUES = 4  # different numbers that lie on a grid only if they were rounded to it
HIGHEST = 1e5  # number of a bounding box that means anything
BBOX_DEG = 1e-4  # by which a file's bounding box may be larger than what is in it
# Grids that coordinates are rounded to, in degrees: decimals, then minutes and seconds with decimals.
DECIMALS = {f"{digits} decimals": 10.0**-digits for digits in range(FINE_DIGITS)}
SEXAGESIMAL = {
    **{f"minutes with {digits} decimals": 10.0**-digits / 60.0 for digits in range(5)},
    **{f"seconds with {digits} decimals": 10.0**-digits / 3600.0 for digits in range(3)},
}
ONE = {"hazard_area": "hazard area", "safe_area": "safe area", "no_go": "no-go zone", "known_target": "known target"}
MANY = {role: f"{words}s" for role, words in ONE.items()}

Shapes = Mapping[str, Sequence[tuple[str, BaseGeometry]]]  # by role: label and geometry of each feature


@dataclass(frozen=True)
class Account:
    """``numbers`` of polygons and points by role, ``areas`` of their union in m²; ``ignored`` is what is not read because it cannot matter,
    ``warnings`` what looks wrong."""

    numbers: Mapping[str, int]
    areas: Mapping[str, float]
    ignored: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """All roles with number and area, in one line."""
        parts = []
        for role, name in ONE.items():
            number = self.numbers.get(role, 0)
            area = f" ({self.areas[role]:.1f} m2)" if number and role in self.areas else ""
            parts.append(f"{number or 'no'} {name if number == 1 else MANY[role]}{area}")
        return ", ".join(parts)


def account_of(
    local: Shapes, degrees: Shapes, areas: Mapping[str, float], ignored: Iterable[str], warnings: Iterable[str]
) -> Account:
    """The account of features, ``local`` in ``map`` and in ``degrees``."""
    numbers = {role: sum(len(shapely.get_parts(shape)) for _, shape in shapes) for role, shapes in local.items()}
    found = (*warnings, *_repeated(degrees), *_coarse(degrees), *_far(local))
    return Account(numbers, areas, tuple(ignored), found)


def _repeated(shapes: Shapes) -> Iterable[str]:
    """Features that say again what another one said."""
    for features in shapes.values():
        seen: dict[bytes, str] = {}
        for label, shape in features:
            first = seen.setdefault(shapely.to_wkb(shape.normalize()), label)
            if first != label:
                yield f"{label} repeats {first}"


def _coarse(shapes: Shapes) -> Iterable[str]:
    """Coordinates rounded to steps that are long for a mined field."""
    found: dict[tuple[str, float], list[str]] = {}
    for features in shapes.values():
        for label, shape in features:
            grid = coarse_grid(shapely.get_coordinates(shape))
            if grid is not None:
                found.setdefault(grid, []).append(label)
    for (name, step), labels in found.items():
        more = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
        yield (
            f"{labels[0]}{more}: coordinates rounded to {name}, steps of {_length(step)}: too coarse for a mined field, "
            f"{FINE_DIGITS} decimals of a degree are a centimetre"
        )


def coarse_grid(degrees: Array) -> tuple[str, float] | None:
    """Name and step in m of the grid on which all coordinates (n, 2) lie, the coarsest; None if it is finer than a centimetre or so."""
    values = np.unique(degrees)
    grids = {**DECIMALS, **SEXAGESIMAL} if len(values) >= GRID_VALUES else DECIMALS
    for name, step in sorted(grids.items(), key=lambda grid: -grid[1]):
        if np.all(np.abs(values - np.rint(values / step) * step) < ON_GRID_DEG):
            return name, step * METRES_A_DEGREE
    single = values.astype(np.float32).astype(float)
    if len(values) >= GRID_VALUES and np.all(np.abs(values - single) < 1e-9):
        return "single precision", float(np.max(np.spacing(values.astype(np.float32)))) * METRES_A_DEGREE
    return None


def _length(metres: float) -> str:
    return f"{metres:.0f} m" if metres >= 1.0 else f"{100.0 * metres:.0f} cm"


def _far(local: Shapes) -> Iterable[str]:
    """Zones and targets too far from the ground of the field to mean anything, and ground that no robot gets to from the rest."""
    ground = [(label, shape) for role in ("hazard_area", "safe_area") for label, shape in local[role]]
    hazard, safe = (shapely.union_all([shape for _, shape in local[role]]) for role in ("hazard_area", "safe_area"))
    near = shapely.union_all([shape.buffer(FAR_M / 2.0, quad_segs=4) for _, shape in ground])
    field = [part for part in shapely.get_parts(near) if part.intersects(hazard) and part.intersects(safe)]
    home = shapely.union_all(field)
    rest = shapely.union_all([shape for _, shape in ground if shape.intersects(home)])
    for label, shape in ground:
        if not shape.intersects(home):
            yield f"{label} lies {shape.distance(rest):.0f} m from the rest of the field"
    for role in ("no_go", "known_target"):
        for label, shape in local[role]:
            distances = shapely.distance(shapely.get_parts(shape), shapely.union_all([hazard, safe]))
            if distances.max() > FAR_M:
                yield f"{label} lies {distances.max():.0f} m outside the field: it has no effect there"


def beyond_content(bbox: object, shapes: Shapes) -> Iterable[str]:
    """A bounding box of the file that is larger than what is in it: something may be missing."""
    if not isinstance(bbox, list) or len(bbox) not in (4, 6):
        return
    if not all(isinstance(x, (int, float)) and abs(x) <= HIGHEST for x in bbox):
        return
    half = len(bbox) // 2
    west, south, east, north = shapely.union_all([shape for role in shapes.values() for _, shape in role]).bounds
    over = max(west - bbox[0], south - bbox[1], bbox[half] - east, bbox[half + 1] - north)
    if over > BBOX_DEG:
        yield f"the file's 'bbox' reaches {over * METRES_A_DEGREE:.0f} m beyond what is in it: is something missing?"
