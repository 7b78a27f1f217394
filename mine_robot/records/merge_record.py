"""The files of a merged record: those of a run, and who searched what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from scipy.ndimage import find_objects

from mine_robot.core.json_text import to_json
from mine_robot.core.types import Cell, LedgerGrid
from mine_robot.coverage.gaps import cells_to_area
from mine_robot.records.clearance import write_clearance
from mine_robot.records.errors import RecordError
from mine_robot.records.export import check_formats, write_export
from mine_robot.records.export_layers import export_of
from mine_robot.records.geojson import feature, write_collection
from mine_robot.records.ground import polygons
from mine_robot.records.merge import MergedRun, merge
from mine_robot.records.merge_ledger import names
from mine_robot.records.proof import load_proven
from mine_robot.records.run_data import RunData
from mine_robot.records.run_directory import RunDirectory, read_json
from mine_robot.records.summary import summarise, write_summary
from mine_robot.records.tables import write_targets


def merge_runs(
    paths: Sequence[Path],
    out: Path,
    formats: Sequence[str] = (),
    *,
    figures: bool = True,
    spread: Callable[[Callable[[Path], RunData], Sequence[Path]], Iterable[RunData]] = map,
) -> dict[str, Any]:
    """Merge the runs in ``paths`` and write the record of all to the folder ``out``, with exports in ``formats``; returns its summary.

    ``spread`` applies a function to each run, in order; it may do so elsewhere.

    Raises :class:`RecordError` for a folder that is no finished run, runs that cannot belong together (simulated and real ones, too far
    apart, one given twice) and an output that cannot be written.
    """
    check_formats(formats)
    if len({path.resolve() for path in paths}) < len(paths):
        raise RecordError("a run is given twice")
    if (out / RunDirectory(out).run.name).exists():
        raise RecordError(f"{out} is a run directory: give another folder with --out")
    for path in paths:
        RunDirectory(path).require_finished()
    merged = merge(list(spread(partial(load_proven, logs=False), paths)), out)
    summary = _summary(merged)
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write(merged, summary, out, figures)
        if formats:
            write_export(export_of(merged.run), formats, out / "export")
    except OSError as error:
        raise RecordError(f"the merged record cannot be written to {out}: {error}") from None
    return summary


def _summary(merged: MergedRun) -> dict[str, Any]:
    """The summary of the merged record, with the share of each run, the sightings of each target and the contradictions."""
    summary = summarise(merged.run, None, None)
    grid = _grid(merged)
    share = merged.hazard * (grid.cells == Cell.SEARCHED) * grid.resolution**2
    by_run, alone = (
        count(share, len(merged.runs)) for count in (merged.provenance.area_by_run, merged.provenance.area_alone)
    )
    summary["searched_again_m2"] = round(merged.provenance.area_again(share), 3)
    unsafe = [read_json(part.directory.summary).get("unsafe_ground_m2") for part in merged.parts]
    summary["unsafe_ground_m2"] = None if None in unsafe else round(sum(area for area in unsafe if area), 4)
    summary["runs"] = [
        {
            "run": name,
            "state": part.outcome.state.value,
            "searched_m2": round(float(by_run[i]), 3),
            "searched_alone_m2": round(float(alone[i]), 3),
            "unsafe_ground_m2": unsafe[i],
            "targets": len(part.outcome.targets),
            "journal_sha256": part.checksums,
        }
        for i, (name, part) in enumerate(zip(merged.runs, merged.parts))
    ]
    summary["sightings"] = [
        {"target": one.target.id, "of": [{"run": merged.runs[s.run], "target": s.target.id} for s in one.sightings]}
        for one in merged.targets
    ]
    summary["contradictions"] = [asdict(one) for one in merged.contradictions]
    return summary


def _grid(merged: MergedRun) -> LedgerGrid:
    assert merged.run.outcome.grid is not None  # every merged record has a ledger
    return merged.run.outcome.grid


def _write(merged: MergedRun, summary: dict[str, Any], out: Path, figures: bool) -> None:
    files, run = RunDirectory(out), merged.run
    write_summary(files.summary, summary)
    write_targets(files.targets, run.field.datum, run.outcome.targets, run.outcome.marks)
    write_clearance(files.clearance, run)
    write_collection(out / "provenance.geojson", _provenance(merged), simulation=run.simulated)
    grid = _grid(merged)
    np.savez_compressed(
        out / "ledger.npz",
        cells=grid.cells,
        origin=np.array([run.field.datum.latitude, run.field.datum.longitude, grid.x0, grid.y0, grid.resolution]),
        searched_by=merged.provenance.index,
        sets=np.array(to_json([names(merged.runs, one) for one in merged.provenance.sets])),
    )
    if figures:
        from mine_robot.records.map_image import draw_map  # matplotlib takes a second to import
        from mine_robot.records.report import write_report

        draw_map(files.map, run, None)
        write_report(files.report, run, summary, None, files.map)


def _provenance(merged: MergedRun) -> Iterable[dict[str, Any]]:
    """Searched ground by who searched it."""
    grid, index = _grid(merged), merged.provenance.index
    for number, (runs, window) in enumerate(zip(merged.provenance.sets[1:], find_objects(index)), 1):
        if window is None or not (mask := (index[window] == number) & (grid.cells[window] == Cell.SEARCHED)).any():
            continue
        south, west = (axis.start * grid.resolution for axis in window)
        area = cells_to_area(mask, grid.x0 + west, grid.y0 + south, grid.resolution)
        inside = shapely.simplify(area, 1e-4).intersection(merged.run.field.hazard)
        for polygon in polygons(inside).geoms:
            own = {"kind": "searched", "runs": ", ".join(names(merged.runs, runs)), "passes": len(runs)}
            yield feature(polygon, merged.run.field.datum, {**own, "area_m2": round(polygon.area, 3)})
