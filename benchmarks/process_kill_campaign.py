"""The real processes of ``mine-robot run``, killed with SIGKILL at random instants, one of them or all, and resumed until complete.

``python benchmarks/process_kill_campaign.py --runs 20`` prints a tally as JSON; exit code 1 if anything was lost or doubled. Needs a
ROS_DOMAIN_ID that nobody else uses.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import yaml
from kill_campaign import plot, world

from mine_robot.core.types import MarkStatus, MissionState
from mine_robot.mission.journal import JournalError
from mine_robot.mission.journal_reader import JournalRecord, is_blank, read_journal
from mine_robot.records import proof
from mine_robot.records.run_data import load_run

MAX_KILLS = 3
RUN_LIMIT_S = 900.0
READY_LIMIT_S = 180.0
KILL_WITHIN_S = 25.0
MARK_P = 0.5
EVERYTHING = "runner"  # its death takes every node along


@dataclass
class Tally:
    """What came of it; ``failures`` must be empty."""

    runs: int = 0
    complete: int = 0
    kills: int = 0
    victims: dict[str, int] = field(default_factory=dict)
    kills_while_marking: int = 0
    targets: int = 0
    marks: int = 0
    unverified: int = 0
    failures: list[str] = field(default_factory=list)


class Run:
    """One mission of real processes."""

    options: tuple[str, ...] = ()  # of the first start

    def __init__(self, folder: Path, seed: int) -> None:
        folder.mkdir(parents=True)
        self.seed, self.out = seed, folder / "run"
        self.field = plot(folder)
        self.scenario = folder / "scenario.yaml"
        self.scenario.write_text(yaml.safe_dump(json.loads(json.dumps(world(seed)))), encoding="utf-8")
        self.log = folder / "output"
        self.seen: dict[int, tuple[float, float]] = {}

    def start(self) -> subprocess.Popen[bytes]:
        """``mine-robot run``, or the same with ``--resume``."""
        words = ["run", str(self.field)]
        new = ["--scenario", str(self.scenario), "--out", str(self.out), *self.options]
        words += ["--resume", str(self.out)] if self.out.exists() else new
        environment = {key: value for key, value in os.environ.items() if key != "_ROS_WHEELS_BOOTSTRAP_COMPLETE"}
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "mine_robot.bringup.cli", *words]
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)

    def record(self) -> JournalRecord | None:
        """The journal, if the mission has begun."""
        path = self.out / "journal.sqlite"
        try:
            record = None if is_blank(path) else read_journal(path)
        except JournalError:
            return None
        return record if record is not None and record.statuses else None

    def state(self) -> MissionState | None:
        """Where the mission stands."""
        record = self.record()
        return record.statuses[-1].state if record else None

    def nodes(self) -> dict[str, int]:
        """Process ids of the nodes by name."""
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            except OSError:
                continue
            if b"mine_robot.nodes" in words and str(self.out / "parameters.yaml").encode() in words:
                found[words[words.index(b"mine_robot.nodes") + 1].decode()] = int(entry.name)
        return found


def kill_once(run: Run, process: subprocess.Popen[bytes], rng: np.random.Generator, tally: Tally) -> bool:
    """Kill something at a random instant; False if the mission ended before."""
    limit = time.monotonic() + READY_LIMIT_S
    began = len(run.record().statuses) if run.record() else 0  # type: ignore[union-attr]
    while process.poll() is None and time.monotonic() < limit:
        record = run.record()
        if record and len(record.statuses) > began and record.statuses[-1].state.drives:
            break
        time.sleep(0.2)
    limit = time.monotonic() + float(rng.uniform(0.0, KILL_WITHIN_S))
    wants_mark = rng.random() < MARK_P
    while process.poll() is None and time.monotonic() < limit:
        if wants_mark and run.state() is MissionState.MARK:
            time.sleep(float(rng.uniform(0.0, 1.0)))
            break
        time.sleep(0.05)
    if process.poll() is not None:
        return False
    nodes = run.nodes()
    victim = EVERYTHING if rng.random() < 0.5 or not nodes else str(rng.choice(sorted(nodes)))
    tally.kills_while_marking += run.state() is MissionState.MARK
    os.kill(process.pid if victim == EVERYTHING else nodes[victim], signal.SIGKILL)
    tally.kills += 1
    tally.victims[victim] = tally.victims.get(victim, 0) + 1
    return True


def conduct(run: Run, rng: np.random.Generator, tally: Tally) -> None:
    """Run, kill, resume, until the mission is complete."""
    kills = int(rng.integers(1, MAX_KILLS + 1))
    while True:
        process = run.start()
        if kills > 0:
            kills -= 1
            kill_once(run, process, rng, tally)
        try:
            code = process.wait(RUN_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            tally.failures.append(f"seed {run.seed}: not complete in {RUN_LIMIT_S:.0f} s")
            return
        gone = time.monotonic() + 10.0
        while run.nodes() and time.monotonic() < gone:
            time.sleep(0.1)
        check_targets(run, tally)
        if run.state() is MissionState.DONE:
            return
        if code == 2 or (kills == 0 and process.returncode == 1 and run.state() is MissionState.ABORTED):
            tally.failures.append(f"seed {run.seed}: exit code {code}: {run.log.read_text()[-300:]}")
            return


def check_targets(run: Run, tally: Tally) -> None:
    """No target may be lost from one start to the next."""
    record = run.record()
    now = {target.id: (target.x, target.y) for target in record.targets} if record else {}
    for number, place in run.seen.items():
        if number not in now or np.hypot(*np.subtract(now[number], place)) > 0.3:
            tally.failures.append(f"seed {run.seed}: target {number} is lost")
    run.seen.update(now)


def judge(run: Run, tally: Tally) -> None:
    """Compare what is recorded with the ground."""
    tally.runs += 1
    record = run.record()
    if record is None or record.statuses[-1].state is not MissionState.DONE:
        return
    tally.complete += 1
    tally.targets += len(record.targets)
    fired = Counter(target for _, target, _, _ in json.loads((run.out / "sim" / "state.json").read_text())["marks"])
    last = {result.target_id: result.status for result in record.mark_results}
    confirmed = {result.target_id for result in record.mark_results if result.status is MarkStatus.CONFIRMED}
    tally.marks += len(fired)
    tally.unverified += sum(status is MarkStatus.UNVERIFIED for status in last.values())
    if any(count > 1 for count in fired.values()):
        tally.failures.append(f"seed {run.seed}: double marks {fired}")
    if any(fired[target] == 0 for target in confirmed):
        tally.failures.append(f"seed {run.seed}: confirmed without paint: {confirmed} {fired}")
    if any(status is MarkStatus.FAILED and fired[target] for target, status in last.items()):
        tally.failures.append(f"seed {run.seed}: failed, but painted: {last} {fired}")
    data = load_run(run.out)
    suspects = {target.id for target in data.suspects()}
    open_ = [target for target in suspects - confirmed if f"target {target} " not in record.statuses[-1].reason]
    if open_:
        tally.failures.append(f"seed {run.seed}: neither mark nor reason for {open_}")
    audit = proof.audit_run(data)
    if audit is None or proof.judge(data, audit).note:
        tally.failures.append(f"seed {run.seed}: searched ground without evidence")


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=3000)
    parser.add_argument(
        "--out", type=Path, required=True, help="Folder for the runs; those that went well are removed."
    )
    arguments = parser.parse_args()
    tally = Tally()
    for index in range(arguments.runs):
        run = Run(arguments.out / f"run{index}", arguments.seed + index)
        failures = len(tally.failures)
        conduct(run, np.random.default_rng([arguments.seed, index]), tally)
        judge(run, tally)
        print(json.dumps({"run": index, **asdict(tally)}), file=sys.stderr, flush=True)
        if len(tally.failures) == failures:
            shutil.rmtree(run.out.parent)
    print(json.dumps(asdict(tally), indent=2))
    return 1 if tally.failures or tally.complete < tally.runs else 0


if __name__ == "__main__":
    sys.exit(main())
