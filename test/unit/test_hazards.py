"""The register of declared hazards: nothing that is said on a topic ever opens a halo, a person's journalled word does."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mission_bench import MissionBench, remark, target

from mine_robot.core.hazards import APART_M, FOLLOW_M, RIM_M, Hazards
from mine_robot.core.types import Goal, MissionState, MissionStatus, Release, RemarkKind, Target
from mine_robot.mission.journal import Journal
from mine_robot.mission.journal_reader import read_journal
from mine_robot.pipeline.recall import recall
from mine_robot.pipeline.releases import Releases

S = MissionState
THRESHOLD = 0.004
Place = tuple[float, float]


def places(hazards: Hazards) -> list[tuple[int, float, float]]:
    return [(halo.target_id, halo.x, halo.y) for halo in hazards.halos if not halo.former]


@pytest.mark.parametrize("seed", range(5))
def test_what_was_closed_stays_closed_but_for_the_rim(seed: int) -> None:
    """However a target is moved about, in leaps or in steps, ground within 0.2 m of wherever it was believed to be stays closed."""
    rng = np.random.default_rng(seed)
    hazards = Hazards(THRESHOLD)
    grid = np.stack(np.meshgrid(np.arange(4.0, 6.0, 0.02), np.arange(-1.0, 1.0, 0.02)), axis=-1)
    closed = np.zeros(grid.shape[:2], dtype=bool)
    x, y = 5.0, 0.0
    for _ in range(60):
        hazards.take([target(1, x, y)])
        now = np.zeros_like(closed)
        for halo in hazards.halos:
            now |= np.hypot(grid[..., 0] - halo.x, grid[..., 1] - halo.y) < halo.radius(0.3)
        assert not np.any(closed & ~now)
        closed |= np.hypot(grid[..., 0] - x, grid[..., 1] - y) < 0.3 - RIM_M - APART_M
        x, y = np.array([5.0, 0.0]) + rng.uniform(-0.17, 0.17, 2) if rng.random() < 0.5 else (x + 0.03, y)
        if abs(x - 5.0) > 0.17:
            x = 5.0
    assert len(hazards.halos) < 40


def test_a_list_that_shrinks_moves_or_soothes_opens_nothing_and_is_told() -> None:
    hazards = Hazards(THRESHOLD)
    assert hazards.take([target(1), target(2, p=0.001), target(3, 1.0)])
    both = [(1, 5.0, 0.0), (3, 1.0, 0.0)]
    assert places(hazards) == both and hazards.fault == ""
    assert not hazards.take([])
    assert places(hazards) == both and hazards.fault == "the list of targets lacks 1, 2, 3"
    for harmless in (target(1, p=0.001), target(1, p=math.nan), target(1, x=math.nan), target(1, x=math.inf)):
        assert not hazards.take([harmless, target(2, p=0.001), target(3, 1.0)])
        assert places(hazards) == both and hazards.fault == "the list of targets takes back the suspicion of 1"
    assert hazards.target(1) == target(1)
    assert not hazards.take([target(1), target(2, p=0.001), target(3, 1.0)])
    assert hazards.fault == ""


def test_a_halo_follows_a_re_look_and_no_farther() -> None:
    hazards = Hazards(THRESHOLD)
    hazards.take([target(1)])
    assert hazards.take([target(1, 5.0 + FOLLOW_M - 0.01)])
    assert places(hazards) == [(1, 5.24, 0.0)]
    for step in range(1, 40):  # in small steps it gets no farther either: the place of the declaration counts
        hazards.take([target(1, 5.24 + 0.1 * step)])
    found = places(hazards)
    assert found[0] == (1, 5.24, 0.0) and len(found) > 5
    assert hazards.take([target(1, sigma=0.5)])
    assert max(halo.sigma for halo in hazards.halos) == 0.5
    assert not hazards.take([target(1, sigma=0.01)])  # nor does a halo shrink


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.lists(
            st.builds(
                lambda number, x, y, p: target(number, x, y, p),
                st.integers(0, 4),
                st.floats(-2.0, 2.0, width=32) | st.just(math.nan),
                st.floats(-2.0, 2.0, width=32),
                st.sampled_from((0.0, 0.5, 1.0, math.nan)),
            ),
            max_size=5,
        ),
        max_size=12,
    )
)
def test_no_history_of_lists_opens_the_place_of_a_declaration(lists: list[list[Target]]) -> None:
    hazards, declared = Hazards(THRESHOLD), set[tuple[int, float, float]]()
    for one in lists:
        declared |= {(t.id, t.x, t.y) for t in one if t.p_hazard >= THRESHOLD and math.isfinite(t.x)}
        before = len(hazards.halos)
        hazards.take(one)
        assert len(hazards.halos) >= before
        # Every place that was ever declared lies within a halo or follows the one beside it.
        for number, x, y in declared:
            assert min(math.hypot(h.x - x, h.y - y) for h in hazards.halos if h.target_id == number) <= 2 * FOLLOW_M
    again = Hazards(THRESHOLD)
    again.recall([t for one in lists for t in one])
    assert places(again) == places(hazards)  # as after a restart


def test_a_release_opens_the_places_it_names_and_no_later_one() -> None:
    hazards = Hazards(THRESHOLD)
    hazards.take([target(1), target(2, 1.0)])
    (release,) = hazards.releases(1)
    assert release == Release(1, 5.0, 0.0)
    assert hazards.release([release]) and not hazards.release([release])
    assert places(hazards) == [(2, 1.0, 0.0)]
    hazards.take([target(1, 5.1), target(2, 1.0)])
    assert places(hazards) == [(2, 1.0, 0.0)] and not hazards.closed(1)
    hazards.take([target(1, 7.0), target(2, 1.0)])
    assert (1, 7.0, 0.0) in places(hazards)  # something else
    assert not hazards.release([Release(99, 0.0, 0.0)])


def test_an_id_that_someone_made_up_can_be_released_from_being_missed() -> None:
    hazards = Hazards(THRESHOLD)
    hazards.take([target(1), target(77, p=0.0)])
    hazards.take([target(1)])
    assert hazards.fault == "the list of targets lacks 77"
    hazards.release(hazards.releases(77))
    assert hazards.fault == ""


def test_a_list_that_shrinks_is_a_hold_that_ends_when_it_is_whole_and_a_person_resumes() -> None:
    bench = MissionBench(drive_time=300.0, lanes=9).go()
    bench.targets = [target(1, p=0.001), target(2, p=0.001)]
    bench.run(1.0)
    whole, bench.targets = bench.targets, [target(2, p=0.001)]
    bench.run(0.2)
    assert bench.status.state is S.HOLD and "lacks 1;" in bench.status.reason and "halo stays" in bench.status.reason
    bench.run(3.0)
    assert not bench.mission.resume()[0]
    bench.targets = whole
    bench.run(3.0)
    assert bench.status.state is S.HOLD, "a person has to say so"
    assert bench.mission.resume()[0]
    assert bench.run(3.0, S.SEARCH) is S.SEARCH


def test_a_list_that_shrinks_for_less_than_a_tick_is_a_hold_too() -> None:
    bench = MissionBench(drive_time=300.0, lanes=9).go()
    bench.targets = [target(1, p=0.001)]
    bench.run(1.0)
    bench.mission.set_targets(())
    bench.step()
    assert bench.status.state is S.HOLD


def test_a_suspect_is_marked_whatever_later_lists_say() -> None:
    bench = MissionBench().go()
    bench.targets = [target(1)]
    bench.run(1.0)
    bench.targets = []
    bench.run(1.0)
    assert bench.status.state is S.HOLD and bench.output.unmarked
    bench.targets = [target(1)]
    bench.run(2.0)
    bench.mission.resume()
    bench.run(20.0, S.MARK)
    bench.run(1.0)
    assert [request.target_id for request in bench.requests] == [1]


def test_a_release_needs_words_and_a_robot_that_stands() -> None:
    bench = MissionBench(drive_time=300.0, lanes=9).go()
    bench.targets = [target(1, p=0.001)]
    bench.run(1.0)
    release = remark(RemarkKind.RELEASE, 1, "a fence post, dug up")
    assert "pause first" in bench.mission.refusal(release)
    bench.mission.pause()
    bench.step()
    assert bench.mission.refusal(release) == ""
    for changes in ({"comment": " "}, {"author": ""}, {"target_id": 8}):
        assert bench.mission.refusal(replace(release, **changes)) != ""


def test_a_released_target_is_not_marked_and_the_state_says_so() -> None:
    bench = MissionBench().go()
    bench.unreachable = {1}
    bench.targets = [target(1)]
    bench.run(1.0)
    bench.mission.pause()
    bench.step()
    bench.mission.set_remark(remark(RemarkKind.RELEASE, 1, "dug up"))
    bench.mission.resume()
    bench.unreachable = set()
    assert bench.run(90.0, S.DONE) is S.DONE
    assert bench.requests == [] and bench.output.unmarked == ()
    assert bench.status.released == (Release(1, 5.0, 0.0),)


def test_only_the_journal_makes_a_release_true_and_a_restart_knows_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    said = remark(RemarkKind.RELEASE, 1, "dug up")
    where = Release(1, 5.0, 0.0)
    status = MissionStatus(1.0, S.PAUSED, "", Goal.NONE, -1, 0.0, released=(where,))
    with Journal(path) as journal:
        journal.targets(0.5, [target(1)])
        journal.targets(0.7, [target(1, 9.0)])
        releases = Releases(path)
        assert releases.new(status) == () and "no journalled word" in releases.refused
        journal.override(2.0, said, (where, Release(1, math.nan, math.nan)))
        assert Releases(path).new(status) == (where,)
        assert Releases(path).new(replace(status, released=())) == ()
        assert Releases(tmp_path / "none").new(status) == ()
        record = read_journal(path)
    ((t, kind, data),) = record.events
    assert (t, kind) == (2.0, "override")
    assert (
        data["who"] == "viewer 1" and "dug up" in data["what"] and data["since"] == 0.5 and data["where"][0] == [5, 0]
    )
    assert record.remarks == (said,)
    memory, hazards = recall(path), Hazards(THRESHOLD)
    hazards.recall(memory.history, memory.released)
    assert places(hazards) == [(1, 9.0, 0.0)]


@pytest.mark.parametrize("p", [0.0, math.nan])
def test_the_journal_believes_no_list_that_soothes(tmp_path: Path, p: float) -> None:
    with Journal(tmp_path / "j") as journal:
        for t, found in enumerate((target(1), target(1, p=p), target(1, x=math.nan))):
            journal.targets(float(t), [found])
        (kept,) = read_journal(tmp_path / "j").targets
    assert (kept.x, kept.p_hazard) == (5.0, 0.9)
