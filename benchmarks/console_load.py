"""The console under load: from a page's emergency stop to zero ``cmd_vel``, bytes a viewer, processor time.

``python benchmarks/console_load.py --stops 30 --viewers 10 --busy 2``; the mission is simulated, in real time.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import rclpy
from rclpy.qos import QoSProfile
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from mine_robot.ros import decode
from mine_robot.ros.messages import message_class
from mine_robot.ros.qos import profile
from mine_robot.ros.topics import CMD

ROOT = Path(__file__).parents[1]
FIELD = ROOT / "config" / "missions" / "demo_field.geojson"
LIMIT_S = 120.0


class Page:
    """A viewer that reads everything."""

    def __init__(self, port: int) -> None:
        self.port, self.bytes, self.entries, self.secret = port, 0, {}, ""
        self.planned = 0
        self.socket = connect(f"ws://127.0.0.1:{port}/live", origin=f"http://127.0.0.1:{port}")
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        try:
            for text in self.socket:
                self.bytes += len(text.encode())
                message = json.loads(text)
                self.secret = message.get("hello", {}).get("secret", self.secret)
                self.entries |= message.get("entries", {})
        except ConnectionClosed:
            pass

    def post(self, path: str, body: dict[str, Any], limit_s: float = 10.0) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=limit_s)
        headers = {"Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), {**headers, "X-Console": self.secret or "page"})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return dict(answer)

    @property
    def state(self) -> str:
        return str(self.entries.get("mission", {}).get("state", ""))


class Wheels:
    """Listens to what the guard lets through; ``speed`` is the last one, ``zero_at`` when it last became zero."""

    def __init__(self) -> None:
        rclpy.init()
        self.node = rclpy.create_node("console_load")
        self.speed, self.zero_at = 0.0, 0.0
        qos: QoSProfile = profile(CMD.delivery, reader=True)
        self.node.create_subscription(message_class(CMD.type_name), CMD.name, self.hear, qos)
        threading.Thread(target=rclpy.spin, args=(self.node,), daemon=True).start()

    def hear(self, message: Any) -> None:
        command = decode.twist(message)
        amount = abs(command.speed) + abs(command.yaw_rate)
        if amount == 0.0 and self.speed > 0.0:
            self.zero_at = time.monotonic()
        self.speed = amount


def burn() -> None:
    while True:
        pass


def keep_planning(page: Page) -> None:
    """Have the server plan the field again and again."""
    field = json.loads(FIELD.read_text())
    while True:
        try:
            page.planned += page.post("/api/preview", {"field": field}, limit_s=LIMIT_S)["ok"]
        except (OSError, ValueError):
            return  # the run is over


def wait(what: Callable[[], bool], words: str) -> None:
    limit = time.monotonic() + LIMIT_S
    while not what():
        if time.monotonic() > limit:
            raise SystemExit(f"waited {LIMIT_S:.0f} s for {words}")
        time.sleep(0.01)


def console_of(run: psutil.Popen) -> psutil.Process:
    """The console's process. Errands come and go meanwhile: one that is gone by the time it is asked for its name is none."""
    for child in run.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "console" in child.cmdline()[1:5]:
                return child
    raise SystemExit("the run has no console")


def measure(args: argparse.Namespace, out: Path) -> dict[str, Any]:
    options = ["--console", "--console-port", str(args.port), "--rate", "1", "--wait", "--out", str(out)]
    words = [sys.executable, "-m", "mine_robot.bringup.cli", "run", str(FIELD), *options]
    words_of_run = (out.parent / "run.txt").open("w+")
    run = psutil.Popen(words, stdout=words_of_run, stderr=subprocess.STDOUT)
    busy = [multiprocessing.Process(target=burn, daemon=True) for _ in range(args.busy)]
    try:
        wait(lambda: _listens(args.port), "the console")
        pages = [Page(args.port) for _ in range(args.viewers)]
        wheels, hand = Wheels(), pages[0]
        wait(lambda: hand.state == "idle" and "health" in hand.entries, "the stack")
        wait(lambda: hand.post("/api/control", {"action": "take"})["ok"], "control")
        wait(lambda: hand.post("/api/mission", {"command": "start"})["ok"], "the start")
        wait(lambda: wheels.speed > 0.0, "the robot to move")
        for page in pages[: args.sensors]:
            wait(lambda page=page: page.post("/api/sensors", {"on": True})["ok"], "the sensors")
        for process in busy:
            process.start()
        if args.errands:
            threading.Thread(target=keep_planning, args=(pages[-1],), daemon=True).start()
        console, begin = console_of(run), time.monotonic()
        used, sent = sum(console.cpu_times()[:2]), [page.bytes for page in pages]
        time.sleep(args.watch)
        span = time.monotonic() - begin
        cpu = (sum(console.cpu_times()[:2]) - used) / span
        rates = [(page.bytes - before) / span for page, before in zip(pages, sent)]
        delays = [stop_once(pages[i % len(pages)], hand, wheels) for i in range(args.stops)]
    finally:
        for process in busy:
            if process.pid:
                process.kill()  # rclpy's handlers, inherited, would swallow SIGTERM
        run.send_signal(signal.SIGINT)
        run.wait(60)
        words_of_run.seek(0)
        deaths = [line.strip() for line in words_of_run if "died" in line or "started again" in line]
        if deaths:
            print("\n".join([*deaths, (out / "log" / "console.log").read_text()[-3000:]]), file=sys.stderr)
    return {
        "viewers": args.viewers,
        "of_them_with_sensors": args.sensors,
        "fields_planned_meanwhile": pages[-1].planned,
        "nodes_that_died": deaths,
        "busy_processes": args.busy,
        "console_cpu_of_a_core": round(cpu, 3),
        "kbytes_a_second_a_viewer": round(float(np.mean(rates)) / 1000.0, 1),
        "stops": len(delays),
        "stop_ms": {f"p{p}": round(1000.0 * float(np.percentile(delays, p))) for p in (50, 95, 99, 100)},
    }


def stop_once(page: Page, hand: Page, wheels: Wheels) -> float:
    """Seconds from the request of ``page`` to the guard's first zero; then the mission goes on."""
    wait(lambda: wheels.speed > 0.0 and hand.state in ("search", "approach", "return"), "the robot to move")
    begin = time.monotonic()
    answer = page.post("/api/estop", {})
    if not answer["ok"]:
        raise SystemExit(f"not stopped: {answer}")
    wait(lambda: wheels.speed == 0.0, "the robot to stop")
    delay = wheels.zero_at - begin
    wait(lambda: hand.state == "estop", "the page to see it")
    time.sleep(0.6)  # the page may command twice a second
    wait(lambda: hand.post("/api/mission", {"command": "resume"})["ok"], "the resume")
    time.sleep(0.6)
    return delay


def _listens(port: int) -> bool:
    try:
        http.client.HTTPConnection("127.0.0.1", port, timeout=1.0).connect()
    except OSError:
        time.sleep(0.2)
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stops", type=int, default=30)
    parser.add_argument("--viewers", type=int, default=10)
    parser.add_argument("--sensors", type=int, default=0, help="viewers that show the sensors")
    parser.add_argument("--errands", action="store_true", help="one viewer has the server plan fields all the time")
    parser.add_argument("--busy", type=int, default=0, help="processes that do nothing but keep cores busy")
    parser.add_argument("--watch", type=float, default=20.0, help="seconds of measuring processor and bytes")
    parser.add_argument("--port", type=int, default=8173)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(parser.parse_args(), Path(folder) / "run"), indent=1))


if __name__ == "__main__":
    main()
