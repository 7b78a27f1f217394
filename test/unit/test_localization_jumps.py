"""Fixes that jump: never believed quietly, and never harmful for long after they are right again."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from sim_drive import FIELD, ROBOT, drive, feed, lanes, localizer, world

from mine_robot.core.types import Array, FixStatus, GnssFix, Level, NavState, Twist2
from mine_robot.localization.filter import POSITION, STATES, ErrorStateFilter
from mine_robot.localization.localizer import Localizer
from mine_robot.localization.params import ImuNoise
from mine_robot.sim.types import TrueState
from mine_robot.sim.world import SensorBatch

JUMP_S, AFTER_S = 20.0, 25.0
UNNOTICED_M, BACK_S = 0.1, 20.0
HEAD = np.array([ROBOT.sweep_ahead, 0.0])


@lru_cache(maxsize=1)
def recorded() -> tuple[tuple[SensorBatch, TrueState], ...]:
    """A drive along lanes with what every sensor said."""
    simulated = world(seed=11)
    steps = []
    while simulated.t < JUMP_S + 15.0 + AFTER_S:
        batch = simulated.step(Twist2(simulated.t, *lanes(simulated.t)))
        steps.append((batch, simulated.truth()))
    return tuple(steps)


@lru_cache(maxsize=1)
def started() -> Localizer:
    """A localizer that has come to the time of the jump."""
    loc = localizer()
    for batch, _ in recorded():
        if batch.t <= JUMP_S:
            feed(loc, batch)
    return loc


def moved(fix: GnssFix, distance: float, sigma: float) -> GnssFix:
    east, north, up = FIELD.datum.to_map(fix.longitude, fix.latitude, fix.height)
    lon, lat, height = FIELD.datum.to_wgs84(east + 0.6 * distance, north - 0.8 * distance, up).tolist()
    return replace(fix, longitude=lon, latitude=lat, height=height, covariance=np.eye(3) * sigma**2)


def error(state: NavState, truth: TrueState) -> float:
    """Horizontal error at the sensor head in m."""
    return float(np.hypot(*(state.pose.to_map(HEAD) - truth.pose.to_map(HEAD))))


@pytest.mark.parametrize("seconds", [1.0, 15.0])
@pytest.mark.parametrize(
    "distance, sigma", [(2.0, 1.0), (20.0, 0.01), (200.0, 0.01), (200.0, 1.0), (20e3, 0.05), (1e6, 0.01)]
)
def test_a_jump_is_never_ok_and_soon_forgotten(distance: float, sigma: float, seconds: float) -> None:
    """Taken as a measurement, a jump of 100 km left velocity and heading wrong: 'OK' while 2 m off, then lost for good."""
    loc = copy.deepcopy(started())
    bad_t, worst, last = JUMP_S, 0.0, 0.0
    for batch, truth in recorded():
        if not JUMP_S < batch.t <= JUMP_S + seconds + AFTER_S:
            continue
        if batch.t <= JUMP_S + seconds:
            batch = replace(batch, fixes=[moved(fix, distance, sigma) for fix in batch.fixes])
        state = feed(loc, batch)
        if state is None:
            continue
        last = error(state, truth)
        if loc.health(batch.t).level is Level.OK:
            worst = max(worst, last)
        else:
            bad_t = batch.t
    assert worst < UNNOTICED_M
    assert bad_t < JUMP_S + seconds + BACK_S, "not well again"
    assert last < 0.04


@pytest.mark.parametrize("latitude, longitude", [(0.0, 0.0), (1e-5, -1e-5), (90.0, 10.0), (-89.95, 0.0)])
def test_a_place_that_no_receiver_can_mean_is_refused(latitude: float, longitude: float) -> None:
    loc = copy.deepcopy(started())
    fix = GnssFix(JUMP_S, latitude, longitude, 0.0, np.eye(3), FixStatus.SINGLE)
    before = loc.health(JUMP_S)
    loc.add_fix(fix)
    assert before.level is Level.OK
    assert "does not know yet where it is" in loc.health(JUMP_S).message


def test_a_fix_far_from_the_field_names_the_distance() -> None:
    loc = copy.deepcopy(started())
    loc.add_fix(moved(GnssFix(JUMP_S, 40.0, 47.0, 0.0, np.eye(3), FixStatus.FIXED), 120e3, 0.01))
    assert "km from the field" in loc.health(JUMP_S).message


@pytest.mark.parametrize("seed", range(5))
def test_relocating_touches_nothing_but_the_position(seed: int) -> None:
    rng = np.random.default_rng(seed)
    filter_ = ErrorStateFilter(ImuNoise(), 9.81)
    filter_.start(np.eye(3), rng.normal(size=3), rng.uniform(0.1, 1.0, 15))
    filter_.predict(rng.normal(size=3), rng.normal(size=3), 0.5, 1e-3, 1e-2)
    before, velocity, attitude = filter_.covariance.copy(), filter_.velocity, filter_.attitude
    shift: Array = rng.normal(size=3) * 1e5
    place = filter_.position + shift
    filter_.relocate(shift, 4.0)
    others = np.r_[3:15, 18:STATES]
    assert filter_.position == pytest.approx(place)
    assert np.array_equal(filter_.velocity, velocity)
    assert np.array_equal(filter_.attitude, attitude)
    assert np.array_equal(filter_.covariance[np.ix_(others, others)], before[np.ix_(others, others)])
    assert np.array_equal(filter_.covariance[POSITION, POSITION], 4.0 * np.eye(3))
    assert not filter_.covariance[POSITION, 3:].any()


def test_fixes_refused_at_rest_do_not_blur_the_heading() -> None:
    """Without tracks either side may be wrong, but about the position: a blurred heading swings as soon as the robot moves."""

    def parked(batch: SensorBatch) -> SensorBatch:
        away = 0.4 if batch.t > 12.0 else 0.0
        fixes = [moved(fix, away, 0.01) for fix in batch.fixes]
        return replace(batch, wheels=[], headings=batch.headings if batch.t < 8.0 else [], fixes=fixes)

    run = drive(world(seed=3), 20.0, motion=lambda t: (0.0, 0.0), change=parked)
    sigmas = np.array([state.sigma_yaw for state in run.states])
    assert "contradict" in run.localizer.health(20.0).message
    assert sigmas[-1] < 1.5 * sigmas[run.t < 12.0][-1]
