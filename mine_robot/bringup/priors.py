"""Prior knowledge on its way from the command line into a run."""

from __future__ import annotations

import shutil
from pathlib import Path

from mine_robot.bringup.terminal import complain
from mine_robot.core.field import Field
from mine_robot.pipeline.loading import LoadError
from mine_robot.pipeline.priors import fingerprints, load_priors, prior_files


def warn_outside(path: Path, field: Field) -> None:
    """Check the priors in ``path`` and say on stderr which of them say nothing of the field."""
    for line in load_priors(path, field).outside(field):
        complain(f"mine-robot: {path}: {line}")


def copy_priors(path: Path, target: Path) -> None:
    """Copy the priors and their rasters into the folder of ``target``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source, *rasters = prior_files(path)
    shutil.copyfile(source, target)
    for raster in rasters:
        shutil.copyfile(raster, target.parent / raster.name)


def same_priors(path: Path, recorded: Path, field: Field) -> None:
    """Raise :class:`LoadError` if ``path`` and its rasters cannot be used, or are other ones than those of the run."""
    load_priors(path, field)
    if not recorded.is_file() or list(fingerprints(path).values()) != list(fingerprints(recorded).values()):
        raise LoadError(f"cannot resume {recorded.parents[1]}: it ran with other prior knowledge than {path}")
