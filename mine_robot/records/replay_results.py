"""What a replay leaves behind: tables, the ground its evidence proves, and figures as those of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mine_robot.core.field import Field
from mine_robot.core.robot import Robot
from mine_robot.core.types import SweepEvidence, Target
from mine_robot.coverage.ledger import Ledger
from mine_robot.pipeline.localization import Track
from mine_robot.pipeline.parameters import PlannerNodeParams
from mine_robot.records.ground import Ground, partition
from mine_robot.records.run_directory import RunDirectory
from mine_robot.records.scoring import read_truth, read_world
from mine_robot.records.tables import write_csv
from mine_robot.sim.score import score

OF_MARKS = ("mark_error_p95_m", "detonations", "double_marks")  # a replay neither drives nor marks


def ground_of(
    field: Field,
    robot: Robot,
    params: PlannerNodeParams,
    evidence: Sequence[SweepEvidence],
    targets: Sequence[Target],
) -> Ground:
    """What the ledger makes of ``evidence``; nothing is planned, so a gap has no reason but halos and no-go zones."""
    ledger = Ledger(field, robot, params.limits, params.resolution, params.halo_growth_max)
    ledger.add(evidence)
    ledger.set_targets(targets)
    return partition(field, ledger.grid(evidence[-1].t if evidence else 0.0), 0.0)


def figures(
    targets: Sequence[Target],
    suspects: Sequence[Target],
    ground: Ground | None,
    run: RunDirectory | None,
    robot: Robot,
    poses: Sequence[tuple[float, float, float, float]],
) -> dict[str, Any]:
    """Figures under the names of a run's ``summary.json``; ``score`` only where ``run`` holds the truth.

    ``poses`` are the estimates to be judged, t in s, x, y in m, yaw in rad.
    """
    summary: dict[str, Any] = {"replay": True, "targets": len(targets), "suspects": len(suspects)}
    if ground is not None:
        summary["area_m2"] = round(ground.hazard_m2, 3)
        summary["searched_m2"] = round(ground.searched_m2, 3)
        summary["gaps_m2"] = round(ground.gaps_m2, 4)
    world = read_world(run.world) if run is not None else None
    if run is not None and world is not None and ground is not None:
        scored = score(
            truth=read_truth(run.truth),
            objects=world[0],
            marks=(),
            declared=suspects,
            area_m2=ground.passed_m2,
            robot=robot,
            estimate=np.array(poses).reshape(-1, 4),
        )
        summary["score"] = {key: value for key, value in scored.items() if key not in OF_MARKS}
        summary["simulation"] = True
    return summary


def write_health(path: Path, track: Track) -> None:
    """Write one row a change of the localisation's health."""
    rows = ((f"{t:.3f}", one.values["state"], one.values["sigma_m"], one.message) for t, one in track.health)
    write_csv(path, ("t", "state", "sigma_m", "message"), rows)
