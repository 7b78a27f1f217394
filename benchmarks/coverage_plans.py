"""Plans of whole fields with one safe edge: driven length against area over effective lane width, time, planning time, gaps.

    .venv/bin/python benchmarks/coverage_plans.py [square L holes triangle irregular ...] [--triangles] [--check] [--stretch] [--random N]

``ratio`` is the driven length over (area / effective lane width), the width of the searched line less the overlap. ``--check`` walks
each plan with the brute-force checker of the tests. ``--triangles`` plans long thin ones with their corner over any place of their safe
side, so that no figure hangs on one shape. ``--stretch`` measures instead what a mission in a large field waits for: the layout,
the first stretch of lanes, and the same after a find. ``--random`` plans so many random fields of the tests to the very file, and reads it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path

import shapely
from shapely import Polygon

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "test")]

from coverage_setup import limits, robot  # noqa: E402
from plan_checker import Checker  # noqa: E402
from random_fields import field_of, random_field, start_pose, target_at  # noqa: E402

from mine_robot.core.field import Field  # noqa: E402
from mine_robot.core.json_text import to_json  # noqa: E402
from mine_robot.core.types import Pose2  # noqa: E402
from mine_robot.coverage.ledger import Ledger  # noqa: E402
from mine_robot.coverage.params import CoverageParams  # noqa: E402
from mine_robot.coverage.planner import Planner  # noqa: E402
from mine_robot.pipeline.first_plan import first_plan  # noqa: E402
from mine_robot.records.plan_file import plan_to_geojson  # noqa: E402

IRREGULAR = [(0, 0), (95, 4), (150, -3), (171, 52), (148, 97), (158, 131), (96, 142), (61, 118), (22, 131), (-17, 74)]
SAFE_M = 4.0
LANE_M = robot().sweep_width - limits().lane_overlap


def fields() -> dict[str, Field]:
    """The fields of the benchmark."""
    square = shapely.box(0, 0, 50, 50)
    ell = Polygon([(0, 0), (50, 0), (50, 25), (25, 25), (25, 50), (0, 50)])
    holes = square.difference(shapely.union_all([shapely.box(15, 20, 18, 24), shapely.Point(35, 31).buffer(2.0)]))
    irregular = shapely.affinity.scale(Polygon(IRREGULAR), *(2 * [math.sqrt(20_000.0 / Polygon(IRREGULAR).area)]))
    south = shapely.box(-1, -SAFE_M, 51, 0)
    turned = [shapely.affinity.rotate(shape, 23.0, origin=(0, 0)) for shape in (square, south)]
    edge = shapely.LineString(shapely.get_coordinates(irregular.exterior)[:2])
    return {
        "small": field_of(shapely.box(0, 0, 20, 20), shapely.box(-1, -SAFE_M, 21, 0)),
        "square": field_of(square, south),
        "turned": field_of(*turned),
        "L": field_of(ell, south),
        "holes": field_of(holes, south),
        "triangle": thin_triangle(80, 20, 0.5),
        "acute": thin_triangle(160, 20, 0.5),
        "oblique": thin_triangle(100, 20, 0.7),
        "right": thin_triangle(100, 20, 0.0),
        "irregular": field_of(irregular, edge.buffer(SAFE_M, cap_style="square").difference(irregular)),
    }


def thin_triangle(length: float, height: float, over: float, turned: float = 0.0) -> Field:
    """A triangle on a safe edge ``length`` m long, its corner ``over`` that share of it, turned by so many degrees."""
    shapes = Polygon([(0, 0), (length, 0), (over * length, height)]), shapely.box(-1, -SAFE_M, length + 1, 0)
    return field_of(*(shapely.affinity.rotate(shape, turned, origin=(0, 0)) for shape in shapes))


def triangles() -> dict[str, Field]:
    """Long thin triangles."""
    sizes = (60, 12), (80, 20), (100, 10), (100, 20), (120, 24), (160, 20), (200, 20)
    return {
        f"{length} x {height}, {over:g}": thin_triangle(length, height, over)
        for length, height in sizes
        for over in (0.0, 0.25, 0.5, 0.7, 1.0)
    }


def row(name: str, field: Field, check: bool) -> str:
    """One plan as a row of the table."""
    params = CoverageParams()
    ledger = Ledger(field, robot(), limits(), params.resolution, params.halo_growth_max)
    start = Pose2(*start_pose(field), 0.3)
    began = time.process_time()
    plan, layout = Planner(params, limits(), robot()).plan_search(
        ledger.grid(0.0), start, 0.0, obstacles=ledger.zones.no_go, keep_off=ledger.zones.border
    )
    spent = time.process_time() - began
    area = ledger.hazard_area
    driven = sum(step.length for step in plan.steps)
    swept = sum(step.length for step in plan.steps if step.sweep)
    verdict = ""
    if check:
        walked = Checker(field, robot(), limits(), []).walk(plan, start)
        verdict = "clean" if walked.clean else f"UNSAFE {walked.unsafe[:2]} {walked.struck[:2]} {walked.broken[:2]}"
    heading = (
        "-"
        if layout is None
        else f"{math.degrees(layout.direction):.0f}{' strips' if layout.strips else ' wedge' if layout.wedge else ''}"
    )
    return (
        f"| {name} | {area:.0f} | {heading} | {driven * LANE_M / area:.2f} | {swept:.0f} | {driven:.0f} | {plan.duration:.0f} |"
        f" {len(plan.steps)} | {sum(gap.area for gap in plan.gaps):.2f} | {spent:.1f} | {verdict} |"
    )


def stretch(hectares: float) -> str:
    """CPU time of what a mission on a square of that size waits for."""
    side, params = 100.0 * math.sqrt(hectares), CoverageParams()
    field = field_of(shapely.box(0, 0, side, side), shapely.box(0, -SAFE_M, side, 0))
    ledger = Ledger(field, robot(), limits(), params.resolution, params.halo_growth_max)
    closed = {"obstacles": ledger.zones.no_go, "keep_off": ledger.zones.border}
    planner, start, times = Planner(params, limits(), robot()), Pose2(*start_pose(field), 0.3), [time.process_time()]
    layout = planner.layout_of_large(ledger.grid(0.0), **closed)
    times.append(time.process_time())
    assert layout is not None
    plan = planner.plan_on(ledger.grid(0.0), start, 0.0, layout, **closed)
    times.append(time.process_time())
    first = next(step for step in plan.steps if step.sweep)
    ledger.set_targets([target_at(1, first.end.x + 1.0, first.end.y)])
    grid = ledger.grid(0.0)
    times.append(time.process_time())
    planner.plan_on(grid, start, 0.0, layout, **closed)
    times.append(time.process_time())
    return (
        f"{hectares:g} ha: layout {times[1] - times[0]:.2f} s, first stretch ({len(plan.steps)} steps, {plan.duration:.0f} s)"
        f" {times[2] - times[1]:.2f} s, after a find {times[4] - times[3]:.2f} s"
    )


def write_random(count: int) -> str:
    """Plan ``count`` random fields, write each plan as its file and read it as strict JSON."""
    began, spent, covered = time.process_time(), 0.0, []
    for seed in range(count):
        field, before = random_field(seed), time.process_time()
        plan = first_plan(field, CoverageParams(), limits(), robot())
        content = json.loads(to_json(plan_to_geojson(plan, field, robot(), limits(), 0.0)), parse_constant=ValueError)
        covered.append(content["summary"]["covered"])
        spent = max(spent, time.process_time() - before)
    total = time.process_time() - began
    return (
        f"{count} random fields planned and written: {total / count:.2f} CPU s each, {spent:.1f} at the most; "
        f"{100.0 * sum(covered) / count:.1f} % of their ground covered, {100.0 * min(covered):.1f} % at the least"
    )


def main() -> None:
    """Plan the fields."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(fields()))
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--triangles", action="store_true", help="long thin ones instead")
    parser.add_argument("--stretch", action="store_true", help="what a mission on 1 and 10 hectares waits for")
    parser.add_argument("--random", type=int, metavar="N", help="plans of N random fields, written to the file")
    arguments = parser.parse_args()
    if arguments.random:
        print(write_random(arguments.random))
        return
    if arguments.stretch:
        print(stretch(1.0), stretch(10.0), sep="\n")
        return
    print(
        "| field | m² | lanes | ratio | swept m | driven m | s | steps | gaps m² | CPU s | checked |\n|" + "---|" * 11
    )
    planned = triangles() if arguments.triangles else fields()
    for name, field in planned.items():
        if name in (arguments.names or planned):
            print(row(name, field, arguments.check), flush=True)


if __name__ == "__main__":
    main()
