"""The score of a run against the truth: the simulated world's own record, or a scenario with the true objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mine_robot.core.types import Array, MarkResult, MarkStatus
from mine_robot.pipeline.loading import LoadError, load_scenario
from mine_robot.records.errors import RecordError
from mine_robot.records.run_data import RunData
from mine_robot.records.run_directory import read_json
from mine_robot.sim.objects import CATALOGUE
from mine_robot.sim.scenario import ScenarioError, place_random
from mine_robot.sim.score import score
from mine_robot.sim.types import BuriedObject
from mine_robot.sim.world import generators


def score_of(run: RunData, scenario: Path | None = None) -> dict[str, Any] | None:
    """Score ``run`` against its simulated world, or against ``scenario``; None if it has no world of its own.

    Marks are where the paint truly fell if the world recorded it, else where the journal has them. False alarms are
    counted over the ground the head passed. Raises :class:`RecordError` if world or scenario cannot be read.
    """
    world = read_world(run.directory.world)
    if scenario is None and world is None:
        return None
    objects, painted = world if world is not None else ((), None)
    if scenario is not None:
        objects = _scenario_objects(scenario, run)
    if painted is None:
        painted = tuple(_journal_marks(run))
    return score(
        truth=read_truth(run.directory.truth),
        objects=objects,
        marks=painted,
        declared=run.suspects(),
        area_m2=run.ground.passed_m2,
        robot=run.robot,
        estimate=np.array([[s.t, s.pose.x, s.pose.y, s.pose.yaw] for s in run.log.nav]).reshape(-1, 4),
    )


def read_world(path: Path) -> tuple[tuple[BuriedObject, ...], tuple[MarkResult, ...]] | None:
    """Objects and paint of the simulated world; None if there is no file."""
    if not path.is_file():
        return None
    world = read_json(path)
    try:
        objects = tuple(
            BuriedObject(str(item["kind"]), float(item["x"]), float(item["y"]), float(item["depth"]))
            for item in world["objects"]
        )
        painted = tuple(
            MarkResult(float(t), int(target), MarkStatus.CONFIRMED, float(x), float(y), "true place of the paint")
            for t, target, x, y in world.get("fired", ())
        )
        unknown = {item.kind for item in objects} - set(CATALOGUE)
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{path} does not describe a simulated world: {error!r}") from None
    if unknown:
        raise RecordError(f"{path} holds unknown kinds of objects: {', '.join(sorted(unknown))}")
    return objects, painted


def _scenario_objects(path: Path, run: RunData) -> tuple[BuriedObject, ...]:
    """Objects of a scenario as the simulator would bury them, with the seed the run was given."""
    seed = run.info.get("seed")
    try:
        scenario = load_scenario(path, run.field, -1 if seed is None else int(seed))
        return (*scenario.objects, *place_random(scenario, run.field, generators(scenario.seed)["placement"]))
    except (LoadError, ScenarioError) as error:
        raise RecordError(str(error)) from None


def _journal_marks(run: RunData) -> Iterator[MarkResult]:
    """The marks that lie on the ground as far as the journal knows."""
    for mark in run.outcome.marks.values():
        if mark.placed and mark.status is not None:
            yield MarkResult(mark.t, mark.target_id, mark.status, mark.x, mark.y, mark.detail)


def read_truth(path: Path) -> Array:
    """True poses (n, 4): t, x, y, yaw; a line that a killed simulator left unfinished is skipped."""
    if not path.is_file():
        return np.empty((0, 4))
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = [float(cell) for cell in line.split(",")]
        except ValueError:
            continue
        if len(row) == 4:
            rows.append(row)
    return np.array(rows).reshape(-1, 4)
