"""The mission that is attacked by ``gate_campaign.py``: ``mine-robot run`` on the small field with mines early on its way."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from gate_voices import INSIDE
from process_kill_campaign import Run

from mine_robot.pipeline.loading import overlay

ROOT = Path(__file__).parents[1]
URDF = ROOT / "urdf" / "mine_robot.urdf.xacro"
FIELD = ROOT / "test" / "data" / "small_field.geojson"
OBJECTS = (
    {"type": "tm62", "east": -1.0, "north": -1.75, "depth_m": 0.08},
    {"type": "pmn", "east": 1.4, "north": -0.9, "depth_m": 0.05},
    {"type": "pmn", "east": -0.5, "north": 0.6, "depth_m": 0.05},
    {"type": "tm62", "east": 1.5, "north": 1.5, "depth_m": 0.08},
)
RATE, PATIENCE_S = "2", 5.0
SECOND_S, ENDS_S = 45.0, 60.0  # wall time
MACHINE = """
import contextlib
from mine_robot.bringup import cli, runner
runner.hold_the_robot = lambda _: contextlib.nullcontext()
cli.main()
"""  # what keeps two stacks on one machine apart does not reach another machine


class AttackedRun(Run):
    """``mine-robot run`` on the small field, its nodes honest or obedient to the campaign."""

    def __init__(self, folder: Path, seed: int, faults: tuple[dict[str, Any], ...], insider: bool) -> None:
        super().__init__(folder, seed)
        self.field, self.insider = FIELD, insider
        content = {"seed": seed, "soil": "loam", "objects": list(OBJECTS), "faults": list(faults)}
        self.scenario.write_text(yaml.safe_dump(content), encoding="utf-8")
        params = folder / "params.yaml"
        params.write_text(overlay("patience", PATIENCE_S, ["simulator"], "gate_campaign.py"), encoding="utf-8")
        self.options = ("--rate", RATE, "--params", str(params))

    def start(self) -> subprocess.Popen[bytes]:
        """Begin."""
        inside = {INSIDE: "1"} if self.insider else {}
        return self.begin([str(ROOT / "benchmarks" / "gate_voices.py")], self.out, {**os.environ, **inside})

    def begin(self, program: list[str], out: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """A stack on this field."""
        environment.pop("_ROS_WHEELS_BOOTSTRAP_COMPLETE", None)
        environment["PYTHONPATH"] = str(ROOT)  # an environment shared by worktrees names the package of another
        words = ["run", str(self.field), "--scenario", str(self.scenario), "--out", str(out), *self.options]
        with out.with_suffix(".output").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *program, *words],
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
                cwd=ROOT,
            )

    def beside(self, how: str) -> Path:
        """Another stack in the same domain (``hex``: in other digits; ``machine``: as on another machine), for a while; its directory."""
        out, environment = self.out.parent / f"second_{how}", dict(os.environ)
        if how == "hex":
            environment["ROS_DOMAIN_ID"] = hex(int(environment["ROS_DOMAIN_ID"]))
        process = self.begin(
            ["-c", MACHINE] if how == "machine" else ["-m", "mine_robot.bringup.cli"], out, environment
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SECOND_S)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(ENDS_S)
        except subprocess.TimeoutExpired:
            process.kill()
        return out
