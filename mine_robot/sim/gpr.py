"""Forward model of a ground-penetrating radar array over soil with buried objects.

Every echo is a pulse delayed by its two-way travel time, with an amplitude from the reflection coefficient,
spreading, attenuation, the antenna's pattern and the size of the reflector (ray optics with Fresnel-zone filling; D.
J. Daniels, "Ground Penetrating Radar", 2004).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mine_robot.core.robot import Robot, rotation_from_rpy
from mine_robot.core.types import Array, GprScan
from mine_robot.sim.objects import CATALOGUE
from mine_robot.sim.soil import LIGHT, Scatterers, Soil, Texture
from mine_robot.sim.soil_sensor_params import GprModelParams
from mine_robot.sim.types import BuriedObject, TrueState

Ground = Callable[[Array], Array]  # height of the ground (n,) at points (n, 2) of map
OVERSAMPLING = 4
REACH = 0.40  # m, horizontally: beyond it the antenna's pattern leaves nothing
EDGE = 0.2  # of the specular amplitude, diffracted by the edge of a disc
MIN_HEIGHT = 0.01  # m, an antenna never touches the ground
SIZE_SPREAD, FILLING_SPREAD = 0.05, 0.08  # of a specimen's effective radius and permittivity, logarithmic
CLUTTER = 0.02  # rms reflection coefficient of a scatterer in the most heterogeneous of soils


class GprModel:
    """Radar scans of one robot over one piece of ground.

    ``ground`` gives the height of the terrain in ``map``; without it the ground is level with ``base_link``. ``rng``
    seeds the ground's texture once and then drives the noise. Unknown kinds of objects raise ``KeyError``.
    """

    def __init__(
        self,
        soil: Soil,
        objects: Sequence[BuriedObject],
        robot: Robot,
        params: GprModelParams,
        rng: np.random.Generator,
        *,
        ground: Ground | None = None,
    ) -> None:
        self._soil, self._params, self._rng, self._ground = soil, params, rng, ground
        offsets = robot.gpr_offsets if len(robot.gpr_offsets) else np.zeros(1)
        self._antennas = robot.gpr + np.stack([0 * offsets, offsets, 0 * offsets], axis=1)
        self._rough = Texture(rng, 0.12)
        self._wet = Texture(rng, 0.40)
        self._layer = Texture(rng, 0.60)
        self._scatterers = Scatterers(int(rng.integers(2**31)), 160.0, 0.35)
        self._gains = 1.0 + params.channel_spread * rng.normal(size=len(offsets))
        self._echoes = _echo_table(soil, objects, params.specimens * rng.normal(size=(len(objects), 2)))
        self._fine = params.sample_interval / OVERSAMPLING
        self._pulse = _pulse(params, self._fine)
        self._length = OVERSAMPLING * params.samples
        self._fft = self._length + len(self._pulse)
        self._spectrum = np.fft.rfft(self._pulse, self._fft)[:, None]

    def scan(self, t: float, truth: TrueState) -> GprScan:
        """The scan at the true state: (samples, channels) float32."""
        at = truth.position + self._antennas @ rotation_from_rpy(*truth.rpy).T
        points = at[:, :2]
        level = truth.position[2] if self._ground is None else self._ground(points)
        height = np.maximum(at[:, 2] - level - self._soil.roughness_m * self._rough(points), MIN_HEIGHT)
        index = self._soil.index * (1.0 + 0.02 * self._wet(points))
        delays, amplitudes, channels = zip(
            self._surface(height, index),
            self._interface(points, height, index),
            self._discrete(points, height, index),
            self._clutter(points, height, index),
        )
        impulses = self._impulses(np.concatenate(delays), np.concatenate(amplitudes), np.concatenate(channels))
        traces = np.fft.irfft(np.fft.rfft(impulses, self._fft, axis=0) * self._spectrum, self._fft, axis=0)
        traces = traces[: self._length : OVERSAMPLING] * self._gains
        traces += self._params.noise * self._rng.normal(size=traces.shape)
        return GprScan(t, traces.astype(np.float32))

    def _impulses(self, delay: Array, amplitude: Array, channel: Array) -> Array:
        """Impulses (time, channels) on the oversampled time axis, each shared between the two nearest instants."""
        position = (delay + self._params.jitter * self._rng.normal() - self._params.first_sample) / self._fine
        whole = np.floor(position).astype(int)
        part = position - whole
        count = self._antennas.shape[0]
        grid = np.zeros(self._fft * count)
        for offset, weight in ((0, 1.0 - part), (1, part)):
            inside = (whole + offset >= 0) & (whole + offset < self._length)
            flat = (whole[inside] + offset) * count + channel[inside].astype(int)
            grid += np.bincount(flat, (amplitude * weight)[inside], minlength=len(grid))
        return grid.reshape(self._fft, count)

    def _surface(self, height: Array, index: Array) -> tuple[Array, Array, Array]:
        """Direct coupling, the bounce off the surface and its first repetition between ground and antenna."""
        coefficient = (1.0 - index) / (1.0 + index)
        bounce = coefficient / (2.0 * height)
        channel = np.arange(len(height), dtype=float)
        delay = np.concatenate([0.0 * height, 2.0 * height / LIGHT, 4.0 * height / LIGHT])
        coupling = np.full(len(height), self._params.coupling)
        return delay, np.concatenate([coupling, bounce, 0.08 * bounce * coefficient]), np.tile(channel, 3)

    def _interface(self, points: Array, height: Array, index: Array) -> tuple[Array, Array, Array]:
        """An undulating, slightly denser layer below the soil."""
        depth = 0.45 + 0.03 * self._layer(points)
        length, loss = height + index * depth, np.exp(-2.0 * self._soil.attenuation * depth)
        amplitude = -0.04 * _transmission(index) * loss / (2.0 * (height + depth / index))
        return 2.0 * length / LIGHT, amplitude, np.arange(len(height), dtype=float)

    def _discrete(self, points: Array, height: Array, index: Array) -> tuple[Array, Array, Array]:
        """Echoes off tops and bottoms of the objects; level faces reflect like a mirror, edges diffract."""
        x, y, depth, coefficient, radius, lag = self._echoes
        distance = np.hypot(x[:, None] - points[:, 0], y[:, None] - points[:, 1])
        row, channel = np.nonzero(distance < REACH + radius[:, None])
        a, n, z = radius[row], index[channel], depth[row]
        beyond = np.maximum(distance[row, channel] - 0.7 * a, 0.0)
        delay, amplitude, reach, sine = self._path(height[channel], z, beyond, n)
        wavelength = LIGHT / (self._params.centre_frequency * n)
        # Kirchhoff's integral over a disc gives 1 - exp(2 pi j a² / (wavelength distance)) of a mirror's echo, here without its ripple.
        filling = 1.0 - np.exp(-2.0 * np.pi * a * a / (wavelength * reach))
        # A disc seen obliquely reflects within a lobe of its size (smoothed); beyond the lobe only its edge diffracts.
        lobe = EDGE + (1.0 - EDGE) / (1.0 + (2.0 * np.pi * a * sine / wavelength) ** 2)
        return delay + lag[row], amplitude * coefficient[row] * filling * lobe, channel.astype(float)

    def _clutter(self, points: Array, height: Array, index: Array) -> tuple[Array, Array, Array]:
        """Echoes off the soil's own scatterers: small stones, clods, roots' hair."""
        spots = self._scatterers.near(points, REACH)
        distance = np.hypot(spots[:, None, 0] - points[:, 0], spots[:, None, 1] - points[:, 1])
        row, channel = np.nonzero(distance < REACH)
        delay, amplitude, _, _ = self._path(height[channel], spots[row, 2], distance[row, channel], index[channel])
        return delay, CLUTTER * self._soil.heterogeneity * spots[row, 3] * amplitude, channel.astype(float)

    def _path(self, height: Array, depth: Array, distance: Array, index: Array) -> tuple[Array, Array, Array, Array]:
        """Two-way delay in ns, amplitude of a perfect reflector, distance in soil with the same Fresnel zone, sine of
        the ray's angle in the soil.
        """
        entry = entry_point(height, depth, distance, index)
        air, soil = np.hypot(entry, height), np.hypot(distance - entry, depth)
        pattern = (height / air) ** 2 * (depth / soil)
        loss = np.exp(-2.0 * self._soil.attenuation * soil)
        amplitude = _transmission(index) * pattern * loss / (2.0 * (air + soil / index))
        return 2.0 * (air + index * soil) / LIGHT, amplitude, soil + index * air, (distance - entry) / soil


def entry_point(height: Array, depth: Array, distance: Array, index: Array) -> Array:
    """Horizontal distance in m from the antenna at which the ray to a buried point enters the soil.

    One Newton step on Snell's law from the small-angle solution; the travel time is stationary there (Fermat), so its
    error is of second order.
    """
    x = distance * index * height / (index * height + depth)
    x = np.minimum(x, 1.2 * index * height)
    for _ in range(2):
        air, soil = np.hypot(x, height), np.hypot(distance - x, depth)
        snell = x / air - index * (distance - x) / soil
        slope = height**2 / air**3 + index * depth**2 / soil**3
        x = np.clip(x - snell / slope, 0.0, distance)
    return x


def _transmission(index: Array) -> Array:
    """Two-way transmission through the surface."""
    return 4.0 * index / (1.0 + index) ** 2


def _echo_table(soil: Soil, objects: Sequence[BuriedObject], specimens: Array) -> tuple[Array, ...]:
    """x, y, depth, reflection coefficient, radius, extra delay (n,) of every reflecting face.

    ``specimens`` (objects, 2) says by how many deviations size and filling differ from the catalogue.
    """
    rows = []
    for item, (larger, denser) in zip(objects, specimens):
        kind = CATALOGUE[item.kind]
        size, filling = np.exp(SIZE_SPREAD * larger), np.exp(FILLING_SPREAD * denser)
        inner = max(1.0, float(np.sqrt(kind.permittivity * filling)))
        top = -1.0 if kind.conducting else (soil.index - inner) / (soil.index + inner)
        depth = max(item.depth, 0.002)
        rows.append((item.x, item.y, depth, top, size * kind.radius_m, 0.0))
        if not kind.conducting:
            through = 2.0 * kind.height_m * inner / LIGHT
            rows.append((item.x, item.y, depth, -top * (1.0 - top * top), 0.8 * size * kind.radius_m, through))
    return tuple(np.array(rows, dtype=float).reshape(-1, 6).T)


def _pulse(params: GprModelParams, interval: float) -> Array:
    """A Ricker pulse with the antenna's decaying ringing behind it, on the oversampled time axis."""
    t = np.arange(0.0, params.pulse_delay + 5.0, interval) - params.pulse_delay
    u = (np.pi * params.centre_frequency * t) ** 2
    late = np.maximum(t, 0.0)
    ringing = np.sin(2.0 * np.pi * params.centre_frequency * late) * np.exp(-late / 1.0)
    return (1.0 - 2.0 * u) * np.exp(-u) + params.ringing * ringing
