"""The covariance of the estimate is honest, and no order or content of input breaks the filter."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from sim_drive import LIMITS, drive, localizer, world

from mine_robot.core.types import FixStatus, GnssFix, HeadingFix, ImuSample, WheelSample

SEEDS = (11, 12, 13)


@pytest.fixture(scope="module")
def runs() -> list:
    return [drive(world(seed, terrain="rough"), 95.0) for seed in SEEDS]


def test_errors_fit_the_covariance(runs: list) -> None:
    nees = np.concatenate([run.nees()[run.t > 5.0] for run in runs])
    assert 0.2 < nees.mean() < 1.8  # few independent samples: the RTK error is correlated over 40 s
    assert np.mean(nees > 16.27 / 3.0) < 0.01  # chi-square of three degrees, 0.1 %


def test_head_error_stays_within_the_limit(runs: list) -> None:
    for run in runs:
        assert np.sqrt(np.mean(run.head_errors**2)) < 0.02
        assert run.head_sigmas[run.t > 5.0].max() < LIMITS.position_sigma_max


def test_covariance_is_symmetric_and_positive(runs: list) -> None:
    for state in runs[0].states[::50]:
        assert np.allclose(state.covariance, state.covariance.T)
        assert np.linalg.eigvalsh(state.covariance).min() > 0.0


@pytest.mark.parametrize("seed", range(6))
def test_garbage_never_raises_and_never_gives_nonsense(seed: int) -> None:
    rng = np.random.default_rng(seed)
    loc = localizer()
    odd = (np.nan, np.inf, -np.inf, 0.0, 1e300, -1e-300)

    def number(scale: float) -> float:
        return float(rng.choice(odd)) if rng.random() < 0.05 else float(scale * rng.normal())

    t = 0.0
    for _ in range(1500):
        t += 0.01 * rng.exponential() * (30.0 if rng.random() < 0.005 else 1.0)
        stamp = number(1.0) if rng.random() < 0.02 else t + 0.2 * rng.normal() * (rng.random() < 0.2)
        quiet = 1e-3 if rng.random() < 0.9 else 1.0
        state = loc.add_imu(
            ImuSample(
                t if rng.random() < 0.95 else stamp,
                np.array([number(quiet) for _ in range(3)]),
                np.array([number(quiet), number(quiet), 9.8 + number(quiet)]),
            )
        )
        if rng.random() < 0.2:
            covariance = np.diag([abs(number(0.01)) for _ in range(3)])
            status = FixStatus(int(rng.integers(-1, 3)))
            loc.add_fix(GnssFix(stamp, 40.0 + number(1e-7), 47.0 + number(1e-7), number(0.1), covariance, status))
            loc.add_heading(HeadingFix(stamp, number(0.1), abs(number(0.01))))
            loc.add_wheels(WheelSample(stamp, number(0.001), number(0.001)))
        if state is not None:
            assert np.isfinite(state.position).all()
            assert np.isfinite(state.covariance).all()
        health = loc.health(t)
        assert health.message
        assert "\n" not in health.message
