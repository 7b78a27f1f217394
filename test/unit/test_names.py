"""Names and other text from outside: shown as they are in terminal, map and exports, or refused where they enter."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import openpyxl
import pyogrio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_examples import evidence_of, field, lane, read_page, write_inputs, write_journal, write_log
from rich.console import Console

from mine_robot.bringup.check import check_file
from mine_robot.bringup.planning import write_plan
from mine_robot.bringup.terminal import Terminal
from mine_robot.core.field import FieldError, field_from_geojson
from mine_robot.core.robot import RobotError, robot_from_urdf
from mine_robot.core.text import HIDDEN, NAME_MAX, checked_name, harmless, one_line, short, writable
from mine_robot.pipeline.loading import LoadError, expand_urdf, load_field
from mine_robot.records.export import FORMATS, export_run
from mine_robot.records.finish import finish_run
from mine_robot.records.tables import write_csv

ROOT = Path(__file__).parents[2]
SHOWN = [
    "[bold red]x[/nope]",
    "[/x]",
    "<script>alert(1)</script>&amp;",
    "$x$ ${ \\frac{",
    "أرض 12 שדה",
    "\U0001f4a3 :bomb:",
    "=HYPERLINK(A1)",
    "%s {0} {name}",
    "x" * NAME_MAX,
]
REFUSED = [
    "or\ud800chard",
    "a\x00b",
    "a\x1b[31mred",
    "a\u202eb",
    "a\u2066b",
    "a\x9b31m",
    "\ufffe",
    "1" * 5000,
    {"a": 1},
    ["a"],
    True,
]


@pytest.mark.parametrize("name", SHOWN)
def test_what_is_text_is_taken(name: str) -> None:
    taken = field_from_geojson(field(name=name, imsma_id=name))
    assert taken.name == taken.imsma_id == name


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("key", ["name", "imsma_id"])
def test_what_could_not_be_shown_is_refused_before_a_mission(name: Any, key: str) -> None:
    with pytest.raises(FieldError) as caught:
        field_from_geojson(field(**{key: name}))
    said = str(caught.value)
    assert "feature 0" in said and f"'{key}'" in said and len(said) < 200 and not HIDDEN.search(said)


@pytest.mark.parametrize("role", [None, "x\ud800", ["a"], {"a": "\x1b"}, "9" * 5000, 3])
def test_a_role_that_is_none_is_said_in_one_line(role: Any) -> None:
    content = field()
    content["features"][0]["properties"]["role"] = role
    with pytest.raises(FieldError) as caught:
        field_from_geojson(content)
    assert not HIDDEN.search(str(caught.value)) and len(str(caught.value)) < 200


def test_names_in_several_lines_are_one_and_figures_are_text() -> None:
    assert field_from_geojson(field(name=" a \n b\t\u2028c ")).name == "a b c"
    assert field_from_geojson(field(imsma_id=77)).imsma_id == "77"  # type: ignore[arg-type]


@given(st.text(max_size=300) | st.integers() | st.floats() | st.none())
def test_a_name_is_shown_or_refused(value: Any) -> None:
    try:
        name = checked_name(value, "name")
    except ValueError as error:
        assert not HIDDEN.search(str(error))
        return
    assert not HIDDEN.search(name) and len(name) <= NAME_MAX
    name.encode()


@given(st.text(st.characters(), max_size=50))
def test_one_line_is_one_line_of_what_every_stream_takes(text: str) -> None:
    line = one_line(text)
    line.encode()
    assert not HIDDEN.search(line) and len(line.splitlines()) <= 1
    assert "\x00" not in writable(text) and writable(text).encode() is not None


def test_values_are_cut() -> None:
    assert len(short("9" * 100_000)) < 100
    assert short("a\nb") == "'a\\nb'"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "-", "=", "-1,5"],
)
def test_a_formula_is_harmless_in_a_table(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-3.5", "+7", "-1e-3", "-.5", "", "a-b", "1=1", -3.5, 7, None])
def test_numbers_stay_numbers(value: Any) -> None:
    assert harmless(value) is value


def test_the_terminal_takes_markup_and_escapes_as_text() -> None:
    for name in SHOWN:
        terminal = Terminal(force_terminal=True, width=400)
        with terminal.capture() as shown:
            terminal.print(f"field '{name}' \x1b[31m\ud800", soft_wrap=True)
        plain = Console(force_terminal=True, width=400).render_str("")  # no styles are in what was printed
        assert not plain.spans
        assert f"field '{name}' \\x1b[31m\\ud800" in shown.get()


def test_check_shows_markup_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "field.geojson"
    for name in SHOWN:
        path.write_text(json.dumps(field(name=name)))
        assert f"'{name}'" in check_file(path)[0][0]


def test_a_name_in_a_robot_description_has_the_same_door() -> None:
    urdf = expand_urdf(ROOT / "urdf/mine_robot.urdf.xacro")
    assert robot_from_urdf(urdf.replace('name="mine_robot"', 'name="[/x] $x$"', 1)).name == "[/x] $x$"
    with pytest.raises(RobotError, match="250 characters"):
        robot_from_urdf(urdf.replace('name="mine_robot"', f'name="{"9" * 5000}"', 1))


def test_a_plan_is_drawn_whatever_the_name(tmp_path: Path) -> None:
    content = json.loads((ROOT / "test/data/small_field.geojson").read_text())
    for feature in content["features"]:
        feature["properties"].update(name="a $ \\frac{ $ [/x]", imsma_id="$_{")
    path = tmp_path / "field.geojson"
    path.write_text(json.dumps(content))
    write_plan(path, (), tmp_path / "plan.geojson", tmp_path / "plan.png", lambda: 0.0)
    assert (tmp_path / "plan.png").stat().st_size > 10_000


def test_report_map_and_exports_hold_the_name_as_text(tmp_path: Path) -> None:
    name = "=1+1 [/x] <script>$x$ أرض \U0001f4a3 " + "ə" * 200
    write_inputs(tmp_path, name=name, imsma_id="-2+3")
    nav = lane(0.0)
    write_log(tmp_path / "log.mcap", nav, evidence_of(nav))
    write_journal(tmp_path, reason="=cmd [/x] \x1b[31m <script>")
    finish_run(tmp_path)
    page = read_page(tmp_path / "report.html")
    assert name in page.text and "script" not in page.tags
    files = export_run(tmp_path, list(FORMATS), tmp_path / "export")
    assert len(files) > 10
    rows = [row for path in files if path.suffix == ".csv" for row in csv.reader(path.open(newline=""))]
    cells = [cell for row in rows for cell in row]
    assert f"'{name}" in cells and "'-2+3" in cells and name not in cells
    book = openpyxl.load_workbook(tmp_path / "export" / "export.xlsx")
    named = [cell for sheet in book for row in sheet for cell in row if cell.value == name]
    assert named and all(cell.data_type == "s" and cell.quotePrefix for cell in named)
    table = pyogrio.raw.read(tmp_path / "export" / "hazard_area.shp")
    assert any(name.startswith(str(column[0])) for column in table[3] if len(str(column[0])) > 50)


def test_text_that_no_file_holds_is_replaced(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", ("a", "b"), [("x\ud800\x00y", "-3.5"), ("=1", -2.0)])
    assert (tmp_path / "x.csv").read_text() == "a,b\nx\ufffd\ufffdy,-3.5\n'=1,-2.0\n"


def test_cases_of_the_issue(tmp_path: Path) -> None:
    text = json.dumps(field(name="or\ud800chard"))
    assert "\\ud800" in text
    path = tmp_path / "field.geojson"
    path.write_text(text)
    with pytest.raises(LoadError, match=r"U\+D800"):
        load_field(path)
