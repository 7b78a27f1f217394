"""The mark sequence against the simulated actuator."""

from __future__ import annotations

import math

import numpy as np
import pytest
from control_plant import nav_state, robot

from mine_robot.core.actuator_protocol import Ack, ActuatorState, Decoder, Fire, StatusQuery, Tool, encode
from mine_robot.core.types import Level, MarkRequest, MarkResult, MarkStatus, MissionState
from mine_robot.marking.marker import Marker
from mine_robot.marking.params import MarkerParams
from mine_robot.sim.actuator import ActuatorParams, SimulatedActuator

ROBOT = robot()


class Bench:
    """Marker and actuator joined by a line; time moves in tenths of a second."""

    def __init__(
        self,
        seed: int = 0,
        actuator: SimulatedActuator | None = None,
        unresolved: tuple = (),
        t: float = 0.0,
        tool: str = "paint",
    ) -> None:
        self.t = t
        self.actuator = actuator or SimulatedActuator(ActuatorParams(), np.random.default_rng(seed))
        self.marker = Marker(MarkerParams(tool=tool), ROBOT, unresolved)
        self.faults: set[str] = set()
        self.speed = 0.0
        self.line = b""
        self.drop = lambda data: data
        self.results: list[MarkResult] = []

    def step(self) -> MarkResult | None:
        self.t = round(self.t + 0.1, 6)
        out, result = self.marker.update(self.t, nav_state(self.t, 2.0, 1.0, 0.5, self.speed), self.line)
        self.actuator.feed(self.drop(out))
        self.line = self.drop(self.actuator.tick(self.t, self.faults))
        if result is not None:
            self.results.append(result)
        return result

    def run(self, seconds: float) -> MarkResult | None:
        for _ in range(round(seconds * 10)):
            if (result := self.step()) is not None:
                return result
        return None

    def place(self, lateral: float, along: float = 0.0) -> tuple[float, float]:
        pose = nav_state(0.0, 2.0, 1.0, 0.5).pose
        x, y = pose.to_map(np.array([ROBOT.marker[0] + along, lateral]))
        return float(x), float(y)

    def mark(self, target: int, lateral: float = 0.2, seconds: float = 40.0) -> MarkResult | None:
        self.marker.request(MarkRequest(self.t, target, *self.place(lateral)))
        return self.run(seconds)


@pytest.mark.parametrize("lateral", [-0.6, 0.0, 0.43])
def test_a_mark_is_confirmed_where_the_target_is(lateral: float) -> None:
    bench = Bench()
    result = bench.mark(7, lateral)
    assert result is not None
    assert result.status is MarkStatus.CONFIRMED
    assert (result.x, result.y) == pytest.approx(bench.place(lateral), abs=0.006)
    assert [(target, round(y, 2)) for _, target, y in bench.actuator.fired] == [(7, pytest.approx(lateral, abs=0.011))]
    assert bench.t < 6.0


def test_never_fires_while_the_robot_moves() -> None:
    bench = Bench()
    bench.speed = 0.1
    result = bench.mark(1, seconds=20.0)
    assert result is not None
    assert result.status is MarkStatus.FAILED
    assert "stand still" in result.detail
    assert bench.actuator.fired == []
    bench.speed = math.nan
    assert bench.mark(1).status is MarkStatus.FAILED
    bench.speed = 0.0
    assert bench.mark(1).status is MarkStatus.CONFIRMED


def test_a_missing_pose_is_not_a_standstill() -> None:
    marker = Marker(MarkerParams(), ROBOT)
    marker.request(MarkRequest(0.0, 1, 1.0, 0.0))
    results = [marker.update(index * 0.1, None, b"")[1] for index in range(120)]
    assert next(result for result in results if result).detail == "no pose"


@pytest.mark.parametrize(("lateral", "along"), [(0.7, 0.0), (-0.64, 0.0), (0.0, 0.2), (0.0, -0.06)])
def test_out_of_reach_is_refused(lateral: float, along: float) -> None:
    bench = Bench()
    bench.marker.request(MarkRequest(0.0, 1, *bench.place(lateral, along)))
    result = bench.run(10.0)
    assert result.status is MarkStatus.FAILED
    assert "out of reach" in result.detail
    assert bench.actuator.fired == []


@pytest.mark.parametrize("request_", [MarkRequest(0.0, 1, math.nan, 0.0), MarkRequest(0.0, -1, 2.9, 1.0)])
def test_a_broken_request_fails(request_: MarkRequest) -> None:
    bench = Bench()
    bench.marker.request(request_)
    assert bench.run(10.0).status is MarkStatus.FAILED


def test_a_jam_is_retried_and_then_reported() -> None:
    bench = Bench()
    bench.faults = {"marker_jam"}
    result = bench.mark(3)
    assert result.status is MarkStatus.FAILED
    assert "jammed" in result.detail
    assert bench.actuator.fired == []
    bench.faults = set()
    assert bench.mark(3).status is MarkStatus.CONFIRMED
    assert [target for _, target, _ in bench.actuator.fired] == [3]


def test_a_jam_that_clears_ends_confirmed() -> None:
    bench = Bench()
    bench.faults = {"marker_jam"}
    bench.marker.request(MarkRequest(0.0, 3, *bench.place(0.2)))
    assert bench.run(2.2) is None
    bench.faults = set()
    assert bench.run(20.0).status is MarkStatus.CONFIRMED
    assert len(bench.actuator.fired) == 1


def test_an_empty_tank_fails_without_firing() -> None:
    bench = Bench()
    bench.faults = {"marker_empty"}
    result = bench.mark(3)
    assert result.status is MarkStatus.FAILED
    assert "empty" in result.detail
    assert bench.marker.health(bench.t).level == Level.ERROR
    bench.faults = set()
    bench.run(2.0)
    assert bench.marker.health(bench.t).level == Level.OK


def test_a_dead_link_before_firing_fails_and_after_firing_is_unverified() -> None:
    bench = Bench()
    bench.faults = {"marker_link"}
    assert bench.mark(4).status is MarkStatus.FAILED
    assert bench.marker.health(bench.t).level == Level.ERROR
    bench.faults = set()

    def cut_after_fire(data: bytes) -> bytes:
        if any(isinstance(frame, Fire) for frame in Decoder().feed(data)):
            bench.faults = {"marker_link"}
            bench.actuator.feed(data)
            bench.actuator.tick(bench.t)
        return data

    bench.drop = cut_after_fire
    result = bench.mark(5)
    assert result.status is MarkStatus.UNVERIFIED
    assert "after the command to fire" in result.detail
    assert [target for _, target, _ in bench.actuator.fired] == [5]


def test_a_lost_acknowledgement_is_resolved_by_asking() -> None:
    bench = Bench()
    lost = []

    def lose_ack_of_fire(data: bytes) -> bytes:
        frames = Decoder().feed(data)
        if any(isinstance(frame, Ack) and frame.last_target == 6 for frame in frames) and len(lost) < 3:
            lost.append(data)
            return b""
        return data

    bench.drop = lose_ack_of_fire
    assert bench.mark(6).status is MarkStatus.CONFIRMED
    assert len(lost) == 3
    assert [target for _, target, _ in bench.actuator.fired] == [6]


def test_a_repeated_request_only_repeats_the_result() -> None:
    bench = Bench()
    first = bench.mark(8)
    assert bench.mark(8) == first
    assert len(bench.actuator.fired) == 1
    bench.faults = {"marker_jam"}
    request = MarkRequest(bench.t, 9, *bench.place(0.1))
    bench.marker.request(request)
    bench.marker.request(request)
    failed = bench.run(20.0)
    bench.faults = set()
    bench.marker.request(request)
    assert bench.run(20.0) == failed


def test_two_requests_are_done_one_after_the_other() -> None:
    bench = Bench()
    for target in (1, 2):
        bench.marker.request(MarkRequest(0.0, target, *bench.place(0.1 * target)))
    assert bench.run(20.0).target_id == 1
    assert bench.run(20.0).target_id == 2
    assert [target for _, target, _ in bench.actuator.fired] == [1, 2]


@pytest.mark.parametrize("fired", [True, False])
def test_a_mark_interrupted_by_a_restart_is_settled_before_anything_is_fired(fired: bool) -> None:
    bench = Bench()
    bench.marker.request(request := MarkRequest(0.0, 5, *bench.place(0.2)))
    while not (bench.actuator._last[1] if fired else bench.t > 0.8):
        assert bench.step() is None
    after = Bench(actuator=bench.actuator, unresolved=(request,), t=bench.t)
    after.marker.request(MarkRequest(after.t, 6, *after.place(0.1)))
    settled = after.run(20.0)
    assert settled.target_id == 5
    assert settled.status is (MarkStatus.CONFIRMED if fired else MarkStatus.FAILED)
    assert "before the restart" in settled.detail
    assert after.run(20.0).target_id == 6
    if not fired:
        assert after.mark(5).status is MarkStatus.CONFIRMED
    assert sorted(target for _, target, _ in bench.actuator.fired) == [5, 6]


def test_of_several_open_marks_only_the_last_can_have_been_fired() -> None:
    bench = Bench()
    requests = tuple(MarkRequest(float(n), n, *bench.place(0.1 * n)) for n in (1, 2, 3))
    bench.marker.request(requests[2])
    bench.run(20.0)
    after = Bench(actuator=bench.actuator, unresolved=requests, t=bench.t)
    found = {result.target_id: result.status for result in (after.run(5.0) for _ in requests)}
    assert found == {1: MarkStatus.FAILED, 2: MarkStatus.FAILED, 3: MarkStatus.CONFIRMED}


def test_a_mark_from_before_a_restart_whose_place_cannot_be_proven_is_unverified() -> None:
    bench = Bench()
    bench.mark(5, 0.2)
    elsewhere = MarkRequest(0.0, 5, *bench.place(0.5))
    after = Bench(actuator=bench.actuator, unresolved=(elsewhere,), t=bench.t)
    assert after.run(5.0).status is MarkStatus.UNVERIFIED
    moving = Bench(actuator=bench.actuator, unresolved=(elsewhere,), t=bench.t)
    moving.speed = 0.2
    assert moving.run(5.0) is None  # its place cannot be told while the robot moves
    assert moving.marker.health(moving.t).level == Level.WARN


def test_an_id_known_from_an_earlier_mission_is_marked_anew() -> None:
    bench = Bench()
    bench.mark(5)
    after = Bench(actuator=bench.actuator, t=bench.t)
    assert after.mark(5, 0.3).status is MarkStatus.CONFIRMED
    assert [target for _, target, _ in bench.actuator.fired] == [5, 5]


def test_a_pulse_of_another_run_does_not_count_as_this_runs() -> None:
    bench = Bench()
    bench.mark(5, 0.2)
    request = MarkRequest(bench.t, 5, *bench.place(0.2))
    after = Bench(actuator=bench.actuator, t=bench.t)
    after.marker = Marker(MarkerParams(), ROBOT, (request,), run=77)
    assert after.run(5.0).status is MarkStatus.FAILED
    assert after.mark(5, 0.2).status is MarkStatus.CONFIRMED
    assert len(bench.actuator.fired) == 2


def test_a_pulse_cut_off_by_a_power_cut_is_unverified_and_not_repeated() -> None:
    bench = Bench()
    bench.marker.request(request := MarkRequest(0.0, 5, *bench.place(0.2)))
    while bench.actuator._last[1] != 5:
        bench.step()
    cold = SimulatedActuator(ActuatorParams(), np.random.default_rng(3))
    cold.restore(bench.actuator.snapshot())
    bench.actuator = cold
    assert bench.run(20.0).status is MarkStatus.UNVERIFIED
    after = Bench(actuator=cold, unresolved=(request,), t=bench.t)
    assert after.run(20.0).status is MarkStatus.UNVERIFIED
    assert after.mark(5).status is MarkStatus.UNVERIFIED
    assert cold.fired == []


@pytest.mark.parametrize("heard", [True, False])
def test_a_mark_fired_into_a_dead_line_is_settled_when_the_line_is_back(heard: bool) -> None:
    bench = Bench()

    def cut_at_fire(data: bytes) -> bytes:
        if any(isinstance(frame, Fire) for frame in Decoder().feed(data)):
            bench.faults = {"marker_link"}
            if heard:
                bench.actuator.feed(data)
                bench.actuator.tick(bench.t)
                return b""
        return data

    bench.drop = cut_at_fire
    assert bench.mark(5).status is MarkStatus.UNVERIFIED
    bench.drop, bench.faults = (lambda data: data), set()
    settled = bench.run(5.0)
    assert settled.status is (MarkStatus.CONFIRMED if heard else MarkStatus.FAILED)
    assert "before the line broke" in settled.detail
    assert len(bench.actuator.fired) == int(heard)


def test_a_command_to_fire_that_was_held_up_on_the_line_is_refused() -> None:
    bench = Bench()
    held: list[bytes] = []

    def hold_up_fire(data: bytes) -> bytes:
        if held or any(isinstance(frame, Fire) for frame in Decoder().feed(data)):
            held.append(data)
            return b""
        return data

    bench.drop = hold_up_fire
    assert bench.mark(5).status is MarkStatus.UNVERIFIED
    bench.drop = lambda data: data
    bench.actuator.feed(b"".join(held))  # everything arrives at once, when the robot may have driven on
    bench.speed = 0.3
    bench.run(5.0)
    assert bench.actuator.fired == []


def test_an_emergency_stop_makes_the_actuator_safe_until_it_is_cleared() -> None:
    bench = Bench()
    bench.marker.set_mission(MissionState.MARK)
    bench.marker.request(MarkRequest(0.0, 5, *bench.place(0.2)))
    while bench.actuator._last[1] != 5:
        bench.step()
    bench.marker.set_mission(MissionState.ESTOP)
    assert bench.step().status is MarkStatus.UNVERIFIED
    bench.run(0.2)
    assert bench.actuator._state() is ActuatorState.SAFE
    assert bench.marker.health(bench.t).level == Level.WARN
    bench.run(3.0)
    assert bench.actuator.fired == []
    bench.marker.set_mission(MissionState.PLAN)
    bench.run(1.0)
    bench.marker.set_mission(MissionState.MARK)
    assert bench.mark(6).status is MarkStatus.CONFIRMED


@pytest.mark.parametrize("seconds", [0.2, 0.8, 1.4])
def test_a_mission_that_leaves_mark_stops_the_mark_before_the_command_to_fire(seconds: float) -> None:
    bench = Bench()
    bench.marker.set_mission(MissionState.MARK)
    bench.marker.request(MarkRequest(0.0, 5, *bench.place(0.55)))
    assert bench.run(seconds) is None
    bench.marker.set_mission(MissionState.PAUSED)
    assert bench.run(10.0) is None
    assert bench.actuator.fired == []
    bench.marker.set_mission(MissionState.MARK)
    assert bench.mark(5).status is MarkStatus.CONFIRMED


def test_flags_are_counted() -> None:
    bench = Bench(actuator=SimulatedActuator(ActuatorParams(flags_start=2), np.random.default_rng(1)), tool="flag")
    assert bench.mark(1).detail.endswith("1 flags left")
    assert bench.marker.health(bench.t).level == Level.WARN
    assert bench.mark(2).status is MarkStatus.CONFIRMED
    assert bench.mark(3).status is MarkStatus.FAILED
    assert bench.marker.health(bench.t).message == "the flag magazine is empty"
    assert bench.actuator._paint == ActuatorParams().paint_start


def test_a_flag_that_did_not_leave_the_magazine_is_unverified() -> None:
    bench = Bench(tool="flag")
    bench.actuator._flags = 7
    drop = type(bench.actuator)._end_pulse

    def stuck(t: float) -> None:
        drop(bench.actuator, t)
        bench.actuator._flags = 7

    bench.actuator._end_pulse = stuck
    assert bench.mark(1).status is MarkStatus.UNVERIFIED


def test_health_before_the_first_answer_and_with_little_paint() -> None:
    marker = Marker(MarkerParams(), ROBOT)
    assert marker.health(0.0).level == Level.ERROR
    low = SimulatedActuator(ActuatorParams(paint_start=0.05), np.random.default_rng(0))
    bench = Bench(actuator=low)
    bench.run(2.0)
    assert bench.marker.health(bench.t).level == Level.WARN


def test_the_actuator_survives_garbage_and_keeps_its_memory() -> None:
    actuator = SimulatedActuator(ActuatorParams(), np.random.default_rng(1))
    actuator.feed(bytes(range(256)) * 3)
    assert actuator.tick(0.0) == b""
    actuator.feed(b"\0" + encode(StatusQuery(0)) + encode(Fire(1, 0, Tool.PAINT, 4, 9, 1)))
    for index in range(10):
        actuator.tick(index * 0.1)
    copy = SimulatedActuator(ActuatorParams(), np.random.default_rng(2))
    copy.restore(actuator.snapshot())
    copy.feed(encode(Fire(2, 0, Tool.PAINT, 4, 9, 1)) + encode(StatusQuery(3)))
    acks = Decoder().feed(copy.tick(2.0))
    assert [ack.sequence for ack in acks] == [2, 3]
    assert (acks[1].last_run, acks[1].last_target, acks[1].last_attempt) == (4, 9, 1)
    copy.tick(3.0)
    assert len(copy.fired) == 1
