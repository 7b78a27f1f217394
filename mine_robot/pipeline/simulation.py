"""The simulated world put together from its models, and the files in which it keeps the truth apart from the stack."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from mine_robot.core.field import Field
from mine_robot.core.json_text import to_json
from mine_robot.core.robot import Robot
from mine_robot.core.types import Health, Level, Pose2, Twist2
from mine_robot.pipeline.loading import LoadError
from mine_robot.pipeline.parameters import SimulatorNodeParams
from mine_robot.sim.actuator import SimulatedActuator
from mine_robot.sim.gpr import GprModel
from mine_robot.sim.metal import MetalModel
from mine_robot.sim.scenario import Scenario, place_random
from mine_robot.sim.soil import soil_from
from mine_robot.sim.types import BuriedObject, TrueState
from mine_robot.sim.vehicle import Motion
from mine_robot.sim.world import STEP_S, SensorBatch, World, build_terrain, generators

DEFAULT_SOIL = "loam"
MARKER_FAULTS = ("marker_jam", "marker_empty", "marker_link")
FLUSH_EVERY = 20  # steps: what a killed simulator may lose of the truth
LOW_BATTERY = 0.15  # charge at which the robot should drive home
STATE_EVERY = 10  # steps: what a killed world repeats; paint is written at once


class Simulation:
    """World, soil sensors and marking actuator of one scenario, stepped together."""

    step_s = STEP_S

    def __init__(
        self,
        scenario: Scenario,
        field: Field,
        robot: Robot,
        params: SimulatorNodeParams,
        motion: Motion | None = None,
    ) -> None:
        """``motion`` drives the robot instead of the built-in vehicle."""
        rngs = generators(scenario.seed)
        self.scenario = scenario
        self.robot = robot
        self.objects: tuple[BuriedObject, ...] = (*scenario.objects, *place_random(scenario, field, rngs["placement"]))
        soil = soil_from(scenario.soil if scenario.soil is not None else DEFAULT_SOIL)
        ground = build_terrain(scenario).height
        self._gpr = GprModel(soil, self.objects, robot, params.soil_sensors.gpr, rngs["gpr"], ground=ground)
        self._metal = MetalModel(soil, self.objects, robot, params.soil_sensors.metal, rngs["metal"], ground=ground)
        self.world = World(scenario, field, robot, params, self._gpr, self._metal, motion=motion, rngs=rngs)
        self.actuator = SimulatedActuator(params.actuator, rngs["marker"])

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
        self.actuator.feed(to_actuator)
        batch = self.world.step(command)
        faults = {kind for kind in MARKER_FAULTS if self.scenario.active(kind, batch.t)}
        return batch, self.actuator.tick(batch.t, faults)

    def reports(self) -> tuple[Health, ...]:
        """What a robot's own electronics report: battery, command link, emergency stop button."""
        charge, t = self.battery, self.t
        level, word = (Level.WARN, "low") if charge < LOW_BATTERY else (Level.OK, "charged")
        lost = self.scenario.active("command_link_lost", t) is not None
        pressed = self.scenario.active("estop_button", t) is not None
        return (
            Health("battery", level, word, {"charge": f"{charge:.2f}"}),
            Health("command_link", *((Level.ERROR, "commands do not reach the base") if lost else (Level.OK, "up"))),
            Health("emergency_stop", *((Level.ERROR, "the button is pressed") if pressed else (Level.OK, "released"))),
        )

    def export(self) -> dict[str, Any]:
        """State as plain numbers and text, fit for JSON. The sensors' drift is not part of it: a restart warms them up anew."""
        return {"world": self.world.export(), "actuator": self.actuator.snapshot()}

    def restore(self, data: dict[str, Any]) -> None:
        """Take up an :meth:`export`, later by what may have passed since it was written: time never runs back."""
        self.world.restore(data["world"], later=STATE_EVERY)
        self.actuator.restore(data["actuator"])

    def fired(self) -> list[tuple[float, int, float]]:
        """Every paint pulse so far: time, target id, lateral position of the nozzle in ``base_link``."""
        return list(self.actuator.fired)


class SimulationFiles:
    """The files of a simulated world below ``sim/`` of a run directory; only the scorer reads them.

    ``truth.csv`` is the true track, ``world.json`` the objects and the paint for the scorer, ``state.json`` everything with which a killed
    run resumes in the same world. Paint is in ``state.json`` before the stack can hear of it.
    """

    def __init__(self, run_directory: Path, simulation: Simulation) -> None:
        """Begin, or go on in the world that ``state.json`` describes; raises :class:`LoadError` if that cannot be used."""
        folder = run_directory / "sim"
        folder.mkdir(parents=True, exist_ok=True)
        self._simulation = simulation
        self._world, self._state = folder / "world.json", folder / "state.json"
        self._marks: list[tuple[float, int, float, float]] = []
        self.resumed = self._state.is_file()
        if self.resumed:
            self._restore()
        self._truth = (folder / "truth.csv").open("a", encoding="utf-8")
        self._truth.write("\n" if self.resumed else "t,x,y,yaw\n")  # a killed writer may have left half a line
        self._rows = 0
        self._remembers: tuple[Any, ...] = ()
        self._write_world()

    def record(self) -> None:
        """Write the state after a step, before its answer to the marker is sent; an :class:`OSError` means that it must not be."""
        truth = self._simulation.truth
        pose = truth.pose
        self._truth.write(f"{truth.t:.3f},{pose.x:.5f},{pose.y:.5f},{pose.yaw:.6f}\n")
        self._rows += 1
        if self._rows % FLUSH_EVERY == 0:
            self._truth.flush()
        self._place_marks(pose)
        remembers = self._simulation.actuator.remembers
        if remembers != self._remembers or self._rows % STATE_EVERY == 0:
            self._write_state()
            self._remembers = remembers
        if len(self._marks) != self._written:
            self._write_world()

    def _place_marks(self, pose: Pose2) -> None:
        """Add new paint pulses, at the true place of the nozzle: the robot stands while it marks."""
        for t, target, slide in self._simulation.fired()[len(self._marks) :]:
            x, y = pose.to_map(np.array([self._simulation.robot.marker[0], slide]))
            self._marks.append((t, target, float(x), float(y)))

    def _write_state(self) -> None:
        simulation = self._simulation
        _replace(
            self._state, {"seed": simulation.scenario.seed, "marks": self._marks, "simulation": simulation.export()}
        )

    def _restore(self) -> None:
        try:
            content = json.loads(self._state.read_text(encoding="utf-8"))
            if content["seed"] != self._simulation.scenario.seed:
                raise ValueError(f"its seed is {content['seed']}, not the scenario's")
            self._marks = [(float(t), int(n), float(x), float(y)) for t, n, x, y in content["marks"]]
            self._simulation.restore(content["simulation"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LoadError(f"{self._state}: not the state of a simulated world: {error}") from None

    def _write_world(self) -> None:
        content = {
            "seed": self._simulation.scenario.seed,
            "objects": [dataclasses.asdict(item) for item in self._simulation.objects],
            "fired": self._marks,
        }
        _replace(self._world, content, indent=1)
        self._written = len(self._marks)

    def close(self) -> None:
        """Flush and close."""
        self._truth.close()
        self._write_state()
        self._write_world()


def _replace(path: Path, content: Any, indent: int | None = None) -> None:
    """Write a file so that a reader, or a successor after a kill, finds the old one or the new one."""
    draft = path.with_suffix(".tmp")
    draft.write_text(to_json(content, indent=indent, exact=True), encoding="utf-8")
    draft.replace(path)
