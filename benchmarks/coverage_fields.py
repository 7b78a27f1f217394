"""Random fields, planned and executed: is every metre under the tracks safe or searched, and is all ground searched or listed?

*Planned*: the whole plan of the fresh field, walked by the brute-force checker of the tests. *Executed*: a whole mission in the
ROS-free simulation, with slip on a slope, sensor noise, the real localisation and detection, and mines and clutter at random places;
with ``--model`` localisation and detection are models (``field_model.py``), all else is as real. The log is audited twice by
``records/audit.py``: with the estimated poses grown by k sigma, and with the true poses and the bare tracks. What is searched and what
is listed is taken from what the report would say.

    .venv/bin/python benchmarks/coverage_fields.py --seeds 0:500 --model --jobs 2 --keep DIR

Prints a line for each seed that broke a promise and, at the end, the tally. ``DIR`` keeps the outcomes, so that a run can go on.
A mission takes about a minute of CPU, with ``--model`` about 8 s.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import shapely

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "test"), str(ROOT / "benchmarks")]

from field_model import install  # noqa: E402
from plan_checker import CELL, Checker  # noqa: E402
from random_fields import random_field  # noqa: E402
from tracking import configuration, ground  # noqa: E402

from mine_robot.core.types import NavState  # noqa: E402
from mine_robot.coverage import gaps  # noqa: E402
from mine_robot.pipeline.first_plan import first_plan  # noqa: E402
from mine_robot.pipeline.offline import OfflineMission  # noqa: E402
from mine_robot.records.audit import audit  # noqa: E402
from mine_robot.records.ground import NOT_SEARCHED, partition  # noqa: E402
from mine_robot.records.run_data import STRIP_MARGIN  # noqa: E402
from mine_robot.sim.scenario import Scenario  # noqa: E402
from mine_robot.sim.types import TrueState  # noqa: E402
from mine_robot.sim.world import start_pose  # noqa: E402

MISSION_S = 3600.0
SLIP, SLOPE_DEG = 0.10, 5.0
OBJECTS = {"pmn": 1, "tm62": 1, "pma3": 1, "can": 1, "nail": 1, "stone": 1}
# Shares asked for: of the reachable ground searched, of all ground searched or listed.
REACHED, ACCOUNTED = 0.9995, 0.999
ROUNDING_M2 = 1e-3


@dataclass(frozen=True)
class Outcome:
    """One field, planned or executed; areas in m²."""

    kind: str
    seed: int
    state: str  # how it ended
    hazard: float
    searched: float
    listed: float  # in gaps, as out of reach
    left: float  # in gaps, as not searched
    unlisted: float  # neither searched nor in gaps
    unsafe: float  # rolled over, neither safe nor searched before
    halo: float  # its part in halos

    @property
    def reached(self) -> float:
        """Share of the reachable ground that was searched."""
        reachable = self.hazard - self.listed
        return self.searched / reachable if reachable > ROUNDING_M2 else 1.0

    @property
    def failures(self) -> list[str]:
        """The promises it broke."""
        broken = {
            self.state: self.state not in ("done", "clean"),
            "unsafe ground": self.unsafe > ROUNDING_M2,
            "halo entered": self.halo > ROUNDING_M2,
            "reachable ground left": self.reached < REACHED,
            "ground not accounted for": self.unlisted > (1.0 - ACCOUNTED) * self.hazard,
        }
        return [words for words, holds in broken.items() if holds]


def planned(seed: int) -> Iterator[Outcome]:
    """The plan of a fresh field, judged by what the checker saw swept."""
    robot, files = configuration()
    params = files.build("planner")
    field = random_field(seed)
    plan = first_plan(field, params, params.limits, robot)
    checker = Checker(field, robot, params.limits, [])
    verdict = checker.walk(plan, start_pose(field, robot))
    area = shapely.union_all([gaps.gap_area(gap) for gap in plan.gaps])
    inside = shapely.contains_xy(area.buffer(CELL / 2.0), checker.x, checker.y) & checker.hazard & ~checker.swept
    missing = checker.hazard & ~checker.swept & ~inside
    cell = CELL**2
    yield Outcome(
        "planned",
        seed,
        "clean" if not verdict.broken and not verdict.struck else f"{verdict.broken}{verdict.struck}",
        verdict.hazard_m2,
        verdict.searched_m2,
        float(inside.sum()) * cell,
        0.0,
        float(missing.sum()) * cell,
        len(verdict.unsafe) * cell,
        0.0,  # the checker counts it as unsafe
    )


def executed(seed: int, model: bool) -> Iterator[Outcome]:
    """A whole mission, judged by estimated and by true poses."""
    robot, files = configuration()
    field = random_field(seed)
    rng = np.random.default_rng([13, seed])
    scenario = Scenario(seed=seed, terrain=ground(rng, SLIP, SLOPE_DEG), random_objects=OBJECTS)
    mission = OfflineMission(field, robot, files, scenario)
    if model:
        install(mission, robot, files.build("simulator"), scenario)
    status = mission.run(MISSION_S)
    log, limits = mission.log, files.build("mission").limits
    reach = robot.track_half_width + limits.patch_growth + STRIP_MARGIN
    report = partition(field, mission.coverage.grid(mission.t), reach)
    not_searched = report.gaps_by_reason().get(NOT_SEARCHED, 0.0)
    driven = [truth for truth in log.truth if truth.t >= log.nav[0].t] if log.nav else []
    for kind, nav in (("executed", log.nav), ("executed, true poses", [as_known(truth) for truth in driven])):
        result = audit(field, robot, limits, nav, log.evidence, log.targets)
        yield Outcome(
            kind,
            seed,
            status.state.value if status.state.value == "done" else f"{status.state.value}: {status.reason}",
            report.hazard_m2,
            report.searched_m2,
            report.gaps_m2 - not_searched,
            not_searched,
            abs(report.hazard_m2 - report.searched_m2 - report.gaps_m2),
            result.unsafe_ground_m2,
            result.halo_m2,
        )


def as_known(truth: TrueState) -> NavState:
    """The truth as an estimate without any doubt."""
    return NavState(truth.t, truth.position, truth.rpy, truth.velocity, truth.rate, np.zeros((6, 6)))


def tally(rows: list[Outcome]) -> str:
    """All fields of one kind in a line."""
    reached, hazard = np.array([row.reached for row in rows]), sum(row.hazard for row in rows)
    bad = {row.seed for row in rows if row.failures}
    return (
        f"{rows[0].kind}: {len(rows)} fields, {hazard:.0f} m2; unsafe ground {sum(row.unsafe for row in rows):.4f} m2, halos entered "
        f"{sum(row.halo > ROUNDING_M2 for row in rows)}; reachable ground searched {100 * reached.mean():.3f} % on average, "
        f"{100 * reached.min():.3f} % at least; listed as out of reach {sum(row.listed for row in rows):.1f} m2, as not searched "
        f"{sum(row.left for row in rows):.1f} m2, not at all {sum(row.unlisted for row in rows):.3f} m2; "
        f"{len(rows) - len(bad)} kept every promise"
    )


def outcomes(seed: int, only: str | None, model: bool, folder: Path | None) -> list[Outcome]:
    """All that is asked for of one seed, from ``folder`` if an earlier run of the same code kept it there."""
    found = []
    for kind, judge in (("planned", planned), ("executed", partial(executed, model=model))):
        path = folder / f"{seed}_{kind}.json" if folder is not None else None
        if only not in (None, kind):
            continue
        if path is not None and path.is_file():
            found += [Outcome(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
            continue
        found += (rows := list(judge(seed)))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps([asdict(row) for row in rows]), encoding="utf-8")
    return found


def main() -> None:
    """Plan and execute the fields."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0:10", help="first:last, the last not included")
    parser.add_argument("--only", choices=("planned", "executed"))
    parser.add_argument("--model", action="store_true", help="missions with models of localisation and detection")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument(
        "--keep", type=Path, help="folder that keeps the outcome of every seed, so that a long run can go on"
    )
    arguments = parser.parse_args()
    seeds = range(*(int(part) for part in arguments.seeds.split(":")))
    judge = partial(outcomes, only=arguments.only, model=arguments.model, folder=arguments.keep)
    rows: dict[str, list[Outcome]] = {}
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for outcome in chain.from_iterable(pool.map(judge, seeds)):
            rows.setdefault(outcome.kind, []).append(outcome)
            if outcome.failures:
                print(f"seed {outcome.seed}, {', '.join(outcome.failures)}: {outcome}", flush=True)
    for kind in rows.values():
        print(tally(kind), flush=True)


if __name__ == "__main__":
    main()
