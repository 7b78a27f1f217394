"""Every state meets every event, and long random histories: no exception, only transitions of the table."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from mission_bench import COMPONENTS, MissionBench, remark, target

from mine_robot.core.types import Health, Level, MarkResult, MarkStatus, MissionState, Plan, Progress, RemarkKind
from mine_robot.mission.transitions import TRANSITIONS

S = MissionState
COMMANDS = ("start", "pause", "resume", "abort", "estop")


def events() -> dict[str, object]:
    """Everything that can reach the mission, by name."""
    table = {name: (lambda b, n=name: getattr(b.mission, n)()) for name in COMMANDS}
    for name in (*COMPONENTS, "battery", "journal", "command_link", "stranger", "standstill", "foreign_command"):
        for level in Level:
            table[f"{name} {level.name}"] = lambda b, n=name, v=level: b.mission.set_health(Health(n, v, "test"))
    table["no targets"] = lambda b: b.mission.set_targets(())
    table["a target"] = lambda b: b.mission.set_targets((target(50),))
    table["a broken target"] = lambda b: b.mission.set_targets((target(51, x=math.nan), target(52, p=math.nan)))
    table["old plan"] = lambda b: b.mission.set_plan(Plan(-3.0, ()))
    table["plan NaN"] = lambda b: b.mission.set_plan(Plan(math.nan, ()))
    table["empty plan"] = lambda b: b.mission.set_plan(Plan(b.status.request_t, ()))
    for done in (True, False):
        table[f"progress {done}"] = lambda b, d=done: b.mission.set_progress(
            Progress(b.t, b.status.request_t, 0, d, 0.0, 0.0, math.nan, d, False)
        )
    table["progress NaN"] = lambda b: b.mission.set_progress(
        Progress(math.nan, math.nan, 0, True, math.nan, math.nan, math.nan, True, False)
    )
    for mark in MarkStatus:
        table[f"mark {mark.value}"] = lambda b, m=mark: b.mission.set_mark_result(MarkResult(b.t, 1, m, 0.0, 0.0, "x"))
    table["mark of a stranger"] = lambda b: b.mission.set_mark_result(
        MarkResult(b.t, 999, MarkStatus.CONFIRMED, math.nan, math.nan, "x")
    )
    table["long silence"] = lambda b: setattr(b, "t", b.t + 500.0)
    return table


@pytest.mark.parametrize("state", list(S))
def test_every_state_meets_every_event(state: S) -> None:
    for name, event in events().items():
        bench = MissionBench().reach(state)
        answer = event(bench)
        if name in COMMANDS:
            assert isinstance(answer[0], bool), name
            assert answer[1], name
            now = bench.mission._state
            assert now is state or now in TRANSITIONS[state], name
        bench.output = bench.mission.update(round(bench.t + 0.1, 6))
        assert bench.status.reason, name
        assert math.isfinite(bench.status.request_t), name
        if state.ended:
            assert bench.status.state is state, name
        if name == "estop" and not state.ended:
            assert bench.status.state is S.ESTOP
        bench.run(1.0)


def test_every_transition_of_the_table_leads_somewhere_and_ended_states_nowhere() -> None:
    assert set(TRANSITIONS) == set(S)
    for state, following in TRANSITIONS.items():
        assert bool(following) != state.ended
        if not state.ended:
            assert S.ABORTED in following
            assert state is S.ESTOP or S.ESTOP in following


@pytest.mark.parametrize("seed", range(10))
def test_random_histories(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = events()
    lasting = ("battery", "standstill", "foreign_command")  # nobody takes them back here
    names = sorted(name for name in table if name not in ("abort", "empty plan") and not name.startswith(lasting))
    bench, asked, ended = history(), 0, 0
    for _ in range(3500):  # every list that contradicts another holds until a person comes
        if rng.random() < 0.04:
            table[names[rng.integers(len(names))]](bench)
        if rng.random() < 0.02:
            bench.levels[COMPONENTS[rng.integers(len(COMPONENTS))]] = Level(int(rng.integers(0, 3)))
        if rng.random() < 0.05:
            bench.levels = dict.fromkeys(COMPONENTS, Level.OK)
        if rng.random() < 0.01:
            bench.targets.append(target(len(bench.targets) + 100, *rng.uniform(-9, 9, 2)))
        if rng.random() < 0.05 and bench.status.state in (S.PAUSED, S.ESTOP, S.HOLD):
            for made_up in (50, 51, 52):  # of events that only the mission heard of, the lists lack them ever after
                said = remark(RemarkKind.RELEASE, made_up)
                if not bench.mission.refusal(said):
                    bench.mission.set_remark(said)
            bench.mission.resume()
        output = bench.step()
        assert output.status.marks_confirmed <= output.status.marks_requested <= output.status.targets
        if output.mark_requests:
            assert output.status.state is S.MARK
            asked += 1
        if output.status.state.ended:
            bench, ended = history(), ended + 1
    assert asked + ended > 3


def history() -> MissionBench:
    """A mission that has just been started."""
    bench = MissionBench(lanes=20, hold_timeout=60.0)
    bench.step()
    bench.mission.start()
    return bench
