"""Files of prior knowledge into :class:`~mine_robot.core.priors.Priors`; every error is one line that names the file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shapely.geometry.base import BaseGeometry

from mine_robot.core.field import Field, FieldError
from mine_robot.core.priors import NO_PRIORS, RASTER, Expectation, Priors, priors_from_geojson, raster_scale
from mine_robot.pipeline.loading import LoadError, load_json
from mine_robot.pipeline.rasters import read_raster


def load_priors(path: Path, field: Field) -> Priors:
    """Read and check the priors in ``path`` and the rasters beside it."""

    def raster(label: str, properties: Mapping[str, Any]) -> tuple[BaseGeometry, Expectation]:
        name, band, scale = raster_scale(label, properties)
        if Path(name).name != name:
            raise FieldError(f"{label}: 'file' must be the name of a file in the same folder, not {name!r}")
        image = read_raster(path.parent / name, band, field)
        return image.footprint, lambda x, y: scale(image.at(x, y))

    try:
        return priors_from_geojson(load_json(path), field, raster, source=str(path))
    except FieldError as error:
        raise LoadError(str(error)) from None


def priors_of_run(path: Path, field: Field) -> Priors:
    """What a run knows beforehand: nothing if there is no file at ``path``."""
    return load_priors(path, field) if path.is_file() else NO_PRIORS


def prior_files(path: Path) -> list[Path]:
    """The file of priors (checked before) and the rasters that it names."""
    every = [feature["properties"] for feature in load_json(path)["features"]]
    named = dict.fromkeys(properties["file"] for properties in every if properties["role"] == RASTER)
    return [path, *(path.parent / name for name in named)]


def fingerprints(path: Path) -> dict[str, str]:
    """SHA-256 of the priors in ``path`` and of their rasters, by file name; empty if there are none."""
    files = prior_files(path) if path.is_file() else []
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
