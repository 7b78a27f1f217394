"""What does not change during a run: the field, the robot's outline and the limits the map shows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from mine_robot.core.field import Field
from mine_robot.core.limits import Limits
from mine_robot.core.priors import NO_PRIORS, RASTER, Priors
from mine_robot.core.robot import Patch, Robot
from mine_robot.core.types import TargetClass

DECIMALS = 3  # of a metre


def scene(
    field: Field, robot: Robot, limits: Limits, *, simulated: bool, began: float = math.nan, priors: Priors = NO_PRIORS
) -> dict[str, Any]:
    """The scene for the map, lengths in m in ``map`` (areas) and in ``base_link`` (robot); of ``priors`` the outlines, rasters left out.

    ``began`` is the UNIX time at which a run on a robot began.
    """
    return {
        "name": field.name,
        "imsma_id": field.imsma_id,
        "datum": [field.datum.latitude, field.datum.longitude],
        "simulated": simulated,
        "began": began if math.isfinite(began) else None,
        "bounds": [round(value, DECIMALS) for value in field.bounds],
        "hazard": rings(field.hazard),
        "safe": rings(field.safe),
        "no_go": rings(field.no_go),
        "priors": [part for one in priors.suspicions if one.role != RASTER for part in rings(one.extent)],
        "known_targets": np.round(field.known_targets, DECIMALS).tolist(),
        "halo_m": limits.halo_radius,
        "mark_p": limits.mark_p_hazard,
        "sigma_factor": limits.sigma_factor,
        "sigma_max_m": limits.position_sigma_max,
        "classes": [kind.name.lower() for kind in TargetClass],
        "robot": {
            "tracks": [_box(patch) for patch in robot.contact_patches],
            "head": _box(robot.head),
            "sweep": [robot.sweep_ahead, robot.sweep_width],
        },
    }


def rings(geometry: BaseGeometry) -> list[list[list[list[float]]]]:
    """Polygons of ``geometry``, each a list of rings (the outer first) of points [east, north]."""
    return [
        [np.round(np.array(ring.coords)[:, :2], DECIMALS).tolist() for ring in (part.exterior, *part.interiors)]
        for part in shapely.get_parts(geometry)
        if part.geom_type == "Polygon" and not part.is_empty
    ]


def _box(patch: Patch) -> list[float]:
    return [round(float(value), DECIMALS) for value in (patch.x_min, patch.y_min, patch.x_max, patch.y_max)]
