"""Commands on the records of finished runs."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from mine_robot.bringup.commands.options import DaskCluster, Formats, ReportLanguage, RunFolder, console
from mine_robot.core.json_text import to_json


def report(folder: RunFolder, language: ReportLanguage = "en") -> None:
    """Write summary, map, tables and report of a run again from its records."""
    from mine_robot.bringup.display import show_summary
    from mine_robot.records.finish import finish_run

    show_summary(console, finish_run(folder, language_code=language), folder)


def export(
    folder: RunFolder,
    formats: Formats = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the files; by default 'export' in the run directory.")
    ] = None,
) -> None:
    """Write what a run found and cleared for a database or GIS (docs/exports.md)."""
    from mine_robot.bringup.saving import filling
    from mine_robot.records.export import export_run

    out = out or folder / "export"
    with filling(out, "export", (folder,)):
        for path in export_run(folder, _names(formats or ["geojson"]), out):
            console.print(str(path), soft_wrap=True)


def evidence(
    folder: RunFolder,
    target: Annotated[int, typer.Argument(metavar="TARGET", help="Number of the target.")],
    out: Annotated[Path | None, typer.Option(metavar="PNG", help="The picture; by default target_TARGET.png.")] = None,
) -> None:
    """Draw the scans behind a target of a run, also while the run goes on."""
    from mine_robot.bringup.saving import PICTURE, check_output, replacing
    from mine_robot.records.evidence import draw_evidence

    picture = out or Path(f"target_{target:03d}.png")
    check_output(picture, PICTURE, folder.glob("*"))
    with replacing(picture) as draft:
        draw_evidence(folder, target, draft)
    console.print(str(picture), soft_wrap=True)


def merge(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories on one area.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the merged record.")],
    formats: Formats = None,
    dask: DaskCluster = "",
) -> None:
    """Merge several runs on one area to one ledger and one report (docs/merging.md)."""
    from mine_robot.bringup.saving import filling
    from mine_robot.bringup.workers import workers
    from mine_robot.records.merge_record import merge_runs

    # A run is read in a hundredth of a second: processes of this machine would take longer to start.
    with filling(out, "merge", folders), workers(dask) if dask else nullcontext(map) as spread:
        summary = merge_runs(folders, out, _names(formats or []), spread=spread)
    console.print(
        f"{len(folders)} runs: {summary['searched_m2']:.2f} of {summary['area_m2']:.2f} m2 searched, {summary['targets']} targets, "
        f"{len(summary['contradictions'])} contradictions -> {out}",
        soft_wrap=True,
    )


def score(
    folder: RunFolder,
    scenario: Annotated[
        Path | None, typer.Option(help="Scenario with the true objects; by default the run's own world.")
    ] = None,
) -> None:
    """Compare what a run found with what is buried."""
    from mine_robot.records.finish import score_run

    typer.echo(to_json(score_run(folder, scenario), indent=2, ascii_only=True))


def _names(texts: list[str]) -> list[str]:
    """Names from options that may hold several, with commas."""
    return [name.strip() for text in texts for name in text.split(",")]
