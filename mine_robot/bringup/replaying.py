"""From the command line of ``mine-robot replay`` to a request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mine_robot.bringup.resources import resource
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_field, load_robot
from mine_robot.records.replay import REPLAYS, ReplayRequest


def replay_log(
    log: Path,
    out: Path,
    only: str,
    params: Sequence[Path],
    urdf: Path | None,
    field: Path | None,
    remap: Sequence[str],
) -> tuple[bool, tuple[str, ...]]:
    """Replay ``log`` into ``out``; returns whether there is a result, and lines for the operator.

    Raises :class:`LoadError` and :class:`mine_robot.records.errors.RecordError` with one line each.
    """
    if only not in REPLAYS:
        raise LoadError(f"--only {only}: must be one of {', '.join(REPLAYS)}")
    request = ReplayRequest(
        log,
        out,
        ParameterFiles([resource("config/robot.yaml"), *params]),
        load_robot(urdf or resource("urdf/mine_robot.urdf.xacro")),
        dict(_pair(text) for text in remap),
        load_field(field).datum if field else None,
    )
    result = REPLAYS[only](request)
    return result.complete, result.lines


def _pair(text: str) -> tuple[str, str]:
    source, sign, target = text.partition(":=")
    if not (source and sign and target):
        raise LoadError(f"--remap {text}: must look like FROM:=TO")
    return source, target
