"""What came of the prior knowledge: how much of the ground it speaks of was searched, and what was found there."""

from __future__ import annotations

import math
from dataclasses import dataclass

from shapely import Point

from mine_robot.core.priors import Suspicion
from mine_robot.core.types import Target
from mine_robot.records.run_data import RunData


@dataclass(frozen=True)
class PriorResult:
    """One source of prior knowledge: m² of the hazard area that it speaks of, m² of these not searched, suspects found there."""

    suspicion: Suspicion
    area_m2: float
    left_m2: float
    suspects: tuple[int, ...]


def prior_results(run: RunData) -> list[PriorResult]:
    """The result of every prior of a run, in the order of the file."""
    return [_result(run, suspicion) for suspicion in run.priors.suspicions]


def _result(run: RunData, suspicion: Suspicion) -> PriorResult:
    extent = suspicion.extent.intersection(run.field.hazard)
    inside = tuple(target.id for target in run.suspects() if extent.intersects(Point(target.x, target.y)))
    return PriorResult(suspicion, extent.area, extent.difference(run.ground.searched).area, inside)


def raised_suspects(run: RunData) -> list[Target]:
    """Suspects that the sensors alone would not have had marked."""
    if not run.priors.suspicions:
        return []
    return [target for target in run.suspects() if _unraised(target, run) < run.limits.mark_p_hazard]


def _unraised(target: Target, run: RunData) -> float:
    """The probability without the prior knowledge; the inverse of :func:`~mine_robot.core.priors.raised`."""
    odds = min(math.exp(run.priors(target.x, target.y)), float(run.parameters["detector"]["prior_factor_max"]))
    return target.p_hazard / (target.p_hazard + (1.0 - target.p_hazard) * odds)
