"""``report.html``: the report of a run, in one file that needs nothing else and prints on A4.

The fields are those of GICHD's minimum data requirements as far as a robot can know them; what it cannot know
(organisation, inspector, condition of a device) is left to be filled in by hand and says so.
"""

from __future__ import annotations

import base64
import datetime
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import shapely

from mine_robot.core.geodesy import Datum
from mine_robot.core.parameters import to_flat
from mine_robot.core.text import writable
from mine_robot.core.types import MarkStatus, RemarkKind, Target
from mine_robot.coverage.gaps import gap_area
from mine_robot.records.audit import AuditResult
from mine_robot.records.geojson import position
from mine_robot.records.language import DEFAULT, Language, language
from mine_robot.records.prior_results import PriorResult, prior_results, raised_suspects
from mine_robot.records.run_data import RunData
from mine_robot.records.tables import number
from mine_robot.records.text import clock, datum_text, degrees, moment, percent

TEMPLATE = "report.html.j2"
SMALL_GAP_M2 = 0.01  # smaller ones are listed together: slivers along borders fill pages
CELLS_SHOWN = 24


def write_report(
    path: Path,
    run: RunData,
    summary: Mapping[str, Any],
    audit: AuditResult | None,
    image: Path | None,
    code: str = DEFAULT,
    pictures: Mapping[int, bytes] | None = None,
) -> None:
    """Write the report in the language ``code``; ``image`` is embedded as the map if it is given, and so are ``pictures`` (PNG) of
    targets by their id.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mine_robot.records"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = {number: base64.b64encode(picture).decode() for number, picture in (pictures or {}).items()}
    context = _context(run, summary, audit, image, language(code))
    page = environment.get_template(TEMPLATE).render(context, pictures=shown)
    path.write_text(writable(page), encoding="utf-8")


def _context(
    run: RunData, summary: Mapping[str, Any], audit: AuditResult | None, image: Path | None, t: Language
) -> dict[str, Any]:
    return {
        "t": t,
        "summary": summary,
        "simulated": run.simulated,
        "name": run.field.name,
        "imsma_id": run.field.imsma_id,
        "state": t.state(run.outcome.state),
        "started": moment(run.started, t),
        "ended": _ended(run, t),
        "written": moment(datetime.datetime.now(datetime.timezone.utc), t),
        "duration": clock(run.outcome.duration_s, t),
        "coverage": percent(run.ground.coverage),
        "ground": run.ground,
        "datum": datum_text(run.field.datum, t),
        "map": base64.b64encode(image.read_bytes()).decode() if image is not None else "",
        "limits": run.limits,
        "robot": run.robot.name,
        "depth": _depths(run),
        "perimeter": _perimeter(run, t),
        "tally": run.tally,
        "time_heads": ("t / s",) if run.simulated else (t("course.time"), t("course.elapsed")),
        "times": partial(_times, run),
        "targets": [_target(run, target, t) for target in run.outcome.targets],
        "remarks": [r for r in run.outcome.remarks if r.kind is not RemarkKind.ACKNOWLEDGE],
        "priors": [_prior(result, t) for result in prior_results(run)],
        "raised": [target.id for target in raised_suspects(run)],
        "gaps": _gaps(run, t),
        "audit": audit,
        "unproven": summary.get("unsupported_m2") or 0.0,
        "problems": run.log.problems,
        "confidence": _confidence(summary, t),
        "events": run.outcome.events,
        "parameters": _parameters(run, t),
        "info": run.info,
        "checksums": run.checksums,
        "mean_sigma": _mean_sigma(run),
        "sample": run.sample,
        "sample_share": percent(run.sample.area_m2 / run.ground.searched_m2) if run.ground.searched_m2 else "",
        "sample_places": [_place(run.field.datum, float(x), float(y), t) for x, y in run.sample.cells[:CELLS_SHOWN]],
    }


def _ended(run: RunData, t: Language) -> str:
    """Wall time of the end; a simulated clock has none."""
    if run.simulated or run.outcome.end_t is None:
        return t("simulated_time") if run.simulated else t("not_recorded")
    return run.clock.date(run.outcome.end_t)


def _times(run: RunData, when: float) -> tuple[str, ...]:
    """A time of the stack in the columns of a table."""
    return (f"{when:.1f}",) if run.simulated else (run.clock.date(when), run.clock.elapsed(when))


def _depths(run: RunData) -> list[tuple[str, Any]]:
    """Parameters that say how deep was searched."""
    return [(key, value) for key, value in run.parameters.get("detector", {}).items() if "depth" in key]


def _perimeter(run: RunData, t: Language) -> list[tuple[int, int, str]]:
    """Turning points of the hazardous area: polygon, point, coordinates."""
    points = []
    for number_of, polygon in enumerate(run.field.hazard.geoms, start=1):
        corners = np.array(polygon.exterior.coords)[:-1, :2]
        points += [(number_of, i, _place(run.field.datum, x, y, t)) for i, (x, y) in enumerate(corners, start=1)]
    return points


def _place(datum: Datum, x: float, y: float, t: Language) -> str:
    return degrees(*position(datum, x, y), t)


def _target(run: RunData, target: Target, t: Language) -> dict[str, Any]:
    mark = run.outcome.marks.get(target.id)
    placed = mark is not None and mark.placed
    return {
        "id": target.id,
        "suspect": target.id in run.tally.suspected,
        "place": _place(run.field.datum, target.x, target.y, t),
        "east": number(target.x, 2),
        "north": number(target.y, 2),
        "sigma": number(max(target.sigma_x, target.sigma_y), 3),
        "depth": number(target.depth, 2),
        "kind": t.kind(target.kind),
        "p": number(target.p_hazard, 3),
        "llr_gpr": number(target.llr_gpr, 1),
        "llr_md": number(target.llr_md, 1),
        "mark": mark.state if mark else "none",
        "mark_text": t(f"mark.{mark.state}") if mark else "",
        "mark_ok": mark is not None and mark.status is MarkStatus.CONFIRMED,
        "mark_place": _place(run.field.datum, mark.x, mark.y, t) if mark and placed else "",
        "mark_error": number(math.hypot(mark.x - target.x, mark.y - target.y), 3) if mark and placed else "",
        "mark_detail": mark.detail if mark else "",
    }


def _prior(result: PriorResult, t: Language) -> dict[str, Any]:
    suspicion = result.suspicion
    return {
        "name": suspicion.name,
        "role": t(f"prior.{suspicion.role}"),
        "words": suspicion.words,
        "area": f"{result.area_m2:.2f}" if result.area_m2 > 0.0 else t("priors.outside"),
        "left": f"{result.left_m2:.2f}" if result.area_m2 > 0.0 else "",
        "suspects": ", ".join(str(number) for number in result.suspects),
    }


def _gaps(run: RunData, t: Language) -> list[dict[str, Any]]:
    """Every gap with a place inside of it, the largest first; what is smaller than a hand in a line for each reason."""
    rows, small = [], dict[str, list[float]]()
    for gap in sorted(run.ground.gaps, key=lambda one: -one.area):
        if gap.area < SMALL_GAP_M2:
            small.setdefault(gap.reason, []).append(gap.area)
            continue
        at = shapely.point_on_surface(gap_area(gap))
        place = _place(run.field.datum, at.x, at.y, t)
        rows.append({"area": f"{gap.area:.4f}", "reason": t.gap(gap.reason), "place": place})
    for reason, areas in small.items():
        place = t("gaps.small", count=len(areas), limit=f"{SMALL_GAP_M2:g}")
        rows.append({"area": f"{sum(areas):.4f}", "reason": t.gap(reason), "place": place})
    return rows


def _mean_sigma(run: RunData) -> str:
    """Mean horizontal sigma of the track, m."""
    sigmas = np.array([state.sigma_xy for state in run.log.nav])
    finite = sigmas[np.isfinite(sigmas)]
    return number(float(finite.mean()), 3) if len(finite) else ""


def _parameters(run: RunData, t: Language) -> dict[str, dict[str, Any]]:
    """The shared limits once, then what is particular to each node; names of files are left out."""
    tables = {t("settings.shared"): to_flat(run.limits)}
    for node, values in run.parameters.items():
        tables[node] = {key: value for key, value in values.items() if not key.startswith(("limits.", "files."))}
    return tables


def _confidence(summary: Mapping[str, Any], t: Language) -> list[tuple[str, str]]:
    """The score of a simulated run as text, with whatever intervals it carries."""
    score = summary.get("score") or {}
    return [(t.score(key), t("not_known") if value is None else _figure(value)) for key, value in score.items()]


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
