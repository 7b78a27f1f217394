"""The console in a real browser beside a real, simulated mission: watch, stop, resume, lose the console or the network, abort."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stack import SMALL_FIELD, command, logs, started

sys.path.insert(0, str(Path(__file__).parents[1]))
from cable import Cable

from mine_robot.core.types import Cell, Goal, MarkStatus, MissionState, MissionStatus, RemarkKind
from mine_robot.mission.journal import Journal
from mine_robot.mission.journal_reader import read_journal
from mine_robot.pipeline.loading import load_field
from mine_robot.records.finish import finish_run

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (apt install chromium)"),
]
# The command link is lost for a while, in which the robot holds; then there is a mine.
SCENARIO = """
seed: 11
objects:
  - {type: tm62, east: -1.4, north: 0.6, depth_m: 0.10}
faults:
  - {kind: command_link_lost, at_s: 40.0, for_s: 30.0}
"""
DOMAIN = 96
START_MS, STEP_MS = 120_000, 60_000
DRIVES = re.compile("search|approach|marking")
SCREENSHOTS = os.environ.get("CONSOLE_SCREENSHOTS", "")  # a folder: keep pictures of the pages


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def mission(tmp_path: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """A stack that waits for Start on the page."""
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(SCENARIO)
    options = ("--scenario", str(scenario), "--rate", "2", "--console", "--console-port", str(port), "--wait")
    with started(command(SMALL_FIELD, tmp_path / "run", *options), DOMAIN) as process:
        yield process


@pytest.fixture
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


def open_page(
    browser: playwright.Browser, port: int, width: int, height: int, asked: list[str], *, finger: bool = False
) -> playwright.Page:
    page = browser.new_page(viewport={"width": width, "height": height}, has_touch=finger, is_mobile=finger)
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda one: asked.append(one.url))
    page.on("pageerror", lambda error: asked.append(f"error: {error}"))
    limit = time.monotonic() + START_MS / 1000
    while True:
        try:
            page.goto(f"http://127.0.0.1:{port}/")
            return page
        except playwright.Error:
            if time.monotonic() > limit:
                raise
            time.sleep(0.2)  # a wait with a limit: the server is another process


def picture(page: playwright.Page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


def start(page: playwright.Page) -> None:
    """Start the mission on the page, with its checklist."""
    playwright.expect(page.locator("[data-command=start]")).to_be_enabled(timeout=START_MS)
    page.click("[data-command=start]")
    playwright.expect(page.locator("#ask-yes")).to_be_disabled()
    for box in page.locator("#ask-ticks input").all():
        box.check()
    page.click("#ask-yes")
    playwright.expect(page.locator("#state")).to_have_text(DRIVES, timeout=START_MS)


def earlier_run(folder: Path, like: Path) -> None:
    """A run that is over, with the inputs of the one that goes on."""
    shutil.copytree(like, folder, ignore=shutil.ignore_patterns("log*", "journal*", "sim"))
    with Journal(folder / "journal.sqlite") as journal:
        journal.status(MissionStatus(0.0, MissionState.DONE, "all searched", Goal.NONE, -1, 0.0))
    (folder / "summary.json").write_text('{"state": "complete", "coverage": 0.5, "targets": 0}')
    (folder / "report.html").write_text("<h1>earlier</h1>")


def touch(page: playwright.Page, x: float, y: float) -> None:
    """Touch the map, which shows the whole field, at a place in m."""
    west, south, east, north = load_field(SMALL_FIELD).bounds
    box = page.locator("#map").bounding_box()
    assert box is not None
    scale = 0.9 * min(box["width"] / (east - west), (box["height"] - 90) / (north - south))
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.click(middle[0] + scale * (x - (west + east) / 2), middle[1] - scale * (y - (south + north) / 2))


def draw(page: playwright.Page, role: str, box: dict[str, float], corners: list[tuple[float, float]]) -> None:
    """Draw a polygon with ``corners`` in shares of the planner's map."""
    page.select_option("#planner-role", role)
    for x, y in corners:
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.click("#planner-finish")


def console_process(directory: Path) -> int:
    """The id of the console's process of this run."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if "mine_robot.nodes" in words and "console" in words and any(str(directory) in word for word in words):
                return int(entry.name)
    raise AssertionError("the console does not run")


def resume_until_it_drives(page: Any, expect: Any) -> None:
    """Resume as a person would: a stop wins over a resume that comes before guard and marker have handed it over to the mission."""
    state = page.locator("#state")
    for last in (False, False, True):
        page.click("[data-command=resume]")
        page.click("#ask-yes")
        try:
            expect(state).to_have_text(DRIVES, timeout=STEP_MS if last else STEP_MS / 6)
            return
        except AssertionError:
            if last:
                raise


def test_watch_stop_resume_and_lose_the_console(
    mission: subprocess.Popen[str], browser: playwright.Browser, port: int, tmp_path: Path
) -> None:
    asked: list[str] = []
    directory = tmp_path / "run"
    expect = playwright.expect
    desk = open_page(browser, port, 1280, 800, asked)
    phone = open_page(browser, port, 390, 844, asked)
    state = desk.locator("#state")
    expect(desk.locator("#kind")).to_have_text("SIMULATION", timeout=START_MS)
    expect(desk.locator("#health")).to_contain_text("recorder", timeout=START_MS)
    start(desk)
    expect(phone.locator("#holder")).to_contain_text("Viewer 1 has control")
    expect(desk.locator("#share")).not_to_have_text(re.compile(r"^0\.0 %|not known"), timeout=START_MS)
    picture(desk, "desktop")
    picture(phone, "phone")
    # Stop: from the page that has no control, one touch, although a question is open on the other.
    desk.click("[data-command=abort]")
    phone.locator("#estop").dispatch_event("pointerdown")
    expect(phone.locator("#estop-answer")).to_contain_text("Confirmed", timeout=STEP_MS)
    expect(phone.locator("#state")).to_have_text("e-stop", timeout=STEP_MS)
    desk.keyboard.press("Escape")  # in a dialog: it is taken back, and no more
    expect(desk.locator("#ask")).to_be_hidden()
    expect(desk.locator("#estop-answer")).to_contain_text(
        "Confirmed", timeout=STEP_MS
    )  # on every page: it is the mission's state
    desk.evaluate(
        "document.activeElement.blur()"
    )  # a closed dialog may give the focus back to the button that opened it
    desk.keyboard.press("Escape")  # again, by key
    expect(phone.locator("[data-command=resume]")).to_be_disabled()
    picture(phone, "phone_estop")
    resume_until_it_drives(desk, expect)
    # Lose the console: the page says so, the mission goes on, the page comes back by itself.
    os.kill(console_process(directory), signal.SIGKILL)
    expect(desk.locator("#link")).to_contain_text("NO CONNECTION", timeout=STEP_MS)
    expect(desk.locator("#link")).to_have_text("connected", timeout=START_MS)
    expect(desk.locator("#notice")).to_contain_text("The console was started again", timeout=STEP_MS)
    expect(state).to_have_text(re.compile("search|approach|marking|planning|home|done"), timeout=STEP_MS)
    assert mission.poll() is None, logs(directory)
    # Abort: the run ends, and the page says why nothing moves any more.
    desk.click("[data-command=abort]")
    desk.click("#ask-yes")
    expect(desk.locator("#link")).to_contain_text("run ended", timeout=STEP_MS)
    mission.wait(timeout=60)
    mine = (f"http://127.0.0.1:{port}/", f"ws://127.0.0.1:{port}/")
    assert all(url.startswith(mine) for url in asked), [url for url in asked if not url.startswith(mine)]
    record = read_journal(directory / "journal.sqlite")
    done = [kind for _, kind, _ in record.events if kind.startswith("mission/")]
    done = [kind for kind, before in zip(done, ["", *done]) if (kind, before) != ("mission/resume", "mission/resume")]
    assert done == ["mission/start", "mission/estop", "mission/estop", "mission/resume", "mission/abort"]
    said = (directory / "log" / "console.log").read_text()
    assert "node 'console' died (killed by SIGKILL)" in said, "why the first one ended"
    assert "console: ends: SIGINT or SIGTERM" in said, "why the second one ended"
    states = [status.state for status in record.statuses]
    assert MissionState.ESTOP in states and states[-1] is MissionState.ABORTED


def test_sensors_evidence_remarks_a_hold_and_a_cut_cable(
    mission: subprocess.Popen[str], browser: playwright.Browser, port: int, tmp_path: Path
) -> None:
    asked: list[str] = []
    directory, expect, cable = tmp_path / "run", playwright.expect, Cable(port)
    phone = open_page(browser, port, 390, 844, asked)
    desk = open_page(browser, cable.port, 1280, 900, asked)
    start(desk)
    earlier_run(tmp_path / "earlier", directory)
    # Sensors: eight channels, a trace a coil, nothing silent.
    desk.click("#sensors > summary")
    expect(desk.locator("#channel option")).to_have_count(8, timeout=STEP_MS)
    expect(desk.locator("#metal-scale")).to_contain_text("each coil", timeout=STEP_MS)
    desk.select_option("#channel", "4")
    # The command link is lost: the robot holds.
    expect(desk.locator("#state")).to_have_text("hold", timeout=START_MS)
    expect(desk.locator("#hold-text")).to_contain_text("nobody has acknowledged")
    picture(desk, "hold")
    desk.click("#acknowledge")
    expect(phone.locator("#hold-text")).to_contain_text("Hold acknowledged by viewer", timeout=STEP_MS)
    # The evidence behind the target, and what the operator says of it, on both pages.
    proven = re.compile(r"mark of target (\d+) confirmed")
    expect(desk.locator("#log")).to_contain_text(proven, timeout=2 * START_MS)
    marked = int(proven.findall(desk.locator("#log").inner_text())[-1])
    mine = next(one for one in read_journal(directory / "journal.sqlite").targets if one.id == marked)
    touch(desk, mine.x, mine.y)
    expect(desk.locator("#target-title")).to_have_text(re.compile("Target"))
    expect(desk.locator("#evidence")).to_be_visible(timeout=STEP_MS)
    number = int(desk.locator("#target-title").inner_text().removeprefix("Target "))
    desk.fill("#comment", "a <b>can</b>, seen")
    desk.click("[data-remark=reject]")
    expect(desk.locator("#remark-answer")).to_have_text("kept in the journal", timeout=STEP_MS)
    expect(desk.locator("#target-facts")).to_contain_text("rejected at", timeout=STEP_MS)
    expect(phone.locator("#log")).to_contain_text(f"target {number} rejected by viewer", timeout=STEP_MS)
    expect(phone.locator("#remark button").first).to_be_disabled()
    picture(desk, "target")
    desk.click("[data-command=pause]")  # so that the mission does not end before the test
    expect(desk.locator("#state")).to_have_text("paused", timeout=STEP_MS)
    touch(phone, mine.x, mine.y)
    expect(phone.locator("#evidence")).to_be_visible(timeout=STEP_MS)
    picture(phone, "phone_target")
    # What an earlier run handed over: listed, and saved by a touch.
    phone.click("#target-close")
    phone.click("#runs > summary")
    expect(phone.locator("#runs-list")).to_contain_text("complete, 50.0 % searched", timeout=STEP_MS)
    with phone.expect_download() as saved:
        phone.click("#runs-list a:has-text('Report')")
    assert saved.value.suggested_filename == "earlier_report.html"
    assert saved.value.path().read_text() == "<h1>earlier</h1>"
    with phone.expect_download(timeout=STEP_MS) as saved:
        phone.click("#runs-list a:has-text('kml')")
    assert zipfile.ZipFile(saved.value.path()).namelist() == ["export.kml"]
    picture(phone, "phone_runs")
    # A field for a later mission: drawn, planned, saved; the mission goes on.
    desk.click("#target-close")
    desk.click("#planner-open")
    box = desk.locator("#planner-map").bounding_box()
    assert box is not None
    draw(desk, "hazard_area", box, [(0.3, 0.2), (0.7, 0.2), (0.7, 0.55), (0.3, 0.55)])
    draw(desk, "safe_area", box, [(0.25, 0.55), (0.75, 0.55), (0.75, 0.95), (0.25, 0.95)])
    desk.fill("#planner-name", "drawn")
    desk.click("#planner-plan")
    expect(desk.locator("#planner-lines")).to_contain_text("robot-hours", timeout=STEP_MS)
    picture(desk, "planner")
    with desk.expect_download() as saved:
        desk.click("#planner-save")
    shutil.copyfile(saved.value.path(), tmp_path / "drawn.geojson")
    assert load_field(tmp_path / "drawn.geojson").name == "drawn"
    desk.set_input_files("#planner-file", SMALL_FIELD)
    expect(desk.locator("#planner-lines")).to_contain_text("0.0027 ha", timeout=STEP_MS)
    desk.set_input_files("#planner-file", directory / "robot.urdf")
    expect(desk.locator("#planner-lines")).to_contain_text("outermost element is <robot>", timeout=STEP_MS)
    desk.click("#planner-close")
    # Thirty seconds without a network, in which another page takes over and resumes.
    cable.cut()
    expect(desk.locator("#link")).to_contain_text("NO CONNECTION", timeout=STEP_MS)
    expect(phone.locator("#holder")).to_contain_text("Nobody has control", timeout=STEP_MS)
    phone.click("[data-command=resume]")
    phone.click("#ask-yes")
    expect(phone.locator("#state")).to_have_text(DRIVES, timeout=STEP_MS)
    expect(desk.locator("#link")).to_contain_text(re.compile(r"NO CONNECTION for 3\d s"), timeout=STEP_MS)
    picture(desk, "cut")
    cable.mend()
    expect(desk.locator("#link")).to_have_text("connected", timeout=STEP_MS)
    expect(desk.locator("#notice")).to_contain_text(re.compile(r"lost for 3\d s"), timeout=STEP_MS)
    expect(desk.locator("#notice")).to_contain_text("resumed by the operator")
    expect(desk.locator("#state")).not_to_have_text("paused")
    expect(desk.locator("#sensors-note")).to_have_text("", timeout=STEP_MS)
    picture(desk, "back")
    assert mission.poll() is None, logs(directory)
    mission.send_signal(signal.SIGINT)
    mission.wait(timeout=60)
    assert not [what for what in asked if what.startswith("error")]
    record = read_journal(directory / "journal.sqlite")
    assert [(one.kind, one.target_id) for one in record.remarks] == [
        (RemarkKind.ACKNOWLEDGE, -1),
        (RemarkKind.REJECT, number),
    ]
    assert record.remarks[1].comment == "a <b>can</b>, seen"
    assert record.ledger is not None and (record.ledger.cells == Cell.HALO).any(), "the halo stays"
    assert MarkStatus.CONFIRMED in {one.status for one in record.mark_results if one.target_id == marked}
    finish_run(directory)
    page = (directory / "report.html").read_text(encoding="utf-8")
    assert "Remarks of the operator" in page and "a &lt;b&gt;can&lt;/b&gt;, seen" in page
