"""The real page before a mission that is played by hand: the mission's own state machine, no ROS, no processes."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from console_house import House
from control_plant import limits
from mission_bench import MissionBench

from mine_robot.bringup.resources import resource
from mine_robot.console.scene import scene
from mine_robot.console.view import View
from mine_robot.core.types import Cell, Health, LedgerGrid, Level, NavState
from mine_robot.pipeline.loading import load_field, load_robot

SMALL_FIELD = Path(__file__).parents[1] / "data" / "small_field.geojson"
CELL_M = 0.1
PERIOD_S = 0.05  # of the wall clock, a tick of the mission


class Stage(House):
    """A console whose mission is a :class:`MissionBench`; ``play`` begins another one."""

    def __init__(self, root: Path, *, lobby: bool = False, simulated: bool = True, began: float = math.nan) -> None:
        self.field, robot = load_field(SMALL_FIELD), load_robot(resource("urdf/mine_robot.urdf.xacro"))
        shown = scene(self.field, robot, limits(), simulated=simulated, began=began)
        self.lobby, self.began = lobby, 0.0 if simulated else began
        super().__init__(root, scene={**shown, "lobby": True} if lobby else shown)
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.refusal = ""
        self.play()
        if not lobby:
            self.thread = threading.Thread(target=self._run, daemon=True)
            self.thread.start()

    def play(self) -> None:
        """Another mission, all of whose components are well."""
        with self.lock:
            self.bench, self.view = MissionBench(drive_time=1e6), View(self.store, mark_p=0.5)
            self.refusal = ""
            self.calls.clear()
        if not self.lobby:
            self.tick()

    def tick(self) -> None:
        """One step of the mission, told to the pages."""
        with self.lock:
            bench, now = self.bench, time.monotonic()
            bench.step()
            self.view.mission(replace(bench.status, t=self.began + bench.t), now)
            reports = [Health(name, bench.levels[name], bench.messages.get(name, "well")) for name in bench.levels]
            reports = [one for one in reports if one.name not in bench.silent]
            reports += [Health("mission", Level.OK, "running"), bench.mission.readiness()]
            self.view.health(self.began + bench.t, reports, now)
            covariance = np.diag([1e-4, 1e-4, 1e-4, 1e-6, 1e-6, 1e-8])
            here = np.array([-1.0, -2.0, 0.0])
            zero = np.zeros(3)
            self.view.pose(NavState(self.began + bench.t, here, zero, zero, zero, covariance), now)
            self.view.refresh(now)

    def _run(self) -> None:
        while not self.ended.wait(PERIOD_S):
            self.tick()

    def search(self, share: float = 0.5) -> None:
        """Show a ledger of which a part is searched."""
        west, south, east, north = self.field.bounds
        rows, columns = round((north - south) / CELL_M), round((east - west) / CELL_M)
        y, x = south + CELL_M * (np.arange(rows) + 0.5), west + CELL_M * (np.arange(columns) + 0.5)
        place = np.meshgrid(x, y)
        hazard = shapely.contains_xy(self.field.hazard, *place)
        safe = shapely.contains_xy(self.field.safe, *place)
        low, high = self.field.hazard.bounds[1::2]
        searched = place[1] < low + share * (high - low)
        kinds = [Cell.SEARCHED, Cell.PENDING, Cell.SAFE]
        cells = np.select([hazard & searched, hazard, safe], kinds, Cell.OUTSIDE).astype(np.int8)
        self.view.ledger(LedgerGrid(self.bench.t, west, south, CELL_M, cells))

    def on_seats(self, holder: int | None, count: int, what: str) -> None:
        self.store.put("control", {"holder": holder, "viewers": count}, live=True)

    def call(self, service: str) -> Future[tuple[bool, str]]:
        self.calls.append(service)
        answer: Future[tuple[bool, str]] = Future()
        if self.lobby or self.refusal:
            answer.set_result((False, self.refusal or "no mission runs here"))
        elif not self.silent.is_set():
            with self.lock:
                answer.set_result(getattr(self.bench.mission, service.removeprefix("mission/"))())
        return answer

    def __exit__(self, *how: object) -> None:
        self.ended.set()
        super().__exit__(*how)

    @property
    def state(self) -> Any:
        return self.bench.status.state
