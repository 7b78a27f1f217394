"""The list of targets: one entry an object, with a stable id, refined by every pass."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from mine_robot.core.priors import raised
from mine_robot.core.types import Target, TargetClass
from mine_robot.detection.fusion import Verdict

MOVED_M = 0.005
RESTORED_RUN = 0  # the passes of a detector count from 1
RESTORED_WEIGHT = math.exp(6.0)  # of a clear look
LARGE = (TargetClass.AT, TargetClass.ERW)
APART_M = 0.45  # no two bodies lie nearer of which one is an anti-tank mine
LARGE_M = 0.05  # what these echo from their edges is theirs, so much further out, and still inside their halo
AS_PROBABLE = 2.0  # probabilities within this factor say the same
SAME_PEAK_M = 0.08  # looks of one pass this near are the same peak, better known
PASSES_MAX = 32  # of a target that are remembered


@dataclass(frozen=True)
class Sighting:
    """An object seen in one pass at (x, y) m in ``map`` on ground of height ``z``, with ``sigma`` m each way.

    ``prior`` is what prior knowledge adds there to the logarithm of the odds of a hazard (:mod:`mine_robot.core.priors`), never below 0.
    """

    x: float
    y: float
    z: float
    sigma: float
    weight: float
    verdict: Verdict
    prior: float = 0.0

    @property
    def p(self) -> float:
        """Probability of a hazard with the prior knowledge."""
        return raised(self.verdict.p_hazard, self.prior)

    @property
    def say(self) -> float:
        """How much it counts for the place of its target."""
        return self.weight / self.sigma**2


@dataclass
class _Entry:
    id: int
    sightings: dict[int, Sighting] = field(default_factory=dict)

    def enter(self, run: int, sighting: Sighting) -> None:
        """Keep what pass ``run`` saw; of very many passes the least suspicious look is forgotten, never one that decides."""
        self.sightings[run] = sighting
        if len(self.sightings) > PASSES_MAX:
            every = self.sightings.values()
            decide = max(every, key=lambda look: look.verdict.p_hazard), max(every, key=lambda look: look.p)
            others = [past for past, look in self.sightings.items() if all(look is not one for one in decide)]
            del self.sightings[min(others, key=lambda past: self.sightings[past].verdict.p_hazard)]

    def target(self, marked_p: float) -> Target:
        """Mean of the passes weighted by certainty and strength; the verdict is that of the clearest look.

        Where one pass would have it marked, those that would not have no part in the place: a halo must not move back under the tracks.
        The sensors' word comes first in this, so that prior knowledge moves nothing that they would have marked by themselves.
        """
        every = list(self.sightings.values())
        best = max(every, key=lambda look: look.verdict.p_hazard)
        looks = [look for look in every if look.verdict.p_hazard >= marked_p]
        looks = looks or [look for look in every if look.p >= marked_p] or every
        weights = np.array([look.say for look in looks])
        x, y, z = (float(weights @ [getattr(look, axis) for look in looks] / weights.sum()) for axis in "xyz")
        sigma = math.sqrt(float((weights**2) @ [look.sigma**2 for look in looks])) / float(weights.sum())
        verdict = best.verdict
        return Target(
            self.id,
            x,
            y,
            z,
            sigma,
            sigma,
            verdict.depth,
            verdict.llr_gpr,
            verdict.llr_md,
            max(look.p for look in every),
            verdict.kind,
        )


class Registry:
    """Associates sightings with targets by distance (within ``association`` m); nothing is ever removed.

    A spot enters the list with a probability of ``listed_p`` and is marked from ``marked_p`` on.
    """

    def __init__(self, association: float, listed_p: float, marked_p: float) -> None:
        self._association, self._listed_p, self._marked_p = association, listed_p, marked_p
        self._entries: list[_Entry] = []
        self._targets: list[Target] = []
        self.revision = 0

    @property
    def targets(self) -> tuple[Target, ...]:
        """All targets, in order of their ids (from 1)."""
        return tuple(self._targets)

    def nearest(self, x: float, y: float, kind: TargetClass = TargetClass.UNKNOWN) -> Target | None:
        """The target an object of ``kind`` at (x, y) belongs to, if any."""
        near = [
            (math.hypot(t.x - x, t.y - y) - self._reach(t.kind, kind), t.id)
            for t in self._targets
            if math.isfinite(t.x)
        ]
        beyond, number = min(near, default=(math.inf, 0))
        return self._targets[number - 1] if beyond <= 0.0 else None

    def _reach(self, known: TargetClass, seen: TargetClass) -> float:
        """Distance in m within which what is ``seen`` is the ``known`` object."""
        if known in LARGE and seen in LARGE and TargetClass.AT in (known, seen):
            return APART_M
        return self._association + LARGE_M * (known in LARGE)

    def restore(self, targets: Iterable[Target]) -> None:
        """Take over what an earlier process found, as seen in a pass before all others; ids go on from there.

        Ids that are missing (from a damaged record) keep their place without a position, so that none is given twice.
        """
        known = {target.id: target for target in targets}
        for number in range(1, max(known, default=0) + 1):
            nan = math.nan
            unknown = Target(number, nan, nan, nan, nan, nan, nan, nan, nan, 0.0, TargetClass.UNKNOWN)
            target = known.get(number, unknown)
            verdict = Verdict(target.llr_gpr, target.llr_md, target.p_hazard, target.kind, target.depth)
            sigma = max(target.sigma_x, target.sigma_y)
            look = Sighting(target.x, target.y, target.z, sigma, RESTORED_WEIGHT, verdict)
            self._entries.append(_Entry(number, {RESTORED_RUN: look}))
            self._targets.append(target)
        self.revision += 1

    def update(self, run: int, sighting: Sighting) -> None:
        """Enter what pass ``run`` sees now: a later look of a pass at the same peak, or at one that leads, tells the place.

        The worst verdict of a pass stays: the robot has stopped for it and marks it, and what else lies near must not take it back.
        """
        known = self.nearest(sighting.x, sighting.y, sighting.verdict.kind)
        if known is None and sighting.p < self._listed_p:
            return
        if known is None:
            entry = _Entry(len(self._entries) + 1, {run: sighting})
            self._entries.append(entry)
            self._targets.append(entry.target(self._marked_p))
            self.revision += 1
            return
        entry = self._entries[known.id - 1]
        last = entry.sightings.get(run)
        if last is not None:
            same = math.hypot(last.x - sighting.x, last.y - sighting.y) < SAME_PEAK_M
            worst = max(last.verdict, sighting.verdict, key=lambda verdict: verdict.p_hazard)
            if not same and not self._leads(sighting, last):
                sighting = last
            sighting = replace(sighting, verdict=worst, prior=max(last.prior, sighting.prior))
        entry.enter(run, sighting)
        target = entry.target(self._marked_p)
        moved = math.hypot(target.x - known.x, target.y - known.y) > MOVED_M
        if moved or target.p_hazard != known.p_hazard or target.kind != known.kind:
            self._targets[known.id - 1] = target
            self.revision += 1

    def _leads(self, new: Sighting, old: Sighting) -> bool:
        """True if of two peaks of one object the new one tells the place: the first to be marked, clearly more probable,
        or as probable and stronger or better placed."""
        now, before = new.verdict.p_hazard, old.verdict.p_hazard
        first = now >= self._marked_p > before or new.p >= self._marked_p > old.p
        return first or now > AS_PROBABLE * before or (AS_PROBABLE * now > before and new.say > old.say)
