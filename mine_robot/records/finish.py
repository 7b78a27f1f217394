"""From what a run recorded to what it hands over: summary, tables, clearance, map and report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from mine_robot.records.audit import AuditResult
from mine_robot.records.clearance import write_clearance
from mine_robot.records.errors import RecordError
from mine_robot.records.language import DEFAULT, language
from mine_robot.records.proof import audit_run, judge, only_proven
from mine_robot.records.quality import write_sample
from mine_robot.records.run_data import RunData, load_run
from mine_robot.records.scoring import score_of
from mine_robot.records.summary import summarise, write_summary
from mine_robot.records.tables import write_targets, write_trajectory

PICTURES_MAX = 60  # in the report, of the most probable suspects: 3 MB
SILENCE_S = 1.0  # poses come 20 times a second
RESTART_S = 10.0  # after the note of a resumption, within which the first pose comes


def finish_run(
    run_dir: Path, *, figures: bool = True, ended_by: str = "", language_code: str = DEFAULT
) -> dict[str, Any]:
    """Write every record of the run in ``run_dir`` anew and return its summary.

    A run that ended early, found nothing or lost its log still gets a truthful summary. ``figures`` adds map and
    report in the language of the code, ``ended_by`` is why the run ended if the mission itself did not end it. Raises
    :class:`mine_robot.records.errors.RecordError` if the journal or an input of the run is missing or broken.
    """
    language(language_code)
    run = load_run(Path(run_dir))
    checked = audit_run(run)
    _note_silences(run)
    verdict = judge(run, checked)
    if verdict.note:
        run.log.problems.append(verdict.note)
    run = only_proven(run, checked)
    try:
        score = score_of(run)
    except RecordError as error:
        score = None
        run.log.problems.append(f"no score: {error}")
    summary = summarise(run, checked, score, ended_by=ended_by, verdict=verdict)
    try:
        _write(run, checked, summary, language_code if figures else "")
    except OSError as error:
        raise RecordError(f"the records of {run_dir} cannot be written: {error}") from None
    return summary


def _note_silences(run: RunData) -> None:
    """Note as a problem where the log has no poses although the run went on: a recorder or a localisation that was dead or frozen."""
    resumed = [event.t for event in run.outcome.events if event.kind == "resumed"]
    nav = sorted(run.log.nav, key=lambda state: state.t)
    for last, state in pairwise(nav):
        if state.t - last.t > SILENCE_S and not any(last.t <= t <= state.t + RESTART_S for t in resumed):
            way = math.dist(last.position[:2], state.position[:2])
            run.log.problems.append(
                f"the log has no pose {run.clock.span(last.t, state.t)}, in which the robot moved by {way:.2f} m: "
                "what it drove over and searched there is not proven"
            )


def _write(run: RunData, checked: AuditResult | None, summary: Mapping[str, Any], code: str) -> None:
    """Write the files, the most important first; map and report in language ``code``, or not at all if it is empty."""
    files = run.directory
    write_summary(files.summary, summary)
    write_targets(files.targets, run.field.datum, run.outcome.targets, run.outcome.marks)
    write_clearance(files.clearance, run)
    write_trajectory(files.trajectory, run.field.datum, run.log.nav)
    write_sample(files.sample, run.sample, run.field.datum)
    if code:
        from mine_robot.records.evidence import evidence_pictures  # matplotlib takes a second to import
        from mine_robot.records.map_image import draw_map
        from mine_robot.records.report import write_report

        draw_map(files.map, run, checked, code)
        shown = sorted(run.suspects(), key=lambda target: -target.p_hazard)[:PICTURES_MAX]
        pictures = evidence_pictures(files, {target.id for target in shown})
        write_report(files.report, run, summary, checked, files.map, code, pictures)


def score_run(run_dir: Path, scenario: Path | None = None) -> dict[str, Any]:
    """Compare what the run found with what is buried: in ``scenario``, or else in the run's own simulated world.

    Raises :class:`mine_robot.records.errors.RecordError` if there is no truth to compare with.
    """
    run = load_run(Path(run_dir))
    result = score_of(run, scenario)
    if result is None:
        raise RecordError(f"{run_dir} holds no truth to score against (sim/world.json); give --scenario")
    return result
