"""The search of all remaining ground, as a greedy sequence of sorties.

A sortie is a way over ground where the robot can turn, a turn to the lane's heading, a straight sweep, and, if the end of the lane is no
place to turn, the way back along it. The next sortie is the one with the most new ground for its time. First come lanes in one main
direction and against it, side by side at the nominal overlap; what they leave (behind halos, in slanted corners, beside holes) is
gathered in all headings. Whatever a straight drive from turning ground can reach is tried before the search ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from mine_robot.core.limits import Limits
from mine_robot.core.types import Pose2
from mine_robot.coverage.escape import Move, drive_moves, unpark, ways_out
from mine_robot.coverage.footprint import Footprint
from mine_robot.coverage.ground import CHOSEN, DRIVABLE, FRESH, HAZARD, INNER, PENDING, SEARCHABLE, Ground
from mine_robot.coverage.layout import Layout
from mine_robot.coverage.links import Links, cross
from mine_robot.coverage.outlook import Outlook
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.route import Point, Route, ahead
from mine_robot.coverage.shortcut import shorten
from mine_robot.coverage.sortie import Candidate, LaneFinder
from mine_robot.coverage.transit import TurningGround

PROPOSALS = 24  # candidates of one heading that are tried at first
PROPOSALS_MAX = 480  # and when all of those are refused
MAIN_SCORE = 0.4  # main lanes that score less than this share of the best wait until other headings may be better
KEPT_SHARE = 0.8  # of the gain a leftover candidate must still have
LEAST_SHARE = 0.5  # of the smallest gain worth a drive that a main lane must have on the ground's own raster
FAN = 4  # times as many headings
FAN_WORTH_M2 = 0.5  # left by all headings before more are tried
NEAR_M = 4.0  # way back from the end of a lane that is shorter than turning there by strokes
NEARER = (1.6, 1.2, 0.8, 0.4, 0.0)  # cells a lane on the border is brought nearer to it, if it is clear there
ROOMY = tuple(0.2 * i for i in range(-8, 21))  # if it shall leave room to turn a little
SPARE_CELLS = 4  # that it may leave there then
EARLIER_M = (0.0, 1.0)  # that it may begin earlier, where its line passes what its tracks would touch
STROKES, WRIGGLES = 60, 15  # tries to enter lanes along one border by strokes, and those that end with many small moves
SHORTER = (0, 1, 2, 4, 8)  # cells a lane is shortened by if its end is not clear


@dataclass(frozen=True, eq=False)
class Wanted:
    """What a lane must be: it gains so much ``gain`` in m² and has at most this ``length`` in m.

    If it shall lie on a border, ``outward`` is the unit vector to that: as near as is clear, or with ``room`` as far off as leaves nothing.
    What ``opens`` ground gains what the tracks may rely on after it, to the last cell, which is a little less than what is searched.
    """

    gain: float = 0.0
    length: float = math.inf
    outward: NDArray[np.float64] | None = None
    room: bool = False
    opens: bool = False


ANY = Wanted()


class Search:
    """One planned search on ``ground``, which it changes, from ``pose``; it ends when the plan takes longer than ``horizon`` s.

    It finds nothing if the robot is ``shut_in``: it stands where no way over searched ground leads out.
    """

    def __init__(
        self,
        ground: Ground,
        pose: Pose2,
        limits: Limits,
        params: CoverageParams,
        footprint: Footprint,
        layout: Layout,
        horizon: float = math.inf,
        near: bool = False,
    ) -> None:
        self.ground = ground
        self.horizon = horizon
        self.params = params
        self.route = Route(ground, pose, limits)
        self.finder = LaneFinder(footprint, limits, params)
        self.turning = TurningGround(ground)
        self.lane_end = self.route.mark()
        self.layout = layout
        self.wanted = ANY
        self.refused: set[tuple[float, float, float, float]] = set()
        self.best_score, self.least = 0.0, 0.0
        self.pool: list[Candidate] = []
        self.proposals, self.more = PROPOSALS, False
        self.outlook = Outlook(ground, near)
        self.links: dict[tuple[float, ...], Links] = {}
        self.entry: Sequence[Move] = ()  # to turning ground from where the last lane began
        self.way_back: Sequence[Move] = ()  # and from where it ended
        self.strokes, self.wriggles = math.inf, 0  # lanes that may still be entered so
        self.chosen = False  # only the chosen cells are searched
        self._first_ways = tuple(ways_out(self.route, self.turning))
        self.shut_in = not self._first_ways

    @property
    def cut(self) -> bool:
        """True if the plan reached its horizon: there may be more to search."""
        return self.route.duration > self.horizon

    @property
    def place(self) -> Point:
        """Where the robot is."""
        return self.route.pose.x, self.route.pose.y

    @property
    def left(self) -> float:
        """Ground in m² that is still unsearched and not across the border."""
        return int(np.count_nonzero(self.ground.all_of(PENDING | INNER))) * self.ground.resolution**2

    def only(
        self,
        corners: NDArray[np.float64],
        headings: Sequence[float],
        wanted: Wanted = ANY,
        nominal: bool = False,
        done: Callable[[], bool] = lambda: False,
    ) -> None:
        """Search nothing but a convex polygon with ``corners`` (n, 2), until it is ``done``, by lanes as they are ``wanted``.

        ``nominal`` ones lie side by side, others gather whatever is left.
        """
        self.ground.choose(corners)
        self.chosen, self.wanted = True, wanted
        if wanted.outward is not None:
            self.strokes, self.wriggles = STROKES, WRIGGLES
        self._sweep_all(headings, nominal, done=done)
        self.chosen, self.wanted, self.strokes, self.wriggles = False, ANY, math.inf, 0

    def _ways_out(self) -> Iterable[Sequence[Move]]:
        """Ways to turning ground: before the first step those there were, from a lane simple ones, else back the way it was entered."""
        if not self.route.steps:
            return self._first_ways
        return chain(ways_out(self.route, self.turning), [self.way_back])

    def turn_near_by(self, reach: float = NEAR_M) -> None:
        """Bring the robot from the end of a lane to where it can turn, if that is possible within ``reach`` m."""
        before = self.route.mark()
        for leave in ways_out(self.route, self.turning, reach):
            if drive_moves(self.route, leave):
                return
            self.route.rewind(before)

    def main_lanes(self) -> None:
        """Lay lanes side by side along the direction of the layout and against it, as long as they gain well."""
        self._sweep_all(self.headings(2), nominal=True)

    def pockets(self) -> None:
        """Search the pockets that the main lanes left behind halos and holes, by lanes across and along."""
        self._sweep_all(self.headings(4), nominal=True)

    def rest(self, turned: bool = True) -> None:
        """Gather what is left: in all headings, or, unless lanes may be ``turned``, in that of the main lanes."""
        if not turned:
            self._sweep_all(self.headings(2), nominal=False)
            return
        count = self.params.headings
        self._sweep_all(self.headings(count // 2), nominal=False)
        self._sweep_all(self.headings(count), nominal=False)  # the headings between are for what the others leave
        if self.left > FAN_WORTH_M2:
            # Behind a narrow place only lanes through it, like the rays of a fan, make room to turn.
            self._sweep_all(self.headings(FAN * count), nominal=False, thorough=False)
            self._sweep_all(self.headings(count), nominal=False)
        if not self.ground.all_of(HAZARD | DRIVABLE).any():
            # No lane's nominal width reaches into an area hardly wider than a cell; there all that a lane searches shall count.
            self.only(self.ground.corners, self.headings(count))

    def headings(self, count: int) -> list[float]:
        """So many headings all round, the first that of the main lanes."""
        return [self.layout.direction + 2.0 * math.pi * i / count for i in range(count)]

    def _sweep_all(
        self, headings: Sequence[float], nominal: bool, thorough: bool = True, done: Callable[[], bool] = lambda: False
    ) -> None:
        self.best_score, self.least, self.pool = 0.0, MAIN_SCORE if nominal else 0.0, []
        self.proposals, retried = PROPOSALS, False
        # Cells across the border come with their neighbours; they are not worth a lane of their own.
        gain = FRESH if nominal else PENDING | INNER
        if self.wanted.opens:
            gain = SEARCHABLE
        if self.chosen:
            gain |= CHOSEN
        self.outlook.begin(gain, headings[0] if nominal or len(headings) == 2 else None)
        self.outlook.at(self.place)
        while not (self.cut or self.shut_in or done()):
            self.more = False
            if self._sortie(headings, gain) or self._sortie_elsewhere(headings, gain):
                self.proposals, retried = PROPOSALS, False
                self.outlook.at(self.place)
            elif thorough and self.more and self.proposals < PROPOSALS_MAX:
                self.proposals *= 8
            elif self.outlook.onward(self.place):
                self.proposals = PROPOSALS
            elif thorough and self.refused and not retried and not (self.outlook.near and nominal):
                self.refused.clear()  # the ground may have changed since
                self.proposals, retried = PROPOSALS, True
                self.outlook.at(self.place)
            else:
                return

    def _sortie(self, headings: Sequence[float], gain: np.uint8) -> bool:
        """One sortie from the part of the turning ground that the robot is in, or can back out to."""
        self.lane_end = before = self.route.mark()
        for leave in self._ways_out():
            if not drive_moves(self.route, leave):
                continue
            label = self.turning.label(self.route.pose.x, self.route.pose.y)
            if not self.least and self._from_pool():
                return True
            candidates = self._candidates(headings, gain, label)
            for i, candidate in enumerate(candidates):
                if self._try(candidate):
                    self.pool = [other for other in candidates[i + 1 :] if other.score > KEPT_SHARE * candidate.score]
                    return True
            self.route.rewind(before)
        return False

    def _from_pool(self) -> bool:
        """One sortie from the candidates that an earlier look left over, if one is still worth most of what it promised.

        Gains only shrink while the ground is searched, so the order of the pool stays a fair one for a while.
        """
        while self.pool:
            candidate = self.pool.pop(0)
            if candidate.gain * KEPT_SHARE <= self._gain_of(candidate) and self._try(candidate):
                return True
        return False

    def _gain_of(self, candidate: Candidate) -> float:
        """What a candidate would gain now, in m²."""
        return self.ground.count_gain(candidate.start, candidate.length) * self.ground.resolution**2

    def _candidates(self, headings: Sequence[float], gain: np.uint8, part: int | None) -> list[Candidate]:
        position = self.route.pose
        found: list[Candidate] = []
        for heading in headings:
            where = self.outlook.corners(heading)
            lanes = self.finder.candidates(
                self.ground, self.turning, part, gain, heading, position, self.proposals, where
            )
            self.more |= len(lanes) == self.proposals and lanes[-1].score >= self.least * self.best_score
            found += lanes
        found = [
            candidate
            for candidate in found
            if candidate.gain >= self.wanted.gain and candidate.length <= self.wanted.length
        ]
        found.sort(key=lambda candidate: -candidate.score)
        return [candidate for candidate in found if candidate.score >= self.least * self.best_score]

    def _try(self, candidate: Candidate) -> bool:
        """Drive a candidate if every move of it is clear; otherwise leave the route as it is."""
        key = (candidate.start.x, candidate.start.y, candidate.start.yaw, candidate.length)
        if key in self.refused:
            return False
        if self.least and self._gain_of(candidate) < LEAST_SHARE * self.params.min_gain:
            self.refused.add(key)  # what neighbouring lanes share is searched already
            return False
        before = self.route.mark()
        for placed in self._placements(candidate):
            if self._enter(placed):
                shorten(self.route, self.lane_end, self.turning)
                if self.route.sweep(placed.length) > 0:
                    self.turning.grow(placed.start, placed.length)
                    self.links.clear()
                    self.way_back = [(placed.start.yaw, -placed.length), *self.entry]
                    self.best_score = max(self.best_score, candidate.score)
                    return True
            self.route.rewind(before)
        self.refused.add(key)
        return False

    def _enter(self, candidate: Candidate) -> bool:
        """Drive to the start of a lane, from a place to turn on its line or beside it; one on the border has been moved aside."""
        if candidate.aside:
            return self._enter_aside(candidate)
        return self._enter_straight(candidate) or (self.wanted.outward is not None and self._enter_aside(candidate))

    def _enter_straight(self, candidate: Candidate) -> bool:
        """Drive to the start of a lane from a place to turn on its line."""
        start, pivot = candidate.start, candidate.pivot
        distance = (start.x - pivot[0]) * math.cos(start.yaw) + (start.y - pivot[1]) * math.sin(start.yaw)
        if not self.ground.can_drive(start, -distance):
            return False
        before = self.route.mark()
        self.entry = [(start.yaw, -distance)]
        if self._go(pivot) and self.route.turn(start.yaw) and self.route.drive(distance):
            return True
        self.route.rewind(before)
        return False

    def _go(self, spot: Point) -> bool:
        """Drive to another place in the same part of the turning ground."""
        before = self.route.mark()
        for within in (False, True):
            path = self.turning.path((self.route.pose.x, self.route.pose.y), spot, within)
            if path is None:
                return False
            if self.route.follow(path):
                return True
            self.route.rewind(before)
        return False

    def _enter_aside(self, candidate: Candidate) -> bool:
        """Drive to the start of a lane from a place to turn beside its line: out by strokes, driven the other way round."""
        if self.strokes <= 0:
            return False
        self.strokes -= 1
        moves = unpark(self.ground, self.turning, candidate.start)
        if moves is None and self.wriggles > 0:
            self.wriggles -= 1
            moves = unpark(self.ground, self.turning, candidate.start, wriggling=True)
        if moves is None:
            return False
        self.entry = moves
        poses = [candidate.start]
        for yaw, distance in moves:
            poses.append(ahead(Pose2(poses[-1].x, poses[-1].y, yaw), distance))
        if not self._go((poses[-1].x, poses[-1].y)):
            return False
        back = all(self.route.turn(yaw) and self.route.drive(-distance) for yaw, distance in reversed(moves))
        return back and self.route.turn(candidate.start.yaw)

    def _placements(self, candidate: Candidate) -> Iterator[Candidate]:
        """A candidate as long as it is clear; if it shall lie on the border, as it is wanted there."""
        outward = self.wanted.outward
        if outward is None:
            yield from self._clear(candidate)
            return
        start, pivot = candidate.start, candidate.pivot
        for dx, dy in self._shifts(candidate, outward):
            nearer, aside = replace(start, x=start.x + dx, y=start.y + dy), (pivot[0] + dx, pivot[1] + dy)
            for earlier in EARLIER_M:
                begin, length = ahead(nearer, -earlier), candidate.length + earlier
                yield from self._clear(replace(candidate, start=begin, length=length, pivot=aside))

    def _shifts(self, candidate: Candidate, outward: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """How a lane is moved to the border, in m: what is best first."""
        cell, start = self.ground.resolution * outward, candidate.start
        if not self.wanted.room:
            return [cells * cell for cells in NEARER]
        shifts = [cells * cell for cells in ROOMY]
        placed = [replace(start, x=start.x + dx, y=start.y + dy) for dx, dy in shifts]
        left = [self.ground.count_beyond(place, candidate.length, outward) for place in placed]
        return [shift for shift, cells in zip(shifts, left) if cells <= min(left) + SPARE_CELLS]

    def _clear(self, candidate: Candidate) -> Iterator[Candidate]:
        """A candidate with the greatest length at which it is clear; none if there is none."""
        for cells in SHORTER:
            length = candidate.length - cells * self.ground.resolution
            if length > 0.0 and self.ground.can_sweep(candidate.start, length):
                yield replace(candidate, length=length)
                return

    def _sortie_elsewhere(self, headings: Sequence[float], gain: np.uint8) -> bool:
        """Go to another part of the turning ground from which there is something to gain, and search there."""
        if self.turning.count < 2:
            return False
        candidates = self._candidates(headings, gain, None)
        goals = {self.turning.label(*candidate.pivot) for candidate in candidates}
        before = self.route.mark()
        for leave in self._ways_out():
            if not drive_moves(self.route, leave):
                continue
            here = self.turning.label(self.route.pose.x, self.route.pose.y)
            links = self._links_in(headings).chain(here, goals - {0, here}) if goals - {0, here} else None
            if links and all(cross(self.route, self.turning, link) for link in links) and self._sortie(headings, gain):
                return True
            self.route.rewind(before)
        return False

    def _links_in(self, headings: Sequence[float]) -> Links:
        """Links in ``headings`` on the ground as it is: to look for them takes long, and place after place asks for the same ones."""
        return self.links.setdefault(tuple(headings), Links(self.ground, self.turning, headings))
