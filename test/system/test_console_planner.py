"""The field planner of the console in a real browser, with a mouse and with a finger; no mission is needed."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stack import SMALL_FIELD
from test_console_browser import CHROMIUM, STEP_MS, browser, draw, open_page, picture, playwright  # noqa: F401

from mine_robot.bringup.resources import resource
from mine_robot.bringup.solo import Solo
from mine_robot.console.address import Address
from mine_robot.console.scene import scene
from mine_robot.console.traces import Traces
from mine_robot.core.geodesy import Datum
from mine_robot.pipeline.loading import ParameterFiles, load_field, load_robot

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (apt install chromium)"),
]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A console beside no mission."""
    parameters = resource("config/robot.yaml")
    params, robot = ParameterFiles([parameters]).build("console"), load_robot(resource("urdf/mine_robot.urdf.xacro"))
    shown = scene(load_field(SMALL_FIELD), robot, params.limits, simulated=True)
    solo = Solo(params, parameters, tmp_path, tmp_path / "token", Traces(0.1, 10.0))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    server = solo.serve(Address("127.0.0.1", number), shown, nothing, nothing, nothing)
    yield number
    server.close()


def nothing(*asked: Any) -> Any:
    raise AssertionError(f"nobody asked for {asked}")


def places(page: Any) -> Any:
    """Polygons as the page has them when it is asked to plan them: [role, rings]."""
    with page.expect_request("**/api/preview") as asked:
        page.click("#planner-plan")
    return asked.value.post_data_json["sketch"]["polygons"]


Place = tuple[float, float]  # in shares of the planner's map


class Hand:
    """A mouse, or with ``touch`` a finger, on the planner's map."""

    def __init__(self, page: Any, touch: Any = None) -> None:
        self.page, self.touch = page, touch
        page.click("#planner-open")

    @property
    def box(self) -> Any:
        return self.page.locator("#planner-map").bounding_box()

    def at(self, place: Place) -> Place:
        box = self.box
        return box["x"] + place[0] * box["width"], box["y"] + place[1] * box["height"]

    def drag(self, begin: Place, end: Place) -> None:
        way = [begin, ((begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2), end]
        if self.touch is None:
            self.page.mouse.move(*self.at(begin))
            self.page.mouse.down()
            for place in way[1:]:
                self.page.mouse.move(*self.at(place))
            self.page.mouse.up()
            return
        for kind, place in zip(("touchStart", "touchMove", "touchMove"), way):
            x, y = self.at(place)
            self.touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        self.touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_field_is_drawn_corrected_and_planned_with_a_mouse(browser: Any, port: int, tmp_path: Path) -> None:  # noqa: F811
    asked: list[str] = []
    page, expect = open_page(browser, port, 1280, 900, asked), playwright.expect
    hand = Hand(page)
    draw(page, "hazard_area", hand.box, [(0.3, 0.2), (0.7, 0.2), (0.7, 0.55), (0.3, 0.55)])
    # Corners near a corner or a side of another area are put on it.
    draw(
        page,
        "safe_area",
        hand.box,
        [(0.25, 0.56), (0.302, 0.56), (0.7, 0.555), (0.75, 0.55), (0.75, 0.95), (0.25, 0.95)],
    )
    draw(page, "no_go", hand.box, [(0.4, 0.3), (0.45, 0.3), (0.45, 0.4)])
    page.select_option("#planner-role", "known_target")
    page.mouse.click(*hand.at((0.6, 0.3)))
    hand.drag((0.7, 0.55), (0.65, 0.6))  # the corner that both have
    hand.drag((0.5, 0.2), (0.5, 0.1))  # the middle of a side becomes a corner
    page.mouse.click(*hand.at((0.4, 0.3)))
    page.click("#planner-remove")  # with two corners the no-go zone is none
    (hazard, safe, target) = places(page)
    expect(page.locator("#planner-lines")).to_contain_text("robot-hours", timeout=STEP_MS)
    assert (hazard[0], safe[0], target[0]) == ("hazard_area", "safe_area", "known_target")
    assert len(hazard[1][0]) == 5 and len(safe[1][0]) == 6 and len(target[1][0]) == 1
    assert hazard[1][0][3] == safe[1][0][2], "they still touch where the corner was dragged"
    picture(page, "planner_edited")
    # What was planned can be corrected, and is no plan any more; every step can be taken back, the way to an empty map.
    expect(page.locator("#planner-save")).to_be_enabled()
    page.click("#planner-undo")
    expect(page.locator("#planner-save")).to_be_disabled()
    for _ in range(2 + 1 + 3 + 6 + 4):
        page.click("#planner-undo")
    assert places(page) == []
    assert not [what for what in asked if what.startswith("error")]


def test_kml_is_read_completed_and_corrected_with_a_finger(browser: Any, port: int, tmp_path: Path) -> None:  # noqa: F811
    asked: list[str] = []
    page, expect = open_page(browser, port, 390, 844, asked, finger=True), playwright.expect
    hand = Hand(page, page.context.new_cdp_session(page))
    lines = page.locator("#planner-lines")
    datum = (40.0, 47.0)
    marks = [
        kml_polygon("Minefield 12", [(0, 0), (6, 0), (6, 5), (0, 5)], datum),
        kml_polygon("Camp", [(-1, -4), (7, -4), (7, 0), (-1, 0)], datum),
    ]
    path = tmp_path / "field.kml"
    path.write_text(f"<kml><Document><name>North</name>{''.join(marks)}</Document></kml>")
    page.set_input_files("#planner-file", path)
    expect(lines).to_contain_text("The file does not say what these are", timeout=STEP_MS)
    choices = page.locator("#planner-undecided select")
    choices.nth(0).select_option("hazard_area")
    expect(page.locator("#planner-undecided button")).to_be_disabled()
    choices.nth(1).select_option("")
    picture(page, "phone_kml")
    page.click("#planner-undecided button")
    expect(lines).to_contain_text("no feature with properties.role 'safe_area'", timeout=STEP_MS)
    expect(page.locator("#planner-name")).to_have_value("Minefield 12")
    expect(page.locator("#planner-save")).to_be_disabled()
    page.set_input_files("#planner-file", path)
    choices.nth(0).select_option("hazard_area")
    choices.nth(1).select_option("safe_area")
    page.click("#planner-undecided button")
    expect(lines).to_contain_text("robot-hours", timeout=STEP_MS)
    # The map shows the whole field, 8 m wide and 9 m high: the middle of the side between the areas, and a corner.
    scale = 0.9 * min(hand.box["width"] / 9, (hand.box["height"] - 90) / 10)

    def place(x: float, y: float) -> Place:
        return 0.5 + scale * (x - 3.0) / hand.box["width"], 0.5 - scale * (y - 0.5) / hand.box["height"]

    hand.drag(place(0, 5), place(1, 6))
    expect(page.locator("#planner-save")).to_be_disabled()
    hazard = places(page)[0][1][0]
    assert max(y for _, y in hazard) - min(y for _, y in hazard) > 5.5
    expect(lines).to_contain_text("robot-hours", timeout=STEP_MS)
    picture(page, "phone_planner")
    with page.expect_download() as saved:
        page.click("#planner-save")
    shutil.copyfile(saved.value.path(), tmp_path / "saved.geojson")
    field = load_field(tmp_path / "saved.geojson")
    assert field.name == "Minefield 12" and 30.0 < field.area < 36.0
    # What is no KML: one line, and what is drawn stays.
    path.write_text('<!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]><kml>&x;</kml>')
    page.set_input_files("#planner-file", path)
    expect(lines).to_contain_text("document type definition", timeout=STEP_MS)
    assert len(places(page)) == 2
    assert not [what for what in asked if what.startswith("error")]


def kml_polygon(name: str, corners: list[Place], datum: Place) -> str:
    degrees = Datum(*datum).to_wgs84(*np.array([*corners, corners[0]], dtype=float).T)
    at = " ".join(f"{lon:.9f},{lat:.9f},0" for lon, lat, _ in degrees)
    ring = f"<outerBoundaryIs><LinearRing><coordinates>{at}</coordinates></LinearRing></outerBoundaryIs>"
    return f"<Placemark><name>{name}</name><Polygon>{ring}</Polygon></Placemark>"
