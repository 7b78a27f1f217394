"""The audit against ground whose area is worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from shapely import MultiPolygon

from mine_robot.core.field import Field
from mine_robot.core.geodesy import Datum
from mine_robot.core.limits import Limits
from mine_robot.core.robot import Patch, Robot
from mine_robot.core.types import NavState, Release, SweepEvidence, Target, TargetClass
from mine_robot.records.audit import AuditResult, audit

LIMITS = Limits(
    search_speed=0.5,
    drive_speed=0.8,
    pivot_rate=0.6,
    acceleration=0.5,
    deceleration=0.8,
    reaction_time=0.15,
    tracking_tolerance=0.04,
    sigma_factor=3.0,
    position_sigma_max=0.03,
    evidence_speed_max=0.6,
    head_height_min=0.02,
    head_height_max=0.15,
    halo_radius=0.3,
    mark_p_hazard=0.5,
    lane_overlap=0.15,
)
OFFSETS = np.linspace(0.525, -0.525, 8)  # searched width 1.2 m
ROBOT = Robot(
    name="audit",
    imu=np.zeros(3),
    imu_rotation=np.eye(3),
    gnss=np.zeros(3),
    gpr=np.array([1.15, 0.0, 0.06]),
    metal_detector=np.array([1.3, 0.0, 0.06]),
    marker=np.array([0.9, 0.0, 0.1]),
    marker_reach=0.62,
    gpr_offsets=OFFSETS,
    coil_offsets=np.linspace(0.5, -0.5, 6),
    contact_patches=(Patch(-0.45, 0.45, 0.22, 0.40), Patch(-0.45, 0.45, -0.40, -0.22)),
    head=Patch(1.1, 1.4, -0.6, 0.6),
)
PATCH_WIDTH = 0.18
SIGMA = 0.01


def field(*, no_go: MultiPolygon | None = None, known: np.ndarray | None = None) -> Field:
    """Hazard area north of the safe area, which ends at north = 0."""
    return Field(
        name="audit",
        imsma_id="",
        datum=Datum(40.0, 47.0),
        hazard=MultiPolygon([shapely.box(-4.0, 0.0, 4.0, 10.0)]),
        safe=MultiPolygon([shapely.box(-4.0, -3.0, 4.0, 0.0)]),
        no_go=no_go or MultiPolygon(),
        known_targets=np.empty((0, 2)) if known is None else known,
    )


def state(
    t: float, x: float, y: float, yaw: float = math.pi / 2, *, speed: float = 0.5, sigma: float = SIGMA
) -> NavState:
    covariance = np.diag([sigma**2, sigma**2, sigma**2, 0.0, 0.0, 0.0])
    return NavState(
        t,
        np.array([x, y, 0.0]),
        np.array([0.0, 0.0, math.pi / 2]),
        np.array([speed, 0.0, 0.0]),
        np.zeros(3),
        covariance,
    )


def line(t: float, x: float, y: float, **changes: object) -> SweepEvidence:
    values = {"yaw": math.pi / 2, "sigma": SIGMA, "height": 0.06, "speed": 0.5, "gpr_ok": True, "metal_ok": True}
    return SweepEvidence(t, x, y, **{**values, **changes})  # type: ignore[arg-type]


def drive(north: float, *, x: float = 0.0, start: float = -1.6, t: float = 0.0, sigma: float = SIGMA) -> list[NavState]:
    steps = round((north - start) / 0.025)
    return [state(t + 0.05 * i, x, start + 0.025 * i, sigma=sigma) for i in range(steps + 1)]


def evidence_of(nav: list[NavState], *, until: float = math.inf, **changes: object) -> list[SweepEvidence]:
    lines = [line(s.t, s.pose.x, s.pose.y + 1.15, **changes) for s in nav]
    return [one for one in lines if one.y <= until]


def suspect(x: float, y: float, p: float = 0.9, number: int = 1) -> Target:
    return Target(number, x, y, 0.0, 0.02, 0.02, 0.05, 3.0, 1.0, p, TargetClass.AP_METAL)


def run(nav: list[NavState], evidence: list[SweepEvidence], targets: list = (), **options: object) -> AuditResult:  # type: ignore[assignment]
    return audit(field(**options), ROBOT, LIMITS, nav, evidence, targets)  # type: ignore[arg-type]


def test_driving_on_swept_ground_is_safe_and_all_of_it_counts() -> None:
    nav = drive(6.0)
    result = run(nav, evidence_of(nav))
    assert result.unsafe_ground_m2 == 0.0
    assert result.first_unsafe_t is None
    assert result.searched_m2 == pytest.approx(1.2 * (6.0 + 1.15), rel=0.01)


def test_driving_straight_off_swept_ground_is_as_large_as_by_hand() -> None:
    nav = drive(6.0)
    result = run(nav, evidence_of(nav, until=3.0))
    growth = 3.0 * SIGMA
    length = 6.0 + 0.45 + growth - 3.0
    assert result.unsafe_ground_m2 == pytest.approx(2 * (PATCH_WIDTH + 2 * growth) * length, rel=0.03)
    assert result.first_unsafe_t == pytest.approx((3.0 - 0.48 + 1.6) / 0.5, abs=0.1)


def test_ground_searched_only_afterwards_is_unsafe() -> None:
    nav = drive(3.0)
    late = [line(100.0 + s.t, 0.0, s.pose.y + 1.15) for s in nav]
    result = run(nav, late)
    growth = 3.0 * SIGMA
    assert result.unsafe_ground_m2 == pytest.approx(2 * (PATCH_WIDTH + 2 * growth) * (3.45 + growth), rel=0.03)
    assert result.searched_m2 == pytest.approx(1.2 * 4.15, rel=0.01)


def test_growth_follows_the_sigma_of_the_moment() -> None:
    """A track beside the swept lane leaves it by exactly what the uncertainty adds."""
    swept = evidence_of(drive(6.0))
    nav = drive(6.0, x=0.19, t=50.0)
    assert run(nav, swept).unsafe_ground_m2 == pytest.approx(0.02 * 6.48, rel=0.35)  # one cell wide
    assert run(nav, swept).unsafe_ground_m2 < run(drive(6.0, x=0.19, t=50.0, sigma=0.05), swept).unsafe_ground_m2
    assert run(drive(6.0, x=0.1, t=50.0), swept).unsafe_ground_m2 == 0.0


@pytest.mark.parametrize(
    "changes",
    [
        {"gpr_ok": False},
        {"metal_ok": False},
        {"sigma": 0.031},
        {"sigma": math.nan},
        {"height": math.nan},
        {"height": 0.2},
        {"height": 0.01},
        {"speed": 0.7},
        {"speed": math.nan},
        {"yaw": math.nan},
    ],
)
def test_evidence_beyond_a_limit_is_none(changes: dict[str, float]) -> None:
    nav = drive(2.0)
    result = run(nav, evidence_of(nav, **changes))
    assert result.searched_m2 == 0.0
    assert result.unsafe_ground_m2 > 0.5


def test_lines_far_apart_do_not_vouch_for_the_ground_between() -> None:
    nav = drive(4.0)
    lines = evidence_of(nav)
    holed = [one for one in lines if not 1.0 < one.y < 1.5]
    result = run(nav, holed)
    assert result.searched_m2 == pytest.approx(1.2 * (5.15 - 0.5), rel=0.02)
    assert result.unsafe_ground_m2 == pytest.approx(2 * (PATCH_WIDTH + 0.06) * 0.5, rel=0.12)


def test_halo_counts_from_the_declaration_on() -> None:
    nav = drive(6.0)
    lines = evidence_of(nav)
    stood = suspect(0.31, 2.0)
    assert run(nav, lines, [(1000.0, (stood,))]).unsafe_ground_m2 == 0.0
    assert run(nav, lines, [(0.0, (suspect(0.31, 2.0, p=0.4),))]).unsafe_ground_m2 == 0.0
    result = run(nav, lines, [(0.0, (stood,))])
    patch = shapely.box(0.19, -2.0, 0.43, 6.48)
    assert result.halo_m2 == result.unsafe_ground_m2
    assert result.halo_m2 == pytest.approx(shapely.Point(0.31, 2.0).buffer(0.3).intersection(patch).area, rel=0.03)


def test_a_suspect_keeps_its_halo_whatever_later_lists_say_until_a_person_releases_it() -> None:
    nav = drive(6.0)
    lines = evidence_of(nav)
    declared = (0.0, (suspect(0.31, 2.0),))
    assert run(nav, lines, [declared, (1.0, ())]).halo_m2 > 0.05
    assert run(nav, lines, [declared, (1.0, (suspect(0.31, 2.0, p=0.1),))]).halo_m2 > 0.05
    assert run(nav, lines, [declared, (1.0, (suspect(3.5, 9.0),))]).halo_m2 > 0.05
    released = [(1.0, Release(1, 0.31, 2.0))]
    assert audit(field(), ROBOT, LIMITS, nav, lines, [declared], released).halo_m2 == 0.0
    assert audit(field(), ROBOT, LIMITS, nav, lines, [declared], [(1000.0, released[0][1])]).halo_m2 > 0.05


def test_known_targets_and_no_go_hold_from_the_beginning() -> None:
    nav = drive(6.0)
    lines = evidence_of(nav)
    assert run(nav, lines, known=np.array([[0.31, 2.0]])).halo_m2 > 0.05
    zone = MultiPolygon([shapely.box(-1.0, 2.0, 1.0, 3.0)])
    result = run(nav, lines, no_go=zone)
    assert result.unsafe_ground_m2 == pytest.approx(2 * (PATCH_WIDTH + 0.06) * 1.0, rel=0.03)
    assert result.searched_m2 == pytest.approx(1.2 * (7.15 - 1.0), rel=0.01)


def test_a_standing_robot_that_learns_where_it_is_rolls_over_nothing() -> None:
    standing = [state(0.05 * i, 0.0, 3.0 - 0.02 * i, speed=0.0, sigma=2.0 / (1 + i)) for i in range(100)]
    assert run(standing, []).rolled_m2 == 0.0


def test_creeping_is_driving() -> None:
    creep = [state(0.05 * i, 0.0, -1.0 + 0.0004 * i, speed=0.008) for i in range(10000)]
    assert run(creep, []).unsafe_ground_m2 == pytest.approx(2 * (PATCH_WIDTH + 0.06) * 3.48, rel=0.05)


def test_a_lost_robot_is_counted_and_drawn_as_large_as_can_be() -> None:
    nav = drive(-1.0)
    nav += [state(50.0, math.nan, math.nan), state(51.0, 0.0, -1.0, sigma=math.inf)]
    result = run(nav, [])
    assert result.lost_states == 2
    assert result.unsafe_ground_m2 > 3.0


def test_skipped_states_do_not_hide_the_ground_between() -> None:
    nav = [s for i, s in enumerate(drive(6.0)) if i % 30 == 0]
    result = run(nav, [])
    last = nav[-1].pose.y
    assert result.unsafe_ground_m2 == pytest.approx(2 * (PATCH_WIDTH + 0.06) * (last + 0.48), rel=0.03)


@pytest.mark.parametrize("yaw", [0.0, 0.3, 1.0, 2.5, -1.2])
def test_a_pivot_rolls_over_the_ring_of_its_patches(yaw: float) -> None:
    turn = [
        NavState(
            0.05 * i,
            np.array([0.0, 5.0, 0.0]),
            np.array([0.0, 0.0, yaw + 0.03 * i]),
            np.zeros(3),
            np.array([0.0, 0.0, 0.6]),
            np.zeros((6, 6)),
        )
        for i in range(211)
    ]
    result = run(turn, [])
    assert result.unsafe_ground_m2 == pytest.approx(math.pi * (0.45**2 + 0.40**2 - 0.22**2), rel=0.03)


def test_nothing_recorded_proves_nothing_and_fails_nothing() -> None:
    result = run([], [])
    assert (result.unsafe_ground_m2, result.searched_m2, result.rolled_m2) == (0.0, 0.0, 0.0)


def test_order_of_the_input_does_not_matter() -> None:
    nav = drive(6.0)
    lines = evidence_of(nav, until=3.0)
    rng = np.random.default_rng(3)
    mixed = run([nav[i] for i in rng.permutation(len(nav))], [lines[i] for i in rng.permutation(len(lines))])
    assert mixed.unsafe_ground_m2 == run(nav, lines).unsafe_ground_m2
