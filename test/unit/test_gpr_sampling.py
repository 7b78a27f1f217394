"""The height of the antennas does not depend on how finely the radar is sampled."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from detection_lane import robot, truth

from mine_robot.core.parameters import build
from mine_robot.detection.gpr import GprProcessor
from mine_robot.detection.params import GprParams
from mine_robot.sim.gpr import GprModel
from mine_robot.sim.soil import soil_from
from mine_robot.sim.soil_sensor_params import SoilSensorParams

INTERVALS_NS = (0.02, 0.05, 0.1, 0.2)
AGREEMENT_M = 0.002
HEIGHT_ERROR_M = 0.003


def measured_height(interval: float, height: float) -> float:
    """Mean height in m that 30 scans over level loam give, the antennas ``height`` m above it."""
    machine = robot()
    params = build(SoilSensorParams, {}).gpr
    window = params.samples * params.sample_interval
    params = dataclasses.replace(params, sample_interval=interval, samples=round(window / interval))
    radar = GprModel(
        soil_from("loam"), [], machine, params, np.random.default_rng(1), ground=lambda points: np.zeros(len(points))
    )
    processor = GprProcessor(build(GprParams, {"sample_interval_ns": interval}), machine.gpr_offsets)
    usable = np.ones(len(machine.gpr_offsets), dtype=bool)
    heights = []
    for number in range(40):
        at = truth(0.05 * number, 0.02 * number)
        place = np.array([at.position[0], 0.0, height - machine.gpr[2]])
        scan = radar.scan(at.t, dataclasses.replace(at, position=place))
        heights.append(processor.measure(scan.traces.astype(float), usable))
    return float(np.mean(heights[10:]))


@pytest.mark.parametrize("height", [0.03, 0.06, 0.12])
def test_every_sampling_measures_the_same_height(height: float) -> None:
    measured = [measured_height(interval, height) for interval in INTERVALS_NS]
    assert measured == pytest.approx([height] * len(measured), abs=HEIGHT_ERROR_M)
    assert max(measured) - min(measured) <= AGREEMENT_M
