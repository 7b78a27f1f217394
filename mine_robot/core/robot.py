"""The robot's geometry, read from its URDF: the only source of lever arms, footprint and sensor arrays.

The robot's own description gives everything. Another robot's description needs only ``base_link`` and the frames of the sensors of its
logs to replay them; what only driving needs is then absent.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import shapely
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from shapely import Polygon

from mine_robot.core.text import checked_name, short
from mine_robot.core.types import Array

REQUIRED_FRAMES = ("base_link", "imu_link", "gnss_link", "gpr_link", "metal_detector_link")


LARGEST = 1000.0  # m and rad: what a description may hold


class RobotError(ValueError):
    """The URDF cannot be used; the message says what is missing."""


@dataclass(frozen=True)
class Patch:
    """A rectangle in ``base_link``: ``x_min, x_max`` forward, ``y_min, y_max`` left, m."""

    x_min: float
    x_max: float
    y_min: float
    y_max: float

    def grown(self, growth: float) -> Patch:
        """The rectangle with every side moved outwards by ``growth`` m."""
        return Patch(self.x_min - growth, self.x_max + growth, self.y_min - growth, self.y_max + growth)

    @property
    def corners(self) -> Array:
        """Corners (4, 2), anticlockwise."""
        return np.array(
            [[self.x_min, self.y_min], [self.x_max, self.y_min], [self.x_max, self.y_max], [self.x_min, self.y_max]]
        )

    @property
    def polygon(self) -> Polygon:
        """The rectangle as a polygon in ``base_link``."""
        return shapely.box(self.x_min, self.y_min, self.x_max, self.y_max)


@dataclass(frozen=True)
class Robot:
    """Geometry in ``base_link``: lever arms (3,) in m, arrays in the frame of their sensor.

    ``imu_rotation`` (3, 3) turns vectors of ``imu_link`` into ``base_link``. ``gpr_offsets`` (channels,) and ``coil_offsets`` (coils,) are
    lateral, left positive. ``contact_patches`` touch the ground, ``head`` is the outline that would strike an obstacle,
    ``marker_ahead`` and ``marker_reach`` are the nozzle's distance ahead of ``base_link`` and its largest lateral offset.
    """

    name: str
    imu: Array
    imu_rotation: Array
    gnss: Array
    gpr: Array
    metal_detector: Array
    marker: Array
    marker_reach: float
    gpr_offsets: Array
    coil_offsets: Array
    contact_patches: tuple[Patch, ...]
    head: Patch

    @property
    def sweep_width(self) -> float:
        """Width of the line both sensors search, m: each array reaches half an element spacing beyond its last element."""
        return min(array_width(self.gpr_offsets), array_width(self.coil_offsets))

    @property
    def sweep_ahead(self) -> float:
        """Distance of the searched line ahead of ``base_link``, m: where both sensors have passed."""
        return float(min(self.gpr[0], self.metal_detector[0]))

    @property
    def front(self) -> float:
        """Foremost x of the contact patches, m."""
        return max(patch.x_max for patch in self.contact_patches)

    @property
    def rear(self) -> float:
        """Rearmost x of the contact patches, m (negative)."""
        return min(patch.x_min for patch in self.contact_patches)

    @property
    def track_half_width(self) -> float:
        """Largest |y| of the contact patches, m."""
        return max(max(abs(patch.y_min), abs(patch.y_max)) for patch in self.contact_patches)

    @property
    def pivot_radius(self) -> float:
        """Radius in m of the disc about ``base_link`` that the contact patches sweep while the robot turns on the spot."""
        return max(float(np.hypot(*patch.corners.T).max()) for patch in self.contact_patches)


def array_width(offsets: Array) -> float:
    """Searched width of an array with elements at ``offsets`` m; 0 for fewer than two elements."""
    if len(offsets) < 2:
        return 0.0
    return float(np.ptp(offsets) * len(offsets) / (len(offsets) - 1))


def robot_from_urdf(urdf: str, needed: Collection[str] = REQUIRED_FRAMES) -> Robot:
    """Read the geometry from the text of a URDF (xacro already expanded); raise :class:`RobotError` if it cannot serve.

    ``needed`` are the frames that have to be there. A sensor without a frame is taken to be where the other one on the head is, or in
    ``base_link``, so that it changes nothing about the others: nothing of it may be used.
    """
    try:
        root = fromstring(urdf, forbid_dtd=True)
    except DefusedXmlException:
        raise RobotError("the robot description has a document type definition, which none needs: refused") from None
    except (ElementTree.ParseError, ValueError) as error:
        raise RobotError(f"the robot description is not XML: {error}") from None
    frames = link_frames(root)
    missing = [name for name in ("base_link", *needed) if name not in frames]
    if missing:
        raise RobotError(f"the robot description has no frame {', '.join(missing)} connected to base_link")
    try:
        name = checked_name(root.get("name", "robot"), "name of the robot")
    except ValueError as error:
        raise RobotError(str(error)) from None
    at = {
        "imu_link": "base_link",
        "gnss_link": "base_link",
        "gpr_link": "metal_detector_link",
        "metal_detector_link": "gpr_link",
    }
    placed = {link: frames.get(link, frames.get(other, frames["base_link"])) for link, other in at.items()}
    patches = tuple(_box(root, name, frames) for name in sorted(frames) if name.endswith("_track_link"))
    marker = frames.get("marker_link", np.eye(4))[:3, 3]
    limit = root.find("./joint[@name='marker_slide_joint']/limit")
    return Robot(
        name=name,
        imu=placed["imu_link"][:3, 3],
        imu_rotation=placed["imu_link"][:3, :3],
        gnss=placed["gnss_link"][:3, 3],
        gpr=placed["gpr_link"][:3, 3],
        metal_detector=placed["metal_detector_link"][:3, 3],
        marker=marker,
        marker_reach=_three(f"{limit.get('upper', '0')} 0 0")[0] if limit is not None else 0.0,
        gpr_offsets=_array(frames, "gpr_channel_", placed["gpr_link"]),
        coil_offsets=_array(frames, "md_coil_", placed["metal_detector_link"]),
        contact_patches=patches,
        head=_box(root, "head_link", frames) if "head_link" in frames else Patch(0.0, 0.0, 0.0, 0.0),
    )


def link_frames(root: ElementTree.Element) -> dict[str, Array]:
    """Homogeneous transforms (4, 4) from every link connected to ``base_link`` into ``base_link``."""
    children: dict[str, list[tuple[str, Array]]] = {}
    for joint in root.iter("joint"):
        parent, child = joint.find("parent"), joint.find("child")
        if parent is not None and child is not None:
            children.setdefault(parent.get("link", ""), []).append((child.get("link", ""), origin_of(joint)))
    frames: dict[str, Array] = {}
    open_links = [("base_link", np.eye(4))] if root.find("./link[@name='base_link']") is not None else []
    while open_links:
        name, transform = open_links.pop()
        if name in frames:
            raise RobotError(f"the robot description reaches link '{name}' twice")
        frames[name] = transform
        open_links += [(child, transform @ origin) for child, origin in children.get(name, [])]
    return frames


def origin_of(element: ElementTree.Element) -> Array:
    """The ``<origin>`` of a joint, visual or collision as a transform (4, 4); rpy are rotations about fixed x, y, z."""
    origin = element.find("origin")
    transform = np.eye(4)
    if origin is None:
        return transform
    roll, pitch, yaw = _three(origin.get("rpy", "0 0 0"))
    transform[:3, :3] = rotation_from_rpy(roll, pitch, yaw)
    transform[:3, 3] = _three(origin.get("xyz", "0 0 0"))
    return transform


def _three(text: str) -> list[float]:
    """Three numbers of an attribute; raises :class:`RobotError`."""
    try:
        found = [float(word) for word in text.split()]
    except ValueError:
        found = []
    if len(found) != 3 or not all(abs(value) <= LARGEST for value in found):
        raise RobotError(f"the robot description has {short(text)} where three numbers within ±{LARGEST:g} are due")
    return found


def rotation_from_rpy(roll: float, pitch: float, yaw: float) -> Array:
    """Rotation (3, 3) from body to parent for roll, pitch, yaw about fixed x, y, z axes (REP-103)."""
    angles = np.array((roll, pitch, yaw))
    (cr, cp, cy), (sr, sp, sy) = np.cos(angles).tolist(), np.sin(angles).tolist()
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def _box(root: ElementTree.Element, link: str, frames: dict[str, Array]) -> Patch:
    """Horizontal outline in ``base_link`` of a link's collision box."""
    collision = root.find(f"./link[@name='{link}']/collision")
    box = collision.find("geometry/box") if collision is not None else None
    if collision is None or box is None:
        raise RobotError(f"link '{link}' of the robot description has no collision box")
    length, width, _ = _three(box.get("size", "0 0 0"))
    x, y = (frames[link] @ origin_of(collision))[:2, 3]
    return Patch(float(x - length / 2), float(x + length / 2), float(y - width / 2), float(y + width / 2))


def _array(frames: dict[str, Array], prefix: str, sensor: Array) -> Array:
    """Lateral offsets of a sensor's elements, by element number, in the sensor's frame."""
    elements = sorted((int(match[1]), name) for name in frames if (match := re.fullmatch(prefix + r"(\d+)_link", name)))
    into_sensor = np.linalg.inv(sensor)
    return np.array([(into_sensor @ frames[name])[1, 3] for _, name in elements])
