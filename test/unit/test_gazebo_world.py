"""The Gazebo world made from URDF, field and terrain, and the frames of Gazebo's transport; no Gazebo is needed."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from sim_drive import FIELD, ROBOT, ROOT

from mine_robot.bringup.gazebo import gazebo_environment
from mine_robot.core.types import Pose2
from mine_robot.gazebo.install import install
from mine_robot.gazebo.place import GazeboError, Place
from mine_robot.gazebo.scenery import ground_mesh, lying
from mine_robot.gazebo.transport import framed, read_frame
from mine_robot.gazebo.vehicle import Placement
from mine_robot.gazebo.world_file import (
    COMMAND_TOPIC,
    GAZEBO_11,
    HARMONIC,
    TRUE_POSE_TOPIC,
    Generation,
    robot_model,
    write_world,
)
from mine_robot.nodes.bridged_gazebo import TRACKS, TRUTH, BridgedGazebo
from mine_robot.pipeline.loading import expand_urdf
from mine_robot.records.run_directory import RunDirectory
from mine_robot.sim.terrain import Terrain, TerrainSpec

URDF = expand_urdf(ROOT / "urdf" / "mine_robot.urdf.xacro")
TERRAIN = Terrain(TerrainSpec(roughness_m=0.03, slope_deg=5.0, aspect_deg=70.0), np.random.default_rng(4))


def numbers(text: str | None) -> list[float]:
    return [float(word) for word in (text or "").split()]


def test_the_robot_is_that_of_the_urdf() -> None:
    """Mass and centre of mass, and rollers whose lowest points lie in the contact patches at the height of the ground."""
    model = robot_model(URDF, np.zeros(6), GAZEBO_11)
    masses = [float(item.text or "nan") for item in model.iter("mass")]
    urdf = ElementTree.fromstring(URDF)
    assert sum(masses) == pytest.approx(sum(float(item.get("value", "nan")) for item in urdf.iter("mass")))
    rollers = [item for item in model.iter("collision") if item.get("name", "").startswith("roller")]
    assert len(rollers) > 4
    for roller in rollers:
        x, y, z, *_ = numbers(roller.findtext("pose"))
        assert any(p.x_min <= x <= p.x_max and p.y_min <= y <= p.y_max for p in ROBOT.contact_patches)
        assert z - float(roller.findtext("geometry/sphere/radius", "nan")) == pytest.approx(0.0, abs=1e-9)
    reach = [numbers(roller.findtext("pose"))[0] for roller in rollers]
    assert max(reach) > 0.75 * ROBOT.front
    assert min(reach) < 0.75 * ROBOT.rear


@pytest.mark.parametrize("inertia", list(robot_model(URDF, np.zeros(6), GAZEBO_11).iter("inertia")))
def test_inertias_are_physically_possible(inertia: ElementTree.Element) -> None:
    value = {item.tag: float(item.text or "nan") for item in inertia}
    tensor = np.array([[value["i" + "".join(sorted(a + b))] for b in "xyz"] for a in "xyz"])
    low, middle, high = np.linalg.eigvalsh(tensor)
    assert 0.0 < low <= middle <= high <= low + middle


def mesh_of(terrain: Terrain) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (n, 3), their normals (n, 3) and the faces' points (m, 3) of 8 x 6 m of ground; each corner names its own normal."""
    lines = ground_mesh(terrain, (-3.0, -2.0, 5.0, 4.0)).splitlines()
    points, normals = (
        np.array([numbers(line[len(key) :]) for line in lines if line.startswith(key)]) for key in ("v ", "vn ")
    )
    corners = [[corner.split("//") for corner in line[2:].split()] for line in lines if line.startswith("f ")]
    assert all(point == normal for face in corners for point, normal in face)
    return points, normals, np.array([[int(point) for point, _ in face] for face in corners]) - 1


def test_every_vertex_of_the_ground_has_its_normal() -> None:
    """Gazebo Sim drops a mesh without them, and its physics crash in the first step."""
    points, normals, faces = mesh_of(TERRAIN)
    assert normals.shape == points.shape
    assert np.allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-4)
    a, b, c = (points[faces[:, k]] for k in range(3))
    flat = np.cross(b - a, c - a)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    assert np.einsum("ij,ij->i", flat, normals[faces[:, 0]]).min() > 0.98


def test_the_ground_is_the_terrain() -> None:
    points, _, faces = mesh_of(TERRAIN)
    assert np.allclose(points[:, 2], TERRAIN.height(points[:, :2]), atol=1e-4)
    a, b, c = (points[faces[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    assert np.all(normals[:, 2] > 0.0), "a triangle faces down"
    assert 0.5 * normals[:, 2].sum() == pytest.approx(8.0 * 6.0, rel=1e-3)


@pytest.mark.parametrize("generation", [GAZEBO_11, HARMONIC])
def test_the_world_holds_the_robot_at_its_start_and_what_stands_around(tmp_path: Path, generation: Generation) -> None:
    path = tmp_path / "world.sdf"
    write_world(path, URDF, FIELD, TERRAIN, Pose2(1.0, -2.0, 0.4), generation)
    world = ElementTree.parse(path).getroot().find("world")
    assert world is not None
    models = {item.get("name"): item for item in world.iter("model")}
    assert {"ground", "mine_robot", "fence_0", "tree_0"} <= set(models)
    pose = numbers(models["mine_robot"].findtext("pose"))
    assert np.allclose(pose, lying(TERRAIN, Pose2(1.0, -2.0, 0.4)), atol=1e-4)
    assert (world.findtext(".//mesh/uri") or "") == f"file://{tmp_path / 'ground.obj'}"
    west, south, east, north = FIELD.bounds
    for name, model in models.items():
        if name and name.startswith("tree"):
            x, y = numbers(model.findtext("pose"))[:2]
            assert not (west - 1.5 < x < east + 1.5 and south - 1.5 < y < north + 1.5), (
                "a tree stands where a head turns"
            )


def test_the_bridge_knows_the_world_and_the_node() -> None:
    """Names in config/gazebo/bridge.yaml are those of the model, and those of the node that uses them."""
    rows = {
        row["ros_topic_name"]: row for row in yaml.safe_load((ROOT / "config" / "gazebo" / "bridge.yaml").read_text())
    }
    assert set(rows) == {TRUTH, TRACKS}
    assert rows[TRUTH]["gz_topic_name"] == TRUE_POSE_TOPIC
    assert rows[TRACKS]["gz_topic_name"] == COMMAND_TOPIC
    model = robot_model(URDF, np.zeros(6), HARMONIC)
    links = {link.get("name") for link in model.iter("link")}
    driven = [plugin.findtext("link") for plugin in model.iter("plugin") if plugin.find("link") is not None]
    assert len(driven) == 2
    assert set(driven) < links


def test_every_topic_of_the_plugins_is_named_and_has_one_publisher() -> None:
    """The tracked vehicle's dead reckoning goes out on the topic of the true pose unless both are named."""
    model = robot_model(URDF, np.zeros(6), HARMONIC)
    plugins = {item.get("name", "").rsplit("::")[-1]: item for item in model.iter("plugin")}
    published = {
        "TrackedVehicle": ["odom_topic", "tf_topic", "left_track/velocity_topic", "left_track/center_of_rotation_topic",
                           "right_track/velocity_topic", "right_track/center_of_rotation_topic"],
        "OdometryPublisher": ["odom_topic", "odom_covariance_topic", "tf_topic"],
    }  # fmt: skip
    topics = [plugins[name].findtext(key) for name, keys in published.items() for key in keys]
    assert all(topics)
    assert len(set(topics)) == len(topics)
    assert plugins["OdometryPublisher"].findtext("odom_topic") == TRUE_POSE_TOPIC
    assert plugins["TrackedVehicle"].findtext("topic") == COMMAND_TOPIC
    for controller in (item for item in model.iter("plugin") if item.find("link") is not None):
        assert controller.findtext("velocity_topic") in topics
        assert controller.findtext("center_of_rotation_topic") in topics


def test_steps_that_nobody_ordered_end_the_simulation() -> None:
    gazebo = object.__new__(BridgedGazebo)
    here = Placement(np.zeros(3), Rotation.identity())

    class Tracks:
        def publish(self, twist: object) -> None:
            """Nobody listens."""

    def step() -> None:
        gazebo._heard = (gazebo._heard[0] + taken, here)

    gazebo._tracks, gazebo._heard, gazebo._step = Tracks(), (7, here), step
    taken = 1
    assert gazebo.advance(0.1, 0.0) is here
    taken = 3
    with pytest.raises(GazeboError, match="2 steps that nobody ordered"):
        gazebo.advance(0.1, 0.0)


def test_gazebo_sims_transport_stays_on_this_machine_and_in_its_run(tmp_path: Path) -> None:
    one, other = (gazebo_environment("harmonic", RunDirectory(tmp_path / name)) for name in "ab")
    assert one["GZ_IP"] == other["GZ_IP"] == "127.0.0.1"
    assert one["GZ_PARTITION"] != other["GZ_PARTITION"]
    assert gazebo_environment("builtin", RunDirectory(tmp_path)) == {}


async def received(data: bytes) -> bytes:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return await read_frame(reader)


@given(st.binary(max_size=300), st.binary(max_size=20))
def test_a_frame_is_received_as_it_was_sent(data: bytes, rest: bytes) -> None:
    assert asyncio.run(received(framed(data) + rest)) == data


@pytest.mark.parametrize("data", [b"", b"0000", b"no frame here", framed(b"cut short")[:-1], b"-0000001x"])
def test_what_is_no_frame_is_an_error(data: bytes) -> None:
    with pytest.raises(GazeboError):
        asyncio.run(received(data))


def test_an_installation_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GazeboError, match="apt-get is not there"):
        install(Place(tmp_path / "gazebo11"))
    assert "make gazebo" in Place(tmp_path / "gazebo11").missing()
