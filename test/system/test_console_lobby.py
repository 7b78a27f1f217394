"""The page before a mission: a field is read, planned and started there; its mission's own page follows, and then the first one again."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stack import CLI, SMALL_FIELD, started
from test_console_browser import (  # noqa: F401
    CHROMIUM,
    START_MS,
    STEP_MS,
    browser,
    open_page,
    picture,
    playwright,
    port,
    start,
)

from mine_robot.records.run_directory import RunDirectory

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (apt install chromium)"),
]
DOMAIN = 94


@pytest.fixture
def lobby(tmp_path: Path, port: int) -> Iterator[subprocess.Popen[str]]:  # noqa: F811
    folder = tmp_path / "missions"
    folder.mkdir()
    shutil.copy(SMALL_FIELD, folder / "survey.geojson")
    words = ["console", "--missions", str(folder), "--sim", "builtin", "--rate", "4", "--port", str(port)]
    with started([sys.executable, *CLI, *words], DOMAIN) as process:
        yield process


def test_a_mission_is_started_on_a_field_of_the_page(
    lobby: subprocess.Popen[str],
    browser: Any,  # noqa: F811
    port: int,  # noqa: F811
    tmp_path: Path,
) -> None:
    asked: list[str] = []
    page, expect = open_page(browser, port, 1280, 900, asked), playwright.expect
    phone = open_page(browser, port, 390, 844, asked)
    expect(page.locator("#state")).to_have_text("no mission")
    expect(page.locator("#kind")).to_have_text("SIMULATION")
    expect(page.locator("[data-command=start]")).to_be_hidden()
    picture(phone, "phone_lobby")
    # The emergency stop says the truth: there is nothing here that it could stop.
    phone.locator("#estop").click()
    expect(phone.locator("#estop-answer")).to_contain_text("no mission runs here")
    phone.reload()
    page.click("#planner-open")
    page.set_input_files("#planner-file", SMALL_FIELD)
    expect(page.locator("#planner-lines")).to_contain_text("robot-hours", timeout=STEP_MS)
    page.click("#planner-start")
    expect(page.locator("#ask-title")).to_contain_text("SIMULATION")
    for box in page.locator("#ask-ticks input").all():
        box.check()
    picture(page, "lobby")
    page.click("#ask-yes")
    # Another process serves now, with the checklist before anything moves; pages come back by themselves.
    expect(page.locator("#notice")).to_contain_text("started again", timeout=START_MS)
    expect(page.locator("#planner-start")).to_be_hidden()
    start(page)
    expect(phone.locator("#state")).to_have_text(re.compile("search|approach|marking"), timeout=STEP_MS)
    page.click("[data-command=abort]")
    page.click("#ask-yes")
    expect(page.locator("#state")).to_have_text("no mission", timeout=START_MS)
    expect(page.locator("#log")).to_contain_text("ended short", timeout=STEP_MS)
    expect(page.locator("#reason")).to_contain_text("the last one: aborted", timeout=STEP_MS)
    picture(page, "lobby_result")
    (run,) = (path.parent for path in (tmp_path / "missions").glob("*/run.json"))
    assert RunDirectory(run).summary.is_file() and run.with_suffix(".geojson").is_file()
    assert not [what for what in asked if what.startswith("error")]
    lobby.send_signal(signal.SIGINT)
    said, _ = lobby.communicate(timeout=60)
    assert lobby.returncode == 0 and "viewer 1, 127.0.0.1 starts a mission on" in said, said
