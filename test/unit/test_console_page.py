"""The page in a real browser, before a mission that is played by hand: what it says, which keys it hears, and how it stops."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from console_stage import Stage

sys.path.insert(0, str(Path(__file__).parents[1]))
from cable import Cable

from mine_robot.console.words import WORDS, words_of
from mine_robot.core.types import Level, MissionState

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (make browser)")
S = MissionState
STEP_MS = 15_000
SCREENS = {"phone": (390, 844), "tablet": (1024, 768), "desktop": (1440, 900)}
SCREENSHOTS = os.environ.get("CONSOLE_SCREENSHOTS", "")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage")) as built:
        yield built


@pytest.fixture
def stage(shared: Stage) -> Stage:
    shared.play()
    return shared


@pytest.fixture
def pages(browser: Any) -> Iterator[Any]:
    """Opens pages; none may meet an error of its own."""
    context, errors = browser.new_context(viewport={"width": 1280, "height": 800}), []

    def open_(port: int, size: tuple[int, int] | None = None) -> Any:
        page = context.new_page()
        page.set_default_timeout(STEP_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        if size:
            page.set_viewport_size({"width": size[0], "height": size[1]})
        page.goto(f"http://127.0.0.1:{port}/")
        playwright.expect(page.locator("#link")).to_have_text("connected", timeout=STEP_MS)
        return page

    yield open_
    context.close()
    assert not errors


def says(page: Any, where: str, words: str | re.Pattern[str]) -> None:
    playwright.expect(page.locator(where)).to_contain_text(words, timeout=STEP_MS)


def picture(page: Any, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


def begin(stage: Stage, page: Any) -> None:
    assert stage.bench.mission.start()[0]
    says(page, "#state", "search")


# --- words ----------------------------------------------------------------------------------------------------------------------
ALL_PAIRS = """
async ([missions, answers]) => {
  const { situation, spoken } = await import("/words.js");
  const found = [];
  for (const mission of missions) for (const before of missions) for (const { ok, message } of answers)
    for (const pending of [false, true]) for (const heard of [true, false]) {
      const refusal = ok ? null : { text: message, situation: situation(before), age: 1 };
      const stop = { pending, seconds: 7, message: "sent" };
      found.push([mission.state, before.state, pending, heard, spoken({ mission, heard, stop, nothing: "", refusal })]);
    }
  return found;
}
"""
ANSWERS = [
    (True, "resumed"),
    (True, "emergency stop"),
    (False, "resume: still holding: localisation: lost"),
    (False, ""),
]


def test_no_last_answer_contradicts_the_state(stage: Stage, pages: Any) -> None:
    """Every state after every answer in every state: 'resume: resumed' stood under a fresh stop, 'Confirmed' under a search."""
    page = pages(stage.port)
    missions = [{"state": one.value, "reason": f"now {one.value}", "words": words_of(one)} for one in S]
    answers = [{"ok": ok, "message": words} for ok, words in ANSWERS]
    found = page.evaluate(ALL_PAIRS, [missions, answers])
    assert len(found) == len(S) ** 2 * len(ANSWERS) * 4
    for state, before, pending, heard, said in found:
        assert said["answer"] in ("", *(words for ok, words in ANSWERS if not ok and state == before))
        assert said["alarm"] is pending and ("NOT CONFIRMED, still trying (7 s" in said["line"]) is pending
        if not pending:
            assert said["line"] == ("" if heard else "Last heard: ") + WORDS[S(state)]
            assert ("Confirmed" in said["line"]) is (state == "estop")


def test_what_was_refused_goes_with_the_state(stage: Stage, pages: Any) -> None:
    page = pages(stage.port)
    begin(stage, page)
    stage.refusal = "not now"
    page.click("[data-command=pause]")
    says(page, "#answer", "pause: not now")
    stage.refusal = ""
    page.click("[data-command=pause]")
    says(page, "#state", "paused")
    playwright.expect(page.locator("#answer")).to_have_text("")


def test_a_confirmed_stop_is_said_on_every_page_and_goes_with_the_state(stage: Stage, pages: Any) -> None:
    one, two = pages(stage.port), pages(stage.port)
    begin(stage, one)
    one.locator("#estop").dispatch_event("pointerdown")
    for page in (one, two):
        says(page, "#estop-answer", "Confirmed: emergency stop")
    two.click("[data-command=resume]")
    two.click("#ask-yes")
    for page in (one, two):
        says(page, "#state", "search")
        says(page, "#estop-answer", "The robot searches")
    stage.bench.mission.estop()  # by somebody else: a service, a button
    for page in (one, two):
        says(page, "#estop-answer", "Confirmed: emergency stop")
        playwright.expect(page.locator("#answer")).to_have_text("")


# --- the stop --------------------------------------------------------------------------------------------------------------------
def test_a_stop_pressed_offline_goes_first_and_outlives_a_reload(stage: Stage, pages: Any) -> None:
    cable = Cable(stage.port)
    page = pages(cable.port)
    begin(stage, page)
    page.click("#sensors > summary")  # a page that asks for more as soon as it can
    cable.cut()
    says(page, "#link", "NO CONNECTION")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rsplit("/", 1)[1]))
    page.locator("#estop").dispatch_event("pointerdown")
    says(page, "#estop-answer", re.compile(r"NOT CONFIRMED, still trying \([3-9] s"))
    picture(page, "offline_stop")
    assert stage.state is S.SEARCH and page.evaluate("sessionStorage.length") == 1
    with page.expect_request("**/api/sensors"):  # afterwards
        cable.mend()
        says(page, "#estop-answer", "Confirmed: emergency stop")
    last = len(asked) - asked[::-1].index("estop")
    assert stage.calls == ["mission/estop"] * len(stage.calls) and set(asked[:last]) <= {"live", "estop"}
    assert page.evaluate("sessionStorage.length") == 0
    # Not answered, and the page is loaded anew.
    stage.play()
    begin(stage, page)
    stage.silent.set()
    page.locator("#estop").dispatch_event("pointerdown")
    says(page, "#estop-answer", "still trying")
    page.reload()
    says(page, "#estop-answer", re.compile(r"still trying \(\d+ s"))
    page.click("[data-command=pause]")
    says(page, "#answer", "the emergency stop goes first")
    stage.silent.clear()
    says(page, "#estop-answer", "Confirmed: emergency stop")
    assert stage.state is S.ESTOP


def test_keys_stop_the_robot_unless_something_has_the_focus(stage: Stage, pages: Any) -> None:
    page = pages(stage.port)
    for key in ("Escape", " "):
        stage.play()
        begin(stage, page)
        page.keyboard.press(key)
        says(page, "#state", "e-stop")
    stage.play()
    begin(stage, page)
    page.click("#sensors > summary")
    page.focus("#channel")
    page.keyboard.press(" ")  # opens the list
    page.keyboard.press("Escape")  # closes it
    for focus in ("#processed", "#take", "#sensors > summary"):
        page.focus(focus)
        says(page, "#estop-hint", "the keys are in use")
        page.keyboard.press(" ")
        page.keyboard.press("Escape")  # leaves it
        playwright.expect(page.locator("#estop-hint")).to_have_text("touch, Esc or Space")
    for dialog, way in (("#ask", "[data-command=abort]"), ("#planner", "#planner-open")):
        page.click(way)
        playwright.expect(page.locator(dialog)).to_be_visible()
        page.keyboard.press("Escape")
        playwright.expect(page.locator(dialog)).to_be_hidden()
    page.click("#planner-open")
    page.fill("#planner-name", "a b")
    page.keyboard.press(" ")
    page.focus("#planner-role")
    page.keyboard.press(" ")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert stage.state is S.SEARCH and not [one for one in stage.calls if one == "mission/estop"]
    # A button that was touched with a mouse keeps no focus: the key stops again.
    page.click("#fit")
    page.keyboard.press(" ")
    says(page, "#state", "e-stop")


def test_where_nothing_can_be_stopped_the_page_says_so(tmp_path: Path, pages: Any) -> None:
    with Stage(tmp_path, lobby=True) as stage:
        page = pages(stage.port)
        says(page, "#estop-answer", "Nothing can be stopped: no mission runs here")
        page.keyboard.press("Escape")
        page.click("#estop")
        page.keyboard.press(" ")
        says(page, "#estop-hint", "nothing to stop here")
        playwright.expect(page.locator("#estop-answer")).not_to_contain_text("NOT CONFIRMED")
        assert stage.calls == [] and page.evaluate("sessionStorage.length") == 0
        # A stop that was left over from a mission that has ended meanwhile ends too, and that is said.
        page.evaluate("sessionStorage.setItem('emergency stop', String(Date.now() - 60000))")
        page.reload()
        says(page, "#notice", "was never confirmed. No mission runs here any more")
        playwright.expect(page.locator("#estop-answer")).to_contain_text("Nothing can be stopped")
        picture(page, "lobby_stop")


# --- before, after, and what time it is -------------------------------------------------------------------------------------------
def test_what_says_nothing_is_red_and_blocks_the_start(stage: Stage, pages: Any) -> None:
    stage.bench.silent = {"emergency_stop", "battery"}
    stage.bench.levels["gpr"] = Level.WARN
    page = pages(stage.port, SCREENS["phone"])
    page.click("[data-command=start]")
    for box in page.locator("#ask-ticks input").all():
        box.check()
    says(page, "#ask-state li.level2 >> nth=0", "battery: no report")
    says(page, "#ask-state li.level2 >> nth=1", "emergency stop: no report")
    says(page, "#ask-state li.level1", "ground radar")
    playwright.expect(page.locator("#ask-yes")).to_be_disabled()
    picture(page, "checklist_phone")
    stage.bench.silent = set()
    playwright.expect(page.locator("#ask-yes")).to_be_enabled(timeout=STEP_MS)  # while the question is open
    page.click("#ask-yes")
    says(page, "#state", "aligning")


def test_a_normal_end_is_calm_and_the_field_stays(tmp_path: Path, pages: Any) -> None:
    with Stage(tmp_path) as stage:
        page = pages(stage.port)
        begin(stage, page)
        stage.search()
        stage.bench.mission.abort()
        says(page, "#state", "aborted")
    says(page, "#link", "run ended")
    assert "lost" not in (page.locator("body").get_attribute("class") or "")
    says(page, "#estop-answer", "Nothing can be stopped from here: the run has ended")
    page.keyboard.press("Escape")
    playwright.expect(page.locator("#estop-answer")).not_to_contain_text("NOT CONFIRMED")
    picture(page, "ended")


def test_a_robots_times_are_local_with_zone_and_elapsed(tmp_path: Path, browser: Any) -> None:
    began = 1796074271.4 - 5400.0
    with Stage(tmp_path, simulated=False, began=began) as stage:
        context = browser.new_context(timezone_id="Asia/Baku", viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{stage.port}/")
        says(page, "#progress", re.compile(r"Local time00:01:\d\d GMT\+4Time of the run0:\d\d"))
        begin(stage, page)
        says(page, "#log", re.compile(r"00:01:\d\d GMT\+4\s*search"))
        picture(page, "live_times")
        context.close()


@pytest.mark.parametrize("name", list(SCREENS))
def test_the_page_fits_every_screen(stage: Stage, pages: Any, name: str) -> None:
    page = pages(stage.port, SCREENS[name])
    begin(stage, page)
    stage.search()
    says(page, "#estop-answer", "The robot searches")
    picture(page, f"search_{name}")
    page.locator("#estop").dispatch_event("pointerdown")
    says(page, "#estop-answer", "Confirmed")
    width, height = SCREENS[name]
    box = page.locator("#estop").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["y"] >= 0 and box["y"] + box["height"] <= height
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing is cut off at the right"
    picture(page, f"estop_{name}")
    page.click("[data-command=resume]")
    for button in page.locator("#ask button").all():
        box = button.bounding_box()
        assert box["y"] + box["height"] <= height and box["height"] >= 44
        middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
        on_top = page.evaluate("([x, y]) => document.elementFromPoint(x, y).closest('dialog') !== null", middle)
        assert on_top, "nothing covers it"
    picture(page, f"question_{name}")
    page.click("#ask-no")
