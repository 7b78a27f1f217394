"""The evidence behind a target: which scans are read, where they lie, and what is drawn of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from detection_log import MINE, record
from hypothesis import given, settings
from hypothesis import strategies as st

from mine_robot.core.types import GprScan, MetalScan, NavState, Target, TargetClass
from mine_robot.mission.journal import Journal
from mine_robot.pipeline.loading import ParameterFiles, expand_urdf, load_robot
from mine_robot.records.bag import BagReader
from mine_robot.records.bscan_image import Bscan
from mine_robot.records.errors import RecordError
from mine_robot.records.evidence import draw_evidence, evidence_pictures
from mine_robot.records.replay_detection import SENSORS
from mine_robot.records.replay_pictures import AROUND_M, scans_over
from mine_robot.records.run_directory import RunDirectory

ROOT = Path(__file__).parents[2]
OVER_T = 4.6  # the head is over the mine
TARGET = Target(4, MINE.x, MINE.y, 0.0, 0.02, 0.02, 0.05, 3.0, 3.0, 0.9, TargetClass.AP_MINIMUM_METAL)


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run directory as it is while the run goes on: no summary, and the log's last chunk is cut."""
    directory = RunDirectory(tmp_path_factory.mktemp("run"))
    directory.urdf.write_text(expand_urdf(ROOT / "urdf/mine_robot.urdf.xacro"), encoding="utf-8")
    directory.parameters.write_text(ParameterFiles([ROOT / "config/robot.yaml"]).dump(), encoding="utf-8")
    record(directory.log, {"gpr", "metal", "odometry"})
    directory.log.write_bytes(directory.log.read_bytes()[:-3000])
    with Journal(directory.journal) as journal:
        journal.targets(OVER_T + 0.5, [TARGET])
        journal.targets(5000.0, [Target(**{**{key: getattr(TARGET, key) for key in TARGET.__slots__}, "id": 6})])
    return directory


def test_the_picture_is_drawn_from_the_log_as_far_as_it_is_written(drive: RunDirectory, tmp_path: Path) -> None:
    draw_evidence(drive.path, 4, tmp_path / "four.png")
    assert (tmp_path / "four.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_shown_is_said(drive: RunDirectory, tmp_path: Path) -> None:
    for run, number, words in (
        (drive.path, 5, "no target 5"),
        (drive.path, 6, "no radar scans near target 6"),
        (tmp_path / "nowhere", 4, "no journal"),
    ):
        with pytest.raises(RecordError, match=words):
            draw_evidence(run, number, tmp_path / "x.png")
    with pytest.raises(RecordError, match="cannot be written"):
        draw_evidence(drive.path, 4, tmp_path / "no" / "folder.png")


def test_pictures_are_of_the_targets_that_the_log_shows(drive: RunDirectory) -> None:
    pictures = evidence_pictures(drive, {4, 5})
    assert list(pictures) == [4] and pictures[4].startswith(b"\x89PNG")
    assert evidence_pictures(drive, {6}) == evidence_pictures(drive, set()) == {}


def test_both_sensors_lie_where_the_mine_is(drive: RunDirectory) -> None:
    robot, params = load_robot(drive.urdf), ParameterFiles([drive.parameters]).build("detector")
    kinds = {f"/{topic.name}": decoder for topic, decoder in SENSORS.items()}
    items = [kinds[name](message) for name, _, message in BagReader(drive.log).messages(kinds)]
    poses = np.array([(one.t, one.pose.x, one.pose.y, one.pose.yaw) for one in items if isinstance(one, NavState)])
    best = scans_over(items, poses, [TARGET], params, robot)[0].best
    assert best is not None and min(best.along) == pytest.approx(-AROUND_M, abs=0.03)
    traces = np.array(best.traces)
    echo = np.abs(traces - np.median(traces, axis=0))[:, 25:60].sum(axis=1)  # below the surface's bounce
    metal = np.array([reading for _, reading in best.metal])
    where = [along for along, _ in best.metal][int(np.abs(metal - np.median(metal)).argmax())]
    assert abs(best.along[int(echo.argmax())]) < 0.15
    assert abs(where) < 0.15


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.floats(0.0, 8.0), st.floats(0.0, 3.0)), max_size=3))
def test_windows_lose_no_message_of_theirs(drive: RunDirectory, spans: list[tuple[float, float]]) -> None:
    windows = [(round(1e9 * start), round(1e9 * (start + length))) for start, length in spans]
    every = [raw.t_ns for raw in BagReader(drive.log).raw(["/gpr/scan"])]
    read = [raw.t_ns for raw in BagReader(drive.log).raw(["/gpr/scan"], windows)]
    assert {t for t in every if any(a <= t <= b for a, b in windows)} <= set(read) <= set(every)
    first_chunk, chunk = 2.2e9, 1.2e9
    assert all(t < first_chunk or any(a - chunk <= t <= b + chunk for a, b in windows) for t in read)


def test_a_pass_well_over_the_target_wins_over_a_nearer_one_that_ends_there() -> None:
    target = Target(1, 0.0, 0.0, 0.0, 0.1, 0.1, 0.1, 1.0, 1.0, 0.9, TargetClass.AT)
    bscan = Bscan(target)
    for i in range(10):
        bscan.add(0.1 * i, 0.0, -0.08 + 0.02 * i, 0.01, np.zeros(8))
    for i in range(30):
        bscan.add(100.0 + 0.1 * i, 0.0, -0.45 + 0.03 * i, 0.05, np.zeros(8))
    assert bscan.best is bscan.passes[1]


def test_scans_that_fit_nothing_are_left_out(drive: RunDirectory) -> None:
    target = Target(1, 0.5, 0.0, 0.0, 0.1, 0.1, 0.1, 1.0, 1.0, 0.9, TargetClass.AT)
    robot, params = load_robot(drive.urdf), ParameterFiles([drive.parameters]).build("detector")
    poses = np.array([[0.0, 0.0, 0.0, 0.0], [1.0, 0.3, 0.0, 0.0]])
    none = np.zeros(0)
    scans = [
        GprScan(0.5, np.zeros((64, 1), dtype=np.float32)),
        GprScan(0.5, np.zeros(64, dtype=np.float32)),
        GprScan(9.0, np.zeros((64, len(robot.gpr_offsets)), dtype=np.float32)),
        MetalScan(0.5, np.zeros((0, 3)), none, none),
    ]
    assert scans_over(scans, poses, [target], params, robot)[0].passes == []
    assert scans_over(scans, np.zeros((0, 4)), [target], params, robot)[0].best is None
