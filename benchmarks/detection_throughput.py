"""What the detector costs: 8 channels of 512 samples and 6 coils, both at 50 Hz, over a field with objects, on one core.

python benchmarks/detection_throughput.py [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import dataclasses
import pstats
import time

import numpy as np
from detection_field import SOILS, load_robot, random_objects

from mine_robot.core.parameters import build
from mine_robot.core.types import NavState
from mine_robot.detection.detector import Detector
from mine_robot.detection.params import DetectorParams
from mine_robot.pipeline.hazard import best_judge
from mine_robot.sim.gpr import GprModel
from mine_robot.sim.metal import MetalModel
from mine_robot.sim.soil_sensor_params import SoilSensorParams
from mine_robot.sim.types import TrueState

RATE_HZ, SPEED, SAMPLES, INTERVAL_NS, DURATION_S = 50.0, 0.5, 512, 0.05, 18.0


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    robot, limits = load_robot()
    rng = np.random.default_rng(5)
    objects = random_objects(rng)
    sensors = build(SoilSensorParams, {})
    instrument = dataclasses.replace(sensors.gpr, samples=SAMPLES, sample_interval=INTERVAL_NS)
    gpr = GprModel(SOILS["loam"], objects, robot, instrument, rng)
    metal = MetalModel(SOILS["loam"], objects, robot, sensors.metal, rng)
    inputs, zero = [], np.zeros(3)
    covariance = np.diag([1e-4, 1e-4, 4e-4, 1e-5, 1e-5, 1e-5])
    for i in range(round(DURATION_S * RATE_HZ)):
        t, position = i / RATE_HZ, np.array([i * SPEED / RATE_HZ, 1.5, 0.0])
        truth = TrueState(t, position, zero, np.array([SPEED, 0.0, 0.0]), zero, zero)
        inputs.append(
            (gpr.scan(t, truth), metal.scan(t, truth), NavState(t, position, zero, truth.velocity, zero, covariance))
        )
    detector = Detector(build(DetectorParams, {"gpr.sample_interval_ns": INTERVAL_NS}), limits, robot, best_judge())
    profile = cProfile.Profile()
    if options.profile:
        profile.enable()
    start = time.process_time()
    for radar, coils, nav in inputs:
        detector.add_gpr(radar)
        detector.add_metal(coils)
        detector.add_nav(nav)
    spent = time.process_time() - start
    profile.disable()
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    print(f"{DURATION_S:.0f} s of scans in {spent:.2f} s of one core: {DURATION_S / spent:.0f} times real time")
    print(f"{len(detector.candidates)} spots judged, {len(detector.targets())} targets")


if __name__ == "__main__":
    main()
