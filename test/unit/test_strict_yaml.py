"""YAML that could be read in two ways, or hurts its reader, is refused in one line that says where."""

from __future__ import annotations

import random
import string
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mine_robot.bringup.check import check_file
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_json, load_yaml
from mine_robot.pipeline.strict_yaml import Section, YamlError, read_yaml, write_yaml

CONFIG = Path(__file__).parents[2] / "config"
SHIPPED = [*CONFIG.glob("*.yaml"), *CONFIG.glob("scenarios/*.yaml")]


def refused(text: str) -> str:
    with pytest.raises(YamlError) as caught:
        read_yaml(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    return str(caught.value)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_what_is_shipped_reads_as_everybody_reads_it(path: Path) -> None:
    assert read_yaml(path.read_text()) == yaml.safe_load(path.read_text())


def test_lines_are_known() -> None:
    content = read_yaml("a: 1\nb:\n  c: [1, 2.5, .5, 1e3, -3]\n  d: {e: null, f: 'no', g: \"0300\"}\n")
    assert content == {"a": 1, "b": {"c": [1, 2.5, 0.5, 1000.0, -3], "d": {"e": None, "f": "no", "g": "0300"}}}
    assert isinstance(content, Section) and content.lines == {"a": 1, "b": 2}
    assert content["b"].lines == {"c": 3, "d": 4}


@pytest.mark.parametrize(
    "word",
    [
        *[
            "0300",
            "-012",
            "00",
            "07.5",
            "5:00",
            "1:30:00",
            "0x1F",
            "0o17",
            "0b1",
            "1_000",
            "1_0.5",
            "2026-11-30",
            ".inf",
            "-.inf",
            ".nan",
        ],
        *["yes", "No", "ON", "off", "y", "N", "1e400", "1e-400"],
        "9" * 19,
        "9" * 5000,
    ],
)
def test_words_that_mean_different_things_are_refused_unless_quoted(word: str) -> None:
    assert "line 2" in refused(f"a: 1\nb: {word}")
    assert "line 1" in refused(f"[{word}]")
    assert read_yaml(f"b: '{word}'") == {"b": word}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", ["'a'", "line 1", "line 3"]),
        ("a:\n  b: 1\n  c: 1\n  b: 2", ["'b'", "line 2", "line 4"]),
        ("{a: 1, 'a': 2}", ["'a'", "twice"]),
        ("a: 1\n---\na: 2", ["line 2", "second document"]),
        ("a: &x [1]\nb: *x", ["line 1", "anchor"]),
        ("a: *x", ["alias"]),
        ("<<: {a: 1}", ["merges"]),
        ("3: x", ["'3'", "no name"]),
        ("? [a]\n: x", ["no name"]),
        ("? \n: x", ["no name"]),
        ("true: x", ["no name"]),
        ("no: x", ["true or false"]),
        ("a: !!python/object/apply:os.system [ls]", ["tag"]),
        ("a: !!float '3'", ["tag"]),
        ("a:\n\t- 1", ["line 2"]),
        ("a: [1", ["not YAML"]),
        ("a: \x00", ["not YAML"]),
        ('a: "\\ud800"', ["not YAML"]),
        ("", ["is empty"]),
        ("# nothing\n", ["is empty"]),
        ("---\n", ["is empty"]),
        ("[" * 100_000, ["line 1", "deep"]),
        ("{a: " * 100_000, ["deep"]),
        ("- " * 100_000, ["deep"]),
        ("? " * 100_000, ["no name"]),
        ("\n".join(" " * i + "a:" for i in range(1000)), ["deep"]),
    ],
)
def test_malformed_files_are_refused_with_their_line(text: str, words: list[str]) -> None:
    said = refused(text)
    for word in words:
        assert word in said


def test_many_laughs_are_not_expanded() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60))]
    assert "line 1" in refused("\n".join(lines))


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63) + 1, 2**63 - 1) | st.booleans())
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_read(value: float) -> None:
    again = read_yaml(yaml.safe_dump({"a": value}))["a"]
    assert again == value and type(again) is type(value)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20))
@settings(max_examples=300, deadline=None)
def test_text_that_is_written_is_read(value: str) -> None:
    assert read_yaml(write_yaml({"a": value})) == yaml.safe_load(write_yaml({"a": value})) == {"a": value}


@pytest.mark.parametrize("value", ["Y", "1e3", "0300", "5:00", "no", "null", "", "2026-11-30"])
def test_text_that_looks_like_something_else_is_quoted(value: str) -> None:
    assert f"'{value}'" in write_yaml({"a": value})
    assert read_yaml(write_yaml({"a": value})) == {"a": value}


def test_no_text_ends_in_anything_but_content_or_one_line() -> None:
    rng = random.Random(3)
    seeds = [path.read_text() for path in SHIPPED]
    letters = string.printable + "&*!{}[]<>|%@`\x00\u2028é"
    for _ in range(400):
        text = list(rng.choice(seeds))
        for _ in range(rng.randrange(1, 12)):
            at = rng.randrange(len(text))
            text[at : at + rng.randrange(3)] = rng.choices(letters, k=rng.randrange(4))
        try:
            read_yaml("".join(text))
        except YamlError as error:
            assert "\n" not in str(error)


# --- files ------------------------------------------------------------------------------------------------------------
def written(folder: Path, content: str | bytes, name: str = "x.yaml") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("detector:\n  ros__parameters: {gpr.threshold: 3.0}\ndetector:\n  ros__parameters: {}", ["line 1", "line 3"]),
        ("/**:\n  ros__parameters:\n    gpr.threshold: 3.0\n    gpr:\n      threshold: 4.0", ["'gpr.threshold'", "line 3", "line 5"]),
        ("detector:\n  ros__parameters: {gpr.threshold: 3}\n/detector:\n  ros__parameters:\n    gpr.threshold: 4.0", ["line 2", "line 5"]),
        ("/**:\n  ros__parameters: yes please", ["'ros__parameters'", "yes please"]),
        ("/**:\n  ros__parameters: [1]", ["'ros__parameters'"]),
        ("/**: {ros__parameters: {}, more: 1}", ["exactly one key"]),
        ("detector: {gpr.threshold: 3.0}", ["exactly one key"]),
        ("limits:\n  search_speed: 5", ["'limits'", "ros__parameters"]),
        ("gpr.threshold: 5", ["'gpr.threshold'", "ros__parameters"]),
        ("/**: {ros__parameters: {limits: {halo_radius: [" + "1, " * 5000 + "1]}}}", ["halo_radius"]),
        ("/**: {ros__parameters: {" + "a" * 900 + ": 1}}", ["not a parameter"]),
        ("", ["is empty"]),
        ("seed: 1\n".encode("utf-16"), ["UTF-8"]),
        ("soil: a\xe9\n".encode("latin-1"), ["byte 8", "UTF-8"]),
        (b"seed: 1\0\n", ["not YAML"]),
        ("seed: 007", ["octal"]),
        ("seed: 1\nseed: 2", ["'seed'", "line 1", "line 2"]),
        ("- 1\n- 2", ["mapping"]),
        ("just words", ["mapping"]),
    ],
)  # fmt: skip
def test_check_refuses_in_one_line(tmp_path: Path, content: str | bytes, words: list[str]) -> None:
    path = written(tmp_path, content)
    with pytest.raises(LoadError) as caught:
        check_file(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ") and "\n" not in said and len(said) < 1500
    for word in words:
        assert word in said


def test_a_file_that_is_too_large_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="larger than 5 MB"):
        load_yaml(written(tmp_path, b"#" * 5_000_001))
    with pytest.raises(LoadError, match="not a file"):
        load_yaml(Path("/dev/zero"))


def test_a_byte_order_mark_and_an_empty_section_are_fine(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeffdetector:\n  ros__parameters:\n    # nothing yet\n")
    assert check_file(path) == (["parameter file: ok"], [])


def test_values_of_the_command_line_are_as_strict() -> None:
    files = ParameterFiles([CONFIG / "robot.yaml"])
    for value in ("0300", "5:00", "yes", "[", "1e400", "&a 3"):
        with pytest.raises(LoadError, match="--set"):
            files.assign(f"detection.gpr.threshold={value}")
    files.assign("detection.gpr.threshold=3")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"a": 1,\n "b": {"c": "}\\"{"},\n "a": 2}', ["'a'", "line 1", "line 3"]),
        ('{"f": [{"x": 1}, {"x": 2,\n"y": 3,\n\n"x": 4}]}', ["'x'", "line 1", "line 4"]),
        ('{"a": 1, "\\u0061": 2}', ["'a'", "twice"]),
        ('{"a": ' + "1" * 5000 + "}", ["digits"]),
        ("[" * 100_000, ["not JSON"]),
        ('{"a": NaN}', ["NaN"]),
        ('{"a": 1}'.encode("utf-16"), ["UTF-8"]),
    ],
)
def test_json_that_would_lose_something_is_refused(tmp_path: Path, content: str | bytes, words: list[str]) -> None:
    path = written(tmp_path, content, "x.json")
    with pytest.raises(LoadError) as caught:
        load_json(path)
    for word in (str(path), *words):
        assert word in str(caught.value)
