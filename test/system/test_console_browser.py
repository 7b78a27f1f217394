"""The console in a real browser beside a real, simulated mission: watch, stop, resume, lose the console, abort."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack import SMALL_FIELD, command, environment, logs

from mine_robot.core.types import MissionState
from mine_robot.mission.journal_reader import read_journal

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (apt install chromium)"),
]
SCENARIO = SMALL_FIELD.with_name("small_scenario.yaml")
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
    options = ("--scenario", str(SCENARIO), "--rate", "2", "--console", "--console-port", str(port), "--wait")
    process = subprocess.Popen(
        command(SMALL_FIELD, tmp_path / "run", *options),
        env=environment(DOMAIN),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


@pytest.fixture
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


def open_page(browser: playwright.Browser, port: int, width: int, height: int, asked: list[str]) -> playwright.Page:
    page = browser.new_page(viewport={"width": width, "height": height})
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
    expect(desk.locator("[data-command=start]")).to_be_enabled(timeout=START_MS)
    # Start: only with the checklist done.
    expect(desk.locator("#health")).to_contain_text("recorder", timeout=START_MS)
    desk.click("[data-command=start]")
    expect(desk.locator("#ask-yes")).to_be_disabled()
    for box in desk.locator("#ask-ticks input").all():
        box.check()
    desk.click("#ask-yes")
    expect(state).to_have_text(DRIVES, timeout=START_MS)
    expect(phone.locator("#holder")).to_contain_text("Viewer 1 has control")
    expect(desk.locator("#share")).not_to_have_text(re.compile(r"^0\.0 %|not known"), timeout=START_MS)
    picture(desk, "desktop")
    picture(phone, "phone")
    # Stop: from the page that has no control, one touch, although a question is open on the other.
    desk.click("[data-command=abort]")
    phone.locator("#estop").dispatch_event("pointerdown")
    expect(phone.locator("#estop-answer")).to_contain_text("Confirmed", timeout=STEP_MS)
    expect(phone.locator("#state")).to_have_text("e-stop", timeout=STEP_MS)
    desk.keyboard.press("Escape")  # again, by key: the question is taken back
    expect(desk.locator("#ask")).to_be_hidden()
    expect(desk.locator("#estop-answer")).to_contain_text("Confirmed", timeout=STEP_MS)
    expect(phone.locator("[data-command=resume]")).to_be_disabled()
    picture(phone, "phone_estop")
    desk.click("[data-command=resume]")
    desk.click("#ask-yes")
    expect(state).to_have_text(DRIVES, timeout=STEP_MS)
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
    assert done == ["mission/start", "mission/estop", "mission/estop", "mission/resume", "mission/abort"]
    states = [status.state for status in record.statuses]
    assert MissionState.ESTOP in states and states[-1] is MissionState.ABORTED
