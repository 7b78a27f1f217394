"""Marks over a bad line: lost and late acknowledgements, jams, a dead line, restarts. Is every result true?

``python benchmarks/marking_campaign.py --marks 1000`` prints the tally as JSON; exit code 1 if a result is not true, a target is marked
twice or a nozzle fires while the robot moves. Driver, protocol and firmware model are those of the demo; only the robot is a point that
drives and stands. What is drawn depends on the seed alone.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field

import numpy as np

from mine_robot.bringup.resources import resource
from mine_robot.core.robot import Robot
from mine_robot.core.types import MarkRequest, MarkResult, MarkStatus, MissionState, NavState
from mine_robot.marking.marker import Marker
from mine_robot.marking.params import MarkerParams
from mine_robot.pipeline.loading import load_robot
from mine_robot.sim.actuator import ActuatorParams, SimulatedActuator

TICK_S = 0.1
RUN = 4711
TRIES = 3  # requests for one target, as a mission makes them
PATIENCE_S = 60.0
SETTLE_S = 30.0  # after the last mark, for the doubts that are still open
TRUE_WITHIN_M = 0.02


@dataclass(frozen=True)
class Odds:
    """How often what happens: shares of frames (lost, late) or of marks (jam, dead line, restart of the driver, power cut)."""

    lost: float = 0.10
    late: float = 0.05
    jam: float = 0.03
    dead_link: float = 0.01
    restart: float = 0.02
    power_cut: float = 0.01


@dataclass
class Tally:
    """What came of it; the last five must be zero."""

    marks: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    settled_later: int = 0
    requests: int = 0
    false_confirmed: int = 0
    false_failed: int = 0
    misplaced: int = 0
    double_marks: int = 0
    fired_while_moving: int = 0

    @property
    def faults(self) -> int:
        """Untrue results and dangerous pulses."""
        return self.false_confirmed + self.false_failed + self.misplaced + self.double_marks + self.fired_while_moving


class Campaign:
    """One robot that marks target after target."""

    def __init__(self, seed: int, odds: Odds, robot: Robot, tool: str) -> None:
        self.rng = np.random.default_rng(seed)
        self.odds, self.robot, self.params = odds, robot, MarkerParams(tool=tool)
        supply = ActuatorParams(paint_per_mark=0.0, flags_start=255)
        self.actuator_params = supply
        self.actuator = SimulatedActuator(supply, np.random.default_rng(seed + 1))
        self.marker = Marker(self.params, robot, (), RUN)
        self.t, self.x, self.speed = 0.0, 0.0, 0.0
        self.state = MissionState.SEARCH
        self.replies: list[tuple[float, bytes]] = []
        self.link_dead_until = -math.inf
        self.jammed = False
        self.results: dict[int, list[MarkResult]] = {}
        self.open: dict[int, MarkRequest] = {}
        self.places: dict[int, tuple[float, float]] = {}
        self.painted: list[tuple[int, float, float]] = []
        self.tally = Tally()

    def step(self) -> MarkResult | None:
        """A tenth of a second: the driver, the line, the firmware."""
        self.t = round(self.t + TICK_S, 6)
        self.x += self.speed * TICK_S
        self.marker.set_mission(self.state)
        due = [data for when, data in self.replies if when <= self.t]
        self.replies = [reply for reply in self.replies if reply[0] > self.t]
        out, result = self.marker.update(self.t, self._nav(), b"".join(due))
        if self.rng.random() >= 0.2 * self.odds.lost:
            self.actuator.feed(out)
        fired = len(self.actuator.fired)
        faults = {"marker_jam"} if self.jammed else set()
        faults |= {"marker_link"} if self.t < self.link_dead_until else set()
        reply = self.actuator.tick(self.t, faults)
        if self.rng.random() >= self.odds.lost:
            delay = self.rng.uniform(0.1, 1.5) if self.rng.random() < self.odds.late else 0.0
            self.replies.append((self.t + delay, reply))
        for _, target, slide in self.actuator.fired[fired:]:
            self.painted.append((target, self.x + float(self.robot.marker[0]), slide))
            self.tally.fired_while_moving += self.speed > 0.0
        if result is not None:
            self.results.setdefault(result.target_id, []).append(result)
            self.open.pop(result.target_id, None)
        return result

    def _nav(self) -> NavState:
        zero = np.zeros(3)
        position, velocity = np.array([self.x, 0.0, 0.0]), np.array([self.speed, 0.0, 0.0])
        return NavState(self.t, position, zero, velocity, zero, np.eye(6) * 1e-5)

    def mark(self, target: int) -> None:
        """Drive on, stand, ask for the mark until it is no failure, at most :data:`TRIES` times."""
        self._drive(self.rng.uniform(0.5, 3.0))
        self.state = MissionState.MARK
        place = (self.x + float(self.robot.marker[0]) + self.rng.uniform(-0.04, 0.04), self.rng.uniform(-0.6, 0.6))
        self.places[target] = place
        self.jammed = self.rng.random() < self.odds.jam
        strikes = {
            name: self.t + self.rng.uniform(0.3, 4.0)
            for name in ("dead_link", "restart", "power_cut")
            if self.rng.random() < getattr(self.odds, name)
        }
        for _ in range(TRIES):
            request = MarkRequest(self.t, target, *place)
            self.tally.requests += 1
            if self._ask(request, strikes) is not MarkStatus.FAILED:
                break
            self.jammed = False
        self.jammed = False
        self.state = MissionState.SEARCH

    def come_back(self) -> None:
        """Visit the targets without a mark once more, as the mission does at the end of the search."""
        for target, results in list(self.results.items()):
            if results[-1].status is MarkStatus.FAILED:
                self._drive(2.0)
                self.x = self.places[target][0] - float(self.robot.marker[0])
                self.state = MissionState.MARK
                self.tally.requests += 1
                self._ask(MarkRequest(self.t, target, *self.places[target]), {})
                self.state = MissionState.SEARCH

    def _ask(self, request: MarkRequest, strikes: dict[str, float]) -> MarkStatus | None:
        self.open[request.target_id] = request
        self.marker.request(request)
        began = self.t
        while self.t - began < PATIENCE_S:
            for name in [name for name, when in strikes.items() if when <= self.t]:
                self._strike(name)
                del strikes[name]
            result = self.step()
            if result is not None and result.target_id == request.target_id:
                return result.status
            if round(self.t - began, 6) % 2.0 == 0.0:
                self.marker.request(request)  # as the mission repeats it
        return None

    def _strike(self, name: str) -> None:
        if name == "dead_link":
            self.link_dead_until = self.t + self.rng.uniform(1.0, 20.0)
            return
        if name == "power_cut":
            memory, painted = self.actuator.snapshot(), self.actuator.fired
            self.actuator = SimulatedActuator(self.actuator_params, np.random.default_rng(int(self.t * 10)))
            self.actuator.restore(memory)
            self.actuator.fired = list(painted)
        self.marker = Marker(self.params, self.robot, tuple(self.open.values()), RUN)
        self.replies.clear()

    def _drive(self, seconds: float) -> None:
        self.speed = 0.5
        for _ in range(round(seconds / TICK_S)):
            self.step()
        self.speed = 0.0

    def finish(self) -> Tally:
        """Wait for the last doubts and compare every last word with the ground."""
        for _ in range(round(SETTLE_S / TICK_S)):
            self.step()
        tally = self.tally
        tally.marks = len(self.places)
        tally.settled_later = sum(len({r.status for r in results}) > 1 for results in self.results.values())
        counts = Counter(target for target, _, _ in self.painted)
        tally.double_marks = sum(count > 1 for count in counts.values())
        outcomes: Counter[str] = Counter()
        for target in self.places:
            results = self.results.get(target, [])
            proven = [result for result in results if result.status is MarkStatus.CONFIRMED]
            last = proven[-1] if proven else (results[-1] if results else None)
            outcomes[last.status.value if last else "no result"] += 1
            if last is None or last.status is MarkStatus.UNVERIFIED:
                continue
            tally.false_confirmed += last.status is MarkStatus.CONFIRMED and counts[target] == 0
            tally.false_failed += last.status is MarkStatus.FAILED and counts[target] > 0
            if last.status is MarkStatus.CONFIRMED and counts[target]:
                _, x, y = next(mark for mark in self.painted if mark[0] == target)
                tally.misplaced += math.hypot(last.x - x, last.y - y) > TRUE_WITHIN_M
        tally.outcomes = dict(sorted(outcomes.items()))
        return tally


def run(marks: int, seed: int, odds: Odds | None = None, tool: str = "paint") -> Tally:
    """A campaign of ``marks`` marks."""
    campaign = Campaign(seed, odds or Odds(), load_robot(resource("urdf/mine_robot.urdf.xacro")), tool)
    for target in range(1, marks + 1):
        if tool == "flag" and campaign.actuator._flags < 5:
            campaign.actuator._flags = 255  # a person fills the magazine
        campaign.mark(target)
    campaign.come_back()
    return campaign.finish()


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--marks", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tool", choices=("paint", "flag"), default="paint")
    arguments = parser.parse_args()
    tally = run(arguments.marks, arguments.seed, tool=arguments.tool)
    print(json.dumps({**asdict(tally), "faults": tally.faults}, indent=2))
    return 1 if tally.faults or tally.outcomes.get("no result") else 0


if __name__ == "__main__":
    sys.exit(main())
