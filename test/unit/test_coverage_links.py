"""Links: straight drives through single lanes between places to turn, and chains of them."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coverage_setup import limits, robot

from mine_robot.core.types import Cell, LedgerGrid, Pose2
from mine_robot.coverage.footprint import Footprint
from mine_robot.coverage.ground import Ground
from mine_robot.coverage.links import Links
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.route import Route
from mine_robot.coverage.transit import TurningGround

RESOLUTION = 0.05
ROOMS = ((-4.0, 0.0), (2.0, 0.0), (2.0, 6.0))  # centres
LANE_M = 1.15
HEADINGS = tuple(2.0 * math.pi * i / 16 for i in range(16))


def rooms(lane: float = LANE_M, turned: float = 0.0) -> tuple[Ground, TurningGround]:
    """Three searched rooms of 2.4 m in an L, with a ``lane`` from the first to the second and one from that to the third."""
    y, x = (np.mgrid[0:400, 0:400] + 0.5) * RESOLUTION - 10.0
    cos, sin = math.cos(turned), math.sin(turned)
    x, y = cos * x + sin * y, cos * y - sin * x
    free = np.zeros(x.shape, dtype=bool)
    for east, north in ROOMS:
        free |= (np.abs(x - east) < 1.2) & (np.abs(y - north) < 1.2)
    free |= (np.abs(y) < lane / 2.0) & (x > -4.0) & (x < 2.0)
    free |= (np.abs(x - 2.0) < lane / 2.0) & (y > 0.0) & (y < 6.0)
    cells = np.where(free, Cell.SEARCHED, Cell.PENDING).astype(np.int8)
    ground = Ground(LedgerGrid(0.0, -10.0, -10.0, RESOLUTION, cells), Footprint.of(robot(), limits(), CoverageParams()))
    return ground, TurningGround(ground)


def place(number: int, turned: float = 0.0) -> tuple[float, float]:
    (east, north), cos, sin = ROOMS[number], math.cos(turned), math.sin(turned)
    return cos * east - sin * north, sin * east + cos * north


def test_a_chain_leads_from_room_to_room() -> None:
    ground, turning = rooms()
    first, second, third = (turning.label(*place(i)) for i in range(3))
    links = Links(ground, turning, HEADINGS)
    assert links.chain(first, {first, third}) == []
    way = links.chain(first, {third})
    assert way is not None and [link.label for link in way] == [second, third]
    assert [math.degrees(link.start.yaw) for link in way] == pytest.approx([0.0, 90.0], abs=0.1)
    assert all(ground.can_drive(link.start, link.distance) for link in way)
    assert links.chain(first, {0}) is None


@pytest.mark.parametrize("turned", [0.0, 0.3, 1.0, 2.5])
def test_the_robot_drives_through_lanes_at_any_angle(turned: float) -> None:
    """Along the corridors, which no given heading fits."""
    ground, turning = rooms(turned=turned)
    route = Route(ground, Pose2(*place(0, turned), 0.7), limits())
    assert Links(ground, turning, ()).drive_to(route, place(2, turned))
    assert math.dist((route.pose.x, route.pose.y), place(2, turned)) < 0.01


def test_a_lane_as_wide_as_the_tracks_is_no_link() -> None:
    ground, turning = rooms(lane=0.9)
    links = Links(ground, turning, HEADINGS)
    assert links.chain(turning.label(*place(0)), {turning.label(*place(1))}) is None
    assert not links.drive_to(Route(ground, Pose2(*place(0), 0.0), limits()), place(1))


def test_what_lies_off_the_turning_ground_is_not_driven_to() -> None:
    ground, turning = rooms()
    assert not Links(ground, turning, HEADINGS).drive_to(Route(ground, Pose2(*place(0), 0.0), limits()), (8.0, 8.0))


def test_links_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan in a field of 327 halos asked for the same links place after place and took minutes."""
    ground, turning = rooms()
    looked: list[float] = []
    along = Links._along
    monkeypatch.setattr(Links, "_along", lambda links, heading: looked.append(heading) or along(links, heading))
    links = Links(ground, turning, HEADINGS)
    labels = [turning.label(*place(i)) for i in range(3)]
    assert looked == []
    for label in labels:
        assert links.chain(label, set(labels) - {label})
    once = len(looked)
    links.chain(labels[0], {labels[2]})
    assert len(HEADINGS) <= len(looked) == once < 3 * len(HEADINGS)
