"""The evidence behind targets of a run, also while the run goes on: pictures of the scans that went over them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np

from mine_robot.core.types import GprScan, MetalScan, NavState
from mine_robot.detection.params import DetectorParams
from mine_robot.mission.journal import JournalError
from mine_robot.mission.journal_reader import read_journal
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_robot
from mine_robot.records.bag import BagReader, Windows
from mine_robot.records.bscan_image import Bscan, draw_bscan
from mine_robot.records.errors import RecordError
from mine_robot.records.log_topics import topic_of
from mine_robot.records.replay_detection import SENSORS
from mine_robot.records.replay_pictures import scans_over
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros.decode import DecodeError

BEFORE_S, AFTER_S = 10.0, 5.0  # around the time at which a target was found or changed the head passed over it


def draw_evidence(folder: Path, target_id: int, out: Path) -> None:
    """Draw the radar's section and the metal detector's trace of the pass that went nearest over a target of the run in ``folder``.

    Raises :class:`RecordError` if the run has no such target or no scan of it.
    """
    bscans, params = evidence_of(RunDirectory(folder), [target_id])
    if not bscans:
        raise RecordError(f"{folder}: no target {target_id}")
    if bscans[0].best is None:
        raise RecordError(f"no radar scans near target {target_id} are in the log (yet)")
    try:
        draw_bscan(out, bscans[0], params.gpr)
    except OSError as error:
        raise RecordError(f"{out} cannot be written: {error.strerror or error}") from None


def evidence_pictures(directory: RunDirectory, target_ids: Collection[int]) -> dict[int, bytes]:
    """Small pictures (PNG) of those of ``target_ids`` that the log has radar scans of; errors as :func:`evidence_of`."""
    bscans, params = evidence_of(directory, target_ids)
    pictures = {}
    for bscan in bscans:
        if bscan.best is not None:
            file = BytesIO()
            draw_bscan(file, bscan, params.gpr, small=True)
            pictures[bscan.target.id] = file.getvalue()
    return pictures


def evidence_of(directory: RunDirectory, target_ids: Collection[int]) -> tuple[list[Bscan], DetectorParams]:
    """The scans over those of ``target_ids`` that the journal knows.

    Only the log around the times at which the journal has news of a target is read. Raises :class:`RecordError` if the journal or
    an input of the run cannot be read.
    """
    try:
        record = read_journal(directory.journal)
        params = ParameterFiles([directory.parameters]).build("detector")
        robot = load_robot(directory.urdf)
    except (JournalError, LoadError) as error:
        raise RecordError(str(error)) from None
    targets = [target for target in record.targets if target.id in target_ids]
    times = [t for target in targets for t in record.target_times[target.id]]
    windows = [(round(1e9 * (t - BEFORE_S)), round(1e9 * (t + AFTER_S))) for t in times]
    items = [item for log in directory.logs() for item in _decoded(log, windows)]
    poses = np.array([(one.t, one.pose.x, one.pose.y, one.pose.yaw) for one in items if isinstance(one, NavState)])
    return scans_over(items, poses.reshape(-1, 4), targets, params, robot), params


def _decoded(log: Path, windows: Windows) -> Iterator[GprScan | MetalScan | NavState]:
    """Scans and poses of a log around ``windows``; what cannot be decoded is left out."""
    reader = BagReader(log)

    for name, _, message in reader.messages(lambda name: topic_of(name, SENSORS) is not None, windows):
        topic = topic_of(name, SENSORS)
        assert topic is not None
        try:
            yield SENSORS[topic](message)
        except DecodeError:
            continue
