"""Straight drives between parts of the turning ground: through single lanes, where the robot cannot turn."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from mine_robot.core.types import Pose2
from mine_robot.coverage.ground import DRIVABLE, Ground
from mine_robot.coverage.route import Point, Route
from mine_robot.coverage.sortie import Raster
from mine_robot.coverage.transit import TurningGround

MAX_TRIES = 20


@dataclass(frozen=True)
class Link:
    """Turn to the heading of ``start`` in one part and drive ``distance`` m straight to another."""

    start: Pose2
    distance: float
    label: int


def find_links(ground: Ground, turning: TurningGround, label: int, headings: Iterable[float]) -> list[Link]:
    """The shortest link found from part ``label`` to each other part."""
    best: dict[int, Link] = {}
    if turning.count < 2:
        return []
    for heading in (*headings, *corridor_headings(ground, turning)):
        for link in _links_along(ground, turning, label, heading):
            if link.label not in best or link.distance < best[link.label].distance:
                best[link.label] = link
    return list(best.values())


def chain(
    ground: Ground, turning: TurningGround, label: int, goals: set[int], headings: Iterable[float]
) -> list[Link] | None:
    """The fewest links from part ``label`` to one of the parts ``goals``; empty if it is one of them, None if there is no way."""
    headings = tuple(headings)
    ways: dict[int, list[Link]] = {label: []}
    queue = [label]
    while queue:
        here = queue.pop(0)
        if here in goals:
            return ways[here]
        for link in find_links(ground, turning, here, headings):
            if link.label not in ways:
                ways[link.label] = [*ways[here], link]
                queue.append(link.label)
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


def drive_to(route: Route, turning: TurningGround, spot: Point, headings: Iterable[float]) -> bool:
    """Drive from turning ground to ``spot`` in turning ground, through single lanes where needed; may stop halfway if it fails."""
    here, there = turning.label(route.pose.x, route.pose.y), turning.label(*spot)
    links = chain(route.ground, turning, here, {there}, headings) if here and there else None
    if links is None or not all(cross(route, turning, link) for link in links):
        return False
    path = turning.path((route.pose.x, route.pose.y), spot)
    return path is not None and route.follow(path)


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


def _links_along(ground: Ground, turning: TurningGround, label: int, heading: float) -> list[Link]:
    raster = Raster(ground, heading)
    raster.look()
    parts = turning.parts(raster.resample)
    columns = np.arange(parts.shape[1])
    unset = parts.shape[1]
    other = (parts > 0) & (parts != label)
    following = np.minimum.accumulate(np.where(other, columns, unset)[:, ::-1], axis=1)[:, ::-1]
    blocked = np.minimum.accumulate(np.where(raster.can_drive, unset, columns)[:, ::-1], axis=1)[:, ::-1]
    row, col = np.nonzero((parts == label) & (following < blocked))
    span = following[row, col] - col
    links: dict[int, Link] = {}
    tries: dict[int, int] = {}
    for i in np.argsort(span, kind="stable"):
        target = int(parts[row[i], col[i] + span[i]])
        if target in links or tries.get(target, 0) >= MAX_TRIES:
            continue
        tries[target] = tries.get(target, 0) + 1
        link = _checked(
            ground, turning, raster.pose(int(row[i]), int(col[i])), float(span[i]) * ground.resolution, label, target
        )
        if link is not None:
            links[target] = link
    return list(links.values())


def _checked(
    ground: Ground, turning: TurningGround, start: Pose2, distance: float, label: int, target: int
) -> Link | None:
    end: Point = (start.x + distance * math.cos(start.yaw), start.y + distance * math.sin(start.yaw))
    if turning.label(start.x, start.y) != label or turning.label(*end) != target:
        return None
    return Link(start, distance, target) if ground.can_drive(start, distance) else None
