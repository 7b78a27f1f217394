"""Evidence counts where the poses have the head, and nowhere else."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coverage_setup import limits, robot
from random_fields import field_of

from mine_robot.core.types import Level, NavState, SweepEvidence
from mine_robot.coverage.head_track import HISTORY, HeadTrack
from mine_robot.coverage.params import CoverageParams
from mine_robot.pipeline.coverage import CoverageManager

AHEAD = robot().sweep_ahead
SIGMA = 0.01
COVARIANCE = np.diag([SIGMA**2, SIGMA**2, 1.0, 0.0, 0.0, 0.0])


def pose(i: int, *, x: float = 2.0, y: float | None = None, yaw: float = math.pi / 2) -> NavState:
    north = -1.0 + 0.025 * i if y is None else y
    rpy, velocity = np.array([0.0, 0.0, yaw]), np.array([0.5, 0.0, 0.0])
    return NavState(10.0 + 0.05 * i, np.array([x, north, 0.0]), rpy, velocity, np.zeros(3), COVARIANCE)


def line(i: int, **changes: float) -> SweepEvidence:
    honest = SweepEvidence(10.0 + 0.05 * i, 2.0, -1.0 + 0.025 * i + AHEAD, math.pi / 2, SIGMA, 0.06, 0.5, True, True)
    return dataclasses.replace(honest, **changes)  # type: ignore[arg-type]


def manager() -> CoverageManager:
    field = field_of(shapely.box(0, 0, 4, 4), shapely.box(0, -3, 4, 0))
    return CoverageManager(CoverageParams(), limits(), robot(), field)


def swept(count: int = 120, forged: Iterable[tuple[int, SweepEvidence]] = ()) -> CoverageManager:
    """A drive of ``count`` poses with honest evidence, and ``forged`` lines after the pose of their number."""
    one, made_up = manager(), list(forged)
    for i in range(count):
        one.set_nav(pose(i))
        one.add_evidence([fake for at, fake in made_up if at == i])
        one.add_evidence([line(i)])
    return one


HONEST = swept().ledger.searched.copy()


def test_honest_evidence_is_booked_as_before() -> None:
    assert HONEST.sum() > 1000
    assert swept().track.health().level is Level.OK


def test_a_burst_of_made_up_lines_books_nothing_and_is_told() -> None:
    """Seen: a burst of lines over the whole field made it searched."""
    forged = [line(500 + i, x=0.7, y=0.025 * i) for i in range(160)]
    one = manager()
    for i in range(20):
        one.set_nav(pose(i))
    one.add_evidence(forged)
    for i in range(20, 30):
        one.set_nav(pose(i))
    assert not one.ledger.searched.any()
    health = one.track.health()
    assert health.level is Level.ERROR and "ahead of the poses" in health.message
    assert health.values["refused"] == "160"


@pytest.mark.parametrize(
    "changes",
    [
        {"x": 3.0},
        {"y": 3.9},
        {"yaw": 1.5},
        {"t": 9.0},
        {"t": 99.0},
        {"x": math.nan},
        {"t": math.nan},
        {"yaw": math.inf},
    ],
)
def test_a_line_that_fits_no_pose_is_refused_and_hurts_no_honest_one(changes: dict[str, float]) -> None:
    forged = [(i, line(i, **changes)) for i in (40, 41, 42, 60)]
    one = swept(forged=forged)
    assert np.array_equal(one.ledger.searched, HONEST)
    assert int(one.track.health().values["refused"]) == 4


def test_what_a_line_claims_of_place_sigma_and_speed_does_not_count() -> None:
    track = HeadTrack(AHEAD, 0.6)
    track.add_nav(pose(0))
    (found,) = track.take([line(0, x=2.01, sigma=0.0, speed=0.1)])
    assert (found.x, found.y, found.sigma, found.speed) == pytest.approx((2.0, -1.0 + AHEAD, SIGMA, 0.5))
    track.add_nav(pose(1))
    assert math.isnan(track.take([line(1, sigma=math.nan)])[0].sigma)
    track.add_nav(pose(2))
    assert track.take([line(2, sigma=0.05)])[0].sigma == 0.05


def test_evidence_waits_for_its_pose_and_no_longer_than_that() -> None:
    track = HeadTrack(AHEAD, 0.6)
    assert track.take([line(0)]) == []  # no pose yet at all
    track.add_nav(pose(1))
    assert track.take([line(2)]) == []
    track.add_nav(pose(2))
    assert [found.t for found in track.take(())] == [line(2).t]
    assert track.take([line(2)]) == [] == track.take([line(1)])  # doubled, and out of order


def test_between_two_poses_the_line_lies_between_them() -> None:
    track = HeadTrack(AHEAD, 0.6)
    track.add_nav(pose(0))
    track.add_nav(pose(4))
    (found,) = track.take([line(2)])
    assert (found.x, found.y, found.yaw) == pytest.approx((2.0, -0.95 + AHEAD, math.pi / 2))
    track.add_nav(pose(14))
    assert track.take([line(9)]) == []  # half a second without a pose
    assert track.health().level is Level.OK


def test_poses_that_jump_vouch_for_no_ground_between() -> None:
    track = HeadTrack(AHEAD, 0.6)
    track.add_nav(pose(0))
    track.add_nav(pose(1, y=-0.85))
    first, second = track.take([line(0), line(1, y=-0.85 + AHEAD)])
    assert first.gpr_ok and not (second.gpr_ok or second.metal_ok)
    assert "would have moved" in track.health().message


def test_a_planner_that_was_busy_still_books_what_came_meanwhile() -> None:
    one = manager()
    for i in range(120):
        one.set_nav(pose(i))
    one.add_evidence([line(i) for i in range(120)])
    assert np.array_equal(one.ledger.searched, HONEST)
    assert HISTORY * 0.05 >= 10.0


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 59),
            st.integers(-40, 90),
            st.floats(-0.3, 4.3) | st.just(2.0),
            st.floats(-1.0, 5.0) | st.none(),
            st.sampled_from((math.pi / 2, 1.5, 0.0, -2.0)),
            st.sampled_from((0.0, SIGMA, math.nan)),
        ),
        max_size=60,
    )
)
def test_no_forged_line_enlarges_the_searched_ground(drawn: list[tuple]) -> None:
    forged = [
        (at, line(i, x=x, yaw=yaw, sigma=sigma, **({} if y is None else {"y": y}))) for at, i, x, y, yaw, sigma in drawn
    ]
    one = swept(60, forged)
    assert not (one.ledger.searched & ~HONEST).any()
