"""Several runs on one area as one record: union of what was searched, one list of targets, and every contradiction.

Where runs disagree, the more cautious one is believed: a suspect against cleared ground, a hazardous area against a safe
one, a no-go zone against a search, a hazard against clutter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import shapely
from shapely import MultiPolygon
from shapely.geometry.base import BaseGeometry

from mine_robot.core.field import MAX_EXTENT_M, Field
from mine_robot.core.priors import NO_PRIORS
from mine_robot.core.raster import stamp_disc
from mine_robot.core.types import Array, Cell, MissionState, Target
from mine_robot.coverage.ledger import Ledger
from mine_robot.records.errors import RecordError
from mine_robot.records.ground import polygons
from mine_robot.records.log_data import LogData
from mine_robot.records.marks import Mark
from mine_robot.records.merge_ledger import Claims, Contradiction, Frames, Provenance, claims, doubtful, names
from mine_robot.records.merge_targets import Merged, Sighting, merge_targets
from mine_robot.records.outcome import STANDING, Outcome
from mine_robot.records.run_data import RunData
from mine_robot.records.run_directory import RunDirectory

CLEARED = "a suspect lies on ground that another run cleared"
CLUTTER = "a suspect is no hazard to another run"
NO_GO = "searched ground is a no-go zone of another field"
SAFE = "ground declared safe is hazardous in another field"
MIN_AREA_M2 = 0.05  # of fields that disagree; less is how they were drawn


@dataclass(frozen=True)
class MergedRun:
    """The merged record as a run, the ledger's ``provenance``, the targets with their sightings, and what disagrees.

    ``hazard`` (rows, columns) is the share of each cell within the hazard area.
    """

    run: RunData
    runs: tuple[str, ...]
    parts: tuple[RunData, ...]
    hazard: Array
    provenance: Provenance
    targets: tuple[Merged, ...]
    contradictions: tuple[Contradiction, ...]


def merge(parts: Sequence[RunData], out: Path) -> MergedRun:
    """The merged record of ``parts``, in the map of the first; raises :class:`RecordError` if they do not belong together."""
    _check(parts)
    runs = _names(parts)
    common = parts[0].field.datum
    frames = [Frames(part.field.datum, common) for part in parts]
    field = _field(parts, frames)
    limits = replace(
        parts[0].limits,
        halo_radius=max(part.limits.halo_radius for part in parts),
        mark_p_hazard=min(part.limits.mark_p_hazard for part in parts),
    )
    resolution = min((p.outcome.grid.resolution for p in parts if p.outcome.grid is not None), default=0.05)
    ledger = Ledger(field, parts[0].robot, limits, resolution)
    sightings = [_carried(i, t, frames[i]) for i, part in enumerate(parts) for t in part.outcome.targets]
    targets = merge_targets(sightings, limits.sigma_factor)
    ledger.set_targets([one.target for one in targets])
    provenance, gap = Provenance(ledger.searched.shape), np.zeros_like(ledger.searched)
    for i, (part, frame) in enumerate(zip(parts, frames)):
        claim = _claims_of(part, frame, ledger)
        provenance.add(i, claim.searched)
        ledger.searched |= claim.searched
        gap |= claim.gap
        ledger.halo |= claim.halo
    grid = ledger.grid(max((p.outcome.end_t or 0.0) for p in parts))
    grid.cells[gap & (grid.cells == Cell.PENDING)] = Cell.GAP
    suspects = [one for one in targets if one.target.p_hazard >= limits.mark_p_hazard]
    contradictions = [
        *_about_targets(suspects, ledger, provenance, runs, limits.halo_radius, limits.mark_p_hazard),
        *_about_fields(parts, frames, runs, ledger, provenance),
    ]
    starts = [p.outcome.start_t for p in parts if p.outcome.start_t is not None]
    ends = [p.outcome.end_t for p in parts if p.outcome.end_t is not None]
    outcome = Outcome(
        state=_state(parts),
        reason=f"merged from {len(parts)} runs: {', '.join(runs)}",
        start_t=min(starts, default=None),
        end_t=max(ends, default=None),
        targets=tuple(one.target for one in targets),
        marks=_marks(targets, parts, frames),
        grid=grid,
    )
    started = min((part.started for part in parts if part.started), default=None)
    run = replace(
        parts[0],
        directory=RunDirectory(out),
        info={**parts[0].info, "command": "mine-robot merge", "started": started.isoformat() if started else None},
        field=field,
        limits=limits,
        outcome=outcome,
        priors=NO_PRIORS,
        log=LogData(problems=[one.text for one in contradictions]),
    )
    hazard = ledger.zones.hazard.astype(float)
    return MergedRun(run, runs, tuple(parts), hazard, provenance, tuple(targets), tuple(contradictions))


def _check(parts: Sequence[RunData]) -> None:
    if len({part.simulated for part in parts}) > 1:
        simulated = next(part for part in parts if part.simulated)
        raise RecordError(
            f"{simulated.directory.path} is simulated and others are not: simulated ground clears nothing"
        )
    first = parts[0]
    for part in parts[1:]:
        corner = Frames(part.field.datum, first.field.datum).to_common(np.zeros((1, 2)))
        if not float(np.abs(corner).max()) <= MAX_EXTENT_M:
            raise RecordError(f"{part.directory.path} lies more than 10 km from {first.directory.path}: not one area")


def _names(parts: Sequence[RunData]) -> tuple[str, ...]:
    """Names of the folders, or the whole paths where two are alike."""
    short = [part.directory.path.resolve().name for part in parts]
    return tuple(short if len(set(short)) == len(short) else (str(part.directory.path) for part in parts))


def _field(parts: Sequence[RunData], frames: Sequence[Frames]) -> Field:
    """The union of the fields; what one calls hazardous is not safe."""

    def union(shapes: Iterable[BaseGeometry]) -> MultiPolygon:
        return polygons(shapely.union_all(list(shapes)))

    first = parts[0].field
    if all(part.field.hazard.equals(first.hazard) and part.field.datum == first.datum for part in parts):
        hazard = first.hazard  # as it was surveyed
    else:
        hazard = union(frame.geometry(part.field.hazard) for part, frame in zip(parts, frames))
    safe = union(frame.geometry(part.field.safe) for part, frame in zip(parts, frames))
    known = [frame.to_common(part.field.known_targets) for part, frame in zip(parts, frames)]
    ids = dict.fromkeys(part.field.imsma_id for part in parts if part.field.imsma_id)
    return replace(
        first,
        name=", ".join(dict.fromkeys(part.field.name for part in parts)),
        imsma_id=", ".join(ids),
        hazard=hazard,
        safe=polygons(safe.difference(hazard)),
        no_go=union(frame.geometry(part.field.no_go) for part, frame in zip(parts, frames)),
        known_targets=np.unique(np.concatenate(known), axis=0),
    )


def _carried(run: int, target: Target, frames: Frames) -> Sighting:
    ((x, y),) = frames.to_common(np.array([[target.x, target.y]]))
    return Sighting(run, replace(target, x=float(x), y=float(y)))


def _claims_of(part: RunData, frames: Frames, ledger: Ledger) -> Claims:
    """What the run says of each cell; one that was cut off is not believed about the ground under its head."""
    claim = claims(part.outcome.grid, frames, ledger.zones)
    if not part.outcome.state.ended and part.outcome.grid is not None:
        claim.searched[doubtful(ledger.zones, frames, part.outcome.grid_pose, part.robot)] = False
    return claim


def _state(parts: Sequence[RunData]) -> MissionState:
    """That of the first run that is not done, or done."""
    return next((p.outcome.state for p in parts if p.outcome.state is not MissionState.DONE), MissionState.DONE)


def _about_targets(
    suspects: Sequence[Merged], ledger: Ledger, provenance: Provenance, runs: Sequence[str], radius: float, limit: float
) -> Iterable[Contradiction]:
    for one in suspects:
        said = [s.run for s in one.sightings if s.target.p_hazard >= limit]
        denied = [s.run for s in one.sightings if not s.target.p_hazard >= limit]
        if denied:
            yield Contradiction(CLUTTER, names(runs, said), names(runs, denied), 0.0, one.target.id)
        if not np.isfinite((one.target.x, one.target.y)).all():
            continue
        area = _searched_near(one.target, radius, ledger, provenance, len(runs))
        area[[s.run for s in one.sightings]] = 0.0
        if area.any():
            by = names(runs, np.flatnonzero(area).tolist())
            yield Contradiction(CLEARED, names(runs, said), by, round(float(area.max()), 4), one.target.id)


def _searched_near(target: Target, radius: float, ledger: Ledger, provenance: Provenance, runs: int) -> Array:
    """Hazard area (runs,) in m² within ``radius`` of the target that each run searched."""
    zones = ledger.zones
    low = np.floor(np.array([target.y - radius - zones.y0, target.x - radius - zones.x0]) / zones.resolution) - 1
    high = low + math.ceil(2.0 * radius / zones.resolution) + 3
    (top, left), (bottom, right) = np.clip([low, high], 0, zones.safe.shape).astype(int).tolist()
    window = (slice(top, bottom), slice(left, right))
    disc = np.zeros((bottom - top, right - left), dtype=bool)
    origin = (zones.x0 + left * zones.resolution, zones.y0 + top * zones.resolution)
    stamp_disc(disc, *origin, zones.resolution, target.x, target.y, radius)
    share = disc * zones.hazard[window].astype(float) * zones.resolution**2
    return provenance.within(window).area_by_run(share, runs)


def _about_fields(
    parts: Sequence[RunData], frames: Sequence[Frames], runs: Sequence[str], ledger: Ledger, provenance: Provenance
) -> Iterable[Contradiction]:
    """What the fields do not agree on, for each run whose field is the cautious one."""
    if len({(p.field.datum, p.field.hazard.wkb, p.field.no_go.wkb, p.field.safe.wkb) for p in parts}) == 1:
        return
    area = provenance.area_by_run(ledger.zones.no_go.astype(float) * ledger.zones.resolution**2, len(runs))
    closed = [i for i, part in enumerate(parts) if not part.field.no_go.is_empty]
    by = np.flatnonzero(area > MIN_AREA_M2).tolist()
    if by:
        yield Contradiction(NO_GO, names(runs, closed), names(runs, by), round(float(area.max()), 3))
    hazards = [frame.geometry(part.field.hazard) for part, frame in zip(parts, frames)]
    hazardous, near = shapely.union_all(hazards), shapely.STRtree(hazards)
    for i, (part, frame) in enumerate(zip(parts, frames)):
        overlap = frame.geometry(part.field.safe).intersection(hazardous)
        if overlap.area > MIN_AREA_M2:
            against = [j for j in near.query(overlap).tolist() if hazards[j].intersection(overlap).area > 0.0]
            yield Contradiction(SAFE, names(runs, against), (runs[i],), round(overlap.area, 3))


def _marks(targets: Sequence[Merged], parts: Sequence[RunData], frames: Sequence[Frames]) -> dict[int, Mark]:
    """The best mark on each target."""
    marks: dict[int, Mark] = {}
    for one in targets:
        found = [(s.run, parts[s.run].outcome.marks.get(s.target.id)) for s in one.sightings]
        known = [(run, mark) for run, mark in found if mark is not None]
        if known:
            run, mark = max(known, key=lambda item: STANDING[item[1].status] if item[1].status else -1)
            ((x, y),) = frames[run].to_common(np.array([[mark.x, mark.y]]))
            marks[one.target.id] = replace(mark, target_id=one.target.id, x=float(x), y=float(y))
    return marks
