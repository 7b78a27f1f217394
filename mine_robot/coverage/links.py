"""Straight drives between parts of the turning ground: through single lanes, where the robot cannot turn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from mine_robot.core.types import Pose2
from mine_robot.coverage.ground import DRIVABLE, Ground
from mine_robot.coverage.route import Point, Route, ahead
from mine_robot.coverage.sortie import Raster
from mine_robot.coverage.transit import TurningGround

MAX_TRIES = 20
INSETS = (0, 1, 2)  # cells by which a link may begin and end deeper in its parts


@dataclass(frozen=True)
class Link:
    """Turn to the heading of ``start`` in one part and drive ``distance`` m straight to another."""

    start: Pose2
    distance: float
    label: int


class Links:
    """The shortest links between the parts of the turning ground, in ``headings`` and along its corridors.

    They are looked for when they are first asked for, all at once, and hold until the ground changes.
    """

    def __init__(self, ground: Ground, turning: TurningGround, headings: Iterable[float]) -> None:
        self._ground = ground
        self._turning = turning
        self._headings = tuple(headings)

    def chain(self, label: int, goals: set[int]) -> list[Link] | None:
        """The fewest links from part ``label`` to one of the parts ``goals``; empty if it is one of them, None if there is no way."""
        ways: dict[int, list[Link]] = {label: []}
        queue = [label]
        while queue:
            here = queue.pop(0)
            if here in goals:
                return ways[here]
            for link in self._from.get(here, {}).values():
                if link.label not in ways:
                    ways[link.label] = [*ways[here], link]
                    queue.append(link.label)
        return None

    def drive_to(self, route: Route, spot: Point) -> bool:
        """Drive from turning ground to ``spot`` in turning ground, through single lanes where needed; may stop halfway if it fails."""
        turning = self._turning
        here, there = turning.label(route.pose.x, route.pose.y), turning.label(*spot)
        links = self.chain(here, {there}) if here and there else None
        if links is None or not all(cross(route, turning, link) for link in links):
            return False
        path = turning.path((route.pose.x, route.pose.y), spot)
        return path is not None and route.follow(path)

    @cached_property
    def _from(self) -> dict[int, dict[int, Link]]:
        """By the part they begin in and the part they end in."""
        best: dict[int, dict[int, Link]] = {}
        if self._turning.count < 2:
            return best
        for heading in (*self._headings, *corridor_headings(self._ground, self._turning)):
            for part, link in self._along(heading):
                known = best.setdefault(part, {})
                if link.label not in known or link.distance < known[link.label].distance:
                    known[link.label] = link
        return best

    def _along(self, heading: float) -> Iterator[tuple[int, Link]]:
        """A short link in ``heading`` between every two parts that have one, with the part it begins in."""
        raster = Raster(self._ground, heading)
        raster.look()
        parts = self._turning.parts(raster.resample)
        row, col = np.nonzero(parts)
        part = parts[row, col].astype(np.int64)
        # From the last cell of one part to the first of the next one in the row, if nothing blocks the robot between them.
        blocked = np.cumsum(~raster.can_drive, axis=1, dtype=np.int32)
        free = blocked[row[1:], col[1:]] == blocked[row[:-1], col[:-1]]
        begin = np.flatnonzero((row[1:] == row[:-1]) & (part[1:] != part[:-1]) & free)
        span = col[begin + 1] - col[begin]
        tries: dict[tuple[int, int], int] = {}
        for i in np.argsort(span, kind="stable"):
            pair = int(part[begin[i]]), int(part[begin[i] + 1])
            if tries.get(pair, 0) >= MAX_TRIES:
                continue
            tries[pair] = tries.get(pair, 0) + 1
            start = raster.pose(int(row[begin[i]]), int(col[begin[i]]))
            link = self._checked(start, int(span[i]), pair)
            if link is not None:
                tries[pair] = MAX_TRIES
                yield pair[0], link

    def _checked(self, start: Pose2, span: int, pair: tuple[int, int]) -> Link | None:
        """The link between a ``pair`` of parts from ``start`` on, or a little deeper in them; None if it is not clear."""
        resolution = self._ground.resolution
        for inset in INSETS:
            begin, distance = ahead(start, -inset * resolution), (span + 2 * inset) * resolution
            end = ahead(begin, distance)
            if (self._turning.label(begin.x, begin.y), self._turning.label(end.x, end.y)) == pair:
                return Link(begin, distance, pair[1]) if self._ground.can_drive(begin, distance) else None
        return None


def cross(route: Route, turning: TurningGround, link: Link) -> bool:
    """Drive a link from somewhere in its first part; backwards if that needs less turning."""
    start, distance = link.start, link.distance
    path = turning.path((route.pose.x, route.pose.y), (start.x, start.y))
    if path is None or not route.follow(path):
        return False
    yaw = start.yaw
    if math.cos(yaw - route.pose.yaw) < 0.0:
        yaw, distance = yaw + math.pi, -distance
    return route.turn(yaw) and route.drive(distance)


def corridor_headings(ground: Ground, turning: TurningGround) -> list[float]:
    """Directions, both ways, of the long drivable stretches in which the robot cannot turn."""
    reach = math.ceil(ground.footprint.radius / ground.resolution)
    near = cv2.dilate(
        turning.mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    )
    corridor = (ground.all_of(DRIVABLE) & (near == 0)).astype(np.uint8)
    contours, _ = cv2.findContours(corridor, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    headings: list[float] = []
    for contour in sorted(contours, key=cv2.contourArea, reverse=True)[:4]:
        _, (width, height), angle = cv2.minAreaRect(contour)
        along = math.radians(angle) + (0.0 if width >= height else math.pi / 2.0)
        if not any(abs(math.remainder(along - other, math.pi)) < 0.01 for other in headings):
            headings += [along, along + math.pi]
    return headings
