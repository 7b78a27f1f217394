"""Parameter classes: specifications, checks, and files laid over each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from mine_robot.core.parameters import ParameterError, build, flatten, group, param, specs, to_flat
from mine_robot.pipeline.loading import LoadError, ParameterFiles
from mine_robot.pipeline.parameters import NODE_PARAMETERS

CONFIG = Path(__file__).parents[2] / "config"


@dataclass(frozen=True)
class Inner:
    gain: float = param("Gain.", default=2.0, unit="1/s", low=0.0, high=10.0)
    offsets: tuple[float, ...] = param("Offsets.", default=(), unit="m")


@dataclass(frozen=True)
class Outer:
    inner: Inner = group(Inner)
    limit: float = param("Limit.", unit="m", low=0.1, high=1.0)
    count: int = param("Count.", default=3, low=1)
    mode: str = param("Mode.", default="a", choices=("a", "b"))
    on: bool = param("On.", default=True)


def test_specs_are_flat_and_in_order() -> None:
    assert [spec.name for spec in specs(Outer)] == ["inner.gain", "inner.offsets", "limit", "count", "mode", "on"]
    by_name = {spec.name: spec for spec in specs(Outer)}
    assert by_name["limit"].required
    assert by_name["inner.offsets"].type_name == "list of float"
    assert by_name["inner.gain"].range_text == "0 to 10 1/s"


def test_build_and_back() -> None:
    values = {"inner.gain": 3, "inner.offsets": [0.1, 1], "limit": 0.5}
    built = build(Outer, values)
    assert built.inner.gain == 3.0
    assert built.inner.offsets == (0.1, 1.0)
    assert build(Outer, to_flat(built)) == built


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, ["'limit' is missing"]),
        ({"limit": 0.5, "inner.gian": 1.0}, ["'inner.gian' is not a parameter", "did you mean 'inner.gain'"]),
        ({"limit": 2.0}, ["'limit'", "0.1 to 1 m"]),
        ({"limit": float("nan")}, ["finite"]),
        ({"limit": True}, ["'limit' must be a float"]),
        ({"limit": 0.5, "count": 1.5}, ["'count' must be a int"]),
        ({"limit": 0.5, "mode": "c"}, ["one of a, b"]),
        ({"limit": 0.5, "inner.offsets": 1.0}, ["list of float"]),
    ],
)
def test_bad_values_are_named(values: dict[str, object], words: list[str]) -> None:
    with pytest.raises(ParameterError) as caught:
        build(Outer, values)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("overlay", ["sim.yaml", "field.yaml"])
def test_the_shipped_files_are_valid(overlay: str) -> None:
    ParameterFiles([CONFIG / "robot.yaml", CONFIG / overlay]).check()


def test_robot_yaml_gives_every_parameter_without_default() -> None:
    given = flatten(yaml.safe_load((CONFIG / "robot.yaml").read_text())["/**"]["ros__parameters"])
    required = {spec.name for cls in NODE_PARAMETERS.values() for spec in specs(cls) if spec.required}
    assert required <= set(given)


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def refused(path: Path) -> str:
    with pytest.raises(LoadError) as caught:
        ParameterFiles([CONFIG / "robot.yaml", path]).check()
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_an_overlay_wins(tmp_path: Path) -> None:
    path = write(tmp_path, "/**: {ros__parameters: {limits: {search_speed: 0.3}}}")
    assert ParameterFiles([CONFIG / "robot.yaml", path]).build("follower").limits.search_speed == 0.3


def test_unknown_key_names_file_and_nearest(tmp_path: Path) -> None:
    text = refused(write(tmp_path, "/**: {ros__parameters: {limits: {serch_speed: 0.3}}}"))
    assert "'limits.serch_speed'" in text
    assert "'limits.search_speed'" in text


def test_unknown_node(tmp_path: Path) -> None:
    assert "'detector'" in refused(write(tmp_path, "detektor: {ros__parameters: {}}"))


def test_out_of_range_names_file_and_range(tmp_path: Path) -> None:
    assert "0.05 to 1 m/s" in refused(write(tmp_path, "/**: {ros__parameters: {limits: {search_speed: 30.0}}}"))


@pytest.mark.parametrize("text", ["limits: 3", "a: [1", "/**: {ros__parameters: {limits: 3}}", "- 1", "{}: {}"])
def test_malformed_files(tmp_path: Path, text: str) -> None:
    refused(write(tmp_path, text))


def test_the_dump_is_a_complete_parameter_file(tmp_path: Path) -> None:
    files = ParameterFiles([CONFIG / "robot.yaml"])
    path = write(tmp_path, files.dump())
    again = ParameterFiles([path])
    for node in NODE_PARAMETERS:
        assert again.build(node) == files.build(node)
