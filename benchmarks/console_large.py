"""The console with a large field: 10 ha of ledger and 2,000 targets in chromium; frames a second while the map is dragged, and bytes.

``python benchmarks/console_large.py [--picture FILE.png]``; chromium draws without a graphics card here, so a tablet is hardly slower.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import shapely
from playwright.sync_api import sync_playwright

from mine_robot.bringup.resources import resource
from mine_robot.bringup.solo import Solo
from mine_robot.console.address import Address
from mine_robot.console.scene import rings
from mine_robot.console.traces import Traces
from mine_robot.core.types import Cell, LedgerGrid, NavState, Target, TargetClass
from mine_robot.pipeline.loading import ParameterFiles

SIDE_M, RESOLUTION, TARGETS = 316.0, 0.05, 2000
COUNT_FRAMES = """() => new Promise((resolve) => {
  let frames = 0; const begin = performance.now();
  const step = () => { frames++; performance.now() - begin < 4000 ? requestAnimationFrame(step) : resolve(frames / 4); };
  requestAnimationFrame(step);
})"""
DRAG = """() => { const map = document.getElementById("map"); let x = 300;
  const send = (kind, at) => map.dispatchEvent(new PointerEvent(kind, { pointerId: 1, clientX: at, clientY: 300, bubbles: true }));
  map.setPointerCapture = () => {}; send("pointerdown", x);
  const step = () => { x += 3; if (x > 800) x = 300; send("pointermove", x); requestAnimationFrame(step); }; step(); }"""


def scene() -> dict[str, object]:
    field = rings(shapely.box(0.0, 0.0, SIDE_M, SIDE_M))
    robot = {
        "tracks": [[-0.4, 0.3, 0.4, 0.5], [-0.4, -0.5, 0.4, -0.3]],
        "head": [0.7, -0.6, 1.0, 0.6],
        "sweep": [0.8, 1.1],
    }
    limits = {"halo_m": 0.3, "mark_p": 0.5, "sigma_factor": 3.0, "sigma_max_m": 0.03}
    shapes = {"hazard": field, "safe": rings(shapely.box(0.0, -5.0, SIDE_M, 0.0)), "no_go": [], "known_targets": []}
    words = {"name": "10 ha", "imsma_id": "", "datum": [0, 0], "simulated": True, "bounds": [0, -5, SIDE_M, SIDE_M]}
    return {**words, **shapes, **limits, "robot": robot, "classes": []}


def answer(service: str, *words: object) -> Future[tuple[bool, str]]:
    future: Future[tuple[bool, str]] = Future()
    future.set_result((True, service))
    return future


async def no_evidence(target: int) -> bytes:
    return b""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", default="")
    parser.add_argument("--port", type=int, default=8174)
    args = parser.parse_args()
    generator = np.random.default_rng(1)
    cells = np.full((round(SIDE_M / RESOLUTION),) * 2, Cell.PENDING, dtype=np.int8)
    cells[:, : cells.shape[1] // 2] = Cell.SEARCHED
    parameters = resource("config/robot.yaml")
    params, folder = ParameterFiles([parameters]).build("console"), Path(tempfile.mkdtemp())
    solo = Solo(params, parameters, folder, folder / "token", Traces(0.1, 10.0))
    view = solo.view
    places = generator.uniform(0.0, SIDE_M, (TARGETS, 2))
    kinds = generator.integers(0, len(TargetClass), TARGETS)
    targets = [
        Target(i, x, y, 0.0, 0.02, 0.02, 0.1, 1.0, 1.0, 0.4 + 0.6 * (i % 2), TargetClass(int(kind)))
        for i, ((x, y), kind) in enumerate(zip(places.tolist(), kinds))
    ]
    for target in targets:
        row, column = int(target.y / RESOLUTION), int(target.x / RESOLUTION)
        cells[max(row - 6, 0) : row + 6, max(column - 6, 0) : column + 6] = Cell.HALO
    view.targets(targets, time.monotonic())
    begin = time.perf_counter()
    view.ledger(LedgerGrid(0.0, 0.0, 0.0, RESOLUTION, cells))
    first = time.perf_counter() - begin
    address = Address("127.0.0.1", args.port)
    server = solo.serve(address, scene(), answer, answer, no_evidence)
    sent: list[tuple[float, int]] = []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on(
            "websocket",
            lambda one: one.on("framereceived", lambda data: sent.append((time.monotonic(), len(data)))),
        )
        page.goto(f"http://127.0.0.1:{args.port}/")
        page.wait_for_timeout(15_000)
        page.evaluate(DRAG)
        updates, frames = [], []
        for zoom in ("#fit", "#zoom-in", "#zoom-in", "#zoom-in"):
            page.click(zoom)
            frames.append(round(page.evaluate(COUNT_FRAMES), 1))
            cells[generator.integers(0, len(cells), 40), 100:140] = Cell.GAP
            begin = time.perf_counter()
            view.ledger(LedgerGrid(0.0, 0.0, 0.0, RESOLUTION, cells))
            view.pose(_pose(generator), time.monotonic())
            updates.append(time.perf_counter() - begin)
        if args.picture:
            page.screenshot(path=args.picture)
        browser.close()
    server.close()
    span = np.array([size for at, size in sent if at < sent[0][0] + 10.0])
    print(
        json.dumps(
            {
                "frames_a_second_by_zoom": frames,
                "kbytes_a_second_while_loading": round(float(span.sum()) / 10_000.0, 1),
                "kbytes_in_all": round(sum(size for _, size in sent) / 1000.0),
                "first_ledger_s": round(first, 3),
                "ledger_update_s": round(float(np.median(updates)), 3),
            },
            indent=1,
        )
    )


def _pose(generator: np.random.Generator) -> NavState:
    zero = np.zeros(3)
    return NavState(0.0, np.append(generator.uniform(0, SIDE_M, 2), 0.0), zero, zero, zero, 1e-4 * np.eye(6))


if __name__ == "__main__":
    main()
