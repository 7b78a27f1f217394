"""The detector on examples, on bare ground, and on broken input."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from detection_lane import DOUBTFUL, SUSPECT, Lane, limits, nav_of, robot, truth, with_arrays

from mine_robot.core.parameters import build
from mine_robot.core.types import Array, GprScan, Level, MetalScan, TargetClass
from mine_robot.detection.detector import Detector
from mine_robot.detection.fusion import Verdict
from mine_robot.detection.params import DetectorParams
from mine_robot.pipeline.hazard import best_judge
from mine_robot.sim.types import BuriedObject

TM62, PMN = BuriedObject("tm62", 2.0, 0.20, 0.12), BuriedObject("pmn", 3.2, -0.30, 0.07)


def distance(target: object, item: BuriedObject) -> float:
    return math.hypot(target.x - item.x, target.y - item.y)  # type: ignore[attr-defined]


def test_an_at_and_an_ap_mine_are_found_in_time_and_in_place() -> None:
    lane = Lane([TM62, PMN])
    first: dict[str, float] = {}
    for line in np.arange(0.0, 4.2, 0.025):
        lane.step(float(line) - 1.15)
        for item in (TM62, PMN):
            if any(t.p_hazard >= SUSPECT and distance(t, item) < 0.08 for t in lane.detector.targets()):
                first.setdefault(item.kind, float(line) - item.x)
    assert first["tm62"] < 0.22 and first["pmn"] < 0.22
    assert not [t for t in lane.detector.targets() if DOUBTFUL <= t.p_hazard < 0.5]
    alarms = [t for t in lane.detector.targets() if t.p_hazard >= 0.5]
    assert len(alarms) == 2
    at, ap = sorted(alarms, key=lambda t: t.x)
    assert at.kind == TargetClass.AT and at.depth == pytest.approx(TM62.depth, abs=0.03)
    assert ap.kind == TargetClass.AP_METAL and ap.depth == pytest.approx(PMN.depth, abs=0.03)
    assert 0.0 < ap.sigma_x < 0.05


@pytest.mark.parametrize("speed, found", [(0.5, True), (1.0, False)])
def test_ground_passed_faster_than_evidence_counts_raises_nothing(speed: float, found: bool) -> None:
    """The robot could not stop before it; such a drive leads over ground that was searched before."""
    lane = Lane([PMN])
    for line in np.arange(0.0, 3.0, speed * 0.05):
        lane.step(float(line) - 1.15, speed=speed)
    for _ in range(40):
        lane.step(float(line) - 1.15, speed=0.0)
    assert bool(lane.detector.targets()) is found


def test_a_drive_that_gets_fast_while_it_passes_a_mine_raises_nothing() -> None:
    """The first rows over it were slow enough, but when it is complete the robot could not stop before it any more."""
    lane = Lane([PMN])
    line, speed = 0.0, 0.5
    while line < PMN.x + 0.8:
        speed = 0.5 if line < PMN.x + 0.02 else 0.75
        line += speed * 0.05
        lane.step(line - 1.15, speed=speed)
    assert all(distance(target, PMN) > 0.4 for target in lane.detector.targets())


def test_a_mine_flush_with_the_ground_is_found() -> None:
    mine = BuriedObject("pmn", 2.0, 0.15, 0.0)
    lane = Lane([mine])
    lane.drive(0.0, 3.0)
    assert any(t.p_hazard >= SUSPECT and distance(t, mine) < 0.08 for t in lane.detector.targets())


def test_the_rules_alone_find_mines_too() -> None:
    lane = Lane([TM62, PMN], detector=Detector(build(DetectorParams, {}), limits(), robot()))
    lane.drive(0.0, 4.2)
    for item in (TM62, PMN):
        assert any(t.p_hazard >= SUSPECT and distance(t, item) < 0.08 for t in lane.detector.targets())


def test_metal_beside_an_echo_that_is_no_suspect_is_judged_by_itself() -> None:
    """An echo once hid the metal beside it until it was out of sight: a mine was declared 0.7 m late."""

    mine = BuriedObject("prom1", 1.5, 0.1, 0.05)
    judged = {}
    for p in (0.0, 0.9):
        verdict = Verdict(0.0, 0.0, p, TargetClass.AP_METAL, 0.05)
        lane = Lane([mine], detector=Detector(build(DetectorParams, {}), limits(), robot(), lambda *_, v=verdict: v))
        lane.drive(0.0, 2.5)
        judged[p] = sum(math.hypot(c.x - mine.x, c.y - mine.y) < 0.13 for c in lane.detector.candidates)
    assert judged[0.0] > judged[0.9] >= 1


def test_a_mine_without_metal_is_found_by_the_radar_alone() -> None:
    mine = BuriedObject("type72", 1.5, 0.1, 0.08)
    lane = Lane([mine])
    lane.change_metal = lambda scan: None  # type: ignore[method-assign]
    lane.drive(0.0, 2.5)
    assert any(t.p_hazard >= SUSPECT and distance(t, mine) < 0.08 for t in lane.detector.targets())
    assert not any(e.metal_ok for e in lane.evidence)


def test_metal_is_found_without_the_radar() -> None:
    mine = BuriedObject("prom1", 1.5, 0.1, 0.05)
    lane = Lane([mine])
    lane.change_gpr = lambda scan: None  # type: ignore[method-assign]
    lane.drive(0.0, 2.5)
    assert any(t.p_hazard >= SUSPECT and distance(t, mine) < 0.10 for t in lane.detector.targets())
    assert not any(e.gpr_ok for e in lane.evidence)


def test_one_radar_channel_and_no_metal_detector_still_find_a_mine() -> None:
    mine = BuriedObject("tma4", 2.0, 0.0, 0.10)
    machine = with_arrays(np.zeros(1), np.array([]))
    lane = Lane([mine], machine=machine, detector=Detector(build(DetectorParams, {}), limits(), machine, best_judge()))
    lane.change_metal = lambda scan: None  # type: ignore[method-assign]
    lane.drive(0.0, 3.5)
    assert any(t.p_hazard >= SUSPECT and abs(t.x - mine.x) < 0.15 for t in lane.detector.targets())


def test_amplitude_units_do_not_matter() -> None:
    found = []
    for gain in (1.0, 250.0):
        lane = Lane([PMN])
        lane.change_gpr = lambda scan, g=gain: GprScan(scan.t, (g * scan.traces).astype(np.float32))  # type: ignore[method-assign]
        lane.change_metal = lambda scan, g=gain: dataclasses.replace(  # type: ignore[method-assign]
            scan, in_phase=g * scan.in_phase, quadrature=g * scan.quadrature
        )
        lane.drive(2.0, 4.0)
        found.append([t for t in lane.detector.targets() if t.p_hazard >= SUSPECT])
    assert len(found[0]) == len(found[1]) == 1
    assert found[0][0].x == pytest.approx(found[1][0].x, abs=0.01)


def test_an_object_passed_again_keeps_its_id() -> None:
    mine = BuriedObject("pmn2", 1.5, 0.45, 0.06)
    lane = Lane([mine])
    lane.drive(0.0, 3.0)
    before = [t for t in lane.detector.targets() if distance(t, mine) < 0.3]
    lane.drive(3.0, 0.0, y=1.05)
    after = [t for t in lane.detector.targets() if distance(t, mine) < 0.3]
    assert len(before) == 1 and [t.id for t in after] == [t.id for t in before]
    assert after[0].sigma_x <= before[0].sigma_x and distance(after[0], mine) < 0.08


@pytest.mark.parametrize(("aside", "rough"), [(0.1, False), (0.72, True)])
def test_a_mine_beyond_the_end_of_the_array_has_a_rough_place(aside: float, rough: bool) -> None:
    """Its echo peaks in the outermost channel, a hand's breadth or more off its middle: the sigma says so."""
    lane = Lane([BuriedObject("tm62", 1.5, aside, 0.1)])
    lane.drive(0.0, 3.0)
    mine = max(lane.detector.targets(), key=lambda t: t.p_hazard)
    assert mine.p_hazard >= SUSPECT
    assert (mine.sigma_y > 0.08) is rough
    assert abs(mine.y - aside) < 3.0 * mine.sigma_y


def test_standing_and_reversing_create_nothing() -> None:
    lane = Lane([TM62])
    lane.drive(0.0, 2.1)
    for _ in range(40):
        lane.step(2.1 - 1.15, speed=0.0)
    known, revision = len(lane.detector.targets()), lane.detector.revision
    for _ in range(40):
        lane.step(2.1 - 1.15, speed=0.0)
    for back in np.arange(0.0, 0.5, 0.02):
        lane.step(2.1 - 1.15 - back, speed=-0.4)
    assert len(lane.detector.targets()) == known and lane.detector.revision == revision


def test_bare_ground_gives_no_target() -> None:
    lane = Lane([], seed=11)
    lane.drive(0.0, 6.0)
    assert not [t for t in lane.detector.targets() if t.p_hazard >= SUSPECT]


def test_evidence_is_placed_at_the_line_with_the_true_height() -> None:
    lane = Lane([])
    lane.drive(0.0, 1.5)
    last = lane.evidence[-1]
    assert last.gpr_ok and last.metal_ok
    assert last.x == pytest.approx(1.475) and last.y == pytest.approx(0.0)
    assert last.height == pytest.approx(0.06, abs=0.012) and last.speed == pytest.approx(0.5)
    assert last.sigma == pytest.approx(nav_of(truth(0.0, 0.0)).sigma_at(1.15))


def test_scans_that_arrive_after_the_pose_are_used_all_the_same() -> None:
    lane = Lane([PMN])
    for i, line in enumerate(np.arange(2.0, 4.0, 0.025)):
        state = truth(0.05 * i, float(line) - 1.15)
        lane.detector.add_nav(nav_of(state))
        lane.detector.add_metal(lane.metal.scan(state.t, state))
        lane.detector.add_gpr(lane.gpr.scan(state.t, state))
    assert any(t.p_hazard >= SUSPECT and distance(t, PMN) < 0.08 for t in lane.detector.targets())


def broken(traces: Array, fault: str) -> Array:
    traces = traces.copy()
    if fault == "nan":
        traces[:] = np.nan
    elif fault == "nan channel":
        traces[20, 2] = np.nan
    elif fault == "dead channel":
        traces[:, 5] = 0.0
    elif fault == "saturated channel":
        traces[:, 3] = np.clip(traces[:, 3], -0.15 * np.abs(traces[:, 3]).max(), 0.15 * np.abs(traces[:, 3]).max())
    elif fault == "wrong channels":
        traces = traces[:, :5]
    elif fault == "wrong samples":
        traces = traces[:100]
    elif fault == "empty":
        traces = np.empty((0, 0), dtype=np.float32)
    return traces


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("nan", "not a number"),
        ("nan channel", "not a number in channel 2"),
        ("dead channel", "dead channel 5"),
        ("saturated channel", "saturated channel 3"),
        ("wrong channels", "wrong size"),
        ("wrong samples", "wrong size"),
        ("empty", "wrong size"),
    ],
)
def test_a_broken_radar_proves_nothing_and_says_why(fault: str, words: str) -> None:
    lane = Lane([])
    lane.drive(0.0, 0.5)
    assert lane.evidence[-1].gpr_ok
    lane.change_gpr = lambda scan: GprScan(scan.t, broken(scan.traces, fault))  # type: ignore[method-assign]
    lane.drive(0.5, 1.0)
    assert not lane.evidence[-1].gpr_ok and math.isnan(lane.evidence[-1].height)
    gpr = lane.detector.health(lane.t)[0]
    assert gpr.name == "gpr" and gpr.level == Level.ERROR and words in gpr.message


def test_a_frozen_radar_proves_nothing() -> None:
    lane = Lane([])
    lane.drive(0.0, 0.5)
    still = lane.gpr.scan(0.0, truth(0.0, 0.0)).traces
    lane.change_gpr = lambda scan: GprScan(scan.t, still)  # type: ignore[method-assign]
    lane.drive(0.5, 1.0)
    assert not lane.evidence[-1].gpr_ok and "frozen" in lane.detector.health(lane.t)[0].message


def test_missing_sensors_are_stale() -> None:
    lane = Lane([])
    assert [h.level for h in lane.detector.health(0.0)] == [Level.STALE, Level.STALE]
    lane.drive(0.0, 0.5)
    assert [h.level for h in lane.detector.health(lane.t)] == [Level.OK, Level.OK]
    assert [h.name for h in lane.detector.health(lane.t)] == ["gpr", "metal_detector"]
    assert all(h.level == Level.STALE and "missing" in h.message for h in lane.detector.health(lane.t + 2.0))


@pytest.mark.parametrize("fault", ["nan", "coil", "size", "frozen"])
def test_a_broken_metal_detector_proves_nothing_until_its_line_is_passed(fault: str) -> None:
    lane = Lane([])
    lane.drive(0.0, 0.5)
    still = lane.metal.scan(0.0, truth(0.0, 0.0))

    def change(scan: MetalScan) -> MetalScan:
        if fault == "frozen":
            return dataclasses.replace(still, t=scan.t)
        if fault == "size":
            return dataclasses.replace(scan, in_phase=scan.in_phase[:4])
        values = scan.in_phase.copy()
        values[slice(None) if fault == "nan" else 3] = np.nan
        return dataclasses.replace(scan, in_phase=values)

    lane.change_metal = change  # type: ignore[method-assign]
    lane.drive(0.5, 0.7)
    assert not lane.evidence[-1].metal_ok
    assert lane.detector.health(lane.t)[1].level == Level.ERROR
    lane.change_metal = lambda scan: scan  # type: ignore[method-assign]
    lane.drive(0.7, 0.8)
    assert not lane.evidence[-1].metal_ok  # the ground under the radar was passed by a broken detector
    lane.drive(0.8, 1.1)
    assert lane.evidence[-1].metal_ok


def test_a_saturated_coil_is_reported_and_its_mine_found() -> None:
    mine = BuriedObject("prom1", 1.5, 0.1, 0.03)
    lane = Lane([mine])

    def clip(scan: MetalScan) -> MetalScan:
        return dataclasses.replace(scan, quadrature=np.clip(scan.quadrature, -200.0, 200.0))

    lane.change_metal = clip  # type: ignore[method-assign]
    words = []
    for line in np.arange(0.0, 2.4, 0.025):
        lane.step(float(line) - 1.15)
        words.append(lane.detector.health(lane.t)[1].message)
    assert any("saturated coil" in message for message in words)
    assert any(t.p_hazard >= SUSPECT and distance(t, mine) < 0.12 for t in lane.detector.targets())


def test_a_dead_channel_does_not_hide_a_mine_under_it() -> None:
    mine = BuriedObject("pmn", 2.0, float(robot().gpr_offsets[3]), 0.06)
    lane = Lane([mine])

    def silence(scan: GprScan) -> GprScan:
        traces = scan.traces.copy()
        traces[:, 3] = 0.0
        return GprScan(scan.t, traces)

    lane.change_gpr = silence  # type: ignore[method-assign]
    lane.drive(0.0, 3.0)
    assert any(t.p_hazard >= SUSPECT and distance(t, mine) < 0.12 for t in lane.detector.targets())
    assert not any(e.gpr_ok for e in lane.evidence)


def test_broken_scans_and_poses_never_crash() -> None:
    detector = Detector(build(DetectorParams, {}), limits(), robot())
    for i in range(30):
        t = 0.05 * i
        detector.add_gpr(GprScan(t if i % 7 else math.nan, np.full((192, 8), np.inf, dtype=np.float32)))
        detector.add_metal(MetalScan(t, np.zeros((6, 3)), np.full(6, np.nan), np.zeros(6)))
        state = truth(t, 0.025 * i)
        position = state.position if i % 3 else np.array([np.nan, 0.0, 0.0])
        evidence = detector.add_nav(dataclasses.replace(nav_of(state), position=position))
        assert not any(e.gpr_ok or e.metal_ok for e in evidence)
    assert detector.targets() == ()


def test_coils_absent_from_the_urdf_are_those_of_the_scan() -> None:
    mine = BuriedObject("prom1", 1.5, 0.3, 0.05)
    bare = with_arrays(robot().gpr_offsets, np.array([]))
    lane = Lane([mine], detector=Detector(build(DetectorParams, {}), limits(), bare, best_judge()))
    lane.change_gpr = lambda scan: None  # type: ignore[method-assign]
    lane.drive(0.0, 2.5)
    assert any(t.p_hazard >= SUSPECT and distance(t, mine) < 0.10 for t in lane.detector.targets())


def test_another_time_zero_is_found_in_the_data() -> None:
    lane = Lane([PMN])
    lane.change_gpr = lambda scan: GprScan(scan.t, np.concatenate([1e-3 * scan.traces[-60:], scan.traces]))  # type: ignore[method-assign]
    lane.drive(2.0, 4.0)
    assert any(t.p_hazard >= SUSPECT and distance(t, PMN) < 0.08 for t in lane.detector.targets())


@pytest.mark.parametrize("first_sample", [-100.0, 100.0])
def test_a_wrong_time_zero_in_the_parameters_does_not_crash(first_sample: float) -> None:
    detector = Detector(build(DetectorParams, {"gpr.first_sample_ns": first_sample}), limits(), robot())
    lane = Lane([], detector=detector)
    lane.drive(0.0, 0.6)
    assert not any(limits().head_height_min <= e.height <= limits().head_height_max for e in lane.evidence)


def test_channel_offsets_of_the_parameters_win_over_the_urdf() -> None:
    params = build(DetectorParams, {"gpr.channel_offsets_m": [0.1, -0.1]})
    detector = Detector(params, limits(), robot())
    detector.add_gpr(GprScan(0.0, np.random.default_rng(0).normal(size=(192, 8)).astype(np.float32)))
    assert "expected (samples, 2)" in detector.health(0.0)[0].message
