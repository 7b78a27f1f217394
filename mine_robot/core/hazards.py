"""The register of declared hazards: what was once declared keeps its halo until a person takes it back.

Ledger, guard, mission and audit each feed one of these with the lists of targets they hear, and ask it for halos. A list can only add
to it. So an empty list, one that lacks a target, moves it away or calls it harmless opens no ground, whoever sent it; what such a list
contradicts is told in :attr:`Hazards.fault`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from mine_robot.core.types import Release, Target

# A re-look moves a declared target: of 2109 alarms 95 % by less than 0.17 m (docs/detection.md). Less than the smallest usual halo, so
# that the place of the declaration itself never leaves it.
FOLLOW_M = 0.25
# Where a target was believed to be before, ground so much nearer than a halo's rim stays closed: a body with 0.1 m around it
# (CWA 14747-1 counts a detection within half the target's extent and 0.1 m).
RIM_M = 0.10
APART_M = 0.05  # former places nearer to each other than this close the same ground
NAMED = 8  # ids in a message


@dataclass(frozen=True)
class Halo:
    """Ground about (x, y) m that target ``target_id`` closes; ``sigma`` is the largest that its place ever had, m.

    Of a ``former`` place, which the target has left by a better look, only the core stays closed.
    """

    target_id: int
    x: float
    y: float
    sigma: float
    former: bool = False

    def radius(self, usual: float) -> float:
        """Radius in m, where halos are of the ``usual`` one."""
        return max(usual - RIM_M, 0.0) if self.former else usual


@dataclass
class _Place:
    first: tuple[float, float]  # where it was declared
    halo: Halo
    been: list[tuple[float, float]] = field(default_factory=list)  # where it was believed to be, a little apart

    def follow(self, x: float, y: float, sigma: float) -> None:
        """The target is seen at (x, y) now."""
        sigma = max(self.halo.sigma, sigma if math.isfinite(sigma) else math.inf)
        self.halo = replace(self.halo, x=x, y=y, sigma=sigma)
        if all(math.dist(place, (x, y)) > APART_M for place in self.been):
            self.been.append((x, y))

    @property
    def halos(self) -> tuple[Halo, ...]:
        """The halo, and the cores of those that it has left; within the rim it still covers them."""
        here = (self.halo.x, self.halo.y)
        left = [place for place in self.been if math.dist(place, here) > RIM_M]
        return (self.halo, *(replace(self.halo, x=x, y=y, sigma=0.0, former=True) for x, y in left))


@dataclass
class _Entry:
    target: Target  # what is believed of it
    places: list[_Place] = field(default_factory=list)
    released: list[tuple[float, float]] = field(default_factory=list)

    def closed(self) -> list[_Place]:
        """The places that nobody has taken back."""
        return [place for place in self.places if not any(_near(place.first, at) for at in self.released)]


class Hazards:
    """Targets by id; a suspect is one whose probability of a hazard reaches ``threshold``, at a place that is finite."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._entries: dict[int, _Entry] = {}
        self._listed: set[int] | None = None  # ids of the newest list
        self._harmless: list[int] = []  # declared, and no suspects in the newest list
        self._halos: tuple[Halo, ...] = ()

    @property
    def halos(self) -> tuple[Halo, ...]:
        """Everything that is closed; a target that a list moved away closes both places, one that was seen better the core of the old."""
        return self._halos

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is believed of every target ever listed, by id: the newest word, unless that makes a suspect harmless."""
        return tuple(self._entries[number].target for number in sorted(self._entries))

    @property
    def fault(self) -> str:
        """What the newest list contradicts, in words; empty if nothing."""
        listed = set(self._entries) if self._listed is None else self._listed
        missing = [number for number in sorted(self._entries.keys() - listed) if not self._entries[number].released]
        parts = [
            f"{words} {_ids(numbers)}"
            for words, numbers in (
                ("lacks", missing),
                ("takes back the suspicion of", self._harmless),
            )
            if numbers
        ]
        return f"the list of targets {' and '.join(parts)}" if parts else ""

    def target(self, target_id: int) -> Target | None:
        """What is believed of a target; None if it was never listed."""
        entry = self._entries.get(target_id)
        return None if entry is None else entry.target

    def knows(self, target_id: int) -> bool:
        """True for a target that was ever listed."""
        return target_id in self._entries

    def closed(self, target_id: int) -> bool:
        """True while the target has a halo."""
        entry = self._entries.get(target_id)
        return entry is not None and bool(entry.closed())

    def releases(self, target_id: int) -> tuple[Release, ...]:
        """What a person's word would take back: every place of the target, or its id alone if it closes none."""
        entry = self._entries.get(target_id)
        places = [place.first for place in entry.closed()] if entry is not None else []
        return tuple(Release(target_id, *at) for at in places or [(math.nan, math.nan)])

    def take(self, targets: Iterable[Target]) -> bool:
        """Take a whole list; True if the halos have changed."""
        self._listed, self._harmless = set(), []
        for target in targets:
            self._listed.add(target.id)
            self._enter(target)
        return self._changed()

    def recall(self, history: Iterable[Target], releases: Iterable[Release] = ()) -> bool:
        """Take single words about targets in the order in which they were said, from a journal, and what people took back."""
        for target in history:
            self._enter(target)
        self._harmless = []
        return self.release(releases)

    def release(self, releases: Iterable[Release]) -> bool:
        """Take places back by a person's word, as often as it is heard; True if the halos have changed."""
        for release in releases:
            entry = self._entries.get(release.target_id)
            if entry is not None and (release.x, release.y) not in entry.released:
                entry.released.append((release.x, release.y))
        self._harmless = [number for number in self._harmless if self.closed(number)]
        return self._changed()

    def _enter(self, target: Target) -> None:
        at = (target.x, target.y)
        suspect = _placed(target) and target.p_hazard >= self._threshold
        entry = self._entries.get(target.id)
        if entry is None:
            entry = self._entries[target.id] = _Entry(target)
        if not suspect:
            if not entry.places:
                entry.target = target
            elif entry.closed():
                self._harmless.append(target.id)
            return
        entry.target = believed(entry.target, target)
        place = min(entry.places, key=lambda one: math.dist(one.first, at), default=None)
        if place is None or not _near(place.first, at):
            place = _Place(at, Halo(target.id, *at, 0.0))
            entry.places.append(place)
        place.follow(target.x, target.y, max(target.sigma_x, target.sigma_y))

    def _changed(self) -> bool:
        places = [place for entry in self._entries.values() for place in entry.closed()]
        halos = tuple(halo for place in places for halo in place.halos)
        changed, self._halos = halos != self._halos, halos
        return changed


def believed(old: Target | None, new: Target) -> Target:
    """What is believed of a target after another word about it: its newest place, and never a lower probability than before."""
    if old is None or not _placed(old):
        return new
    if not _placed(new):
        return old
    return new if new.p_hazard >= old.p_hazard else replace(new, p_hazard=old.p_hazard)


def _placed(target: Target) -> bool:
    return math.isfinite(target.x) and math.isfinite(target.y)


def _near(place: tuple[float, float], other: tuple[float, float]) -> bool:
    """True within the reach of a re-look; not for a place that is not a number."""
    return math.dist(place, other) <= FOLLOW_M


def _ids(numbers: list[int]) -> str:
    unique = list(dict.fromkeys(numbers))
    more = f" and {len(unique) - NAMED} more" if len(unique) > NAMED else ""
    return ", ".join(map(str, unique[:NAMED])) + more
