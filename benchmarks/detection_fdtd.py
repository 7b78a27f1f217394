"""Hold the simulator's radar and the detector against FDTD scans (``test/data/fdtd``, made by ``scripts/fdtd_scans.py``).

First table: echo of a mine over flat ground, simulator against FDTD: delay after the surface's bounce, amplitude relative to the
bounce, and how much later the echo comes from 0.10 m aside. FDTD is two-dimensional: fields spread with the square root of the distance,
which is corrected for. Second table: what one channel without a metal detector makes of the scans over rough ground.

    python benchmarks/detection_fdtd.py
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from detection_field import load_robot

from mine_robot.core.parameters import build
from mine_robot.core.robot import Robot
from mine_robot.core.types import Array, GprScan, NavState
from mine_robot.detection.detector import Candidate, Detector
from mine_robot.detection.params import DetectorParams
from mine_robot.pipeline.hazard import best_judge
from mine_robot.sim.gpr import GprModel
from mine_robot.sim.soil import Soil
from mine_robot.sim.soil_sensor_params import SoilSensorParams
from mine_robot.sim.types import BuriedObject, TrueState

FOLDER = Path(__file__).parents[1] / "test/data/fdtd"
ASIDE_M, STEP_M, NEAR_M = 0.10, 0.02, 0.10
PULSE_SHIFT_NS = 0.25  # of the line source's pulse: its spectrum is tilted against the dipole's
STEP_S, NOISE = 0.04, 2e-4
ZERO = np.zeros(3)


def main() -> None:
    """Print both tables."""
    print(
        "depth m | delay ns: FDTD, simulator | amplitude / bounce: FDTD, simulator | later at 0.10 m aside, ns: FDTD, simulator"
    )
    scene = load("flat")
    model = simulated(scene)
    for place, depth in scene["objects"]:
        rows = [echo(traces, scene, float(place)) for traces in (scene["traces"].astype(float), model)]
        spread = np.sqrt(0.06 / (0.06 + depth / np.sqrt(float(scene["permittivity"]))))
        rows[0] = (rows[0][0], rows[0][1] * spread, rows[0][2])
        print(f"  {depth:.2f}  | " + " | ".join(f"{a:6.2f} {b:6.2f}" for a, b in zip(*rows)))
    for name in ("mines", "wet", "sand", "clutter", "empty", "rough", "deep", "empty_moist"):
        scene = load(name)
        found = detect(scene)
        print(f"{name}: permittivity {float(scene['permittivity']):g}")
        own: list[Candidate] = []
        for kind, (place, depth) in zip(scene["kinds"], scene["objects"]):
            near = [c for c in found if abs(c.x - place) < NEAR_M]
            own += near
            best = max(near, key=lambda c: c.verdict.p_hazard, default=None)
            print(f"  {kind} at {depth:.2f} m: " + (describe(best) if best else "nothing"))
        rest = [c for c in found if c not in own and c.gpr]
        best = max(rest, key=lambda c: c.verdict.p_hazard, default=None)
        print("  elsewhere at most: " + (describe(best) if best else "nothing"))


def load(name: str) -> dict[str, Array]:
    """One scene: traces (places, samples), places, objects (place, depth) and what else the file holds."""
    return dict(np.load(FOLDER / f"{name}.npz", allow_pickle=False))


def simulated(scene: dict[str, Array]) -> Array:
    """The simulator's traces (places, samples) over the same objects in smooth soil."""
    robot = one_channel()
    x0 = float(robot.gpr[0])
    objects = [
        BuriedObject(str(k), float(place), 0.0, float(depth))
        for k, (place, depth) in zip(scene["kinds"], scene["objects"])
    ]
    params = build(SoilSensorParams, {}).gpr
    quiet = dataclasses.replace(
        params, noise=0.0, jitter=0.0, channel_spread=0.0, specimens=0.0, coupling=0.0, ringing=0.0
    )
    quiet = dataclasses.replace(quiet, samples=len(scene["traces"][0]), sample_interval=float(scene["sample_ns"]))
    soil = Soil("flat", float(scene["permittivity"]), 0.010, 0.0, 0.0, 0.0)
    model = GprModel(soil, objects, robot, quiet, np.random.default_rng(0))
    return np.array([model.scan(0.0, truth(0.0, float(x) - x0)).traces[:, 0] for x in scene["places"]], dtype=float)


def echo(traces: Array, scene: dict[str, Array], place: float) -> tuple[float, float, float]:
    """Delay in ns of the strongest echo after the bounce, its amplitude relative to it, and its delay ASIDE_M away less that."""
    dt, places = float(scene["sample_ns"]), scene["places"]
    empty = np.median(traces, axis=0)
    bounce = int(np.abs(empty).argmax())

    scattered = (traces - empty) * -np.sign(empty[bounce])

    def peak(x: float, low: int, high: int) -> tuple[int, float]:
        trace = scattered[np.abs(places - x).argmin(), low:high]
        return low + int(trace.argmax()), float(trace.max())

    at, size = peak(place, bounce + 4, bounce + 45)
    last = []
    for side in (-1.0, 1.0):  # follow the lobe outwards
        sample = at
        for off in np.arange(STEP_M, ASIDE_M + 1e-6, STEP_M):
            sample = peak(place + side * float(off), sample - 1, sample + 4)[0]
        last.append(sample)
    return (at - bounce) * dt, size / abs(float(empty[bounce])), (float(np.mean(last)) - at) * dt


def detect(scene: dict[str, Array]) -> list[Candidate]:
    """Everything a one-channel detector judges along the scene."""
    robot = one_channel()
    values = {"gpr.pulse_delay_ns": PULSE_SHIFT_NS, "gpr.soil_permittivity": float(scene["permittivity"])}
    detector = Detector(build(DetectorParams, values), load_robot()[1], robot, best_judge())
    rng, found = np.random.default_rng(0), []
    traces = scene["traces"].astype(float)
    for i, (x, trace) in enumerate(zip(scene["places"], traces)):
        noisy = (trace + NOISE * rng.normal(size=len(trace))).astype(np.float32)
        detector.add_gpr(GprScan(STEP_S * i, noisy[:, None]))
        state = truth(STEP_S * i, float(x) - float(robot.gpr[0]))
        detector.add_nav(NavState(state.t, state.position, state.rpy, state.velocity, ZERO, 1e-6 * np.eye(6)))
        while detector.candidates:
            found.append(detector.candidates.popleft())
    return found


def describe(candidate: Candidate) -> str:
    """One candidate in words."""
    look = candidate.gpr
    assert look is not None
    return (
        f"score {look.score:.1f}, p {candidate.verdict.p_hazard:.4f}, at {candidate.x:.2f} m, depth {look.depth:.2f} m"
    )


def one_channel() -> Robot:
    """The robot with a single antenna and no coils."""
    return dataclasses.replace(load_robot()[0], gpr_offsets=np.zeros(1), coil_offsets=np.array([]))


def truth(t: float, x: float) -> TrueState:
    """Moving east at the search speed."""
    return TrueState(t, np.array([x, 0.0, 0.0]), ZERO, np.array([0.5, 0.0, 0.0]), ZERO, ZERO)


if __name__ == "__main__":
    main()
