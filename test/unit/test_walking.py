"""Fixes that walk, tracks that slip: what corrections add up to, and how it ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sim_drive import FIELD, drive, feed, world

from mine_robot.core.types import Level, Twist2
from mine_robot.localization.localizer import Localizer
from mine_robot.localization.walking import Correction, Pull, Travel
from mine_robot.sim.world import SensorBatch, World

EAST = Travel(np.array([1.0, 0.0]), straight=True, slip_felt=False)
SIGMA = 0.004  # m; of one correction


def fed(steps: list[tuple[float, float]], travel: Travel = EAST, pull: Pull | None = None, start: float = 0.0) -> Pull:
    """A pull after corrections of ``steps`` m, five a second; the tracks are right."""
    pull = Pull() if pull is None else pull
    apart = pull.apart
    for i, step in enumerate(steps):
        before, apart = apart, apart + np.array(step)
        correction = Correction(start + 0.2 * i, np.array(step), SIGMA**2 * np.eye(2), before)
        pull = pull.after(correction, apart, travel, time=300.0)
    return pull


def test_corrections_to_one_side_add_up_and_tell_how_far_the_position_may_be_wrong() -> None:
    pull = fed([(-0.012, 0.001)] * 20)
    assert pull.active
    assert pull.offset == pytest.approx([-0.24, 0.02], abs=0.02)
    assert pull.like_slip  # backwards, not aside
    assert not fed([(0.0, 0.012)] * 20).like_slip
    assert not fed([(0.012, 0.0)] * 20).like_slip  # no slip drives the robot on


@pytest.mark.parametrize("seed", range(5))
def test_white_corrections_never_add_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pull = fed([tuple(step) for step in rng.normal(0.0, SIGMA, (600, 2)).tolist()])
    assert not pull.active
    assert pull.offset == pytest.approx([0.0, 0.0])


def test_a_way_back_undoes_the_pull_and_another_jump_does_not() -> None:
    pull = fed([(-0.03, 0.0)] * 20)
    assert pull.undone_by(-pull.offset, SIGMA)
    assert not pull.undone_by(pull.offset, SIGMA)
    assert not Pull().undone_by(np.zeros(2), SIGMA)
    assert not fed([(0.03, 0.0)] * 20, pull=pull, start=4.0).active  # step by step


def test_slip_that_is_felt_is_no_surprise_and_a_pull_is_forgotten_after_its_time() -> None:
    assert not fed([(-0.03, 0.0)] * 20, replace(EAST, slip_felt=True)).active
    pull = fed([(-0.03, 0.0)] * 20)
    assert fed([(0.0, 0.0)] * 5, pull=pull, start=200.0).active
    assert not fed([(0.0, 0.0)] * 5, pull=pull, start=400.0).active


def on(loc: Localizer, simulated: World, seconds: float, change: Callable[[SensorBatch], SensorBatch]) -> float:
    """Drive on at 0.4 m/s; the largest error in m while health is OK."""
    worst, until = 0.0, simulated.t + seconds
    while simulated.t < until - 1e-9:
        state = feed(loc, change(simulated.step(Twist2(simulated.t, 0.4, 0.0))))
        if state is not None and loc.health(simulated.t).level is Level.OK:
            worst = max(worst, float(np.linalg.norm((state.position - simulated.truth().position)[:2])))
    return worst


@pytest.mark.parametrize("direction", [0.0, 0.8, 1.6, 2.4, 3.1, -1.6])
def test_a_walk_is_noticed_within_ten_centimetres_and_its_end_at_once(direction: float) -> None:
    simulated = world(seed=21)
    loc = drive(simulated, 12.0).localizer  # the scale of the tracks is known by then
    direction += simulated.truth().pose.yaw
    began = simulated.t

    def walk(batch: SensorBatch) -> SensorBatch:
        step = 0.05 * (batch.t - began) * np.array([math.cos(direction), math.sin(direction), 0.0])
        places = [FIELD.datum.to_map(fix.longitude, fix.latitude, fix.height) + step for fix in batch.fixes]
        global_ = [FIELD.datum.to_wgs84(*place).tolist() for place in places]
        fixes = [replace(f, longitude=lon, latitude=lat, height=up) for f, (lon, lat, up) in zip(batch.fixes, global_)]
        return replace(batch, fixes=fixes)

    assert on(loc, simulated, 6.0, walk) < 0.1
    assert loc.health(simulated.t).level is not Level.OK
    on(loc, simulated, 1.0, lambda batch: batch)
    assert loc.health(simulated.t).level is Level.OK
    assert on(loc, simulated, 1.0, lambda batch: batch) < 0.03


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_slip_does_not_move_the_position_and_is_over_at_the_next_stop(share: float) -> None:
    simulated = world(seed=22)
    loc = drive(simulated, 6.0).localizer

    def slip(batch: SensorBatch) -> SensorBatch:
        return replace(batch, wheels=[replace(w, speed=w.speed / (1.0 - share)) for w in batch.wheels])

    assert on(loc, simulated, 8.0, slip) < 0.05
    for _ in range(60):
        state = feed(loc, simulated.step(Twist2(simulated.t, 0.0, 0.0)))
    assert loc.health(simulated.t).level is Level.OK
    assert state is not None
    assert np.linalg.norm((state.position - simulated.truth().position)[:2]) < 0.03


def test_without_tracks_only_the_corrections_count() -> None:
    simulated = world(seed=23)

    def bare(batch: SensorBatch) -> SensorBatch:
        return replace(batch, wheels=[])

    loc = drive(simulated, 14.0, change=bare).localizer
    began = simulated.t

    def walk(batch: SensorBatch) -> SensorBatch:
        fixes = [replace(fix, latitude=fix.latitude + 2e-6 * min(batch.t - began, 2.0)) for fix in batch.fixes]
        return replace(bare(batch), fixes=fixes)

    for _ in range(200):
        state = feed(loc, walk(simulated.step(Twist2(simulated.t, 0.4, 0.0))))
    assert state is not None
    assert loc.health(simulated.t).level is not Level.OK
    assert state.sigma_xy < 1.0  # what the fixes pulled, not the way driven
