"""Missions killed with SIGKILL at random instants and resumed until they are complete. What is lost, what is doubled?

``python benchmarks/kill_campaign.py --runs 200`` runs the whole stack without ROS (:mod:`mine_robot.pipeline.offline`) in a process of its
own, with journal and world on the disk, and kills that process, and every successor, at instants drawn from the seed. Marker, actuator,
mission, journal, ledger, planner, follower and guard are the real ones; navigation and detection are models with their delays
(``benchmarks/kill_model.py``), or real with ``--full``. The same with real processes: ``benchmarks/process_kill_campaign.py``. Prints a
tally as JSON; exit code 1 if anything that must be zero is not.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from kill_model import install

from mine_robot.bringup.resources import resource
from mine_robot.core.types import Cell, MarkStatus, MissionState, SweepEvidence
from mine_robot.coverage.ledger import Ledger
from mine_robot.mission.journal_reader import JournalRecord, read_journal
from mine_robot.pipeline.loading import ParameterFiles, load_field, load_robot, scenario_from_content
from mine_robot.pipeline.offline import JOURNAL, OfflineMission
from mine_robot.pipeline.recall import memory_of, recall
from mine_robot.sim.world import STEP_S

LIMIT_S = 1500.0  # of simulated time
MAX_KILLS = 5
SAME_PLACE_M = 0.15


@dataclass
class Tally:
    """What came of it. :attr:`faults` must be zero."""

    runs: int = 0
    kills: int = 0
    kills_while_marking: int = 0
    marks: int = 0
    unverified: int = 0
    not_complete: int = 0
    detections_lost: int = 0
    targets_without_mark_or_reason: int = 0
    double_marks: int = 0
    false_marks: int = 0
    resumed_with_more_ground_than_evidence: int = 0
    searched_but_not_found: int = 0
    hazards_not_reached: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """Everything that must not happen."""
        return (
            self.not_complete + self.detections_lost + self.targets_without_mark_or_reason + self.double_marks
            + self.false_marks + self.resumed_with_more_ground_than_evidence + self.searched_but_not_found
        )  # fmt: skip


def plot(folder: Path, width: float = 3.6, depth: float = 1.6) -> Path:
    """A hazard area of ``width`` x ``depth`` m beside 9 x 3 m of safe ground."""
    east, north = 1.0 / 85334.0, 1.0 / 111035.0  # degrees a metre at 40° north

    def ring(x0: float, y0: float, x1: float, y1: float) -> list[list[float]]:
        corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))
        return [[46.9312 + x * east, 39.9905 + y * north] for x, y in corners]

    features = [
        {"type": "Feature", "properties": {"role": role}, "geometry": {"type": "Polygon", "coordinates": [shape]}}
        for role, shape in (
            ("hazard_area", ring(-width / 2, 0.0, width / 2, depth)),
            ("safe_area", ring(-4.5, -3.0, 4.5, 0.0)),
        )
    ]
    path = folder / "plot.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def world(seed: int) -> dict[str, object]:
    """A scenario with two mines where the seed puts them."""
    rng = np.random.default_rng(seed)
    spots = (("tm62", -1.6, 0.08), ("pmn", 0.6, 0.05))
    objects = [
        {"type": kind, "east": west + rng.uniform(0.0, 0.8), "north": rng.uniform(0.3, 1.3), "depth_m": depth}
        for kind, west, depth in spots
    ]
    return {"seed": seed, "objects": objects}


class Trigger:
    """Writes to ``pipe`` once the mission has come to the moment to be killed: a step, or a step of its marking."""

    def __init__(self, pipe: int, rng: np.random.Generator, steps: int) -> None:
        self._pipe = pipe
        self._marking = rng.random() < 0.5
        self._left = int(rng.integers(1, 60 if self._marking else steps))

    def __call__(self, mission: OfflineMission) -> None:
        """After every step."""
        state = mission.log.states[-1].state if mission.log.states else MissionState.IDLE
        self._left -= not self._marking or state is MissionState.MARK
        if self._left == 0:
            os.write(self._pipe, b"!")


class Run:
    """One mission in a directory, killed and resumed."""

    def __init__(self, folder: Path, seed: int, full: bool) -> None:
        folder.mkdir(parents=True)
        self.folder, self.seed, self.full = folder, seed, full
        self.area = load_field(plot(folder))
        self.robot = load_robot(resource("urdf/mine_robot.urdf.xacro"))
        self.files = ParameterFiles([resource("config/robot.yaml"), resource("config/sim.yaml")])
        self.files.nodes["marker"]["run"] = 1 + seed % 60000
        self.scenario = scenario_from_content(world(seed), folder / "scenario", self.area.datum)
        self.seen: dict[int, tuple[float, float]] = {}

    def child(self, trigger: Trigger | None = None) -> None:
        """Run the mission to its end in a process of its own; ``trigger`` tells the parent when the moment to kill has come."""
        known = recall(self.folder / JOURNAL).targets
        mission = OfflineMission(self.area, self.robot, self.files, self.scenario, self.folder)
        if not self.full:
            install(mission, self.robot, self.seed, known)
        log = (self.folder / "evidence").open("ab")
        book = mission.coverage.add_evidence

        def add_evidence(records: list[SweepEvidence]) -> None:
            for record in records:
                pickle.dump(record, log)
            log.flush()  # as the recorder has it, before it is booked
            book(records)

        mission.coverage.add_evidence = add_evidence  # type: ignore[method-assign]
        mission.run(LIMIT_S, trigger)
        (self.folder / "unmarked").write_text(json.dumps(mission.mission.update(mission.t).unmarked), encoding="utf-8")

    def length(self) -> float:
        """Simulated time in s of the undisturbed mission."""
        self.child()
        record = self.record()
        assert record is not None
        return record.statuses[-1].t

    def record(self) -> JournalRecord | None:
        """What the journal holds now."""
        return read_journal(self.folder / JOURNAL) if recall(self.folder / JOURNAL).began else None

    def evidence(self) -> list[SweepEvidence]:
        """What was logged, the half record of a killed writer left out."""
        found: list[SweepEvidence] = []
        path = self.folder / "evidence"
        if not path.exists():
            return found
        with path.open("rb") as log:
            while True:
                try:
                    found.append(pickle.load(log))
                except (EOFError, pickle.UnpicklingError, AttributeError, IndexError):
                    return found

    def repair_log(self, records: list[SweepEvidence]) -> None:
        """Cut off the half record, so that the successor's can be read."""
        with (self.folder / "evidence").open("wb") as log:
            for record in records:
                pickle.dump(record, log)

    def excess(self, record: JournalRecord, evidence: list[SweepEvidence]) -> int:
        """Cells that a successor would take for searched without evidence."""
        mission = OfflineMission(self.area, self.robot, self.files, self.scenario)
        mission.coverage.recall(memory_of(record))
        params = self.files.build("planner")
        proven = Ledger(self.area, self.robot, params.limits, params.resolution, params.halo_growth_max)
        proven.add(evidence)
        return int((mission.coverage.ledger.searched & ~proven.searched).sum())

    def painted(self) -> list[tuple[float, int, float, float]]:
        """What is on the ground of the simulated world."""
        state = self.folder / "sim" / "state.json"
        return [tuple(mark) for mark in json.loads(state.read_text())["marks"]] if state.exists() else []


def run_killed(run: Run, rng: np.random.Generator, tally: Tally, steps: int) -> None:
    """Start, kill, look, resume, until the mission is complete."""
    context = multiprocessing.get_context("fork")
    for attempt in range(MAX_KILLS + 1):
        reader, writer = os.pipe()
        trigger = Trigger(writer, rng, steps) if attempt < MAX_KILLS else None
        child = context.Process(target=run.child, args=(trigger,))
        child.start()
        os.close(writer)
        if os.read(reader, 1):  # empty if the child ended first
            time.sleep(float(rng.uniform(0.0, 0.02)))
            os.kill(child.pid or 0, signal.SIGKILL)
        os.close(reader)
        child.join()
        if child.exitcode == -signal.SIGKILL:
            tally.kills += 1
            after_kill(run, tally)
            continue
        if child.exitcode != 0:
            tally.failures.append(f"seed {run.seed}: exit code {child.exitcode}")
        return


def after_kill(run: Run, tally: Tally) -> None:
    """What must hold at any instant."""
    evidence = run.evidence()
    run.repair_log(evidence)
    record = run.record()
    if record is None:
        return
    tally.kills_while_marking += record.statuses[-1].state is MissionState.MARK
    if record.damaged:
        tally.failures.append(f"seed {run.seed}: {record.damaged}")
    if excess := run.excess(record, evidence):
        tally.resumed_with_more_ground_than_evidence += 1
        tally.failures.append(f"seed {run.seed}: {excess} cells searched without evidence")
    note_targets(run, record, tally)


def note_targets(run: Run, record: JournalRecord, tally: Tally) -> None:
    """Every target ever recorded is still there, at its place."""
    now = {target.id: (target.x, target.y) for target in record.targets}
    for number, place in run.seen.items():
        if number not in now or np.hypot(*np.subtract(now[number], place)) > 2.0 * SAME_PLACE_M:
            tally.detections_lost += 1
            tally.failures.append(f"seed {run.seed}: target {number} is lost")
    run.seen.update(now)


def judge(run: Run, tally: Tally) -> None:
    """Compare the end of a mission with the ground."""
    tally.runs += 1
    record = run.record()
    if record is None or record.statuses[-1].state is not MissionState.DONE:
        tally.not_complete += 1
        tally.failures.append(f"seed {run.seed}: {record.statuses[-1] if record else 'no journal'}")
        return
    note_targets(run, record, tally)
    painted = run.painted()
    counts = Counter(target for _, target, _, _ in painted)
    doubled = sum(count > 1 for count in counts.values())
    confirmed = {r.target_id for r in record.mark_results if r.status is MarkStatus.CONFIRMED}
    last = {result.target_id: result.status for result in record.mark_results}
    tally.marks += len(counts)
    tally.double_marks += doubled
    false = sum(counts[target] == 0 for target in confirmed)
    false += sum(status is MarkStatus.FAILED and counts[target] > 0 for target, status in last.items())
    tally.false_marks += false
    unmarked = dict(json.loads((run.folder / "unmarked").read_text())) if (run.folder / "unmarked").exists() else {}
    tally.unverified += sum(status is MarkStatus.UNVERIFIED for status in last.values())
    threshold = run.files.build("mission").limits.mark_p_hazard
    open_ = [t.id for t in record.targets if t.p_hazard >= threshold and t.id not in confirmed and t.id not in unmarked]
    tally.targets_without_mark_or_reason += len(open_)
    at = np.array([(target.x, target.y) for target in record.targets]).reshape(-1, 2)
    missed = [item for item in run.scenario.objects if not (np.hypot(*(at - (item.x, item.y)).T) <= 0.3).any()]
    assert record.ledger is not None
    for item in missed:
        row = int((item.y - record.ledger.y0) / record.ledger.resolution)
        column = int((item.x - record.ledger.x0) / record.ledger.resolution)
        if record.ledger.cells[row, column] == Cell.SEARCHED:
            tally.searched_but_not_found += 1
            tally.failures.append(f"seed {run.seed}: the {item.kind} lies under searched ground and is no target")
    tally.hazards_not_reached += len(missed)
    if doubled or false or open_:
        tally.failures.append(f"seed {run.seed}: doubled {doubled}, false {false}, open {open_}")


def campaign(runs: int, seed: int, keep: Path | None = None, *, full: bool = False) -> Tally:
    """``runs`` missions, each in a world of its own."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as scratch:
        base = keep or Path(scratch)
        steps = round(Run(base / "reference", seed, full).length() / STEP_S)
        for index in range(runs):
            rng = np.random.default_rng([seed, index])
            run = Run(base / f"run{index}", seed + 1 + index, full)
            run_killed(run, rng, tally, steps)
            judge(run, tally)
            if keep is None:
                shutil.rmtree(run.folder)
            print(json.dumps({"run": index, **asdict(tally)}), file=sys.stderr, flush=True)
    return tally


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--keep", type=Path, help="Folder that keeps every run.")
    parser.add_argument("--full", action="store_true", help="Real navigation and detection.")
    arguments = parser.parse_args()
    tally = campaign(arguments.runs, arguments.seed, arguments.keep, full=arguments.full)
    print(json.dumps({**asdict(tally), "faults": tally.faults}, indent=2))
    return 1 if tally.faults or tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
