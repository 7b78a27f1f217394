"""The antennas' height from the bounce of the surface."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mine_robot.detection.params import GprParams
from mine_robot.detection.surface import Surface


@pytest.mark.parametrize("interval", [0.2, 0.1, 0.05, 0.025])
@pytest.mark.parametrize("height", [0.03, 0.06, 0.12])
def test_the_height_does_not_depend_on_how_finely_the_instrument_samples(interval: float, height: float) -> None:
    params = dataclasses.replace(GprParams(), sample_interval_ns=interval)
    times = np.arange(0.0, 20.0, interval)
    peak = params.pulse_delay_ns + 2.0 * height / 0.2998
    rng = np.random.default_rng(2)
    surface = Surface(params, 4)
    for _ in range(15):
        traces = np.exp(-(((times - peak) / 0.3) ** 2))[:, None] * np.ones(4) + rng.normal(0.0, 0.01, (len(times), 4))
        found = surface.measure(traces, np.ones(4, dtype=bool))
    assert found == pytest.approx(height, abs=0.01)
