"""What the looks take from the ground itself: soil under a heaving head, a rising head."""

from __future__ import annotations

import numpy as np
import pytest
from detection_lane import robot, truth

from mine_robot.core.parameters import build
from mine_robot.core.types import Array, Pose2
from mine_robot.detection.gpr import GprProcessor
from mine_robot.detection.metal import REFERENCE_M, MetalFit, MetalProcessor, field_squared
from mine_robot.detection.params import GprParams
from mine_robot.sim.gpr import GprModel
from mine_robot.sim.soil import SOILS
from mine_robot.sim.soil_sensor_params import SoilSensorParams

COILS = np.array([0.5, 0.3, 0.1, -0.1, -0.3, -0.5])
ROWS = np.arange(0.0, 1.5, 0.025)
AT, LEFT, BELOW, MOMENT = 0.7, 0.1, 0.13, 8.0 * np.exp(1j * np.radians(60.0))


def fit(
    soil: Array, *, local: bool, offsets: Array = COILS, dead: int | None = None, strong: float = 0.0
) -> MetalFit | None:
    """A small dipole under a head that sees ``soil`` (rows,) with all coils, with a strong one half a metre on."""
    rng = np.random.default_rng(4)
    processor = MetalProcessor(0.22, offsets)
    usable = np.arange(len(offsets)) != dead
    for s, level in zip(ROWS, soil):
        beside = np.hypot(s - AT, offsets - LEFT)
        signal = MOMENT * field_squared(0.11, beside, BELOW) / field_squared(0.11, 0.0, REFERENCE_M)
        noise = 0.1 * (rng.normal(size=len(offsets)) + 1j * rng.normal(size=len(offsets)))
        signal = signal + strong * field_squared(0.11, np.hypot(s - AT - 0.5, offsets - LEFT), 0.2)
        processor.add(signal + noise + level, usable, float(s), Pose2(float(s), 0.0, 0.0))
    return (processor.fit_local if local else processor.fit_at)(AT, LEFT)


def test_what_all_coils_see_alike_does_not_change_the_local_fit() -> None:
    level = np.zeros(len(ROWS))
    heaving = 30.0 * np.cumsum(np.random.default_rng(5).normal(size=len(ROWS))) * (1.0 - 0.04j)
    quiet, loud = fit(level, local=True), fit(heaving, local=True)
    assert quiet is not None and loud is not None
    np.testing.assert_allclose(loud.z, quiet.z, rtol=0.1)  # but for the baselines
    phase = np.degrees(np.angle(loud.moment[int(loud.fit.argmax())]))
    assert phase == pytest.approx(60.0, abs=10.0)
    blurred = fit(heaving, local=False)
    assert blurred is not None and abs(np.degrees(np.angle(blurred.moment[int(blurred.fit.argmax())])) - 60.0) > 20.0


def test_something_strong_nearby_hardly_changes_the_local_fit() -> None:
    level = np.zeros(len(ROWS))
    errors = []
    for local in (True, False):
        alone, beside = fit(level, local=local), fit(level, local=local, strong=3e-3)
        assert alone is not None and beside is not None
        errors.append(float(np.abs(beside.z - alone.z)[1] / np.abs(alone.z[1])))
    assert errors[0] < 0.6 * errors[1]


@pytest.mark.parametrize(("offsets", "dead"), [(COILS[:2], None), (COILS, 2)])
def test_too_few_coils_or_a_dead_one_give_no_local_fit(offsets: Array, dead: int | None) -> None:
    level = np.zeros(len(ROWS))
    assert fit(level, local=True, offsets=offsets, dead=dead) is None
    assert fit(level, local=False, offsets=offsets, dead=dead) is not None


@pytest.mark.parametrize("step", [-0.02, 0.02])
def test_a_head_that_rises_is_told_from_one_that_does_not(step: float) -> None:
    machine = robot()
    ground = lambda points: np.where(points[:, 0] < 3.0, 0.0, -step)  # noqa: E731
    params, rng = build(SoilSensorParams, {}), np.random.default_rng(3)
    model = GprModel(SOILS["loam"], (), machine, params.gpr, rng, ground=ground)
    processor = GprProcessor(build(GprParams, {}), np.asarray(machine.gpr_offsets))
    usable = np.ones(len(machine.gpr_offsets), dtype=bool)
    for i in range(90):
        x = 0.025 * i
        traces = model.scan(0.05 * i, truth(0.05 * i, x)).traces.astype(float)
        processor.measure(traces, usable)
        processor.add(traces, usable, x, Pose2(x, 0.0, 0.0))
    assert processor.lines[0].rise == pytest.approx(0.0, abs=0.006)
    assert processor.lines[-1].rise == pytest.approx(step, abs=0.006)
