"""The SDF world of a run, made from the robot's URDF, the field and the scenario's terrain: there is no second description of the robot.

The ground is a triangle mesh of the very surface that the built-in simulator drives on. What lies in the ground is no part of the world:
the radar and the detector are simulated by our own models.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import shapely
from scipy.spatial.transform import Rotation

from mine_robot.core.field import Field
from mine_robot.core.robot import link_frames, origin_of
from mine_robot.core.types import Array, Pose2
from mine_robot.sim.terrain import Terrain

Element = ElementTree.Element

MODEL, WORLD, BODY = "mine_robot", "default", "base_link"
TRACK_SUFFIX = "_track_link"
PHYSICS_STEP_S = 0.01
STEPS_A_SECOND = 1000  # of wall time, at most: 10 times real time; a paused server looks for orders as often
MARGIN_M = 6.0  # ground beyond the field
FENCE_M, FENCE_HEIGHT_M = 3.0, 1.1  # where no head reaches
SPACING_M, CELLS_MAX = 0.2, 400  # of the mesh; a side has at most so many cells
FRICTION_ALONG, FRICTION_ACROSS = 0.8, 0.5  # rubber tracks with cleats on soil; across they scrape
# What meets what: the head rides over grass and bumps, but not through a tree.
ON_GROUND, ON_OBSTACLES = 1, 2
START_CLEARANCE_M = 0.02
ROLLERS = 7  # under each track
ROLLER_STIFFNESS, ROLLER_DAMPING = 1.0e5, 4.0e3  # N/m, N s/m: rubber on soil; a millimetre under the robot's weight


@dataclass(frozen=True)
class Generation:
    """What differs between the generations of Gazebo: the plugins of the world, and those that drive the robot.

    ``drive`` makes the latter from the names of the left and the right track's link, the gauge and the height of the tracks in m.
    """

    world: tuple[Element, ...]
    drive: Callable[[str, str, float, float], list[Element]]


def write_world(
    path: Path, urdf: str, field: Field, terrain: Terrain, start: Pose2, generation: Generation | None = None
) -> None:
    """Write a world file, and its mesh beside it. ``urdf`` is the text with xacro expanded; without ``generation`` for Gazebo 11."""
    generation = GAZEBO_11 if generation is None else generation
    west, south, east, north = field.bounds
    mesh = path.with_name("ground.obj")
    bounds = (west - MARGIN_M, south - MARGIN_M, east + MARGIN_M, north + MARGIN_M)
    mesh.write_text(ground_mesh(terrain, bounds), encoding="utf-8")
    sdf = Element("sdf", version="1.6")
    world = _add(sdf, "world", name=WORLD)
    physics = _add(world, "physics", type="ode")
    _leaf(physics, "max_step_size", PHYSICS_STEP_S)
    _leaf(physics, "real_time_update_rate", STEPS_A_SECOND)
    _leaf(world, "gravity", "0 0 -9.81")
    world.extend(generation.world)
    light = _add(world, "light", type="directional", name="sun")
    _leaf(light, "direction", "-0.5 0.3 -1")
    world.append(_ground(mesh))
    world.extend(_obstacles(field, terrain))
    world.append(robot_model(urdf, lying(terrain, start), generation))
    ElementTree.indent(sdf)
    ElementTree.ElementTree(sdf).write(path, encoding="unicode", xml_declaration=True)


def lying(terrain: Terrain, pose: Pose2) -> Array:
    """Where and how the robot rests on the ground at ``pose``: x, y, z, roll, pitch, yaw (6,), a little above it."""
    height, (hx, hy), _ = terrain.surface(pose.x, pose.y)
    cos, sin = math.cos(pose.yaw), math.sin(pose.yaw)
    pitch = -math.atan(hx * cos + hy * sin)
    roll = math.atan((hy * cos - hx * sin) * math.cos(pitch))
    return np.array([pose.x, pose.y, height + START_CLEARANCE_M, roll, pitch, pose.yaw])


def ground_mesh(terrain: Terrain, bounds: tuple[float, float, float, float]) -> str:
    """The surface within ``bounds`` (west, south, east, north) as the text of a Wavefront OBJ file, z up."""
    west, south, east, north = bounds
    spacing = max(SPACING_M, (east - west) / CELLS_MAX, (north - south) / CELLS_MAX)
    x = np.linspace(west, east, math.ceil((east - west) / spacing) + 1)
    y = np.linspace(south, north, math.ceil((north - south) / spacing) + 1)
    points = np.stack(np.meshgrid(x, y), axis=-1)
    corner = (np.arange(len(y) - 1)[:, None] * len(x) + np.arange(len(x) - 1)).ravel() + 1
    right, up, across = corner + 1, corner + len(x), corner + len(x) + 1
    faces = np.concatenate([np.stack([corner, right, across], axis=1), np.stack([corner, across, up], axis=1)])
    rows = [
        f"v {px:.4f} {py:.4f} {h:.5f}" for (px, py), h in zip(points.reshape(-1, 2), terrain.height(points).ravel())
    ]
    rows += [f"f {a} {b} {c}" for a, b, c in faces.tolist()]
    return "\n".join(rows) + "\n"


def robot_model(urdf: str, pose: Array, generation: Generation) -> Element:
    """The robot as an SDF model at ``pose`` (6,): the tracks, and one body with everything else that its URDF describes."""
    root = ElementTree.fromstring(urdf)
    frames = link_frames(root)
    tracks = sorted(name for name in frames if name.endswith(TRACK_SUFFIX))
    model = Element("model", name=MODEL)
    _leaf(model, "pose", _numbers(pose))
    body = [name for name in frames if name not in tracks]
    model.append(_link(BODY, [(name, _find(root, name), frames[name]) for name in body], track=False))
    for name in tracks:
        model.append(_link(name, [(name, _find(root, name), frames[name])], track=True))
        joint = _add(model, "joint", name=name.replace("_link", "_joint"), type="fixed")
        _leaf(joint, "parent", BODY)
        _leaf(joint, "child", name)
    right, left = sorted(tracks, key=lambda name: float(frames[name][1, 3]))
    height = 2.0 * float(frames[left][2, 3])
    model.extend(generation.drive(left, right, float(frames[left][1, 3] - frames[right][1, 3]), height))
    return model


def _find(root: Element, link: str) -> Element:
    found = root.find(f"./link[@name='{link}']")
    assert found is not None
    return found


def _drive_11(left: str, right: str, gauge: float, height: float) -> list[Element]:
    """Gazebo's own model of a tracked vehicle: the contact surfaces move, and friction moves the robot."""
    return [
        _plugin(
            "libSimpleTrackedVehiclePlugin.so", "tracks", body=BODY, left_track=left, right_track=right,
            robot_namespace=MODEL, tracks_separation=gauge, steering_efficiency=1.0, max_linear_speed=10.0,
            max_angular_speed=10.0,
        )
    ]  # fmt: skip


def _drive_harmonic(left: str, right: str, gauge: float, height: float) -> list[Element]:
    """The same model in Gazebo Sim, and the true pose after every step."""
    drive = _system(
        "tracked-vehicle", "TrackedVehicle", tracks_separation=gauge, tracks_height=height, steering_efficiency=1.0
    )
    for side, name in (("left_track", left), ("right_track", right)):
        _leaf(_add(drive, side), "link", name)
    truth = _system("odometry-publisher", "OdometryPublisher", dimensions=3, odom_publish_frequency=1000)
    return [drive, *(_system("track-controller", "TrackController", link=name) for name in (left, right)), truth]


def _system(name: str, kind: str, **values: object) -> Element:
    """A system of Gazebo Sim."""
    return _plugin(f"gz-sim-{name}-system", f"gz::sim::systems::{kind}", **values)


def _plugin(filename: str, name: str, **values: object) -> Element:
    plugin = Element("plugin", filename=filename, name=name)
    for key, value in values.items():
        _leaf(plugin, key, value)
    return plugin


def _link(name: str, parts: list[tuple[str, Element, Array]], track: bool) -> Element:
    """One SDF link of URDF links that are rigidly joined; everything in the frame of ``base_link``."""
    link = Element("link", name=name)
    link.append(_inertial([(part, frame) for _, part, frame in parts]))
    for label, part, frame in parts:
        for kind in ("collision", "visual"):
            for number, shape in enumerate(part.findall(kind)):
                placed = frame @ origin_of(shape)
                if kind == "collision" and track:
                    link.extend(_rollers(_child(_child(shape, "geometry"), "box"), placed))
                    continue
                item = _add(link, kind, name=f"{label}_{kind}_{number}")
                _leaf(item, "pose", _pose(placed))
                item.append(_geometry(shape))
                if kind == "collision":
                    _bitmask(item, ON_OBSTACLES if label == "head_link" else ON_GROUND | ON_OBSTACLES)
    return link


def _rollers(box: Element, frame: Array) -> Iterable[Element]:
    """A track as it meets the ground: rollers within the box of its URDF, whose lowest points lie in the contact patch.

    A box would touch a mesh at its corners only, where a turning track has to scrape most.
    """
    length, width, height = (float(value) for value in box.get("size", "").split())
    for number, x in enumerate(np.linspace(-0.5, 0.5, ROLLERS) * (length - width)):
        roller = Element("collision", name=f"roller_{number}")
        _leaf(roller, "pose", _pose(frame @ np.array([[1, 0, 0, x], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])))
        _leaf(_add(_add(roller, "geometry"), "sphere"), "radius", 0.5 * height)
        contact = _bitmask(roller, ON_GROUND | ON_OBSTACLES)
        friction = _add(_add(_child(roller, "surface"), "friction"), "ode")
        _leaf(friction, "mu", FRICTION_ALONG)
        _leaf(friction, "mu2", FRICTION_ACROSS)
        ode = _add(contact, "ode")
        _leaf(ode, "kp", ROLLER_STIFFNESS)
        _leaf(ode, "kd", ROLLER_DAMPING)
        _leaf(ode, "min_depth", 0.0)
        yield roller


def _inertial(parts: Iterable[tuple[Element, Array]]) -> Element:
    """Mass, centre and inertia of several parts together (parallel axes)."""
    masses, centres, inertias = [], [], []
    for part, frame in parts:
        inertial = part.find("inertial")
        if inertial is None:
            continue
        placed = frame @ origin_of(inertial)
        value = {key: float(number) for key, number in _child(inertial, "inertia").attrib.items()}
        tensor = np.array([[value["i" + "".join(sorted(a + b))] for b in "xyz"] for a in "xyz"])
        masses.append(float(_child(inertial, "mass").get("value", "0")))
        centres.append(placed[:3, 3])
        inertias.append(placed[:3, :3] @ tensor @ placed[:3, :3].T)
    mass, places = np.array(masses), np.array(centres)
    centre = mass @ places / mass.sum()
    arms = places - centre
    spread = [m * (arm @ arm * np.eye(3) - np.outer(arm, arm)) for m, arm in zip(mass, arms)]
    total = np.sum(inertias, axis=0) + np.sum(spread, axis=0)
    element = Element("inertial")
    _leaf(element, "pose", _numbers([*centre, 0.0, 0.0, 0.0]))
    _leaf(element, "mass", mass.sum())
    inertia = _add(element, "inertia")
    for a, b in ("xx", "xy", "xz", "yy", "yz", "zz"):
        _leaf(inertia, f"i{a}{b}", total["xyz".index(a), "xyz".index(b)])
    return element


def _child(element: Element, name: str) -> Element:
    found = element.find(name)
    assert found is not None
    return found


def _geometry(shape: Element) -> Element:
    """The ``<geometry>`` of a URDF visual or collision in SDF: attributes become elements."""
    geometry = Element("geometry")
    source = _child(shape, "geometry")[0]
    target = _add(geometry, source.tag)
    for key, value in source.attrib.items():
        _leaf(target, key, value)
    return geometry


def _ground(mesh: Path) -> Element:
    model, link = _static("ground")
    for kind in ("collision", "visual"):
        item = _add(link, kind, name=kind)
        _leaf(_add(_add(item, "geometry"), "mesh"), "uri", f"file://{mesh.absolute()}")
        if kind == "collision":
            _bitmask(item, ON_GROUND)
    return model


def _obstacles(field: Field, terrain: Terrain) -> Iterable[Element]:
    """What stands in the no-go zones (a well has a wall), and a fence with trees at its corners around the field."""
    for number, polygon in enumerate(shapely.get_parts(field.no_go)):
        yield _wall(f"no_go_{number}", polygon, terrain)
    fence = shapely.box(*field.bounds).buffer(FENCE_M, join_style="mitre")
    corners = np.array(fence.exterior.coords)
    for number, (a, b) in enumerate(pairwise(corners)):
        side, middle = b - a, 0.5 * (a + b)
        pose = [*middle, float(terrain.height(middle)) + 0.5 * FENCE_HEIGHT_M, 0.0, 0.0, math.atan2(side[1], side[0])]
        yield _solid(f"fence_{number}", pose, "box", size=f"{np.hypot(*side):.3f} 0.05 {FENCE_HEIGHT_M}")
        trunk = [*a, float(terrain.height(a)) + 1.5, 0.0, 0.0, 0.0]
        yield _solid(f"tree_{number}", trunk, "cylinder", radius="0.15", length="3.0")


def _wall(name: str, polygon: shapely.Polygon, terrain: Terrain) -> Element:
    """An outline, 0.8 m high."""
    points = np.array(polygon.exterior.coords)[:-1]
    model, link = _static(name)
    _leaf(model, "pose", _numbers([0.0, 0.0, float(terrain.height(points).min()) - 0.1, 0.0, 0.0, 0.0]))
    for kind in ("collision", "visual"):
        item = _add(link, kind, name=kind)
        line = _add(_add(item, "geometry"), "polyline")
        for point in points:
            _leaf(line, "point", _numbers(point))
        _leaf(line, "height", 0.9)
    return model


def _solid(name: str, pose: Iterable[float], shape: str, **sizes: str) -> Element:
    model, link = _static(name)
    _leaf(model, "pose", _numbers(pose))
    for kind in ("collision", "visual"):
        body = _add(_add(_add(link, kind, name=kind), "geometry"), shape)
        for key, value in sizes.items():
            _leaf(body, key, value)
    return model


def _static(name: str) -> tuple[Element, Element]:
    model = Element("model", name=name)
    _leaf(model, "static", 1)
    return model, _add(model, "link", name="link")


def _bitmask(collision: Element, bits: int) -> Element:
    contact = _add(_add(collision, "surface"), "contact")
    _leaf(contact, "collide_bitmask", bits)
    return contact


def _pose(transform: Array) -> str:
    return _numbers([*transform[:3, 3], *Rotation.from_matrix(transform[:3, :3]).as_euler("xyz")])


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:.6g}" for value in values)


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return ElementTree.SubElement(parent, tag, attributes)


def _leaf(parent: Element, tag: str, value: object) -> None:
    _add(parent, tag).text = str(value)


GAZEBO_11 = Generation((), _drive_11)
HARMONIC = Generation(
    (
        _system("physics", "Physics"),
        _system("user-commands", "UserCommands"),
        _system("scene-broadcaster", "SceneBroadcaster"),
    ),
    _drive_harmonic,
)
