"""The simulated world: a vehicle on its terrain, its sensors, and the faults of the scenario."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from shapely.ops import nearest_points

from mine_robot.core.field import Field
from mine_robot.core.robot import Robot
from mine_robot.core.types import (
    FixStatus,
    GnssFix,
    GprScan,
    HeadingFix,
    ImuSample,
    MetalScan,
    Pose2,
    Twist2,
    WheelSample,
)
from mine_robot.sim.navigation import GnssModel, HeadingModel, ImuModel, WheelModel
from mine_robot.sim.params import SimulatorParams
from mine_robot.sim.scenario import Scenario, start_area
from mine_robot.sim.terrain import Terrain
from mine_robot.sim.tilting import tilted
from mine_robot.sim.types import TrueState
from mine_robot.sim.vehicle import Motion, Tracks, Vehicle

STEP_S = 0.05
TICKS_PER_STEP = 5
TICKS_PER_S = 100
STREAMS = ("placement", "terrain", "vehicle", "imu", "gnss", "heading", "wheel", "soil", "gpr", "metal", "marker")
START_MARGIN_M = 0.10  # around the disc in which the tracks turn
LOW_BATTERY = 0.1


class GprSource(Protocol):
    """A model of the radar."""

    def scan(self, t: float, truth: TrueState) -> GprScan:
        """The scan line at ``t``."""


class MetalSource(Protocol):
    """A model of the metal detector."""

    def scan(self, t: float, truth: TrueState) -> MetalScan:
        """The scan at ``t``."""


@dataclass(frozen=True, slots=True)
class SensorBatch:
    """What the sensors delivered during one step that ended at ``t``; ``battery`` is the charge left, 0 to 1."""

    t: float
    imu: list[ImuSample]
    fixes: list[GnssFix]
    headings: list[HeadingFix]
    wheels: list[WheelSample]
    gpr: GprScan | None
    metal: MetalScan | None
    battery: float


def generators(seed: int) -> dict[str, np.random.Generator]:
    """An independent generator for each of :data:`STREAMS`, so that a change to one model leaves the others' draws as they were."""
    children = np.random.SeedSequence(seed).spawn(len(STREAMS))
    return {name: np.random.default_rng(child) for name, child in zip(STREAMS, children)}


def build_terrain(scenario: Scenario) -> Terrain:
    """The ground of a scenario, the same each time."""
    return Terrain(scenario.terrain, generators(scenario.seed)["terrain"])


def start_pose(field: Field, robot: Robot) -> Pose2:
    """A place to start from: safe ground near the hazard area with room to turn on the spot, facing the hazard area.

    Raises :class:`~mine_robot.sim.scenario.ScenarioError` if there is none.
    """
    place = start_area(field, robot.pivot_radius + START_MARGIN_M).representative_point()
    nearest = nearest_points(field.hazard, place)[0]
    return Pose2(place.x, place.y, math.atan2(nearest.y - place.y, nearest.x - place.x))


class World:
    """Advances in steps of 50 ms from commands to sensor data. Time starts at 0."""

    def __init__(
        self,
        scenario: Scenario,
        field: Field,
        robot: Robot,
        params: SimulatorParams,
        gpr: GprSource | None = None,
        metal: MetalSource | None = None,
        *,
        start: Pose2 | None = None,
        motion: Motion | None = None,
        rngs: Mapping[str, np.random.Generator] | None = None,
    ) -> None:
        """Set up for ``scenario.seed``; ``start`` overrides :func:`start_pose`, ``motion`` (at its own start) the built-in vehicle.

        ``rngs`` are those of :func:`generators` with which the soil sensors were built, so that the exported state has theirs.
        """
        self._scenario, self._params, self._gpr, self._metal = scenario, params, gpr, metal
        self._rngs = generators(scenario.seed) if rngs is None else rngs
        lateral = [0.5 * (patch.y_min + patch.y_max) for patch in robot.contact_patches]
        gauge = max(lateral) - min(lateral)
        self.terrain = build_terrain(scenario)
        self.start = start if start is not None else start_pose(field, robot)
        self._tracks = Tracks(params.vehicle, gauge)
        self._motion: Motion = motion or Vehicle(
            params.vehicle, self.terrain, scenario.terrain.slip, self.start, self._rngs["vehicle"]
        )
        self._imu = ImuModel(params.imu, robot, field.datum, self._rngs["imu"])
        self._gnss = GnssModel(params.gnss, robot, field.datum, self._rngs["gnss"])
        self._heading = HeadingModel(params.gnss, self._rngs["heading"])
        self._wheel = WheelModel(params.wheel, gauge, self._rngs["wheel"])
        self._fix_ticks = max(TICKS_PER_STEP, round(params.gnss.period * TICKS_PER_S))
        self._ticks = 0
        self._charge = 1.0
        self._last_gpr: GprScan | None = None
        self._last_fix: GnssFix | None = None

    @property
    def t(self) -> float:
        """Time of the world, s."""
        return self._ticks / TICKS_PER_S

    @property
    def battery(self) -> float:
        """Charge left, 0 to 1."""
        return min(self._charge, LOW_BATTERY) if self._scenario.active("low_battery", self.t) else self._charge

    def truth(self) -> TrueState:
        """The true motion now; for the scorer only."""
        return self._tilted(self._motion.state)

    def step(self, command: Twist2 | None) -> SensorBatch:
        """Advance by 50 ms under ``command`` (None: none arrived) and measure."""
        if command is not None and not self._scenario.active("command_link_lost", self.t):
            self._tracks.command(command)
        self._drag()
        imu: list[ImuSample] = []
        fixes: list[GnssFix] = []
        headings: list[HeadingFix] = []
        for _ in range(TICKS_PER_STEP):
            self._ticks += 1
            twist = self._tracks.step(self.t, 1.0 / TICKS_PER_S)
            truth = self._tilted(self._motion.step(self.t, 1.0 / TICKS_PER_S, twist, self._lost_grip()))
            sample = self._imu.sample(truth)
            if not self._scenario.active("imu_dead", self.t):
                imu.append(sample)
            if self._ticks % self._fix_ticks == 0:
                fixes.append(self._fix(truth))
                heading = self._heading.sample(truth)
                if fixes[-1].status != FixStatus.NONE and not self._scenario.active("heading_lost", self.t):
                    headings.append(heading)
        self._drain()
        wheel = self._wheel.sample(self.t, *self._tracks.twist)
        return SensorBatch(
            self.t,
            imu,
            fixes,
            headings,
            [wheel],
            self._scan_gpr(self._raised(truth)),
            self._scan_metal(self._raised(truth)),
            self.battery,
        )

    def export(self) -> dict[str, Any]:
        """State as plain numbers and text (fit for JSON), with the noise generators, so that a killed run goes on in this world."""
        return {
            "ticks": self._ticks,
            "charge": self._charge,
            "vehicle": self._motion.export(),
            "imu": self._imu.export(),
            "gnss": self._gnss.export(),
            "heading": self._heading.export(),
            "generators": {name: rng.bit_generator.state for name, rng in self._rngs.items()},
        }

    def restore(self, data: dict[str, Any], later: int = 0) -> None:
        """Take up the state of :meth:`export` in a world built from the same scenario, field and parameters, ``later`` steps after it.

        The robot stands still; commands start anew.
        """
        self._ticks, self._charge = int(data["ticks"]) + later * TICKS_PER_STEP, float(data["charge"])
        self._tracks.halt()
        self._motion.restore(data["vehicle"])
        for name in ("imu", "gnss", "heading"):
            getattr(self, f"_{name}").restore(data[name])
        for name, state in data["generators"].items():
            self._rngs[name].bit_generator.state = state

    def _drag(self) -> None:
        """Somebody moves the robot: once, at the beginning of the fault."""
        fault = self._scenario.active("dragged", self.t)
        if fault is not None and self.t - fault.at < STEP_S - 1e-9:
            self._motion.shift(float(fault.options.get("east_m", 0.0)), float(fault.options.get("north_m", 0.0)))

    def _tilted(self, truth: TrueState) -> TrueState:
        """The motion of a robot that may have sunk in on one side."""
        fault = self._scenario.active("tilted", truth.t)
        return truth if fault is None else tilted(truth, fault)

    def _raised(self, truth: TrueState) -> TrueState:
        """The motion as the head sees it: higher than it should be while it is stuck."""
        fault = self._scenario.active("head_high", self.t)
        if fault is None:
            return truth
        return replace(
            truth, position=truth.position + np.array([0.0, 0.0, float(fault.options.get("height_m", 0.15))])
        )

    def _lost_grip(self) -> float:
        fault = self._scenario.active("wheel_slip", self.t)
        return float(fault.options.get("ratio", 0.5)) if fault else 0.0

    def _fix(self, truth: TrueState) -> GnssFix:
        if self._scenario.active("gnss_dropout", truth.t):
            return self._gnss.sample(truth, FixStatus.NONE)
        if self._scenario.active("gnss_float", truth.t):
            return self._gnss.sample(truth, FixStatus.FLOAT)
        fix = self._gnss.sample(truth, FixStatus.FIXED, self._displacement(truth.t))
        if self._last_fix is not None and self._scenario.active("gnss_frozen", truth.t):
            return replace(self._last_fix, t=fix.t)
        self._last_fix = fix
        return fix

    def _displacement(self, t: float) -> tuple[float, float]:
        """How far east and north in m a fix of ``t`` is false: all at once, or further with every second."""
        fault = self._scenario.active("gnss_false_fix", t)
        if fault is not None:
            distance = float(fault.options.get("offset_m", 0.5))
        else:
            fault = self._scenario.active("gnss_walk", t)
            if fault is None:
                return 0.0, 0.0
            distance = float(fault.options.get("speed_m_s", 0.05)) * (t - fault.at)
        direction = math.radians(float(fault.options.get("direction_deg", 90.0)))
        return distance * math.sin(direction), distance * math.cos(direction)

    def _scan_gpr(self, truth: TrueState) -> GprScan | None:
        """The radar's scan with its faults; the model is asked even so, for its noise to stay in step."""
        if self._gpr is None:
            return None
        scan = self._gpr.scan(self.t, truth)
        if self._scenario.active("gpr_dead", self.t):
            return None
        if self._last_gpr is not None and self._scenario.active("gpr_frozen", self.t):
            return replace(self._last_gpr, t=self.t)
        fault = self._scenario.active("gpr_channel_dead", self.t)
        channel = int(fault.options.get("channel", 0)) if fault else -1
        if 0 <= channel < scan.traces.shape[1]:
            traces = scan.traces.copy()
            traces[:, channel] = 0.0
            scan = replace(scan, traces=traces)
        self._last_gpr = scan
        return scan

    def _scan_metal(self, truth: TrueState) -> MetalScan | None:
        if self._metal is None:
            return None
        scan = self._metal.scan(self.t, truth)
        fault = self._scenario.active("md_coil_dead", self.t)
        coil = int(fault.options.get("coil", 0)) if fault else -1
        if 0 <= coil < len(scan.in_phase):
            in_phase, quadrature = scan.in_phase.copy(), scan.quadrature.copy()
            in_phase[coil] = quadrature[coil] = 0.0
            scan = replace(scan, in_phase=in_phase, quadrature=quadrature)
        return scan

    def _drain(self) -> None:
        """Idle electronics take a third of the power, motion the rest in proportion to the track speed."""
        speed, rate = self._tracks.twist
        effort = min((abs(speed) + abs(rate)) / self._params.vehicle.track_speed_max, 1.0)
        self._charge = max(self._charge - STEP_S / self._params.vehicle.battery_life * (1.0 + 2.0 * effort) / 3.0, 0.0)
