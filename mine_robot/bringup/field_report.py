"""What commands say of a field before anything is done with it: what it holds, where on earth it is, what of it can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mgrs
import shapely

from mine_robot.core.field import Field, FieldError
from mine_robot.core.robot import Robot
from mine_robot.coverage.ledger import raster_of
from mine_robot.coverage.params import CoverageParams
from mine_robot.pipeline.loading import LoadError
from mine_robot.pipeline.reach import REACH_LEAST, Reach, reach_of
from mine_robot.records.text import percent
from mine_robot.records.utm import UtmZone
from mine_robot.sim.scenario import ScenarioError

REASONS_SHOWN = 3


def inventory(field: Field) -> list[str]:
    """What was read, with number and area, and what was left out because it does not matter."""
    lines = [f"read: {field.account.words}"]
    if field.account.ignored:
        lines.append(f"not read, as it does not matter: {', '.join(field.account.ignored)}")
    return lines


def place(field: Field) -> str:
    """Where on earth the middle of the hazard area is, and how far the field extends."""
    latitude, longitude = field.datum.latitude, field.datum.longitude
    zone = UtmZone.of(field.datum)
    ((east, north),) = zone.project(longitude, latitude)
    grid = mgrs.MGRS().toMGRS(latitude, longitude)
    west, south, far_east, far_north = field.bounds
    sides = f"{'N' if latitude >= 0 else 'S'}", f"{'E' if longitude >= 0 else 'W'}"
    return (
        f"at {abs(latitude):.6f} {sides[0]} {abs(longitude):.6f} {sides[1]}, UTM {zone.name} {east:.0f} {north:.0f}, MGRS {grid}; "
        f"{far_east - west:.1f} m from west to east, {far_north - south:.1f} m from south to north"
    )


def reach_line(reach: Reach) -> str:
    """What of the hazard area can be reached, in words that say how that is known."""
    how = "by a plan" if reach.planned else "reckoned by the robot's width: too large to be planned for a check"
    return f"within reach: {reach.area:.1f} of {reach.hazard:.1f} m2, {percent(reach.share)} ({how})"


def reach_warnings(reach: Reach) -> Iterator[str]:
    """A line if too little is within reach."""
    if not reach.poor:
        return
    reasons = sorted(reach.left.items(), key=lambda item: -item[1])[:REASONS_SHOWN]
    why = "; ".join(f"{area:.1f} m2 {reason}" for reason, area in reasons)
    yield (
        f"only {percent(reach.share)} of the hazard area is within reach, {reach.hazard - reach.area:.1f} m2 are not (below "
        f"{percent(REACH_LEAST)}){': ' + why if why else ''}: look at where safe and hazard area meet, and at the no-go zones"
    )


def describe(path: Path, field: Field, params: CoverageParams, robot: Robot) -> tuple[list[str], list[str]]:
    """The lines of ``mine-robot check`` for the field in ``path``, the first a summary, and its warnings.

    Raises :class:`LoadError` if no robot can start there.
    """
    to_search = float(shapely.area(field.hazard.difference(field.no_go)))
    summary = f"field '{field.name}', {to_search:.1f} m2 to search beside {field.safe.area:.1f} m2 of safe ground: ok"
    details, warnings = [*inventory(field), place(field)], list(field.account.warnings)
    try:
        raster_of(field, params.resolution)
    except FieldError as error:
        return [f"{summary}, but only for an estimate: {error}", *details], warnings
    try:
        reach = reach_of(field, params, params.limits, robot)
    except (ScenarioError, FieldError) as error:
        raise LoadError(f"{path}: {error}") from None
    return [summary, *details, reach_line(reach)], [*warnings, *reach_warnings(reach)]
