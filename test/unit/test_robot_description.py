"""The URDF as ROS tools take it: one tree, bodies that can exist, every sensor's frame, visuals on the robot."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from mine_robot.core.robot import link_frames, origin_of, robot_from_urdf
from mine_robot.core.types import Array
from mine_robot.pipeline.loading import expand_urdf

TEXT = expand_urdf(Path(__file__).parents[2] / "urdf" / "mine_robot.urdf.xacro")
ROOT = ElementTree.fromstring(TEXT)
LINKS = {link.get("name", ""): link for link in ROOT.findall("link")}
JOINTS = ROOT.findall("joint")
FRAMES = link_frames(ROOT)
INERTIALS = {name: inertial for name, link in LINKS.items() if (inertial := link.find("inertial")) is not None}
SENSORS = ["imu_link", "gnss_link", "gnss_heading_link", "gpr_link", "metal_detector_link", "marker_link"]
ELEMENTS = [f"gpr_channel_{n}_link" for n in range(8)] + [f"md_coil_{n}_link" for n in range(6)]


def mass_of(name: str) -> float:
    mass = INERTIALS[name].find("mass")
    assert mass is not None
    return float(mass.get("value", "nan"))


def half_size(geometry: ElementTree.Element) -> Array:
    """Half the extents (3,) of a box or a cylinder in its own frame, m."""
    shape = geometry[0]
    if shape.tag == "box":
        return np.array([float(word) for word in shape.get("size", "").split()]) / 2.0
    radius, length = (float(shape.get(key, "nan")) for key in ("radius", "length"))
    return np.array([radius, radius, length / 2.0])


def test_one_tree_from_base_link() -> None:
    names = [link.get("name", "") for link in ROOT.findall("link")]
    assert len(names) == len(LINKS) == len(JOINTS) + 1
    assert len({joint.get("name") for joint in JOINTS}) == len(JOINTS)
    assert set(FRAMES) == set(LINKS), "a link is not connected to base_link"
    assert {*SENSORS, *ELEMENTS} <= set(LINKS)


def test_the_root_has_no_inertia() -> None:
    """KDL, and with it robot_state_publisher, warns of a root with one."""
    assert "base_link" not in INERTIALS


@pytest.mark.parametrize("name", INERTIALS)
def test_a_body_can_exist(name: str) -> None:
    """Mass and principal moments are positive, and no moment exceeds the sum of the other two."""
    inertia = INERTIALS[name].find("inertia")
    assert inertia is not None
    tensor = np.array([[float(inertia.get("i" + "".join(sorted(a + b)), "nan")) for b in "xyz"] for a in "xyz"])
    low, middle, high = np.linalg.eigvalsh(tensor)
    assert mass_of(name) > 0.0
    assert 0.0 < low <= middle <= high <= low + middle


def test_the_robot_stands_on_its_tracks() -> None:
    """The centre of mass lies over the contact patches, wherever the nozzle is."""
    total = sum(mass_of(name) for name in INERTIALS)
    centre = sum(mass_of(name) * (FRAMES[name] @ origin_of(INERTIALS[name]))[:3, 3] for name in INERTIALS) / total
    robot = robot_from_urdf(TEXT)
    aside = mass_of("marker_link") * robot.marker_reach / total
    assert robot.rear < centre[0] < robot.front
    assert abs(centre[1]) + aside < robot.track_half_width
    assert 0.0 < centre[2] < robot.track_half_width


def test_visuals_are_on_the_robot() -> None:
    """Nothing below the ground or far away, every material defined, and something to see at each sensor with an extent."""
    materials = {material.get("name") for material in ROOT.findall("material")}
    for name, link in LINKS.items():
        for visual in link.findall("visual"):
            geometry, material = visual.find("geometry"), visual.find("material")
            assert geometry is not None and material is not None and material.get("name") in materials
            placed, half = FRAMES[name] @ origin_of(visual), half_size(geometry)
            assert np.all(half > 0.0)
            corners = half * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
            points = corners @ placed[:3, :3].T + placed[:3, 3]
            assert np.all(points >= [-0.6, -0.7, -1e-9]) and np.all(points <= [1.5, 0.7, 0.9]), name
    seen = {name for name, link in LINKS.items() if link.find("visual") is not None}
    assert {"hull_link", "head_link", "gnss_link", "gnss_heading_link", "marker_link", *ELEMENTS} <= seen


@pytest.mark.skipif(
    shutil.which("check_urdf") is None, reason="check_urdf (Debian's liburdfdom-tools) is not installed"
)
def test_urdfdom_loads_it_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "robot.urdf").write_text(TEXT)
    done = subprocess.run(["check_urdf", str(tmp_path / "robot.urdf")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "Successfully Parsed XML" in done.stdout and "arning" not in done.stdout
