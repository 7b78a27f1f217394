"""``report.html``: the report of a run, in one file that needs nothing else and prints on A4.

The fields are those of GICHD's minimum data requirements as far as a robot can know them; what it cannot know
(organisation, inspector, condition of a device) is left to be filled in by hand and says so.
"""

from __future__ import annotations

import base64
import datetime
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import shapely

from mine_robot.core.geodesy import Datum
from mine_robot.core.parameters import to_flat
from mine_robot.core.types import MarkStatus, Target
from mine_robot.coverage.gaps import gap_area
from mine_robot.records.audit import AuditResult
from mine_robot.records.geojson import position
from mine_robot.records.run_data import RunData
from mine_robot.records.tables import number
from mine_robot.records.text import CLASS_NAMES, STATE_NAMES, clock, datum_text, degrees, percent

TEMPLATE = "report.html.j2"


def write_report(
    path: Path, run: RunData, summary: Mapping[str, Any], audit: AuditResult | None, image: Path | None
) -> None:
    """Write the report; ``image`` is embedded as the map if it is given."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mine_robot.records"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(TEMPLATE).render(_context(run, summary, audit, image))
    path.write_text(page, encoding="utf-8")


def _context(run: RunData, summary: Mapping[str, Any], audit: AuditResult | None, image: Path | None) -> dict[str, Any]:
    started = run.started
    return {
        "summary": summary,
        "simulated": run.simulated,
        "name": run.field.name,
        "imsma_id": run.field.imsma_id,
        "state": STATE_NAMES[run.outcome.state],
        "started": f"{started:%Y-%m-%d %H:%M} UTC" if started else "not recorded",
        "ended": _ended(run),
        "written": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
        "duration": clock(run.outcome.duration_s),
        "coverage": percent(run.ground.coverage),
        "ground": run.ground,
        "datum": datum_text(run.field.datum),
        "map": base64.b64encode(image.read_bytes()).decode() if image is not None else "",
        "limits": run.limits,
        "robot": run.robot.name,
        "depth": _depths(run),
        "perimeter": _perimeter(run),
        "targets": [_target(run, target) for target in run.outcome.targets],
        "gaps": _gaps(run),
        "audit": audit,
        "unproven": None if audit is None else audit.unproven_m2(run.ground.searched),
        "problems": run.log.problems,
        "confidence": _confidence(summary),
        "events": run.outcome.events,
        "parameters": _parameters(run),
        "info": run.info,
        "checksums": run.checksums,
        "mean_sigma": _mean_sigma(run),
    }


def _ended(run: RunData) -> str:
    """Wall time of the end; a simulated clock has none."""
    if run.simulated or run.outcome.end_t is None:
        return "simulated time" if run.simulated else "not recorded"
    return f"{datetime.datetime.fromtimestamp(run.outcome.end_t, datetime.timezone.utc):%Y-%m-%d %H:%M} UTC"


def _depths(run: RunData) -> list[tuple[str, Any]]:
    """Parameters that say how deep was searched."""
    return [(key, value) for key, value in run.parameters.get("detector", {}).items() if "depth" in key]


def _perimeter(run: RunData) -> list[tuple[int, int, str]]:
    """Turning points of the hazardous area: polygon, point, coordinates."""
    points = []
    for number_of, polygon in enumerate(run.field.hazard.geoms, start=1):
        corners = np.array(polygon.exterior.coords)[:-1, :2]
        points += [(number_of, i, _place(run.field.datum, x, y)) for i, (x, y) in enumerate(corners, start=1)]
    return points


def _place(datum: Datum, x: float, y: float) -> str:
    return degrees(*position(datum, x, y))


def _target(run: RunData, target: Target) -> dict[str, Any]:
    mark = run.outcome.marks.get(target.id)
    placed = mark is not None and mark.placed
    return {
        "id": target.id,
        "suspect": target.p_hazard >= run.limits.mark_p_hazard,
        "place": _place(run.field.datum, target.x, target.y),
        "east": number(target.x, 2),
        "north": number(target.y, 2),
        "sigma": number(max(target.sigma_x, target.sigma_y), 3),
        "depth": number(target.depth, 2),
        "kind": CLASS_NAMES[target.kind],
        "p": number(target.p_hazard, 3),
        "llr_gpr": number(target.llr_gpr, 1),
        "llr_md": number(target.llr_md, 1),
        "mark": mark.state if mark else "none",
        "mark_ok": mark is not None and mark.status is MarkStatus.CONFIRMED,
        "mark_place": _place(run.field.datum, mark.x, mark.y) if mark and placed else "",
        "mark_error": number(math.hypot(mark.x - target.x, mark.y - target.y), 3) if mark and placed else "",
        "mark_detail": mark.detail if mark else "",
    }


def _gaps(run: RunData) -> list[dict[str, Any]]:
    """Every gap, the largest first, with a place inside of it."""
    rows = []
    for gap in sorted(run.ground.gaps, key=lambda one: -one.area):
        at = shapely.point_on_surface(gap_area(gap))
        rows.append({"area": f"{gap.area:.4f}", "reason": gap.reason, "place": _place(run.field.datum, at.x, at.y)})
    return rows


def _mean_sigma(run: RunData) -> str:
    """Mean horizontal sigma of the track, m."""
    sigmas = np.array([state.sigma_xy for state in run.log.nav])
    finite = sigmas[np.isfinite(sigmas)]
    return number(float(finite.mean()), 3) if len(finite) else ""


def _parameters(run: RunData) -> dict[str, dict[str, Any]]:
    """The shared limits once, then what is particular to each node; names of files are left out."""
    tables = {"limits, shared by all nodes": to_flat(run.limits)}
    for node, values in run.parameters.items():
        tables[node] = {key: value for key, value in values.items() if not key.startswith(("limits.", "files."))}
    return tables


def _confidence(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The score of a simulated run as text, with whatever intervals it carries."""
    return [(key.replace("_", " "), _figure(value)) for key, value in (summary.get("score") or {}).items()]


def _figure(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return " to ".join(_figure(item) for item in value)
    return str(value)
