"""The console without ROS: what viewers are told, and tiles, seats and view model behind it."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mission_bench import MissionBench
from shapely import box

from mine_robot.bringup.resources import resource
from mine_robot.console.scene import scene
from mine_robot.console.seats import COMMANDS_AT_ONCE, Seats
from mine_robot.console.store import Cursor, Store
from mine_robot.console.tiles import CODES, OTHER, TILE, Tiles, run_lengths
from mine_robot.console.view import LOG_LENGTH, SILENT_WALL_S, View, ellipse
from mine_robot.console.words import WORDS, words_of
from mine_robot.core.priors import RASTER, Priors, Suspicion
from mine_robot.core.types import (
    Cell,
    Goal,
    Health,
    LedgerGrid,
    Level,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MissionState,
    MissionStatus,
    NavState,
    Plan,
    PlanStep,
    Pose2,
    Remark,
    RemarkKind,
    StepKind,
    Target,
    TargetClass,
)
from mine_robot.mission.reactions import REQUIRED
from mine_robot.pipeline.loading import ParameterFiles, load_field, load_robot

PLENTY = 10**9
DRIVES = {MissionState.SEARCH, MissionState.APPROACH, MissionState.RETURN}


def cells_of(text: str, shape: tuple[int, int]) -> np.ndarray:
    """What the page makes of a tile: codes (rows, columns)."""
    codes: list[int] = []
    number, shift = 0, 0
    for byte in base64.b64decode(text):
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            codes += [number & 7] * (number >> 3)
            number, shift = 0, 0
    return np.array(codes, dtype=np.uint8).reshape(shape)


def told(store: Store, cursor: Cursor | None = None, budget: int = PLENTY) -> dict[str, Any]:
    return dict(json.loads(store.compose(cursor or Cursor(), budget, 1.0))["entries"])


def grid(cells: np.ndarray) -> LedgerGrid:
    return LedgerGrid(1.0, -3.0, 2.0, 0.05, cells.astype(np.int8))


def status(state: MissionState, reason: str = "because", t: float = 5.0) -> MissionStatus:
    return MissionStatus(t, state, reason, Goal.NONE, -1, 0.0)


def target(number: int, p: float = 0.9, x: float = 1.0) -> Target:
    return Target(number, x, 2.0, 0.0, 0.02, 0.02, 0.1, 3.0, 4.0, p, TargetClass.AT)


# --- store -----------------------------------------------------------------------------------------------------------------
def test_a_viewer_is_told_what_is_new_to_it_and_nothing_twice() -> None:
    store, cursor = Store(), Cursor()
    store.put("pose", [1], live=True)
    store.put("tile/0/0", "a")
    assert told(store, cursor) == {"pose": [1], "tile/0/0": "a"}
    store.put("tile/0/0", "a")
    assert told(store, cursor) == {}
    store.put("tile/0/1", "b")
    assert told(store, cursor) == {"tile/0/1": "b"}
    assert told(store) == {"pose": [1], "tile/0/0": "a", "tile/0/1": "b"}


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3), st.booleans()), max_size=40), st.integers(1, 90)
)
def test_whatever_the_budget_a_viewer_ends_with_the_newest_of_everything(
    changes: list[tuple[str, int, bool]], budget: int
) -> None:
    store, cursor, seen = Store(), Cursor(), {}
    for key, value, look in changes:
        store.put(key, value, live=key == "a")
        if look:
            seen.update(told(store, cursor, budget))
    for _ in range(len(changes) + 1):
        seen.update(told(store, cursor, budget))
    assert seen == {key: value for key, value, _ in changes}


def test_live_entries_do_not_wait_for_the_rest() -> None:
    store, cursor = Store(), Cursor()
    for number in range(50):
        store.put(f"tile/0/{number}", "x" * 100)
    told(store, cursor, 500)
    store.put("pose", "here", live=True)
    message = json.loads(store.compose(cursor, 500, 1.0))
    assert message["entries"]["pose"] == "here"
    assert message["more"] is True
    assert len(message["entries"]) < 8


def test_a_figure_that_is_not_finite_is_unknown_and_no_end() -> None:
    store = Store()
    store.put("odd", {"a": math.nan, "b": [math.inf, 1.5], "c": (2, "text")})
    assert told(store) == {"odd": {"a": None, "b": [None, 1.5], "c": [2, "text"]}}


# --- tiles -----------------------------------------------------------------------------------------------------------------
@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_run_lengths_give_the_cells_back(rows: int, columns: int, seed: int) -> None:
    cells = np.random.default_rng(seed).choice(np.array([*CODES, 33], dtype=np.int8), (rows, columns))
    codes = cells_of(run_lengths(cells), (rows, columns))
    expected = [[CODES.index(Cell(value)) if value != 33 else OTHER for value in row] for row in cells.tolist()]
    assert codes.tolist() == expected


def test_only_changed_tiles_are_sent_again() -> None:
    cells = np.full((TILE + 10, 2 * TILE), Cell.PENDING)
    tiles = Tiles()
    assert set(tiles.update(grid(cells))) == {"tile/0/0", "tile/0/1", "tile/1/0", "tile/1/1"}
    assert tiles.update(grid(cells)) == {}
    cells[TILE + 3, 5] = Cell.SEARCHED
    changed = tiles.update(grid(cells))
    assert set(changed) == {"tile/1/0"}
    assert cells_of(changed["tile/1/0"], (10, TILE))[3, 5] == CODES.index(Cell.SEARCHED)
    assert len(tiles.update(grid(cells[:TILE]))) == 2, "another raster is sent anew"


# --- view ------------------------------------------------------------------------------------------------------------------
def test_silence_shows_as_such_and_first() -> None:
    store = Store()
    view = View(store, mark_p=0.5)
    view.health(1.0, [Health("guard", Level.OK, "drives")], now=10.0)
    view.health(1.0, [Health("gpr", Level.WARN, "frozen")], now=10.0)
    view.refresh(10.5)
    assert [(row["label"], row["level"]) for row in told(store)["health"]] == [("ground radar", 1), ("safety guard", 0)]
    view.health(4.0, [Health("gpr", Level.WARN, "frozen")], now=10.1 + SILENT_WALL_S)
    view.refresh(10.1 + SILENT_WALL_S)
    first = told(store)["health"][0]
    assert (first["name"], first["level"]) == ("guard", int(Level.STALE))
    assert "silent" in first["message"] and "drives" in first["message"]


def test_conditions_on_which_the_mission_acts_come_first_then_the_most_severe() -> None:
    store = Store()
    view = View(store, mark_p=0.5)
    view.mission(status(MissionState.SEARCH), 1.0)
    view.health(5.0, [Health(name, Level.OK, "fine") for name in REQUIRED], 1.0)
    view.health(5.0, [Health("battery", Level.WARN, "low"), Health("gpr", Level.ERROR, "dead")], 1.0)
    view.health(5.0, [Health("emergency_stop", Level.ERROR, "pressed"), Health("tilt", Level.OK, "3 degrees")], 1.0)
    view.refresh(1.0)
    assert [row["action"] for row in told(store)["conditions"]] == ["estop", "hold", "return"]
    assert all(row["acts"] for row in told(store)["conditions"])
    view.mission(status(MissionState.DONE), 1.0)
    view.refresh(1.0)
    assert not any(row["acts"] for row in told(store)["conditions"])


def test_targets_marks_and_plan_reach_the_page_and_go_again() -> None:
    store, cursor = Store(), Cursor()
    view = View(store, mark_p=0.5)
    view.targets([target(1), target(2, p=0.1)], 1.0)
    view.mark_request(MarkRequest(6.0, 1, 1.0, 2.0))
    start, end = Pose2(0.0, 0.0, 0.0), Pose2(-1.0, 0.0, 0.0)
    view.plan(Plan(3.0, (PlanStep(StepKind.TRANSIT, start, end, True, False, 0.5),)))
    seen = told(store, cursor)
    assert seen["target/1"][4:6] == [0.9, int(TargetClass.AT)]
    assert seen["mark/1"]["status"] == "requested"
    assert seen["plan"] == {"t": 3.0, "points": [[0.0, 0.0], [-1.0, 0.0]], "reverse": [0]}
    view.targets([target(1)], 1.0)
    view.mark_result(MarkResult(7.0, 1, MarkStatus.CONFIRMED, 1.01, 2.0, "paint seen"), 1.0)
    view.mark_request(MarkRequest(7.1, 1, 1.0, 2.0))  # the request is repeated until the result arrives
    seen = told(store, cursor)
    assert seen["target/2"] is None and "target/1" not in seen
    assert seen["mark/1"]["status"] == "confirmed"
    assert [line["text"] for key, line in seen.items() if key.startswith("log/")] == [
        "mark of target 1 confirmed: paint seen"
    ]


def test_what_people_say_is_shown_with_the_target_and_told_once() -> None:
    store, cursor = Store(), Cursor()
    view = View(store, mark_p=0.5)
    view.targets([target(1)], 1.0)
    before = told(store, cursor)["target/1"]
    view.remark(Remark(4.0, "a1", RemarkKind.CONFIRM, 1, "cap seen", "viewer 1"), 1.0, remembered=True)
    view.remark(Remark(5.0, "a2", RemarkKind.REJECT, 1, "a can", "viewer 2"), 1.0)
    view.remark(Remark(6.0, "a3", RemarkKind.ACKNOWLEDGE, -1, "", "viewer 2"), 1.0)
    seen = told(store, cursor)
    assert seen["remark/1"] == {"kind": "reject", "comment": "a can", "author": "viewer 2", "t": 5.0}
    lines = [line["text"] for key, line in seen.items() if key.startswith("log/")]
    assert lines == ["target 1 rejected by viewer 2: a can", "hold acknowledged by viewer 2"]
    assert "remark/-1" not in seen and "target/1" not in seen and told(store)["target/1"] == before


def test_priors_are_outlined_and_rasters_are_not() -> None:
    field, robot = (
        load_field(resource("config/missions/demo_field.geojson")),
        load_robot(resource("urdf/mine_robot.urdf.xacro")),
    )
    limits = ParameterFiles([resource("config/robot.yaml")]).build("console").limits
    sources = [
        Suspicion(role, role, "", box(0.0, 0.0, 2.0, 1.0), lambda x, y: 0.1) for role in ("suspected_area", RASTER)
    ]
    shown = scene(field, robot, limits, simulated=True, priors=Priors(tuple(sources)))
    assert [sorted(map(tuple, ring[:-1])) for part in shown["priors"] for ring in part] == [
        [(0, 0), (0, 1), (2, 0), (2, 1)]
    ]
    assert scene(field, robot, limits, simulated=True)["priors"] == []
    json.dumps(shown)


def test_a_broken_pose_is_unknown() -> None:
    store = Store()
    nan = np.full(3, np.nan)
    View(store, mark_p=0.5).pose(NavState(1.0, nan, nan, nan, nan, np.full((6, 6), np.nan)), 1.0)
    pose = told(store)["pose"]
    assert pose["x"] is None and pose["sigma"] is None and pose["ellipse"] is None


def test_the_ellipse_points_along_the_worst_axis() -> None:
    turn = np.array([[math.cos(0.3), -math.sin(0.3)], [math.sin(0.3), math.cos(0.3)]])
    axes = ellipse(turn @ np.diag([0.09, 0.01]) @ turn.T)
    assert axes is not None
    assert axes[:2] == pytest.approx((0.3, 0.1))
    assert math.tan(axes[2]) == pytest.approx(math.tan(0.3))
    assert ellipse(np.array([[1.0, 0.0], [0.0, -1.0]])) is None


def test_news_do_not_grow_without_end() -> None:
    store = Store()
    view = View(store, mark_p=0.5)
    for number in range(3 * LOG_LENGTH):
        view.log(f"line {number}", 1.0)
    lines = [line["n"] for key, line in told(store).items() if key.startswith("log/")]
    assert sorted(lines) == list(range(2 * LOG_LENGTH, 3 * LOG_LENGTH))


# --- seats -----------------------------------------------------------------------------------------------------------------
def test_control_is_held_by_one_page_and_handed_over_in_the_open() -> None:
    said: list[tuple[int | None, int, str]] = []
    seats = Seats(2, lambda *what: said.append(what))
    first, second = seats.join(), seats.join()
    assert first and second and seats.join() is None
    assert seats.take(first, from_other=False) and not seats.take(second, from_other=False)
    assert seats.controls(first)
    assert seats.take(second, from_other=True) and not seats.controls(first)
    assert said[-1] == (2, 2, "viewer 2 took control from viewer 1")
    seats.leave(second)
    assert said[-1] == (None, 1, "viewer 2 is gone: nobody has control")
    assert seats.find(first.secret) is first
    assert seats.find(second.secret) is None and seats.find("") is None and seats.find("ü") is None


def test_a_page_that_asks_too_often_waits() -> None:
    viewer = Seats(1, lambda *what: None).join()
    assert viewer is not None
    assert [viewer.spend(100.0) for _ in range(int(COMMANDS_AT_ONCE) + 1)] == [True] * int(COMMANDS_AT_ONCE) + [False]
    assert viewer.spend(101.0)


def test_the_checklist_is_the_missions_own_and_what_is_not_heard_is_red() -> None:
    store, bench = Store(), MissionBench()
    view = View(store, mark_p=0.5)

    def rows(now: float) -> dict[str, dict[str, Any]]:
        view.refresh(now)
        return {row["name"]: row for row in told(store)["checklist"]}

    assert [(row["level"], row["blocks"]) for row in rows(1.0).values()] == [(2, True)], "no word of the mission"
    bench.silent = {"battery"}
    bench.levels["gpr"] = Level.ERROR
    bench.run(1.0)
    view.health(5.0, [bench.mission.readiness()], 1.0)
    found = rows(1.0)
    assert set(found) == set(REQUIRED)
    assert {name for name, row in found.items() if row["blocks"]} == {"battery"} and found["battery"]["level"] == 2
    assert found["gpr"] == {"name": "gpr", "label": "ground radar", "level": 1, "message": "broken", "blocks": False}
    assert found["marker"]["level"] == 0
    assert [row["blocks"] for row in rows(9.0).values()] == [True], "what it said is old"


@pytest.mark.parametrize("state", list(MissionState))
def test_words_follow_from_the_state_and_claim_no_more(state: MissionState) -> None:
    words = words_of(state)
    assert ("drives" in words) is (state in DRIVES) and ("told to stand" in words) is (state not in DRIVES)
    assert ("Confirmed: emergency stop" in words) is (state is MissionState.ESTOP)
    assert len({*WORDS.values()}) == len(MissionState)
    assert "no robot was stopped" in words_of(state, replay=True)
