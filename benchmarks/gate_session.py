"""One simulated mission that is attacked, and what each attack did to it: the hands and eyes of ``gate_campaign.py``."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from gate_attacks import BLINDING, Arena, Attack
from gate_judge import (
    WAITING,
    Row,
    Snapshot,
    false_paint,
    judge_motion,
    judge_second,
    log_sizes,
    lost,
    published,
    reactions,
    refusals,
    suspects,
)  # fmt: skip
from gate_messages import unpack
from gate_run import FIELD, URDF, AttackedRun
from gate_scene import Scene
from gate_truth import HALO_M, Truth, halo_core, near
from gate_voices import Ear, mouth

from mine_robot.core.types import LedgerGrid, MissionState
from mine_robot.pipeline.loading import load_field, load_robot
from mine_robot.ros import decode
from mine_robot.ros.topics import CLOCK, LEDGER, TARGETS

READY_S, RECOVER_S, END_S = 120.0, 40.0, 90.0  # wall time
OBSERVE_S, OBSERVE_WALL_S = 3.0, 12.0
WATCH_S, CATCH_UP_S = 0.2, 6.0
MANY_TOPICS = 5
DRIVEN_OFF = "geofence: outside the field"  # a resume is refused with reason: it cannot drive home
PRESSED_S = 2.5  # to stand: the press, the way of the message, the brakes
BEGUN_M2 = 1.0  # searched, and a halo, before the first attack


class Session:
    """A mission and its attacker. Use it as a context manager; ``rows`` are complete after it."""

    def __init__(
        self, folder: Path, seed: int, faults: tuple[dict[str, Any], ...] = (), mouth_kind: str = "stranger"
    ) -> None:
        self.run = AttackedRun(folder, seed, faults, mouth_kind == "insider")
        self.kind, self.rng = mouth_kind, np.random.default_rng(seed)
        self.truth = Truth(self.run.out, load_field(FIELD), load_robot(URDF))
        self.truth.blind += [
            (item["at_s"], item["at_s"] + item["for_s"]) for item in faults if item["kind"] in BLINDING
        ]
        self.rows: list[Row] = []
        self.frozen: list[int] = []
        self.ended_well = True
        self.begun = (0.0, 0.0)  # the stack's and the wall's time of an attack's first word
        self.claims: tuple[Snapshot, list[LedgerGrid]] | None = None

    def __enter__(self) -> Session:
        self.ear = Ear()
        self.scene = Scene(self.ear.heard, lambda: self.t)
        self.process = self.run.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.end()
        finally:
            self.ear.close()

    # --- looking ------------------------------------------------------------------------------------------------------
    @property
    def t(self) -> float:
        """The time of the stack as last heard, s."""
        data = self.ear.last(CLOCK)
        try:
            return 0.0 if data is None else decode.clock(unpack(CLOCK, data))
        except Exception:  # broken by an attack
            return self.truth.t

    @property
    def alive(self) -> bool:
        """The runner runs."""
        return self.process.poll() is None

    def wait(self, what: Callable[[], Any], wall_s: float) -> bool:
        """Until something is the case, or the runner is gone."""
        limit = time.monotonic() + wall_s
        while not what():
            if time.monotonic() > limit or not self.alive:
                return bool(what())
            time.sleep(0.1)
        return True

    def searching(self) -> bool:
        """The mission searches, by its journal, and has begun in earnest."""
        record = self.run.record()
        if record is None or record.statuses[-1].state is not MissionState.SEARCH or record.ledger is None:
            return False
        searched = np.count_nonzero(record.ledger.cells == 10) * record.ledger.resolution**2
        return bool(searched > BEGUN_M2) and bool((record.ledger.cells == 100).any())

    def _person(self, what: Callable[[], bool], wall_s: float) -> bool:
        """A person resumes whatever waits for one, until something is the case."""
        limit = time.monotonic() + wall_s
        while time.monotonic() < limit and self.alive:
            if what():
                return True
            if self.run.state() in WAITING:
                self.ear.call("mission/resume", 3.0)
            time.sleep(0.3)
        return False

    def ready(self) -> bool:
        """Searching, under way."""
        return self._person(self.searching, READY_S)

    def recover(self) -> str:
        """What comes of it when a person resumes."""

        def settled() -> bool:
            state = self.run.state()
            return state is not None and (state.drives or state.ended or state is MissionState.MARK)

        if not self._person(settled, RECOVER_S) and self.alive:
            return f"{'fetched by hand' if DRIVEN_OFF in self._reason() else 'stuck'}: {self._reason()}"
        state = self.run.state()
        if self.alive and state is not None and not state.ended:
            return "goes on"
        self.wait(lambda: not self.alive, END_S)
        return "stuck: the runner does not end" if self.alive else f"ended: {self._reason()}"

    def _reason(self) -> str:
        record = self.run.record()
        return f"{record.statuses[-1].state.value}: {record.statuses[-1].reason}" if record else "no journal"

    def snapshot(self) -> Snapshot:
        """How things are."""
        record = self.run.record()
        grid = record.ledger if record else None
        if grid is not None:  # the truth is written a second at a time
            self.wait(lambda: self._known() >= grid.t, CATCH_UP_S)
        self._known()
        logs = log_sizes(self.run.out / "log")
        return Snapshot(
            self.t, time.monotonic(), record, self.truth.beyond_m2(grid), self.truth.missed(grid, suspects(record)),
            self.truth.unsafe_m2, false_paint(record, self.truth), self.run.nodes(), logs,
        )  # fmt: skip

    # --- attacking ----------------------------------------------------------------------------------------------------
    def freeze(self, node: str) -> None:
        """SIGSTOP."""
        number = self.run.nodes()[node]
        os.kill(number, signal.SIGSTOP)
        self.frozen.append(number)

    def thaw(self) -> None:
        """SIGCONT for all that is frozen."""
        for number in self.frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGCONT)
        self.frozen.clear()

    def second(self, how: str) -> None:
        """Another stack in the same domain, for half a minute; what it says of itself is judged like the first."""
        second = self.run.beside(how)
        words = second.with_suffix(".output").read_text(errors="replace").strip().splitlines()
        truth = Truth(second, load_field(FIELD), load_robot(URDF))
        judge_second(self.rows[-1], second, words[-1] if words else "said nothing", truth)

    def strike(self, attack: Attack) -> Row:
        """One attack, from a mission that searches until it searches again or has ended."""
        row = Row(attack.name, attack.kind, self.kind, [topic.name for topic in attack.topics])
        self.rows.append(row)
        if not self.ready():
            row.notes.append(f"! not ready: {self._reason()}")
            self.ended_well = False
            return row
        if attack.before != "search":
            self.ear.call(f"mission/{attack.before}")
            self.wait(lambda: self.truth.read() or self.truth.stopped_at(self.truth.t - 1.0) < math.inf, 10.0)
        before = self.snapshot()
        cores = halo_core(before.record.ledger if before.record else None, suspects(before.record))
        if attack.blind:
            self.truth.blind.append((before.t, math.inf))
        with self._watching() as watched:
            self._act(attack, row)
            acted = time.monotonic()
            end = self.truth.t if CLOCK in attack.topics else self.t
            self.wait(lambda: self._known() > end + OBSERVE_S, OBSERVE_WALL_S)
        for item in attack.faults:
            self.begun = (item["at_s"], self.begun[1])
            if item["at_s"] < before.t:
                row.notes.append("! the fault came before the mission was ready")
        row.lasted = round(acted - before.wall, 1)
        self.thaw()
        self._judge(attack, row, before, cores, watched)
        if attack.presses:
            self._judge_press(row)
        row.after = self.recover()
        if attack.blind:
            self.truth.blind[-1] = (before.t, self._known())
        return row

    @contextlib.contextmanager
    def _watching(self) -> Iterator[list[LedgerGrid]]:
        """Every state of the journal's ledger meanwhile: a run that is killed resumes with any of them."""
        seen: list[LedgerGrid] = []
        over = threading.Event()

        def look() -> None:
            while not over.wait(WATCH_S):
                record = self.run.record()
                if record is not None and record.ledger is not None and (not seen or record.ledger.t != seen[-1].t):
                    seen.append(record.ledger)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            over.set()
            thread.join()

    def _known(self) -> float:
        self.truth.read()
        return self.truth.t

    def _act(self, attack: Attack, row: Row) -> None:
        self.scene.forget()
        with mouth(self.kind) as speaker:
            arena = Arena(
                self.scene, speaker, lambda name, namespace="", badge=None: mouth("stranger", name, namespace, badge), self.freeze,
                lambda service: self.ear.call(service), self.ear.press, self.second, self.ear.listeners,
                self.ear.badge, self.rng,
            )  # fmt: skip
            try:
                if not attack.quiet and len(attack.topics) < MANY_TOPICS:
                    speaker.prepare(attack.topics, self.ear.listeners)
                self.begun = (self.t, time.monotonic())
                attack.act(arena)
            except Exception as error:  # the stack may have died in the middle
                row.notes.append(f"the attack ended with {type(error).__name__}: {str(error)[:100]}")

    # --- judging ------------------------------------------------------------------------------------------------------
    def _judge(self, attack: Attack, row: Row, before: Snapshot, cores: Any, watched: list[LedgerGrid]) -> None:
        after = self.snapshot()
        grid = after.record.ledger if after.record else None
        worst = max((self.truth.beyond_m2(item) for item in [grid, *watched]), default=0.0)
        row.searched += max(worst - before.beyond, 0.0)
        self.claims = (before, [item for item in [grid, *watched] if item is not None])
        row.missed = max(after.missed - before.missed, 0)
        row.unsafe = round(after.unsafe - before.unsafe, 3)
        row.paint = max(after.paint - before.paint, 0)
        if before.record and before.record.ledger is not None and TARGETS not in attack.topics:
            # Where nobody has spoken of targets but the stack itself, a halo may follow a target that is seen better.
            cores &= near(before.record.ledger, suspects(after.record), HALO_M)
        seen = [] if LEDGER in attack.topics else published(self.ear.heard[LEDGER], before.wall)
        row.halo = max(lost(cores, item) for item in [grid, *seen])
        output = self.run.out.with_suffix(".output").read_text(errors="replace")
        gone = [
            name
            for name, number in before.nodes.items()
            if after.nodes.get(name) != number
            and (self.alive or f"node '{name}' died" in output)  # else it has ended in order
        ]
        row.dead = [name for name in gone if name != attack.frozen]
        if not self.alive and self.process.returncode not in (0, 1):
            row.dead.append(f"runner ({self.process.returncode})")
        self._time(row, before, after)
        judge_motion(row, self.truth, after.record, before)

    def _judge_press(self, row: Row) -> None:
        """An emergency stop must stop the robot, whoever is frozen; the journal cannot tell while the mission is."""
        begin = self.begun[0]
        row.seconds = round(self.truth.stopped_at(begin) - begin, 2)
        row.reaction = f"the robot stands {row.seconds:.1f} s after the press"
        if row.seconds > PRESSED_S:
            row.notes.append("! the robot drove on")

    def _time(self, row: Row, before: Snapshot, after: Snapshot) -> None:
        """The first reaction."""
        found = reactions(after.record, before)
        refused = refusals(self.run.out / "log", before.logs)
        if found:
            t, row.reaction = found[0]
            row.seconds = round(t - self.begun[0], 2)
            row.wall = self._wall_at(t, before)
        elif refused:
            row.reaction = refused[0]
        elif not self.alive:
            row.reaction = "the run ended"

    def _wall_at(self, t: float, before: Snapshot) -> float | None:
        """Wall time from the first word to the stack's time ``t``, by the clock as it was heard; negative: noticed before it spoke."""
        for wall, data in list(self.ear.heard[CLOCK]):
            with contextlib.suppress(Exception):
                if wall > before.wall and decode.clock(unpack(CLOCK, data)) >= t:
                    return round(wall - self.begun[1], 2)
        return None

    # --- the end ------------------------------------------------------------------------------------------------------
    def end(self) -> None:
        """Ctrl-C, then look at what is left."""
        self.thaw()
        if self.alive:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self._note("! the runner does not end")
        output = self.run.out.with_suffix(".output").read_text(errors="replace")
        texts = [output, *(path.read_text(errors="replace") for path in (self.run.out / "log").glob("*.log"))]
        if any("Traceback (most recent call last)" in text for text in texts):
            self._note("traceback in the logs")
        self._claims_again()
        self._check_summary()

    def _claims_again(self) -> None:
        """What the last attack made the ledger claim, now that all of the truth is written."""
        if self.claims is None or not self.rows or self.rows[-1].kind == "second stack":
            return
        self.truth.read()
        before, grids = self.claims
        base = self.truth.beyond_m2(before.record.ledger if before.record else None)
        worst = max((self.truth.beyond_m2(grid) for grid in grids), default=0.0)
        self.rows[-1].searched = min(self.rows[-1].searched, max(worst - base, 0.0))

    def _check_summary(self) -> None:
        try:
            summary = json.loads((self.run.out / "summary.json").read_text())
        except (OSError, ValueError):
            for row in self.rows:
                row.summary = False
            return
        self.truth.read()
        said, true = summary.get("unsafe_ground_m2"), self.truth.unsafe_m2
        if true > 0.05 and (said is not None and said < 0.2 * true):
            self._note(f"! the records say {said} m² unsafe, the truth {true:.2f}")

    def _note(self, words: str) -> None:
        if self.rows:
            self.rows[-1].notes.append(words)
