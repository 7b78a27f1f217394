"""SDF elements, and numbers as SDF writes them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable

from scipy.spatial.transform import Rotation

from mine_robot.core.types import Array

Element = ElementTree.Element

# What meets what: the head rides over grass and bumps, but not through a tree.
ON_GROUND, ON_OBSTACLES = 1, 2


def pose_of(transform: Array) -> str:
    """A transform (4, 4) as ``x y z roll pitch yaw``."""
    return numbers([*transform[:3, 3], *Rotation.from_matrix(transform[:3, :3]).as_euler("xyz")])


def numbers(values: Iterable[float]) -> str:
    """Numbers side by side."""
    return " ".join(f"{value:.6g}" for value in values)


def add(parent: Element, tag: str, **attributes: str) -> Element:
    """A new element within ``parent``."""
    return ElementTree.SubElement(parent, tag, attributes)


def leaf(parent: Element, tag: str, value: object) -> None:
    """An element with a value within ``parent``."""
    add(parent, tag).text = str(value)


def child(element: Element, name: str) -> Element:
    """The element ``name`` within ``element``, which must be there."""
    found = element.find(name)
    assert found is not None
    return found


def plugin(filename: str, name: str, **values: object) -> Element:
    """A plugin with its settings."""
    made = Element("plugin", filename=filename, name=name)
    for key, value in values.items():
        leaf(made, key, value)
    return made


def static_model(name: str) -> tuple[Element, Element]:
    """A model that does not move, and its link."""
    model = Element("model", name=name)
    leaf(model, "static", 1)
    return model, add(model, "link", name="link")


def set_collide_bitmask(collision: Element, bits: int) -> Element:
    """Say what a collision meets; returns its ``contact``."""
    contact = add(add(collision, "surface"), "contact")
    leaf(contact, "collide_bitmask", bits)
    return contact
