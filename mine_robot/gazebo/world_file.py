"""The SDF world of a run, made from the robot's URDF, the field and the scenario's terrain: there is no second description of the robot.

The ground is a triangle mesh of the very surface that the built-in simulator drives on. What lies in the ground is no part of the world:
the radar and the detector are simulated by our own models.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mine_robot.core.field import Field
from mine_robot.core.robot import link_frames, origin_of
from mine_robot.core.types import Array, Pose2
from mine_robot.gazebo.scenery import ground_mesh, ground_model, lying, obstacles
from mine_robot.gazebo.sdf import (
    ON_GROUND,
    ON_OBSTACLES,
    add,
    child,
    leaf,
    numbers,
    plugin,
    pose_of,
    set_collide_bitmask,
)
from mine_robot.sim.terrain import Terrain

Element = ElementTree.Element

MODEL, WORLD, BODY = "mine_robot", "default", "base_link"
TRUE_POSE_TOPIC, COMMAND_TOPIC = (
    f"/model/{MODEL}/odometry",
    f"/model/{MODEL}/cmd_vel",
)  # in config/gazebo/bridge.yaml too
TRACK_SUFFIX = "_track_link"
PHYSICS_STEP_S = 0.01
STEPS_A_SECOND = 1000  # of wall time, at most: 10 times real time; a paused server looks for orders as often
MARGIN_M = 6.0  # ground beyond the field
FRICTION_ALONG, FRICTION_ACROSS = 0.8, 0.5  # rubber tracks with cleats on soil; across they scrape
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
    world = add(sdf, "world", name=WORLD)
    physics = add(world, "physics", type="ode")
    leaf(physics, "max_step_size", PHYSICS_STEP_S)
    leaf(physics, "real_time_update_rate", STEPS_A_SECOND)
    leaf(world, "gravity", "0 0 -9.81")
    world.extend(generation.world)
    light = add(world, "light", type="directional", name="sun")
    leaf(light, "direction", "-0.5 0.3 -1")
    world.append(ground_model(mesh))
    world.extend(obstacles(field, terrain))
    world.append(robot_model(urdf, lying(terrain, start), generation))
    ElementTree.indent(sdf)
    ElementTree.ElementTree(sdf).write(path, encoding="unicode", xml_declaration=True)


def robot_model(urdf: str, pose: Array, generation: Generation) -> Element:
    """The robot as an SDF model at ``pose`` (6,): the tracks, and one body with everything else that its URDF describes."""
    root = ElementTree.fromstring(urdf)
    frames = link_frames(root)
    tracks = sorted(name for name in frames if name.endswith(TRACK_SUFFIX))
    model = Element("model", name=MODEL)
    leaf(model, "pose", numbers(pose))
    body = [name for name in frames if name not in tracks]
    model.append(_link(BODY, [(name, _find(root, name), frames[name]) for name in body], track=False))
    for name in tracks:
        model.append(_link(name, [(name, _find(root, name), frames[name])], track=True))
        joint = add(model, "joint", name=name.replace("_link", "_joint"), type="fixed")
        leaf(joint, "parent", BODY)
        leaf(joint, "child", name)
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
        plugin(
            "libSimpleTrackedVehiclePlugin.so", "tracks", body=BODY, left_track=left, right_track=right,
            robot_namespace=MODEL, tracks_separation=gauge, steering_efficiency=1.0, max_linear_speed=10.0,
            max_angular_speed=10.0,
        )
    ]  # fmt: skip


def _drive_harmonic(left: str, right: str, gauge: float, height: float) -> list[Element]:
    """The same model in Gazebo Sim, and the true pose after every step.

    Every topic is named: by default the dead reckoning of the tracks goes out as the true pose does, and each looks like the other.
    """
    own = f"/model/{MODEL}"
    drive = _system(
        "tracked-vehicle", "TrackedVehicle", tracks_separation=gauge, tracks_height=height, steering_efficiency=1.0,
        topic=COMMAND_TOPIC, odom_topic=f"{own}/tracks/odometry", tf_topic=f"{own}/tracks/tf",
        steering_efficiency_topic=f"{own}/tracks/steering_efficiency",
    )  # fmt: skip
    controllers = []
    for side, name in (("left_track", left), ("right_track", right)):
        topics = {kind: f"{own}/{side}/{kind}" for kind in ("velocity_topic", "center_of_rotation_topic")}
        track = add(drive, side)
        controllers.append(_system("track-controller", "TrackController", link=name, **topics))
        for key, value in {"link": name, **topics}.items():
            leaf(track, key, value)
    truth = _system(
        "odometry-publisher", "OdometryPublisher", dimensions=3, odom_publish_frequency=1000,
        odom_topic=TRUE_POSE_TOPIC, odom_covariance_topic=f"{own}/truth/covariance", tf_topic=f"{own}/truth/tf",
    )  # fmt: skip
    return [drive, *controllers, truth]


def _system(name: str, kind: str, **values: object) -> Element:
    """A system of Gazebo Sim."""
    return plugin(f"gz-sim-{name}-system", f"gz::sim::systems::{kind}", **values)


def _link(name: str, parts: list[tuple[str, Element, Array]], track: bool) -> Element:
    """One SDF link of URDF links that are rigidly joined; everything in the frame of ``base_link``."""
    link = Element("link", name=name)
    link.append(_inertial([(part, frame) for _, part, frame in parts]))
    for label, part, frame in parts:
        for kind in ("collision", "visual"):
            for number, shape in enumerate(part.findall(kind)):
                placed = frame @ origin_of(shape)
                if kind == "collision" and track:
                    link.extend(_rollers(child(child(shape, "geometry"), "box"), placed))
                    continue
                item = add(link, kind, name=f"{label}_{kind}_{number}")
                leaf(item, "pose", pose_of(placed))
                item.append(_geometry(shape))
                if kind == "collision":
                    set_collide_bitmask(item, ON_OBSTACLES if label == "head_link" else ON_GROUND | ON_OBSTACLES)
    return link


def _rollers(box: Element, frame: Array) -> Iterable[Element]:
    """A track as it meets the ground: rollers within the box of its URDF, whose lowest points lie in the contact patch.

    A box would touch a mesh at its corners only, where a turning track has to scrape most.
    """
    length, width, height = (float(value) for value in box.get("size", "").split())
    for number, x in enumerate(np.linspace(-0.5, 0.5, ROLLERS) * (length - width)):
        roller = Element("collision", name=f"roller_{number}")
        leaf(roller, "pose", pose_of(frame @ np.array([[1, 0, 0, x], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])))
        leaf(add(add(roller, "geometry"), "sphere"), "radius", 0.5 * height)
        contact = set_collide_bitmask(roller, ON_GROUND | ON_OBSTACLES)
        friction = add(add(child(roller, "surface"), "friction"), "ode")
        leaf(friction, "mu", FRICTION_ALONG)
        leaf(friction, "mu2", FRICTION_ACROSS)
        ode = add(contact, "ode")
        leaf(ode, "kp", ROLLER_STIFFNESS)
        leaf(ode, "kd", ROLLER_DAMPING)
        leaf(ode, "min_depth", 0.0)
        yield roller


def _inertial(parts: Iterable[tuple[Element, Array]]) -> Element:
    """Mass, centre and inertia of several parts together (parallel axes)."""
    masses, centres, inertias = [], [], []
    for part, frame in parts:
        inertial = part.find("inertial")
        if inertial is None:
            continue
        placed = frame @ origin_of(inertial)
        value = {key: float(number) for key, number in child(inertial, "inertia").attrib.items()}
        tensor = np.array([[value["i" + "".join(sorted(a + b))] for b in "xyz"] for a in "xyz"])
        masses.append(float(child(inertial, "mass").get("value", "0")))
        centres.append(placed[:3, 3])
        inertias.append(placed[:3, :3] @ tensor @ placed[:3, :3].T)
    mass, places = np.array(masses), np.array(centres)
    centre = mass @ places / mass.sum()
    arms = places - centre
    spread = [m * (arm @ arm * np.eye(3) - np.outer(arm, arm)) for m, arm in zip(mass, arms)]
    total = np.sum(inertias, axis=0) + np.sum(spread, axis=0)
    element = Element("inertial")
    leaf(element, "pose", numbers([*centre, 0.0, 0.0, 0.0]))
    leaf(element, "mass", mass.sum())
    inertia = add(element, "inertia")
    for a, b in ("xx", "xy", "xz", "yy", "yz", "zz"):
        leaf(inertia, f"i{a}{b}", total["xyz".index(a), "xyz".index(b)])
    return element


def _geometry(shape: Element) -> Element:
    """The ``<geometry>`` of a URDF visual or collision in SDF: attributes become elements."""
    geometry = Element("geometry")
    source = child(shape, "geometry")[0]
    target = add(geometry, source.tag)
    for key, value in source.attrib.items():
        leaf(target, key, value)
    return geometry


GAZEBO_11 = Generation((), _drive_11)
HARMONIC = Generation(
    (
        _system("physics", "Physics"),
        _system("user-commands", "UserCommands"),
        _system("scene-broadcaster", "SceneBroadcaster"),
    ),
    _drive_harmonic,
)
