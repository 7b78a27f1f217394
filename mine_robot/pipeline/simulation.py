"""The simulated world put together from its models, and the files in which it keeps the truth apart from the stack."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from mine_robot.core.field import Field
from mine_robot.core.robot import Robot
from mine_robot.core.types import Pose2, Twist2
from mine_robot.pipeline.parameters import SimulatorNodeParams
from mine_robot.sim.actuator import SimulatedActuator
from mine_robot.sim.gpr import GprModel
from mine_robot.sim.metal import MetalModel
from mine_robot.sim.scenario import Scenario, place_random
from mine_robot.sim.soil import soil_from
from mine_robot.sim.types import BuriedObject, TrueState
from mine_robot.sim.world import STEP_S, SensorBatch, World, build_terrain, generators

DEFAULT_SOIL = "loam"
MARKER_FAULTS = ("marker_jam", "marker_empty", "marker_link")
FLUSH_EVERY = 20  # steps: what a killed simulator may lose of the truth


class Simulation:
    """World, soil sensors and marking actuator of one scenario, stepped together."""

    step_s = STEP_S

    def __init__(self, scenario: Scenario, field: Field, robot: Robot, params: SimulatorNodeParams) -> None:
        rngs = generators(scenario.seed)
        self.scenario = scenario
        self.robot = robot
        self.objects: tuple[BuriedObject, ...] = (*scenario.objects, *place_random(scenario, field, rngs["placement"]))
        soil = soil_from(scenario.soil if scenario.soil is not None else DEFAULT_SOIL)
        ground = build_terrain(scenario).height
        self._gpr = GprModel(soil, self.objects, robot, params.soil_sensors.gpr, rngs["gpr"], ground=ground)
        self._metal = MetalModel(soil, self.objects, robot, params.soil_sensors.metal, rngs["metal"], ground=ground)
        self.world = World(scenario, field, robot, params, self._gpr, self._metal, rngs=rngs)
        self._actuator = SimulatedActuator(params.actuator, rngs["marker"])

    @property
    def t(self) -> float:
        """Simulated time, s."""
        return self.world.t

    @property
    def battery(self) -> float:
        """Charge left, 0 to 1."""
        return self.world.battery

    @property
    def truth(self) -> TrueState:
        """The true motion; for the scorer only."""
        return self.world.truth()

    def step(self, command: Twist2 | None, to_actuator: bytes) -> tuple[SensorBatch, bytes]:
        """Advance by :attr:`step_s`; returns what the sensors measured and what the actuator sent."""
        self._actuator.feed(to_actuator)
        batch = self.world.step(command)
        faults = {kind for kind in MARKER_FAULTS if self.scenario.active(kind, batch.t)}
        return batch, self._actuator.tick(batch.t, faults)

    def fired(self) -> list[tuple[float, int, float]]:
        """Every paint pulse so far: time, target id, lateral position of the nozzle in ``base_link``."""
        return list(self._actuator.fired)


class SimulationFiles:
    """Writes ``sim/truth.csv`` and ``sim/world.json`` of a run directory; only the scorer reads them."""

    def __init__(self, run_directory: Path, simulation: Simulation) -> None:
        folder = run_directory / "sim"
        folder.mkdir(parents=True, exist_ok=True)
        self._simulation = simulation
        self._world = folder / "world.json"
        self._truth = (folder / "truth.csv").open("w", encoding="utf-8")
        self._truth.write("t,x,y,yaw\n")
        self._marks: list[tuple[float, int, float, float]] = []
        self._rows = 0
        self._write_world()

    def record(self) -> None:
        """Write the state after a step."""
        truth = self._simulation.truth
        pose = truth.pose
        self._truth.write(f"{truth.t:.3f},{pose.x:.5f},{pose.y:.5f},{pose.yaw:.6f}\n")
        self._rows += 1
        if self._rows % FLUSH_EVERY == 0:
            self._truth.flush()
        self._place_marks(pose)

    def _place_marks(self, pose: Pose2) -> None:
        """Add new paint pulses, at the true place of the nozzle: the robot stands while it marks."""
        fired = self._simulation.fired()
        for t, target, slide in fired[len(self._marks) :]:
            x, y = pose.to_map(np.array([self._simulation.robot.marker[0], slide]))
            self._marks.append((t, target, float(x), float(y)))
        if len(fired) != self._written:
            self._write_world()

    def _write_world(self) -> None:
        content = {
            "seed": self._simulation.scenario.seed,
            "objects": [dataclasses.asdict(item) for item in self._simulation.objects],
            "fired": self._marks,
        }
        draft = self._world.with_suffix(".tmp")
        draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
        draft.replace(self._world)
        self._written = len(self._marks)

    def close(self) -> None:
        """Flush and close."""
        self._truth.close()
        self._write_world()
