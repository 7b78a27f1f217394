"""Prior knowledge: where people, records or pictures from the air suspect hazards. It raises suspicion and never takes any away.

Each prior says how many hazards by square metre it makes one expect at a place, beside those that the detector reckons with anywhere. For
hazards scattered at random (a Poisson process) the odds that a signal is one of them grow with that density, so the logarithm of the odds
grows by ``log(1 + density / CALIBRATED_PER_M2)``. A density is never negative: nothing in here can lower a probability.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import shapely
from shapely import LineString, MultiLineString, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from mine_robot.core.field import Field, FieldError, checked_geometry, in_map, name_of
from mine_robot.core.text import short

CALIBRATED_PER_M2 = 0.05  # hazards by m² for which the detector's probabilities are calibrated (docs/detection.md)
MOST = 1e300  # of any figure
REACH = 3.0  # standard deviations: beyond it a place that is uncertain means next to nothing
RASTER = "raster"
SIGMA_MIN_M = 0.1  # what is found is not placed better against a survey

Prior = Callable[[float, float], float]


def raised(p: float, log_odds: float) -> float:
    """Probability ``p`` with ``log_odds`` added to the logarithm of its odds; never below ``p``."""
    if not log_odds > 0.0:
        return p
    odds = math.exp(log_odds)
    return max(p, p * odds / (1.0 - p + p * odds))


class Expectation(Protocol):
    """Hazards by m² that a source makes one expect at (x, y) in ``map``, at least 0."""

    def __call__(self, x: float, y: float) -> float:
        """The density at a place."""


@dataclass(frozen=True)
class Suspicion:
    """One source of prior knowledge: ``extent`` in ``map`` is where it means something, ``words`` its figures for people."""

    name: str
    role: str
    words: str
    extent: BaseGeometry
    expected: Expectation


@dataclass(frozen=True)
class Priors:
    """All prior knowledge of a field; called with a place in ``map`` it gives what is added to the logarithm of the odds there."""

    suspicions: tuple[Suspicion, ...] = ()

    def __call__(self, x: float, y: float) -> float:
        """At least 0; 0 where nothing is known, and for a place that is not known."""
        density = sum(one.expected(x, y) for one in self.suspicions)
        return math.log1p(density / CALIBRATED_PER_M2) if density > 0.0 else 0.0

    def outside(self, field: Field) -> list[str]:
        """A line for each source that says nothing of the ground to be searched."""
        return [
            f"{one.name} lies {one.extent.distance(field.hazard):.0f} m outside of the hazard area and says nothing about it"
            for one in self.suspicions
            if not one.extent.intersects(field.hazard)
        ]


NO_PRIORS = Priors()
Built = tuple[BaseGeometry, Expectation]
Rasters = Callable[[str, Mapping[str, Any]], Built]


def priors_from_geojson(data: Any, field: Field, rasters: Rasters, *, source: str = "priors") -> Priors:
    """Check and convert a file of priors (docs/priors.md) for ``field``.

    ``rasters`` opens what features of the role ``raster`` name, by label and properties. Raises :class:`FieldError`, one line that names
    ``source`` and the feature.
    """
    try:
        features = data.get("features") if isinstance(data, Mapping) else None
        if not isinstance(features, list) or not features:
            raise FieldError("not a GeoJSON FeatureCollection with features")
        return Priors(tuple(_suspicion(index, feature, field, rasters) for index, feature in enumerate(features)))
    except FieldError as error:
        raise FieldError(f"{source}: {error}") from None


def _suspicion(index: int, feature: Any, field: Field, rasters: Rasters) -> Suspicion:
    properties = feature.get("properties") if isinstance(feature, Mapping) else None
    role = properties.get("role") if isinstance(properties, Mapping) else None
    if not isinstance(properties, Mapping) or role not in (*SHAPES, RASTER):
        said = f"the unknown properties.role {short(role)}" if role else "no properties.role"
        raise FieldError(f"feature {index} has {said} (known: {', '.join((*SHAPES, RASTER))})")
    given = name_of(f"feature {index}", properties, "name")
    name = given or f"feature {index}"
    label = f"feature {index} ({role} '{name}')" if given else f"feature {index} ({role})"
    if role == RASTER:
        return Suspicion(
            name, role, _words(properties, ("file", "band", "low", "high", "per_m2")), *rasters(label, properties)
        )
    wanted, keys, build = SHAPES[role]
    geometry = checked_geometry(label, feature.get("geometry"), wanted)
    values = [_figure(label, properties, key) for key in keys]
    return Suspicion(name, role, _words(properties, keys), *build(in_map(geometry, field.datum), *values))


def _words(properties: Mapping[str, Any], keys: Iterable[str]) -> str:
    return ", ".join(f"{key} {properties[key]}" for key in keys if key in properties)


def _figure(label: str, properties: Mapping[str, Any], key: str) -> float:
    """A number of a feature within its range."""
    low, high = RANGES.get(key, (-math.inf, math.inf))
    value = properties.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low < value <= high or abs(value) > MOST:
        wanted = f"a number above {low:g}, at most {high:g}" if key in RANGES else "a number"
        raise FieldError(f"{label}: '{key}' must be {wanted}" + (f", not {short(value)}" if key in properties else ""))
    return float(value)


def _area(polygon: Polygon | MultiPolygon, per_m2: float) -> Built:
    """``per_m2`` everywhere within the polygon."""
    shapely.prepare(polygon)
    return polygon, lambda x, y: per_m2 if shapely.intersects_xy(polygon, x, y) else 0.0


def _point(point: Point, p: float, sigma: float) -> Built:
    """One hazard with probability ``p``, its place normally distributed with ``sigma`` m each way."""
    sigma = max(sigma, SIGMA_MIN_M)
    peak = p / (2.0 * math.pi * sigma * sigma)
    return point.buffer(REACH * sigma), lambda x, y: peak * _bell(math.hypot(x - point.x, y - point.y), sigma)


def _row(line: LineString | MultiLineString, spacing: float, p: float, sigma: float) -> Built:
    """A mine every ``spacing`` m with probability ``p``, ``sigma`` m across the line; where on it they lie is not known."""
    sigma = max(sigma, SIGMA_MIN_M)
    peak = p / spacing / (math.sqrt(2.0 * math.pi) * sigma)
    return line.buffer(REACH * sigma), lambda x, y: peak * _bell(line.distance(Point(x, y)), sigma)


def _bell(distance: float, sigma: float) -> float:
    return math.exp(-0.5 * (distance / sigma) ** 2) if math.isfinite(distance) else 0.0


def raster_scale(label: str, properties: Mapping[str, Any]) -> tuple[str, int, Callable[[float], float]]:
    """File and band of a raster, and what makes a density of a value: 0 at ``low``, ``per_m2`` at ``high``, linear between, never beyond.

    A value that is not there expects nothing. Raises :class:`FieldError`.
    """
    low, high, per_m2 = (_figure(label, properties, key) for key in ("low", "high", "per_m2"))
    name, band = properties.get("file"), properties.get("band", 1)
    if not isinstance(name, str) or not name or isinstance(band, bool) or not isinstance(band, int):
        raise FieldError(f"{label}: 'file' must be the name of a file, and 'band' a whole number from 1")
    if low == high:
        raise FieldError(f"{label}: 'low' and 'high' must differ")

    def density(value: float) -> float:
        return per_m2 * min(max((value - low) / (high - low), 0.0), 1.0) if math.isfinite(value) else 0.0

    return name, band, density


RANGES = {
    "per_m2": (0.0, 100.0),
    "p": (0.0, 1.0),
    "sigma_m": (0.0, 1000.0),
    "spacing_m": (0.0, 1000.0),
}  # above, at most
# Role: geometries, figures in the order of the function that makes a density of them.
SHAPES: dict[str, tuple[tuple[str, ...], Sequence[str], Callable[..., Built]]] = {
    "suspected_hazard": (("Polygon", "MultiPolygon"), ("per_m2",), _area),
    "suspected_point": (("Point",), ("p", "sigma_m"), _point),
    "mine_row": (("LineString", "MultiLineString"), ("spacing_m", "p", "sigma_m"), _row),
}
