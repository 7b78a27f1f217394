"""How the lanes of a search lie: their heading, and whether strips to turn in are opened at their far ends.

A small field is planned in every layout and the best plan wins. In a large one that takes minutes, so there the layout is chosen by
what its lanes will take, reckoned row by row of a raster along them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mine_robot.core.limits import Limits
from mine_robot.core.types import Pose2
from mine_robot.coverage.ground import DRIVABLE, HAZARD, Ground, Mask
from mine_robot.coverage.sortie import Raster
from mine_robot.coverage.strip import along_borders, lay_strips
from mine_robot.coverage.wedge import Wedge, find_wedge

TURN_S = 7.0  # from one lane to the next
STRIP_S = 60.0  # of a strip besides its length: to enter it and leave it, and for what is left in its corners
FAR_FROM_SAFE = 3.0  # times as long takes a lane that begins and ends beside unsearched ground
BEYOND_CELLS = 4  # from the border into what lies beyond it, past cells that belong to neither


@dataclass(frozen=True)
class Layout:
    """Heading of the main lanes in rad, and whether strips to turn in are opened at their far ends.

    Those of a ``wedge`` lie along its sides; ``direction`` is that of its middle then.
    """

    direction: float = 0.0
    strips: bool = False
    wedge: bool = False


def reckon(ground: Ground, directions: Iterable[float], limits: Limits) -> Layout:
    """The layout whose lanes take least, of those along ``directions``; headings point away from safe ground."""
    options: list[tuple[float, Layout]] = []
    for direction in directions:
        raster = Raster(ground, direction)
        raster.gain = raster.all_of(HAZARD)
        options += [
            (seconds, Layout(heading, strips)) for seconds, heading, strips in _seconds(raster, direction, limits)
        ]
    wedge = find_wedge(ground)
    if wedge is not None:
        seconds = _seconds_of_wedge(wedge, 2.0 * ground.footprint.half_lane, limits)
        options.append((seconds, Layout(wedge.middle.heading, wedge=True)))
    return min(options, key=lambda option: option[0], default=(0.0, Layout()))[1]


def safe_beyond(raster: Raster, rows: np.ndarray, columns: np.ndarray, step: int) -> Mask:
    """Whether safe ground lies beyond the ends (n,) of rows of the hazard area that a raster was laid with as gain."""
    beyond = np.clip(columns + step * BEYOND_CELLS, 0, raster.gain.shape[1] - 1)
    return np.asarray((raster.drivable & ~raster.gain)[rows, beyond])


def _seconds(raster: Raster, direction: float, limits: Limits) -> list[tuple[float, float, bool]]:
    """Time in s, heading, and whether that is with strips, of lanes along ``direction`` without and with them."""
    change = np.diff(raster.gain.astype(np.int8), axis=1, prepend=0, append=0)
    rows, first = np.nonzero(change > 0)
    last = np.nonzero(change < 0)[1] - 1
    near, far = safe_beyond(raster, rows, first, -1), safe_beyond(raster, rows, last, 1)
    length = (last - first + 1) * raster.resolution
    lanes_a_row = 1.0 / (2 * raster.half_lane + 1)
    # The searched line is ahead of what is driven.
    in_and_out = np.maximum(length - raster.line * raster.resolution, 0.0)
    there = (
        np.select([near & far, near | far], [length, in_and_out], FAR_FROM_SAFE * length) / limits.search_speed + TURN_S
    )
    back = np.where(near & far, 0.0, in_and_out) / limits.drive_speed
    heading = direction if np.count_nonzero(near) >= np.count_nonzero(far) else direction + math.pi
    plain = float(np.sum(there + back)) * lanes_a_row
    chains = [[strip.length for strip in strips] for strips in lay_strips(raster.ground, heading)]
    if not chains:
        return [(plain, heading, False)]
    # Each strip is backed out of once and leaves one more lane along the border; from chain to chain the robot goes back.
    metres, count = sum(map(sum, chains)), sum(map(len, chains))
    back_to_safe, rims = metres - max(map(sum, chains)), sum(_rims(raster.ground, heading))
    strips = (metres + back_to_safe + rims) / limits.drive_speed + (metres + rims) / limits.search_speed
    strips += STRIP_S * count
    strips += float(np.sum(length / limits.search_speed + TURN_S)) * lanes_a_row
    return [(plain, heading, False), (strips, heading, True)]


def _rims(ground: Ground, heading: float) -> Iterator[float]:
    """Lengths of borders along ``heading`` that a lane cannot begin on from safe ground, so that something is left to search along them."""
    for strip in along_borders(ground):
        along = np.array([math.cos(strip.heading), math.sin(strip.heading)])
        if abs(math.sin(strip.heading - heading)) * strip.length < 2.0 * ground.footprint.half_lane:
            begins = np.array(strip.start) + ground.footprint.half_lane * strip.inward
            before = (begins - ground.footprint.ahead * along, begins + (strip.length + ground.footprint.ahead) * along)
            if not any(ground.cells[ground.cell(*place)] & DRIVABLE for place in before):
                yield strip.length


def _seconds_of_wedge(wedge: Wedge, lane: float, limits: Limits) -> float:
    """Time in s of lanes ``lane`` m wide along the sides of a wedge."""
    height = wedge.middle.length
    # Its middle is driven back once, and up again between the sides.
    seconds = 2.0 * height / limits.drive_speed + height / limits.search_speed + STRIP_S * (1 + len(wedge.sides))
    for side in wedge.sides:
        count = side.from_safe.distance(Pose2(*wedge.middle.start, 0.0)) / lane
        seconds += count * (side.from_safe.length / 2.0 / limits.search_speed + TURN_S)
    return seconds
