"""The catalogues of report and map."""

from __future__ import annotations

import json
import string
from importlib.resources import files
from pathlib import Path

import pytest
from records_examples import evidence_of, lane, suspect, write_inputs, write_log
from typer.testing import CliRunner

from mine_robot.bringup.cli import app
from mine_robot.core.types import Goal, MarkStatus, MissionState, MissionStatus, TargetClass
from mine_robot.mission.journal import Journal
from mine_robot.records.errors import RecordError
from mine_robot.records.finish import finish_run
from mine_robot.records.language import GAPS, language, languages

OTHERS = [code for code in languages() if code != "en"]


def catalogue(code: str) -> dict[str, str]:
    return json.loads((files("mine_robot.records") / "languages" / f"{code}.json").read_text(encoding="utf-8"))


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_english_and_azerbaijani_are_there() -> None:
    assert {"en", "az"} <= set(languages())


@pytest.mark.parametrize("code", OTHERS)
def test_every_catalogue_has_the_same_keys_and_places(code: str) -> None:
    english, other = catalogue("en"), catalogue(code)
    assert list(other) == list(english)
    for key, text in english.items():
        assert places(other[key]) == places(text), key
        assert other[key].strip()
    same = [key for key in english if other[key] == english[key]]
    assert set(same) <= {"devices.gpr", "devices.md"}, "not translated"


@pytest.mark.parametrize("code", languages())
def test_every_state_class_gap_and_mark_has_words(code: str) -> None:
    t = language(code)
    assert all(t.state(state) for state in MissionState)
    assert all(t.kind(kind) for kind in TargetClass)
    assert all(t.gap(reason) for reason in GAPS) and t.gap("of another stack") == "of another stack"
    assert all(t(f"mark.{status.value}") for status in MarkStatus) and t("mark.requested")


def test_anama_words_are_used() -> None:
    az = catalogue("az")
    for words in ("piyada əleyhinə mina", "tank əleyhinə mina", "PHS", "təhlükəli ərazi", "minatəmizləyən"):
        assert any(words in text for text in az.values()), words


def test_an_unknown_language_is_one_line() -> None:
    with pytest.raises(RecordError, match="--language xx: must be one of az, en"):
        language("xx")
    assert "must be one of" in str(CliRunner().invoke(app, ["run", "f.geojson", "--language", "xx"]).exception)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with one lane, one suspect, and no end."""
    folder = tmp_path_factory.mktemp("run")
    write_inputs(folder)
    nav = lane(0.0)
    with Journal(folder / "journal.sqlite") as journal:
        journal.status(MissionStatus(0.0, MissionState.SEARCH, "", Goal.NONE, -1, 0.0))
        journal.targets(5.0, [suspect(1, 0.0, 1.0)])
    write_log(folder / "log.mcap", nav, evidence_of(nav), [(6.0, (suspect(1, 0.0, 1.0),))])
    finish_run(folder, language_code="az")
    return folder


def test_a_report_in_azerbaijani_has_no_english_headings(finished: Path) -> None:
    page = (finished / "report.html").read_text(encoding="utf-8")
    assert '<html lang="az">' in page and "Təmizləmə hesabatı" in page and "Boşluqlar: təmizlənməmiş ərazi" in page
    for key, text in catalogue("en").items():
        if key.count(".") == 0 and len(text) > 5 and key != "hash":
            assert f"<h2>{text}</h2>" not in page, key
    assert (finished / "map.png").read_bytes()[:4] == b"\x89PNG"
