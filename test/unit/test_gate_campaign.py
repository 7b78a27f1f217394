"""The judge and the messages of the campaign of attacks: can it see harm, and does it attack everything?"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from mine_robot.core.types import Cell, LedgerGrid, MissionState, Target, TargetClass, Twist2
from mine_robot.pipeline.loading import load_field, load_robot
from mine_robot.ros import encode
from mine_robot.ros.topics import CMD, TARGETS, TOPICS

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import gate_messages as hostile
from gate_attacks import ATTACKS, KINDS
from gate_campaign import write
from gate_judge import Row, lost
from gate_truth import Truth, halo_core
from rclpy.serialization import serialize_message

ROOT = Path(__file__).parents[2]
FIELD = load_field(ROOT / "test" / "data" / "small_field.geojson")
ROBOT = load_robot(ROOT / "urdf" / "mine_robot.urdf.xacro")
MINE = {"kind": "pmn", "x": 0.0, "y": -1.5, "depth_m": 0.05}


def world(folder: Path, poses: list[tuple[float, float, float, float]]) -> Truth:
    sim = folder / "sim"
    sim.mkdir()
    lines = ["t,x,y,yaw", *(",".join(map(str, pose)) for pose in poses), ""]
    (sim / "truth.csv").write_text("\n".join(lines))
    (sim / "world.json").write_text(json.dumps({"objects": [MINE], "fired": []}))
    truth = Truth(folder, FIELD, ROBOT)
    truth.read()
    return truth


def drive(to: float) -> list[tuple[float, float, float, float]]:
    """East along the southern border from x = -2 at 0.5 m/s, then a second of standing."""
    steps = round((to + 2.0) / 0.025)
    poses = [(0.05 * index, -2.0 + 0.025 * index, -1.5, 0.0) for index in range(steps + 1)]
    return poses + [(0.05 * (steps + more), to, -1.5, 0.0) for more in range(1, 21)]


def ledger(east: float) -> LedgerGrid:
    """Searched from x = -0.8 to ``east`` in a strip of 0.8 m about the track."""
    cells = np.full((100, 160), Cell.PENDING, dtype=np.int8)
    x, y = -4.0 + 0.05 * (np.arange(160) + 0.5), -3.0 + 0.05 * (np.arange(100) + 0.5)
    cells[np.ix_(abs(y + 1.5) < 0.4, (x > -0.8) & (x < east))] = Cell.SEARCHED
    return LedgerGrid(1.0, -4.0, -3.0, 0.05, cells)


def target(x: float, y: float) -> Target:
    return Target(1, x, y, 0.0, 0.02, 0.02, 0.05, 8.0, 8.0, 0.9, TargetClass.AP_METAL)


def test_a_claim_is_measured_against_what_the_true_head_passed(tmp_path: Path) -> None:
    truth = world(tmp_path, drive(0.0))
    head = ROBOT.sweep_ahead
    assert truth.beyond_m2(ledger(head)) == 0.0
    assert truth.beyond_m2(ledger(head + 1.0)) == pytest.approx(0.8, abs=0.1)


def test_ground_passed_by_a_blind_head_is_no_ground_searched(tmp_path: Path) -> None:
    truth = Truth(tmp_path, FIELD, ROBOT)
    truth.blind.append((0.0, math.inf))
    again = world(tmp_path, drive(0.0))
    truth.read()
    assert truth.beyond_m2(ledger(0.5)) > 1.0 > again.beyond_m2(ledger(0.5))


def test_a_mine_in_searched_ground_without_a_suspect_is_missed(tmp_path: Path) -> None:
    truth = world(tmp_path, drive(0.0))
    assert truth.missed(ledger(0.5), []) == 1
    assert truth.missed(ledger(0.5), [target(0.1, -1.5)]) == 0
    assert truth.missed(ledger(-0.5), []) == 0


def test_motion_and_standing_are_told_apart(tmp_path: Path) -> None:
    truth = world(tmp_path, drive(0.0))
    assert truth.stopped_at(0.0) == pytest.approx(4.05)
    assert truth.moved(1.0, 2.0) == pytest.approx(0.5, abs=0.03)
    assert truth.moved(4.05, 9.0) == 0.0


def test_rolling_over_ground_that_nobody_swept_is_unsafe(tmp_path: Path) -> None:
    assert world(tmp_path, drive(1.0)).unsafe_m2 > 0.1  # its tracks begin on ground that the head never passed


def test_halos_that_go_are_counted_and_a_small_move_is_none() -> None:
    grid = ledger(0.5)
    x, y = -4.0 + 0.05 * (np.arange(160) + 0.5), (-3.0 + 0.05 * (np.arange(100) + 0.5))[:, None]

    def with_halo(east: float) -> LedgerGrid:
        cells = grid.cells.copy()
        cells[np.hypot(x - east, y + 1.5) < 0.3] = Cell.HALO
        return LedgerGrid(2.0, grid.x0, grid.y0, grid.resolution, cells)

    cores = halo_core(with_halo(0.0), [target(0.0, -1.5)])
    assert lost(cores, with_halo(0.08)) == 0
    assert lost(cores, grid) == np.count_nonzero(cores) > 40
    assert lost(cores, with_halo(0.24)) > 0
    assert lost(cores, None) == np.count_nonzero(cores)


def test_every_harm_fails_its_row() -> None:
    assert Row("a", "forged", "stranger", []).faults == []
    for harm in (
        {"searched": 0.06}, {"halo": 1}, {"missed": 1}, {"unnoticed": 0.11}, {"paint": 1}, {"dead": ["guard"]},
        {"summary": False}, {"after": "stuck in hold"}, {"notes": ["! the records hide it"]},
    ):  # fmt: skip
        assert len(Row("a", "forged", "stranger", [], **harm).faults) == 1, harm


def test_the_result_has_what_the_page_of_the_topics_reads(tmp_path: Path) -> None:
    early = Row("forged x", "forged", "stranger", ["cmd_vel"], reaction="ESTOP: a | b", seconds=-0.4, after="goes on")
    write(tmp_path / "data" / "rows.json", [early], 1)
    write(tmp_path / "data" / "rows.json", [Row("y", "nan", "insider", ["imu/data"], halo=3)], 1)
    first, second = json.loads((tmp_path / "data" / "rows.json").read_text())
    assert (first["topic"], first["attack"], first["seconds"]) == ("cmd_vel", "forged x (stranger)", 0.0)
    assert first["followed"] == "ESTOP: a / b (before it spoke); goes on"
    assert second["followed"] == "3 halo cells removed"


def test_every_topic_is_attacked_in_every_way_and_by_name() -> None:
    names = [attack.name for attack in ATTACKS]
    assert len(names) == len(set(names))
    for topic in TOPICS:
        kinds = {attack.kind for attack in ATTACKS if attack.topics == (topic,)}
        assert kinds >= set(KINDS), topic.name
        assert any(topic in attack.topics for attack in ATTACKS if attack.kind == "forged"), topic.name
    assert {attack.before for attack in ATTACKS} == {"search", "estop", "pause"}


def test_hostile_messages_are_what_they_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile, "LARGE", 100_000)
    data = bytes(serialize_message(encode.targets(3.0, [target(1.0, 2.0)])))
    (broken,) = hostile.with_floats(TARGETS, data, math.nan)
    rows = hostile.cloud_rows(hostile.unpack(TARGETS, broken))
    assert np.isnan(rows["x"]).all()
    assert rows["id"] == 1
    assert hostile.stamp_of(hostile.unpack(TARGETS, hostile.shifted(TARGETS, data, 5.0))) == pytest.approx(8.0)
    assert all(hostile.unpack(TARGETS, item).width == 0 for item in hostile.empty(TARGETS, data))
    offsets = {
        field.offset for item in hostile.layouts(TARGETS, data) for field in hostile.unpack(TARGETS, item).fields
    }
    assert 2147483644 in offsets
    command = bytes(serialize_message(encode.twist(Twist2(1.0, 0.5, 0.0))))
    assert len(hostile.large(CMD, command)[0]) > hostile.LARGE
    assert len(hostile.broken(CMD, command, np.random.default_rng(1))) > 50


def test_states_of_the_mission_that_wait_for_a_person_are_those_that_stand() -> None:
    from gate_judge import WAITING

    assert not any(state.drives for state in WAITING)
    assert MissionState.ESTOP in WAITING
