"""No command overwrites what it reads, or a file of another kind; an earlier output of its own it may."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_export import make_run
from test_malformed_fields import field
from typer.testing import CliRunner

from mine_robot.bringup.cli import app
from mine_robot.bringup.saving import FIELD, PICTURE, PLAN, STAMP, THRESHOLD, check_output, filling, save_text
from mine_robot.pipeline.loading import LoadError
from mine_robot.records.errors import RecordError

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 60
FOREIGN: dict[str, bytes] = {
    "photo.png": PNG,
    "robot.yaml": b"planner:\n  ros__parameters: {}\n",
    "field.geojson": json.dumps(field()).encode(),
    "notes.txt": b"names of the villages",
    "log.mcap": b"\x89MCAP0\r\n",
    "other.json": b"[1, 2]",
}


def symlink(path: Path, other: Path) -> Path:
    other.symlink_to(path)
    return other


def hard_link(path: Path, other: Path) -> Path:
    os.link(path, other)
    return other


NAMES: dict[str, Callable[[Path], Path]] = {
    "itself": lambda path: path,
    "through a folder": lambda path: path.parent / "sub" / ".." / path.name,
    "a symbolic link": lambda path: symlink(path, path.with_name("link.geojson")),
    "a hard link": lambda path: hard_link(path, path.with_name("other.geojson")),
    "capitals": lambda path: path.with_name(path.name.upper()),
    "a link to its folder": lambda path: symlink(path.parent, path.parent.with_name("folder")) / path.name,
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "fields"
    (folder / "sub").mkdir(parents=True)
    path = folder / "field.geojson"
    path.write_text(json.dumps(field()))
    return path


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["plan", "plot", "slopes"])
def test_an_input_is_never_overwritten(source: Path, name: str, command: str) -> None:
    before, out, dem = source.read_bytes(), NAMES[name](source), source.with_name("dem.xyz")
    dem.write_text("1 2 3\n")
    words = {
        "plan": ("plan", source, "--out", out),
        "plot": ("plan", source, "--out", source.with_name("plan.geojson"), "--plot", out),
        "slopes": ("slopes", source, "--dem", dem, "--out", out),
    }[command]
    result = run(*words)
    assert isinstance(result.exception, LoadError) and "is the input" in str(result.exception)
    assert source.read_bytes() == before and not source.with_name("plan.geojson").exists()


def test_other_inputs_are_inputs_too(source: Path) -> None:
    params = source.with_name("mine.yaml")
    params.write_text("planner:\n  ros__parameters: {}\n")
    assert "is the input" in str(run("plan", source, "--params", params, "--out", params).exception)
    dem = source.with_name("dem.xyz")
    dem.write_text("1 2 3\n")
    assert "is the input" in str(run("slopes", source, "--dem", dem, "--out", dem).exception)
    assert "is the input" in str(
        run("plan", source, "--out", source.with_name("p"), "--plot", source.with_name("p")).exception
    )


@pytest.mark.parametrize("kind", [PLAN, FIELD, PICTURE, THRESHOLD], ids=lambda kind: kind.name)
@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_another_kind_is_never_overwritten(kind: Any, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FOREIGN[name])
    with pytest.raises(LoadError, match="it is not overwritten"):
        check_output(path, kind, ())
    check_output(tmp_path / "new", kind, (path,))
    check_output(Path("/dev/null"), kind, (path,))


def test_a_plan_and_its_picture_are_written_again_over_their_former_selves(source: Path, tmp_path: Path) -> None:
    plan, plot = tmp_path / "plan.geojson", tmp_path / "plan.png"
    for _ in range(2):
        assert run("plan", source, "--out", plan, "--plot", plot).exit_code == 0
    assert json.loads(plan.read_text())["summary"]["lanes"] > 0 and plot.read_bytes().startswith(PNG[:8])
    assert "not a picture" in str(run("plan", source, "--out", tmp_path / "p.geojson", "--plot", plan).exception)
    assert "not a plan" in str(run("plan", source, "--out", plot).exception)
    for _ in range(2):
        assert run("threshold", "--pd", "0.9", "--out", tmp_path / "t.yaml").exit_code in (0, 1)


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    target = tmp_path / "old.geojson"
    target.write_text("{}")
    link = symlink(target, tmp_path / "link.geojson")
    save_text(link, "new")
    assert target.read_text() == "{}" and link.read_text() == "new" and not link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.geojson", "old.geojson"]


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    full, mine = tmp_path / "full", tmp_path / "mine"
    full.mkdir()
    (full / "holiday.jpg").write_bytes(b"x")

    def fill(folder: Path, command: str, *inputs: Path) -> None:
        with filling(folder, command, inputs):
            folder.mkdir(exist_ok=True)
            (folder / "result.csv").write_text(command)

    with pytest.raises(LoadError, match="files that are not of"):
        fill(full, "export")
    for _ in range(2):
        fill(mine, "export")
    with pytest.raises(LoadError, match="the output of `mine-robot export`"):
        fill(mine, "replay")
    for inside in (mine, mine / "result.csv"):
        with pytest.raises(LoadError, match="is or holds the input"):
            fill(mine, "export", inside)
    with pytest.raises(RecordError, match="is not a folder"):
        fill(full / "holiday.jpg", "export")
    assert [path.name for path in full.iterdir()] == ["holiday.jpg"] and (mine / STAMP).read_text() == "export\n"


def test_an_export_goes_into_its_own_folder_again_and_again(tmp_path: Path) -> None:
    done = make_run(tmp_path / "run")
    foreign = tmp_path / "documents"
    foreign.mkdir()
    (foreign / "export.kml").write_text("somebody's")
    assert "nothing is written among them" in str(run("export", done, "--format", "kml", "--out", foreign).exception)
    assert (foreign / "export.kml").read_text() == "somebody's"
    assert "holds" in str(run("export", done, "--out", done).exception)
    for _ in range(2):
        result = run("export", done, "--format", "kml")
        assert result.exit_code == 0, result.output
        assert result.output.split() == [str(done / "export" / "export.kml")]


def test_a_void_height_model_is_refused_and_a_hole_is_said(source: Path, tmp_path: Path) -> None:
    from mine_robot.core.field import field_from_geojson

    datum = field_from_geojson(field()).datum
    x, y = (values.ravel() for values in np.meshgrid(np.arange(-15, 15, 0.5), np.arange(-20, 15, 0.5)))
    degrees = datum.to_wgs84(x, y)[:, :2]
    ground = 400.0 + 0.03 * x + 0.02 * y + 1e-3 * np.random.default_rng(1).standard_normal(len(x))
    hole, slab = np.hypot(x, y) < 0.9, (np.abs(x) < 3) & (np.abs(y) < 3)

    def slopes(heights: np.ndarray) -> Any:
        dem = tmp_path / "dem.xyz"
        np.savetxt(dem, np.column_stack([degrees, heights]), fmt="%.9f")
        return run("slopes", source, "--dem", dem, "--out", tmp_path / "out.geojson")

    for value in (-9999.0, 0.0, -32768.0, 3.4e38, 112.5):
        assert "all its heights over the field are" in str(slopes(np.full(len(x), value)).exception), value
    for value in (-9999.0, 0.0, -32768.0, 12_000.0, 5000.0, np.nan):
        assert "of the field only" in str(slopes(np.where(slab, value, ground)).exception), value
        said = slopes(np.where(hole, value, ground))
        assert said.exit_code == 0 and "m2 of the field are filled from around" in said.output, value
        assert np.isnan(value) or "taken for voids" in said.output
    said = slopes(np.where(slab, 400.1, ground)).output
    assert "m2 of the field have one and the same height" in said
    assert "voids" not in slopes(ground).output and "same height" not in slopes(ground).output
