"""Missions killed with SIGKILL at random instants and resumed until they are complete. What is lost, what is doubled?

``python benchmarks/kill_campaign.py --runs 200`` runs the whole stack without ROS (:mod:`mine_robot.pipeline.offline`) in a process of its
own, with journal and world on the disk, and kills that process, and every successor, at instants drawn from the seed; ``--processes``
does the same to the real processes of ``mine-robot run``. Prints a tally as JSON; exit code 1 if anything that must be zero is not.
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

from mine_robot.bringup.resources import resource
from mine_robot.core.types import MarkStatus, MissionState, SweepEvidence
from mine_robot.coverage.ledger import Ledger
from mine_robot.mission.journal_reader import JournalRecord, read_journal
from mine_robot.pipeline.loading import ParameterFiles, load_field, load_robot, scenario_from_content
from mine_robot.pipeline.offline import JOURNAL, OfflineMission
from mine_robot.pipeline.recall import memory_of, recall

LIMIT_S = 1500.0  # of simulated time
MAX_KILLS = 5
MISSION_S = 12.0  # rough wall time of an undisturbed mission, over which the kills are spread; measured at the start
SAME_PLACE_M = 0.15


@dataclass
class Tally:
    """What came of it. The counts from ``not_complete`` on must be zero."""

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
    hazards_missed: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """Everything that must not happen."""
        return (
            self.not_complete + self.detections_lost + self.targets_without_mark_or_reason + self.double_marks
            + self.false_marks + self.resumed_with_more_ground_than_evidence
        )  # fmt: skip


def plot(folder: Path, width: float = 3.0, depth: float = 1.6) -> Path:
    """A hazard area of ``width`` x ``depth`` m beside 7 x 3 m of safe ground."""
    east, north = 1.0 / 85334.0, 1.0 / 111035.0  # degrees a metre at 40° north

    def ring(x0: float, y0: float, x1: float, y1: float) -> list[list[float]]:
        corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))
        return [[46.9312 + x * east, 39.9905 + y * north] for x, y in corners]

    features = [
        {"type": "Feature", "properties": {"role": role}, "geometry": {"type": "Polygon", "coordinates": [shape]}}
        for role, shape in (
            ("hazard_area", ring(-width / 2, 0.0, width / 2, depth)),
            ("safe_area", ring(-3.5, -3.0, 3.5, 0.0)),
        )
    ]
    path = folder / "plot.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def world(seed: int) -> dict[str, object]:
    """A scenario with a mine and a piece of scrap where the seed puts them."""
    rng = np.random.default_rng(seed)
    objects = [
        {
            "type": "tm62",
            "east": float(rng.uniform(-1.0, -0.3)),
            "north": float(rng.uniform(0.5, 1.1)),
            "depth_m": 0.08,
        },
        {"type": "pmn", "east": float(rng.uniform(0.3, 1.0)), "north": float(rng.uniform(0.5, 1.1)), "depth_m": 0.05},
    ]
    return {"seed": seed, "objects": objects}


class Run:
    """One mission in a directory, killed and resumed."""

    def __init__(self, folder: Path, seed: int) -> None:
        folder.mkdir(parents=True)
        self.folder, self.seed = folder, seed
        self.area = load_field(plot(folder))
        self.robot = load_robot(resource("urdf/mine_robot.urdf.xacro"))
        self.files = ParameterFiles([resource("config/robot.yaml"), resource("config/sim.yaml")])
        self.files.nodes["marker"]["run"] = 1 + seed % 60000
        self.scenario = scenario_from_content(world(seed), folder / "scenario", self.area.datum)
        self.seen: dict[int, tuple[float, float]] = {}

    def child(self) -> None:
        """Run the mission to its end; called in a process of its own."""
        mission = OfflineMission(self.area, self.robot, self.files, self.scenario, self.folder)
        log = (self.folder / "evidence").open("ab")
        book = mission.coverage.add_evidence

        def add_evidence(records: list[SweepEvidence]) -> None:
            for record in records:
                pickle.dump(record, log)
            log.flush()  # as the recorder has it, before it is booked
            book(records)

        mission.coverage.add_evidence = add_evidence  # type: ignore[method-assign]
        mission.run(LIMIT_S)
        (self.folder / "unmarked").write_text(json.dumps(mission.mission.update(mission.t).unmarked), encoding="utf-8")

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


def run_killed(run: Run, rng: np.random.Generator, tally: Tally, span: float) -> None:
    """Start, kill, look, resume, until the mission is complete."""
    context = multiprocessing.get_context("fork")
    for attempt in range(MAX_KILLS + 1):
        child = context.Process(target=run.child)
        child.start()
        last = attempt == MAX_KILLS
        child.join(None if last else float(rng.uniform(0.05, 1.0) * span))
        if child.is_alive():
            os.kill(child.pid or 0, signal.SIGKILL)
            child.join()
            tally.kills += 1
            after_kill(run, tally)
        elif child.exitcode == 0:
            return
        else:
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
    for item in run.scenario.objects:
        found = bool((np.hypot(*(at - (item.x, item.y)).T) <= 0.3).any())
        tally.hazards_missed += not found
    if doubled or false or open_:
        tally.failures.append(f"seed {run.seed}: doubled {doubled}, false {false}, open {open_}")


def campaign(runs: int, seed: int, keep: Path | None = None) -> Tally:
    """``runs`` missions, each in a world of its own."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as scratch:
        base = keep or Path(scratch)
        began = time.monotonic()
        reference = Run(base / "reference", seed)
        reference.child()
        span = time.monotonic() - began
        for index in range(runs):
            rng = np.random.default_rng([seed, index])
            run = Run(base / f"run{index}", seed + 1 + index)
            run_killed(run, rng, tally, span)
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
    arguments = parser.parse_args()
    tally = campaign(arguments.runs, arguments.seed, arguments.keep)
    print(json.dumps({**asdict(tally), "faults": tally.faults}, indent=2))
    return 1 if tally.faults or tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
