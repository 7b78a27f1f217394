"""When the simulator tells the time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mine_robot.core.types import Health, Level, MissionState
from mine_robot.nodes import simulator_node
from mine_robot.nodes.simulator_node import SimulatorNode
from mine_robot.ros.topics import CLOCK


def waiting(told: list[float]) -> Any:
    """What ``advance`` needs, without ROS: a world at 7.35 s that waits for the planner."""

    def publish(message: Any) -> None:
        told.append(message.clock.sec + message.clock.nanosec * 1e-9)

    node = SimpleNamespace(
        take_polled=lambda: None,
        heard_nodes={"guard", "gpr", *simulator_node.HEALTH_CONSUMERS},
        loss=None,
        simulation=SimpleNamespace(t=7.35, step_s=0.05),
        earliest_wall=0.0,
        told_wall=100.0,
        mission_waits=False,
        pacer=SimpleNamespace(waits_for=lambda t, wall: {"planner"}),
        outputs={CLOCK: SimpleNamespace(publish=publish)},
    )
    node.tell_time = lambda t: SimulatorNode.tell_time(node, t)  # type: ignore[arg-type]
    return node


def test_a_world_that_waits_repeats_the_time_for_whoever_missed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that was frozen until DDS forgot it has not heard it, and without it says nothing for which the world waits."""
    told: list[float] = []
    node = waiting(told)
    for wall in (100.5, 101.5, 102.0, 102.4, 102.6):
        monkeypatch.setattr(simulator_node.time, "monotonic", lambda wall=wall: wall)
        SimulatorNode.advance(node)
    assert told == pytest.approx([7.35, 7.35])


def test_a_slow_pace_is_no_reason_to_step(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []
    node = waiting(told)
    node.pacer.waits_for = lambda t, wall: set()
    node.earliest_wall = 200.0
    monkeypatch.setattr(simulator_node.time, "monotonic", lambda: 150.0)
    SimulatorNode.advance(node)
    assert told == pytest.approx([7.35])


@pytest.mark.parametrize(
    ("rate", "waits", "seconds"), [(0.0, "yes", 10.0), (8.0, "yes", 10.0), (0.5, "yes", 5.0), (8.0, "no", 80.0)]
)
def test_time_is_real_while_the_mission_waits_for_a_person(
    rate: float, waits: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A simulation at its highest rate would fill the disk with hours of a robot that stands."""
    node = waiting([])
    steps: list[float] = []
    node.pacer = SimpleNamespace(waits_for=lambda t, wall: set(), all_flow=True, hear=lambda name, t: None)
    node.params, node.step = SimpleNamespace(rate=rate), lambda: steps.append(0.05)
    SimulatorNode.on_diagnostics(node, (7.35, (Health("mission", Level.OK, "running", {"waits": waits}),)))
    for wall in range(1000, 2000):
        monkeypatch.setattr(simulator_node.time, "monotonic", lambda wall=wall: wall / 100.0)
        for _ in range(10):
            SimulatorNode.advance(node)
    assert sum(steps) == pytest.approx(seconds, rel=0.1)


def test_the_mission_waits_for_a_person_where_nothing_else_can_go_on() -> None:
    waits = {state for state in MissionState if state.waits}
    assert waits == {MissionState(name) for name in ("idle", "paused", "estop", "done", "aborted")}
