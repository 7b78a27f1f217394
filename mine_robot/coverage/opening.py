"""Strips searched one after another before the lanes, and what they leave along the border after them.

A lane lies best right on the border, but there the robot cannot turn: it gets into it and out of it by strokes, where the ground at its end
is searched already. Where it is not, the outer lane keeps so far off that the robot can turn, and what is left along the border is searched
when the lanes have made room.
"""

from __future__ import annotations

import math
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from mine_robot.coverage.escape import LONG_M
from mine_robot.coverage.ground import DRIVABLE, FRESH, INNER, PENDING
from mine_robot.coverage.search import Search, Wanted
from mine_robot.coverage.strip import LANES, Strip, along_borders, lay_strips
from mine_robot.coverage.wedge import Side, Wedge

OPEN_SHARE = 0.7  # of the length of a strip along which the robot can turn
TURN_EVERY_M = 0.5
TRIES = 2  # to open a strip
CORNERS_M = 2.0, 3.2  # about a corner, searched if there is no room to turn into a lane that begins there
CORNER_LANE = 3.0  # times that is the longest lane there: a little more than the diagonal
BEYOND_M = 4.0  # that a lane may be longer than its strip
ON_BORDER_SHARE, NEAR_BORDER_SHARE = 0.9, 0.7  # of the ground along a border that a lane on it gains, and one near it
RIM_SHARE = 0.01  # of a lane along the border that is worth a drive along it


def open_strips(search: Search) -> None:
    """Search strips to turn in where the lanes of a search will end, as far as they can be reached."""
    for strip in chain.from_iterable(lay_strips(search.ground, search.layout.direction)):
        if search.cut or search.shut_in:
            return
        if _open(search, strip):
            # What is left along the border is not for the lanes that end here.
            window, inside = search.ground.polygon(strip.within(_lane_width(search)))
            search.ground.remove(FRESH, inside, window)


def search_wedge(search: Search, wedge: Wedge) -> None:
    """Search a wedge: its middle, then its sides from their borders inwards."""
    middle = wedge.middle
    if search.shut_in:
        return
    if len(wedge.sides) == 1:
        _open(search, middle)
    elif not _is_open(search, middle):
        wanted = Wanted(length=middle.length + BEYOND_M)
        search.only(middle.within(_lane_width(search)), middle.headings, wanted, True, lambda: _is_open(search, middle))
        search.turn_near_by()
    for side in wedge.sides:
        if _rim_left(search, side.from_safe):
            _search_border(search, side)
        search.only(side.corners, side.from_safe.headings, nominal=True)


def _search_border(search: Search, side: Side) -> None:
    """Search the lane on the border of a side: from the far corner, or, where that is too narrow, from safe ground beside another lane."""
    if _from_corner(search, side.from_corner, room=True):
        return
    strip, lane = side.from_safe, _lane_width(search)
    wanted = Wanted(NEAR_BORDER_SHARE * lane * strip.length, strip.length + BEYOND_M)
    search.only(strip.between(lane, 2.0 * lane), strip.headings, wanted, True)
    _outer_lane(search, strip, room=True)
    search.turn_near_by(LONG_M)


def search_rims(search: Search) -> None:
    """Search what is left along the borders by lanes along them: the nearest first, each from a corner."""
    left = [strip for strip in along_borders(search.ground) if _rim_left(search, strip)]
    while left and not (search.cut or search.shut_in):
        strip = min(left, key=lambda strip: math.dist(strip.start, search.place))
        left.remove(strip)
        for share, ends in ((NEAR_BORDER_SHARE, ()), (NEAR_BORDER_SHARE, (0, 1)), (0.0, ())):
            if not _rim_left(search, strip):
                break
            for end in ends:
                _search_corner(search, strip, CORNERS_M[0], end)
            wanted = Wanted(share * _along_border(search, strip), outward=-strip.inward)
            search.only(strip.within(_lane_width(search)), strip.headings, wanted)
            search.turn_near_by()


def _open(search: Search, strip: Strip) -> bool:
    """Search a strip until the robot can turn in it."""
    lane = _lane_width(search)
    for _ in range(TRIES):
        if _is_open(search, strip):
            return True
        # Where no lane on the border can be entered, the outer one keeps so far off that the robot can turn.
        reach = _outer_lane(search, strip) or search.ground.pivot_room + lane / 2.0
        for _ in range(LANES):
            wanted, begin = Wanted(length=strip.length + BEYOND_M), len(search.route.steps)
            search.only(
                strip.within(reach + lane - search.ground.resolution),
                strip.headings,
                wanted,
                True,
                lambda: _is_open(search, strip),
            )
            reach = max(reach, _reach(search, strip, begin))
        search.turn_near_by()
    return _is_open(search, strip)


def _outer_lane(search: Search, strip: Strip, room: bool = False) -> float:
    """Search the outer lane of a strip, after its first corner if that is needed; how far from the border in m it reaches, or 0."""
    return _from_corner(search, strip, room) or _search_along_border(search, strip, NEAR_BORDER_SHARE)


def _from_corner(search: Search, strip: Strip, room: bool) -> float:
    """Search a lane on the border, after the first corner of the strip if that is needed; how far from the border in m it reaches, or 0."""
    reach = _search_along_border(search, strip, ON_BORDER_SHARE, room)
    for size in CORNERS_M:
        if reach:
            break
        _search_corner(search, strip, size)
        reach = _search_along_border(search, strip, ON_BORDER_SHARE, room)
    return reach


def _search_along_border(search: Search, strip: Strip, share: float, room: bool = False) -> float:
    """Search a lane along the border that gains so large a ``share`` of what there is; how far from the border in m it reaches, or 0.

    With ``room`` it lies as far off as leaves nothing to search.
    """
    depth, begin = _lane_width(search) + search.ground.resolution, len(search.route.steps)
    wanted = Wanted(share * _along_border(search, strip), strip.length + BEYOND_M, -strip.inward, room)
    search.only(strip.within(depth), strip.headings, wanted, True)
    return _reach(search, strip, begin)


def _reach(search: Search, strip: Strip, begin: int) -> float:
    """How far from the border in m the lanes reach that were searched from step ``begin`` on; 0 if none was."""
    ends = [strip.distance(step.end) for step in search.route.steps[begin:] if step.sweep]
    return max(ends) + _lane_width(search) / 2.0 if ends else 0.0


def _is_open(search: Search, strip: Strip) -> bool:
    """Whether the robot can turn nearly anywhere along a strip, and begin a lane from there with its line on searched ground."""
    ground = search.ground
    window, inside = ground.polygon(strip.within((LANES + 1) * _lane_width(search)))
    rows, cols = np.nonzero(inside & search.turning.mask[window])
    rows, cols = rows + window[0].start, cols + window[1].start
    last_row, last_col = ground.cells.shape[0] - 1, ground.cells.shape[1] - 1
    for dx, dy in _line_ends(search, strip):
        # The outermost cells are closed: what lies beyond the raster is as they are.
        ahead_row = np.clip(rows + round(dy / ground.resolution), 0, last_row)
        there = ground.cells[ahead_row, np.clip(cols + round(dx / ground.resolution), 0, last_col)]
        rows, cols = (each[(there & DRIVABLE) > 0] for each in (rows, cols))
    along = (cols * math.cos(strip.heading) + rows * math.sin(strip.heading)) * ground.resolution
    return len(np.unique(np.floor(along / TURN_EVERY_M))) >= OPEN_SHARE * strip.length / TURN_EVERY_M


def _line_ends(search: Search, strip: Strip) -> NDArray[np.float64]:
    """Where the ends of the searched line are from ``base_link`` at the start of a lane that begins in a strip: (2, 2) in ``map``."""
    lane = np.array([math.cos(search.layout.direction), math.sin(search.layout.direction)])
    lane *= math.copysign(1.0, lane @ strip.inward)
    aside = search.ground.footprint.half_lane * np.array([-lane[1], lane[0]])
    return np.array([search.ground.footprint.ahead * lane + aside, search.ground.footprint.ahead * lane - aside])


def _rim_left(search: Search, strip: Strip) -> bool:
    """Whether there is more to search along the border of a strip than a few cells."""
    return _along_border(search, strip) > RIM_SHARE * strip.length * _lane_width(search)


def _along_border(search: Search, strip: Strip) -> float:
    """Ground in m² that a lane along the border could search."""
    ground = search.ground
    return ground.count(strip.within(_lane_width(search)), PENDING | INNER) * ground.resolution**2


def _lane_width(search: Search) -> float:
    """What a lane adds, in m."""
    return 2.0 * search.ground.footprint.half_lane


def _search_corner(search: Search, strip: Strip, size: float, end: int = 0) -> None:
    """Open the ground ``size`` m about the beginning of a strip, or its ``end``, by short lanes."""
    corner = strip.corners(size)[end]
    search.only(corner, search.headings(search.params.headings // 2), Wanted(length=CORNER_LANE * size, opens=True))
