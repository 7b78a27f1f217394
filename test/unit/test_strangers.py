"""What the mission makes of strangers, the DDS domain as ROS reads it, and who claims it."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mission_bench import MissionBench

from mine_robot.bringup.alone import hold_the_robot
from mine_robot.bringup.domain import DOMAIN_MAX, domain_id
from mine_robot.core.types import Health, Level, MissionState
from mine_robot.mission.strangers import COMPONENT, NOTED_MAX, TOLD_S, StrangerWatch
from mine_robot.pipeline.loading import LoadError

S = MissionState
EVIL = ("odometry/filtered", "node /evil")


class Visited(MissionBench):
    """A bench on whose topics strangers come and go."""

    def __init__(self) -> None:
        super().__init__(drive_time=300.0)
        self.watch, self.there = StrangerWatch("cmd_vel"), set[tuple[str, str]]()
        self.notes: list[dict[str, object]] = []

    def step(self):
        self.notes += self.watch.update(self.t, self.there)
        self.mission.set_health(self.watch.health)
        return super().step()


def test_a_stranger_holds_the_robot_until_it_is_gone_and_a_person_resumes() -> None:
    bench = Visited().reach(S.SEARCH)
    bench.there = {EVIL}
    assert bench.run(1.0) is S.HOLD
    assert "node /evil publishes odometry/filtered" in bench.status.reason
    assert not bench.mission.resume()[0]
    bench.there = set()
    assert bench.run(30.0) is S.HOLD
    assert bench.mission.resume()[0]
    assert bench.run(3.0, S.SEARCH) is S.SEARCH
    came, went = bench.notes
    assert came["who"] == went["who"] == "node /evil"
    assert went["since"] == came["since"] < went["until"]


def test_who_commands_the_base_beside_the_guard_makes_an_emergency_stop() -> None:
    bench = Visited().reach(S.SEARCH)
    bench.there = {EVIL, ("cmd_vel", "node /joystick")}
    assert bench.run(1.0) is S.ESTOP
    assert "node /joystick publishes cmd_vel" in bench.status.reason
    accepted, words = bench.mission.resume()
    assert not accepted
    assert "node /joystick" in words
    bench.there = set()
    bench.run(5.0)
    assert bench.status.state is S.ESTOP
    assert bench.mission.resume()[0]


def test_nothing_starts_while_a_stranger_is_there() -> None:
    bench = Visited()
    bench.there = {EVIL}
    bench.step()
    accepted, words = bench.mission.start()
    assert not accepted
    assert "node /evil publishes odometry/filtered" in words
    bench.there = set()
    bench.step()
    assert bench.mission.start()[0]
    bench.there = {EVIL}  # before the robot was ready
    assert bench.run(20.0) is S.ALIGN
    assert "node /evil" in bench.status.reason


def test_what_a_node_refused_counts_for_a_while_even_if_nobody_is_seen() -> None:
    watch = StrangerWatch("cmd_vel")
    watch.tell(1.0, *EVIL)
    watch.update(1.0, [])
    assert watch.health.level is Level.ERROR
    watch.update(1.0 + TOLD_S, [])
    assert watch.health.level is Level.OK


@pytest.mark.parametrize("seed", range(20))
def test_comings_and_goings_are_noted_in_pairs_and_never_without_end(seed: int) -> None:
    rng = np.random.default_rng(seed)
    watch, notes = StrangerWatch("cmd_vel"), []
    for step in range(400):
        seen = {(f"topic{rng.integers(5)}", f"node /n{rng.integers(3)}") for _ in range(rng.integers(4))}
        notes += watch.update(0.1 * step, seen)
        assert (watch.health.level is Level.OK) == (not seen)
        assert watch.health.name == COMPONENT
    assert len(notes) == NOTED_MAX
    open_ = set()
    for note in notes:
        key = (note["topic"], note["who"])
        assert ("until" in note) == (key in open_)
        open_ ^= {key}


def test_a_clock_that_runs_back_forgets_what_was_told_and_keeps_what_is_seen() -> None:
    watch = StrangerWatch("cmd_vel")
    watch.tell(100.0, *EVIL)
    watch.update(1.0, [EVIL])
    assert watch.health.level is Level.ERROR
    watch.update(1.1, [])
    assert watch.health == Health(COMPONENT, Level.OK, watch.health.message)


# As rcl reads it (strtoul, base 0): tried with the real one, which takes each of these for that number.
@pytest.mark.parametrize(
    ("text", "number"), [("28", 28), ("0x1c", 28), ("0X1C", 28), (" 28", 28), ("28 ", 28), ("", 0), ("0", 0)]
)
def test_a_domain_is_a_number_however_it_is_written(text: str, number: int) -> None:
    assert domain_id({"ROS_DOMAIN_ID": text}) == number


@pytest.mark.parametrize(
    "text",
    ["028", "034", "28x", "1e1", "-1", "+28", "233", "1000", "9" * 400, "0x", "²", "2_8", "2 8", "abc", "28\n29"],
)
def test_what_rcl_reads_otherwise_than_a_person_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(LoadError, match="ROS_DOMAIN_ID") as caught:
        domain_id({"ROS_DOMAIN_ID": text})
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


@given(st.text(max_size=12))
def test_any_text_is_a_domain_or_one_line(text: str) -> None:
    try:
        assert 0 <= domain_id({"ROS_DOMAIN_ID": text}) <= DOMAIN_MAX
    except LoadError as error:
        assert len(str(error).splitlines()) == 1


def test_one_domain_is_one_claim_however_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    namespace = f"/test_strangers/p{os.getpid()}"
    monkeypatch.setenv("ROS_DOMAIN_ID", "28")
    with hold_the_robot(namespace):
        monkeypatch.setenv("ROS_DOMAIN_ID", "0x1c")
        with pytest.raises(LoadError, match="another mission"):
            hold_the_robot(namespace)
        monkeypatch.setenv("ROS_DOMAIN_ID", "29")
        hold_the_robot(namespace).close()
