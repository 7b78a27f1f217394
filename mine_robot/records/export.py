"""Export of a run to the formats of mine action's databases and of GIS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mine_robot.records.errors import RecordError
from mine_robot.records.export_kml import write_kml
from mine_robot.records.export_layers import Export, Feature, export_of
from mine_robot.records.export_shapefile import write_shapefiles
from mine_robot.records.export_tables import write_csv, write_xlsx
from mine_robot.records.geojson import feature, write_collection
from mine_robot.records.proof import load_proven
from mine_robot.records.run_directory import RunDirectory

STEM = "export"


def export_run(run_dir: Path, formats: Sequence[str], out: Path) -> list[Path]:
    """Write the run in ``run_dir`` to the folder ``out`` in every one of ``formats``; returns the files, by name.

    Raises :class:`RecordError` for a format that is not known, a folder that is no run, a run that has no summary
    (killed, or still going on), records that are broken, and an output that cannot be written.
    """
    check_formats(formats)
    RunDirectory(run_dir).require_finished()
    if out.exists() and not out.is_dir():
        raise RecordError(f"{out} is not a folder")
    export = export_of(load_proven(run_dir))
    return write_export(export, formats, out)


def check_formats(formats: Sequence[str]) -> None:
    """Raise :class:`RecordError` for a format that is not known."""
    for name in formats:
        if name not in FORMATS:
            raise RecordError(f"--format {name}: must be one of {', '.join(FORMATS)}")


def write_export(export: Export, formats: Sequence[str], out: Path) -> list[Path]:
    """Write layers in every one of ``formats``; returns the files, by name."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in dict.fromkeys(formats):
            FORMATS[name](out, export)
    except OSError as error:
        raise RecordError(f"the export to {out} cannot be written: {error}") from None
    return sorted(path for path in out.iterdir() if path.is_file() and not path.name.startswith("."))


def _geojson(out: Path, export: Export) -> None:
    features = [_feature(item, export) for layer in export.layers for item in layer.features]
    write_collection(out / f"{STEM}.geojson", features, **export.members)


def _feature(item: Feature, export: Export) -> Mapping[str, Any]:
    if item.geometry is not None:
        return feature(item.geometry, export.datum, item.properties)
    known = {key: None if value != value else value for key, value in item.properties.items()}
    return {"type": "Feature", "properties": known, "geometry": None}


FORMATS: dict[str, Callable[[Path, Export], None]] = {
    "geojson": _geojson,
    "kml": lambda out, export: write_kml(out / f"{STEM}.kml", export),
    "shp": write_shapefiles,
    "xlsx": lambda out, export: write_xlsx(out / f"{STEM}.xlsx", export),
    "csv": lambda out, export: write_csv(out, STEM, export),
}
