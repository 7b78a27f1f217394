"""The evidence behind one target of a run, also while the run goes on: a picture of the scans that went over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mine_robot.core.types import GprScan, MetalScan, NavState
from mine_robot.mission.journal import JournalError
from mine_robot.mission.journal_reader import read_journal
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_robot
from mine_robot.records.bag import BagReader, Windows
from mine_robot.records.bscan_image import draw_bscan
from mine_robot.records.errors import RecordError
from mine_robot.records.replay_detection import SENSORS
from mine_robot.records.replay_pictures import scans_over
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros.decode import DecodeError

BEFORE_S, AFTER_S = 10.0, 5.0  # around the time at which a target was found or changed the head passed over it


def draw_evidence(folder: Path, target_id: int, out: Path) -> None:
    """Draw the radar's section and the metal detector's trace of the pass that went nearest over a target of the run in ``folder``.

    Only the log around the times at which the journal has news of the target is read. Raises :class:`RecordError` if the run has no
    such target or no scan of it.
    """
    directory = RunDirectory(folder)
    try:
        record = read_journal(directory.journal)
        params = ParameterFiles([directory.parameters]).build("detector")
        robot = load_robot(directory.urdf)
    except (JournalError, LoadError) as error:
        raise RecordError(str(error)) from None
    target = next((one for one in record.targets if one.id == target_id), None)
    if target is None:
        raise RecordError(f"{folder}: no target {target_id}")
    windows = [(round(1e9 * (t - BEFORE_S)), round(1e9 * (t + AFTER_S))) for t in record.target_times[target_id]]
    items = [item for log in directory.logs() for item in _decoded(log, windows)]
    poses = np.array([(one.t, one.pose.x, one.pose.y, one.pose.yaw) for one in items if isinstance(one, NavState)])
    bscan = scans_over(items, poses.reshape(-1, 4), [target], params, robot)[0]
    if bscan.best is None:
        raise RecordError(f"no radar scans near target {target_id} are in the log (yet)")
    try:
        draw_bscan(out, bscan, params.gpr)
    except OSError as error:
        raise RecordError(f"{out} cannot be written: {error.strerror or error}") from None


def _decoded(log: Path, windows: Windows) -> Iterator[GprScan | MetalScan | NavState]:
    """Scans and poses of a log around ``windows``; what cannot be decoded is left out."""
    reader = BagReader(log)

    def wanted(name: str) -> bool:
        return any(name.endswith(f"/{topic.name}") for topic in SENSORS)

    for name, _, message in reader.messages(wanted, windows):
        topic = next(topic for topic in SENSORS if name.endswith(f"/{topic.name}"))
        try:
            yield SENSORS[topic](message)
        except (DecodeError, AttributeError, ValueError):
            continue
