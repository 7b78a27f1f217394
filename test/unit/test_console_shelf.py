"""Past runs on the page: listed, saved, never shown, and no way out of their folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_house import House, a_run, get, hello

from mine_robot.console.shelf import Shelf


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as built:
        yield built


def test_past_runs_are_listed_and_their_records_saved_never_shown(house: House) -> None:
    a_run(house.root, "field-1")
    (house.root / "no_run").mkdir()
    with house.watch() as page:
        code, answer = house.ask("/api/runs", X_Console=hello(page)["secret"])
    assert code == 200
    assert [row["name"] for row in answer["runs"]] == ["field-1"]
    row = answer["runs"][0]
    assert (row["state"], row["coverage"], row["files"], row["formats"]) == (
        "complete",
        0.5,
        ["report.html", "summary.json"],
        ["kml"],
    )
    assert house.ask("/runs/field-1/report.html", b"", "GET") == (200, "<h1>report</h1>")
    assert house.headers["content-disposition"] == 'attachment; filename="field-1_report.html"'
    assert house.headers["content-type"] == "application/octet-stream"
    assert get(house, "/runs/field-1/report.html", Sec_Fetch_Site="cross-site") == 403
    assert [get(house, "/runs/field-1/report.html") for _ in range(20)] == [200] * 20


@pytest.mark.parametrize(
    "path",
    [
        "/runs/../secret/report.html",
        "/runs/%2e%2e/report.html",
        "/runs/..%2fsecret/report.html",
        "/runs/field-1/../../secret/report.html",
        "/runs/field-1/..%2f..%2fsecret%2freport.html",
        "/runs/field-1/%2fetc%2fpasswd",
        "/runs//etc/passwd",
        "/runs/%2fetc/passwd",
        "/runs/field-1/journal.sqlite",
        "/runs/field-1/report.html%00.png",
        "/runs/./report.html",
        "/runs/linked/report.html",
        "/runs/links/report.html",
        "/runs/pipe/report.html",
        "/runs/bare/report.html",
        "/runs/field-1/export/exe",
        "/runs/..%2fsecret/export/kml",
        "/runs/linked/export/kml",
    ],
)
def test_no_path_leads_out_of_the_runs(house: House, tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    a_run(house.root, "field-1")
    secret = a_run(tmp_path_factory.mktemp("secret"), "secret", report="secret")
    (house.root / "linked").symlink_to(secret)
    for name in ("links", "pipe"):
        (a_run(house.root, name) / "report.html").unlink()
    (house.root / "links" / "report.html").symlink_to(secret / "report.html")
    os.mkfifo(house.root / "pipe" / "report.html")
    (house.root / "bare").mkdir()
    (house.root / "bare" / "report.html").write_text("no run")
    assert get(house, path) == 404


def test_a_broken_run_hides_no_other(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "now", "run.json", "summary.json", ["report.html"], ["kml"])
    a_run(tmp_path, "now")
    for name, text in (("a", "["), ("b", "[" * 100_000), ("c", "[]"), ("d", '{"coverage": "much"}'), ("e", "\xff")):
        (a_run(tmp_path, name) / "summary.json").write_text(text, encoding="latin-1")
    (a_run(tmp_path, "f") / "run.json").write_text("{")
    rows = {row["name"]: row for row in shelf.runs()}
    assert set(rows) == {"now", "a", "b", "c", "d", "e"} and rows["now"]["running"]
    assert rows["d"]["coverage"] is None and rows["a"]["formats"] == []
