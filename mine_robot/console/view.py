"""From what the stack says to what viewers are told: every topic's newest content as entries of the store.

Times: ``t`` is that of the stack; ``now`` is the console's own steady clock in s, by which silence is judged, because simulated time may
stand still and a dead node stamps nothing.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mine_robot.console.store import Store
from mine_robot.console.tiles import Tiles, describe
from mine_robot.console.words import words_of
from mine_robot.core.tally import in_words
from mine_robot.core.types import (
    Health,
    LedgerGrid,
    Level,
    MarkRequest,
    MarkResult,
    MissionState,
    MissionStatus,
    NavState,
    Plan,
    Progress,
    Remark,
    RemarkKind,
    Target,
)
from mine_robot.mission.reactions import REACTIONS, READINESS, REQUIRED, SILENT_S, HealthWatch, Verdict

SILENT_WALL_S = 3.0  # of the console's clock: every node reports twice a second
LOG_LENGTH = 100
SAID = {
    RemarkKind.CONFIRM: "confirmed",
    RemarkKind.REJECT: "rejected",
    RemarkKind.ACKNOWLEDGE: "acknowledged",
    RemarkKind.RELEASE: "released",
}
LABELS = {row.component: row.label for row in REACTIONS} | {name: label for name, (label, _) in REQUIRED.items()}

# How each verdict of the mission's checklist looks; any other blocks.
VERDICTS = {Verdict.READY.value: Level.OK, Verdict.ABSENT.value: Level.WARN, Verdict.WAITS.value: Level.WARN}


class View:
    """Takes core types and keeps the entries of ``store`` up to date."""

    def __init__(
        self, store: Store, *, mark_p: float, absent: frozenset[str] = frozenset(), replay: bool = False
    ) -> None:
        """``absent``: components that this robot does not have; ``replay``: no robot is meant."""
        self._replay = replay
        self._store = store
        self._mark_p = mark_p
        self._tiles = Tiles()
        self._watch = HealthWatch(SILENT_S, absent)
        self._reports: dict[str, tuple[float, Health]] = {}  # by component: when heard, and what
        self._t = 0.0
        self._state = MissionState.IDLE
        self._reason = ""
        self._suspects: set[int] = set()
        self._targets: set[int] = set()
        self._conditions: set[str] = set()
        self._marks: dict[int, str] = {}
        self._logged = 0
        self._log_lock = threading.Lock()  # the server's thread has news too

    # --- what the stack says ----------------------------------------------------------------------------------------------
    def mission(self, status: MissionStatus, now: float) -> None:
        """The mission's state and why."""
        self._t = max(self._t, status.t)
        if (status.state, status.reason) != (self._state, self._reason):
            self._state, self._reason = status.state, status.reason
            self.log(f"{status.state.value}: {status.reason}", now, t=status.t)
        content = {
            "state": status.state.value,
            "reason": status.reason,
            "goal": status.goal.value,
            "goal_target": status.goal_target,
            "since": figure(status.t),
            "words": words_of(status.state, replay=self._replay),
            "found": in_words(status.targets, status.listed),
            "marks_requested": status.marks_requested,
            "marks_confirmed": status.marks_confirmed,
            "acknowledged": status.acknowledged,
        }
        self._store.put("mission", content, live=True)

    def health(self, t: float, reports: Iterable[Health], now: float) -> None:
        """Reports of one node."""
        self._t = max(self._t, t)
        for report in reports:
            self._reports[report.name] = (now, report)
            self._watch.add(t, report)

    def pose(self, nav: NavState, now: float) -> None:
        """Where the robot is and how well it knows it: ellipse half axes in m, direction of the longer one in rad."""
        self._t = max(self._t, nav.t)
        axes = ellipse(nav.covariance[:2, :2])
        content = {
            "x": figure(nav.position[0]),
            "y": figure(nav.position[1]),
            "yaw": figure(nav.rpy[2], 4),
            "sigma": figure(nav.sigma_xy, 4),
            "ellipse": None if axes is None else [round(value, 4) for value in axes],
            "sigma_yaw": figure(nav.sigma_yaw, 4),
            "speed": figure(nav.velocity[0], 2),
            "at": round(now, 2),
        }
        self._store.put("pose", content, live=True)

    def progress(self, progress: Progress) -> None:
        """How far the plan is driven."""
        content = {"plan_t": progress.plan_t, "step": progress.step, "done": progress.done, "stopped": progress.stopped}
        self._store.put("progress", content, live=True)

    def plan(self, plan: Plan) -> None:
        """The way ahead."""
        content = plan_entry(plan)
        if content is not None:
            self._store.put("plan", content)

    def ledger(self, grid: LedgerGrid) -> None:
        """The ground; tiles that changed only."""
        self._store.put("grid", describe(grid), live=True)
        for key, content in self._tiles.update(grid).items():
            self._store.put(key, content)

    def targets(self, targets: Sequence[Target], now: float, *, remembered: bool = False) -> None:
        """Every target: [x, y, sigma x, sigma y, probability, class, depth, LLR radar, LLR metal]; null once it is gone.

        Those of a run that is over are ``remembered`` and no news.
        """
        for target in targets:
            values = (target.x, target.y, target.sigma_x, target.sigma_y, target.p_hazard)
            row = [*(figure(value) for value in values), int(target.kind)]
            row += [figure(value, 2) for value in (target.depth, target.llr_gpr, target.llr_md)]
            self._store.put(f"target/{target.id}", row)
            if target.p_hazard >= self._mark_p and target.id not in self._suspects:
                self._suspects.add(target.id)
                if not remembered:
                    self.log(f"target {target.id} found, probability {target.p_hazard:.2f}", now)
        present = {target.id for target in targets}
        for gone in self._targets - present:
            self._store.put(f"target/{gone}", None)
        self._targets = present

    def mark_request(self, request: MarkRequest) -> None:
        """A mark is asked for."""
        if self._marks.get(request.target_id) is None:
            self._mark(request.target_id, "requested", request.x, request.y, "")

    def mark_result(self, result: MarkResult, now: float, *, remembered: bool = False) -> None:
        """What became of a mark; one that is ``remembered`` from the journal is no news."""
        if self._mark(result.target_id, result.status.value, result.x, result.y, result.detail) and not remembered:
            self.log(f"mark of target {result.target_id} {result.status.value}: {result.detail}", now, t=result.t)

    def _mark(self, number: int, status: str, x: float, y: float, detail: str) -> bool:
        """Set the state of a mark; true if it is new."""
        news = self._marks.get(number) != status
        self._marks[number] = status
        self._store.put(f"mark/{number}", {"status": status, "x": figure(x), "y": figure(y), "detail": detail})
        return news

    def remark(self, remark: Remark, now: float, *, remembered: bool = False) -> None:
        """What a person said of a target or a hold, now that it is kept; the last word on each target is shown with it."""
        if remark.kind is not RemarkKind.ACKNOWLEDGE:
            content = {
                "kind": remark.kind.value,
                "comment": remark.comment,
                "author": remark.author,
                "t": figure(remark.t, 1),
            }
            self._store.put(f"remark/{remark.target_id}", content)
        if not remembered:
            of = "hold" if remark.kind is RemarkKind.ACKNOWLEDGE else f"target {remark.target_id}"
            words = f"{of} {SAID[remark.kind]} by {remark.author}: {remark.comment}".rstrip(": ")
            self.log(words, now, t=remark.t)

    # --- what follows from it ---------------------------------------------------------------------------------------------
    def refresh(self, now: float) -> None:
        """Entries that follow from health and from silence; call it at the rate of the page."""
        self._watch.update(self._t)
        rows: list[tuple[int, str, dict[str, Any]]] = []
        for name, (heard, report) in self._reports.items():
            silent = now - heard > SILENT_WALL_S
            level = int(Level.STALE) if silent else int(report.level)
            message = f"silent for {now - heard:.0f} s; last: {report.message}" if silent else report.message
            row = {"name": name, "label": label(name), "level": level, "message": message}
            rows.append((-level, label(name), row))
        rows.sort(key=lambda row: row[:2])
        self._store.put("health", [row for _, _, row in rows], live=True)
        self._store.put("checklist", self._checklist(now), live=True)
        self._store.put("figures", self._figures(), live=True)
        self._store.put("conditions", self._active(now), live=True)
        self._store.put("time", {"t": figure(self._t, 1)}, live=True)

    def _checklist(self, now: float) -> list[dict[str, Any]]:
        """What keeps the mission from being started, by its own report: a row a component, levels as those of health."""
        heard, report = self._reports.get(READINESS, (-math.inf, None))
        if report is None or now - heard > SILENT_WALL_S:
            silence = {"name": "mission", "label": "mission", "level": int(Level.ERROR), "blocks": True}
            return [{**silence, "message": "has not said whether it may be started"}]
        rows = []
        for name in REQUIRED.keys() & report.values.keys():
            verdict, _, message = report.values[name].partition(": ")
            level = VERDICTS.get(verdict, Level.ERROR)
            blocks = level is Level.ERROR
            rows.append({"name": name, "label": label(name), "level": int(level), "message": message, "blocks": blocks})
        return sorted(rows, key=lambda row: (-row["level"], row["label"]))

    def _figures(self) -> dict[str, Any]:
        """Figures out of the health reports, as numbers where they are numbers."""

        def value(component: str, key: str) -> float | str | None:
            _, report = self._reports.get(component, (0.0, None))
            text = report.values.get(key) if report else None
            try:
                return None if text is None else figure(float(text), 4)
            except ValueError:
                return text

        wanted = {
            "localization": ("state", "rtk", "sigma_m", "heading_sigma_deg"),
            "coverage": ("coverage", "searched_m2", "hazard_m2", "gaps_m2", "remaining_s"),
            "battery": ("charge",),
            "marker": ("phase", "paint", "flags"),
        }
        return {name: {key: value(name, key) for key in keys} for name, keys in wanted.items()}

    def _active(self, now: float) -> list[dict[str, Any]]:
        """Reasons to react that hold now, those on which the mission acts in its present state first, then by severity."""
        rows = [row for row in REACTIONS if row.applies(self._watch.health(row.component, self._t))]
        rows.sort(key=lambda row: (self._state not in row.states, -row.action))
        found: dict[str, dict[str, Any]] = {}
        for row in rows:
            message = self._watch.health(row.component, self._t).message
            content = {"event": row.event, "action": row.action.name.lower(), "acts": self._state in row.states}
            found.setdefault(row.component, {**content, "message": f"{row.label}: {message}"})
        for component in found.keys() - self._conditions:
            if self._t > 0.0 and component in self._reports:
                self.log(f"{found[component]['event']}: {found[component]['message']}", now)
        self._conditions = set(found)
        return list(found.values())

    def log(self, text: str, now: float, *, t: float | None = None) -> None:
        """Add a line of news; the last :data:`LOG_LENGTH` are kept."""
        with self._log_lock:
            number = self._logged
            self._logged += 1
        at = self._t if t is None else t
        self._store.put(
            f"log/{number % LOG_LENGTH}", {"n": number, "t": figure(at, 1), "at": round(now, 2), "text": text}
        )


def plan_entry(plan: Plan) -> dict[str, Any] | None:
    """A plan for the map: [x, y] of the start and of every step's end, and which steps are driven backwards; None if it is broken."""
    points = [[step.end.x, step.end.y] for step in plan.steps]
    if plan.steps:
        points.insert(0, [plan.steps[0].start.x, plan.steps[0].start.y])
    line = np.round(np.array(points, dtype=float).reshape(-1, 2), 2)
    if not np.all(np.isfinite(line)):
        return None
    reverse = [index for index, step in enumerate(plan.steps) if step.reverse]
    return {"t": plan.t, "points": line.tolist(), "reverse": reverse}


def label(component: str) -> str:
    """The name of a component for people."""
    return LABELS.get(component, component.replace("_", " "))


def figure(value: float, digits: int = 3) -> float | None:
    """A number for JSON: rounded, None if it is not finite (unknown)."""
    return round(float(value), digits) if math.isfinite(value) else None


def ellipse(covariance: np.ndarray) -> tuple[float, float, float] | None:
    """One-sigma half axes in m (longer first) and the direction in rad of the longer one; None if the covariance is no covariance."""
    if not np.all(np.isfinite(covariance)):
        return None
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    if values[0] < -1e-9:
        return None
    minor, major = np.sqrt(np.maximum(values, 0.0))
    return float(major), float(minor), math.atan2(vectors[1, 1], vectors[0, 1])
