"""Radar scans of buried objects by FDTD, to hold the simulator's radar and the detector against.

Needs gprMax 4 in an environment of its own (`python3 -m venv ENV; ENV/bin/pip install gprMax`); the project does without it:

    ENV/bin/python scripts/fdtd_scans.py mines test/data/fdtd/mines.npz

Two dimensions, the track and the depth: one antenna that sends and receives (Hertzian dipole across the track, Ricker pulse). Every trace
is a model of its own, a window around the antenna cut out of one long scene with a rough surface and small stones, and the
field of the dipole without any ground is subtracted. Times are relative to the peak of the pulse.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import gprMax
import h5py
import numpy as np

CELL_M, SPACING_M = 0.003, 0.02
HALF_M, AIR_M, SOIL_M, PML_M = 0.27, 0.12, 0.36, 0.03  # the window around the antenna
HEIGHT_M, FREQUENCY_HZ, PULSE_NS = 0.06, 1.3e9, 1.0 / 1.3
WINDOW_NS, SAMPLE_NS, SAMPLES = 12.0, 0.1, 128
STONES_PER_M2, STONE_RADIUS_M = 120.0, (0.003, 0.008)

# kind: half width, height in m, relative permittivity (None: metal); flat bodies of revolution cut along their axis
BODIES = {
    "pmn": (0.056, 0.056, 3.0),
    "m14": (0.028, 0.040, 2.8),
    "tma4": (0.142, 0.063, 2.9),
    "stone": (0.045, 0.060, 6.8),
    "cavity": (0.035, 0.050, 1.0),
    "can": (0.040, 0.066, None),
}
# name: permittivity, conductivity in S/m, rms roughness in m, length in m, seed, objects (kind, place on the track, depth in m)
SCENES = {
    "flat": (9.0, 0.010, 0.0, 3.9, 1, (("pmn", 1.2, 0.05), ("pmn", 2.1, 0.10), ("pmn", 3.0, 0.15))),
    "mines": (9.0, 0.010, 0.004, 3.9, 2, (("pmn", 1.2, 0.05), ("pmn", 2.1, 0.10), ("pmn", 3.0, 0.15))),
    "sand": (4.5, 0.004, 0.004, 3.9, 3, (("pmn", 1.2, 0.10), ("m14", 2.1, 0.04), ("tma4", 3.0, 0.15))),
    "clutter": (9.0, 0.020, 0.004, 3.9, 4, (("stone", 1.2, 0.06), ("can", 2.1, 0.06), ("cavity", 3.0, 0.06))),
    "empty": (9.0, 0.010, 0.010, 4.5, 5, ()),
    "rough": (6.0, 0.006, 0.010, 2.7, 106, (("pmn", 0.9, 0.05), ("pmn", 1.8, 0.10))),
    "deep": (9.0, 0.010, 0.008, 2.7, 109, (("pmn", 0.9, 0.15), ("tma4", 1.8, 0.10))),
    "empty_moist": (12.0, 0.020, 0.010, 2.4, 112, ()),
    "wet": (16.0, 0.060, 0.006, 3.9, 6, (("pmn", 1.2, 0.05), ("m14", 2.1, 0.05), ("pmn", 3.0, 0.10))),
}


def rough_surface(rng: np.random.Generator, rms: float, places: np.ndarray) -> np.ndarray:
    """Gaussian roughness (n,) with a correlation length of 0.06 m at ``places``."""
    steps = np.arange(places[0] - 0.3, places[-1] + 0.3, CELL_M)
    kernel = np.exp(-((np.arange(-60, 61) * CELL_M / 0.042) ** 2))
    noise = np.convolve(rng.normal(size=len(steps)), kernel, "same") / np.sqrt((kernel**2).sum())
    return rms * np.interp(places, steps, noise)


class SceneOfTrace:
    """Cuts windows out of one long scene."""

    def __init__(self, name: str) -> None:
        self.permittivity, self.conductivity, rms, self.length, seed, self.objects = SCENES[name]
        rng = np.random.default_rng(seed)
        self.columns = np.arange(-0.6, self.length + 0.6, CELL_M)
        self.surface = rough_surface(rng, rms, self.columns)
        count = round(STONES_PER_M2 * (self.length + 1.2) * 0.3) if rms > 0.0 else 0
        self.stones = np.stack(
            [
                rng.uniform(-0.6, self.length + 0.6, count),
                rng.uniform(0.01, 0.30, count),
                rng.uniform(*STONE_RADIUS_M, count),
                rng.choice([5.0, 7.0, 14.0], count),
            ],
            axis=1,
        )

    def build(self, at: float, *, ground: bool) -> gprMax.Scene:
        """The model of the trace at ``at`` m; x along the track, y up."""
        low = round((at - HALF_M) / CELL_M) * CELL_M
        width, height = 2.0 * HALF_M, AIR_M + SOIL_M
        scene = gprMax.Scene()
        scene.add(gprMax.Domain(p1=(width, height, CELL_M)))
        scene.add(gprMax.Discretisation(p1=(CELL_M,) * 3))
        scene.add(gprMax.TimeWindow(time=(WINDOW_NS + PULSE_NS + 1.0) * 1e-9))
        scene.add(gprMax.Waveform(wave_type="ricker", amp=1.0, freq=FREQUENCY_HZ, id="pulse"))
        scene.add(gprMax.OMPThreads(n=1))
        antenna = (at - low, SOIL_M + HEIGHT_M, 0.0)
        scene.add(gprMax.HertzianDipole(polarisation="z", p1=antenna, waveform_id="pulse"))
        scene.add(gprMax.Rx(p1=antenna))
        if ground:
            self._fill(scene, low, width)
        return scene

    def _fill(self, scene: gprMax.Scene, low: float, width: float) -> None:
        materials = {self.permittivity: "soil"}
        scene.add(gprMax.Material(er=self.permittivity, se=self.conductivity, mr=1.0, sm=0.0, id="soil"))
        for value in sorted({*self.stones[:, 3], *(b[2] for b in BODIES.values() if b[2])} - {self.permittivity}):
            materials[value] = f"m{value:g}"
            scene.add(gprMax.Material(er=value, se=0.0005, mr=1.0, sm=0.0, id=materials[value]))
        for x in np.arange(0.0, width - 0.5 * CELL_M, CELL_M):
            top = SOIL_M + float(np.interp(low + x, self.columns, self.surface))
            top = round(top / CELL_M) * CELL_M
            scene.add(gprMax.Box(p1=(x, 0.0, 0.0), p2=(x + CELL_M, top, CELL_M), material_id="soil"))
        for place, depth, radius, value in self.stones:
            x = place - low
            if radius < x < width - radius:
                scene.add(self._disc(x, SOIL_M - depth - radius, radius, materials[value]))
        for kind, place, depth in self.objects:
            half, tall, value = BODIES[kind]
            x0, x1 = max(place - half - low, 0.0), min(place + half - low, width)
            if x1 - x0 > CELL_M:
                top = SOIL_M + float(np.interp(place, self.columns, self.surface)) - depth
                corners = [round(v / CELL_M) * CELL_M for v in (x0, top - tall, x1, top)]
                material = "pec" if value is None else materials[value]
                scene.add(gprMax.Box(p1=(*corners[:2], 0.0), p2=(*corners[2:], CELL_M), material_id=material))

    @staticmethod
    def _disc(x: float, y: float, radius: float, material: str) -> gprMax.Cylinder:
        return gprMax.Cylinder(p1=(x, y, 0.0), p2=(x, y, CELL_M), r=radius, material_id=material)


def trace(scene: gprMax.Scene, folder: Path) -> np.ndarray:
    """Received field (SAMPLES,) at multiples of SAMPLE_NS after the peak of the pulse."""
    out = folder / "trace"
    gprMax.run(scenes=[scene], n=1, outputfile=str(out), hide_progress_bars=True, log_level=50)
    found = max(folder.glob("*.h5"), key=lambda p: p.stat().st_mtime)
    with h5py.File(found) as file:
        dt, values = float(file.attrs["dt"]) * 1e9, np.array(file["rxs/rx1/Ez"])
    found.unlink()
    times = np.arange(SAMPLES) * SAMPLE_NS + PULSE_NS
    return np.interp(times, np.arange(len(values)) * dt, values)


def main() -> None:
    """Command line: scene, output file."""
    name, target = sys.argv[1], Path(sys.argv[2])
    scene = SceneOfTrace(name)
    places = np.arange(0.0, scene.length + 1e-9, SPACING_M)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        direct = trace(scene.build(0.0, ground=False), Path(folder))
        rows = [trace(scene.build(float(at), ground=True), Path(folder)) - direct for at in places]
    data = np.array(rows)
    np.savez_compressed(
        target,
        traces=(data / np.abs(data).max()).astype(np.float16),
        places=places.astype(np.float32),
        sample_ns=SAMPLE_NS,
        height_m=HEIGHT_M,
        permittivity=scene.permittivity,
        kinds=np.array([o[0] for o in scene.objects]),
        objects=np.array([o[1:] for o in scene.objects], dtype=np.float32).reshape(-1, 2),
    )
    print(f"{name}: {len(rows)} traces in {time.perf_counter() - start:.0f} s, {target.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
