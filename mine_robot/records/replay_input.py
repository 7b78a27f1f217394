"""The navigation sensors of a recording, as the localisation takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from mine_robot.core.geodesy import Datum
from mine_robot.core.types import GnssFix
from mine_robot.pipeline.localization import Sample
from mine_robot.records.log_source import LogSource, Progress
from mine_robot.records.log_topics import DECODERS, NAVIGATION, find_topics, missing, renamed
from mine_robot.ros import decode
from mine_robot.ros.topics import GNSS_FIX, IMU, Topic

# Stamps of one sensor that differ so much from the IMU's, against the recorder's clock, are of another clock.
CLOCKS_APART_S = 0.4

ESSENTIAL = (IMU, GNSS_FIX)


@dataclass(frozen=True)
class Recording:
    """Samples in the order of arrival, a datum at the first usable fix, and remarks for the operator."""

    samples: list[Sample]
    datum: Datum | None
    remarks: tuple[str, ...]


def read_samples(log: Path, remap: Mapping[str, str], progress: Progress | None = None) -> Recording:
    """Read the sensors of ``log``; ``remap`` maps its names to ours. Raises :class:`RecordError` if IMU or GNSS are not there."""
    with LogSource(log, progress) as source:
        topics = find_topics(source.topics, remap, NAVIGATION, source.first)
        lacking = [topic.name for topic in ESSENTIAL if topic not in topics.values()]
        if lacking:
            raise missing(log, lacking, source.topics)
        arrivals, remarks = _decode(source, topics)
        remarks += source.problems + source.refusals.lines()
    remarks += _one_clock(arrivals)
    # The recorder hears several topics of one instant in any order; the node takes the IMU last.
    arrivals.sort(key=lambda arrival: (arrival[1], arrival[0] == IMU.name))
    samples = [sample for _, _, sample in arrivals]
    return Recording(samples, _datum(samples), tuple(dict.fromkeys(remarks)))


def _decode(source: LogSource, topics: Mapping[str, Topic]) -> tuple[list[tuple[str, float, Sample]], list[str]]:
    arrivals: list[tuple[str, float, Sample]] = []
    for name, t_ns, message in source.messages(topics):
        try:
            sample = DECODERS[topics[name]](message)
        except decode.DecodeError as error:
            source.refusals.note(name, str(error))
            continue
        if sample.t == 0.0:  # a driver that does not stamp
            sample = replace(sample, t=t_ns / 1e9)
        arrivals.append((topics[name].name, t_ns / 1e9, sample))
    return arrivals, renamed(topics)


def _one_clock(arrivals: list[tuple[str, float, Sample]]) -> list[str]:
    """Shift sensors whose stamps are of another clock than the IMU's, as the times of recording show."""
    ahead: dict[str, list[float]] = {}
    for name, t, sample in arrivals:
        ahead.setdefault(name, []).append(sample.t - t)
    if IMU.name not in ahead:
        return []
    offsets = {name: median(values) - median(ahead[IMU.name]) for name, values in ahead.items()}
    shifts = {name: offset for name, offset in offsets.items() if abs(offset) > CLOCKS_APART_S}
    for i, (name, t, sample) in enumerate(arrivals):
        if name in shifts:
            arrivals[i] = (name, t, replace(sample, t=sample.t - shifts[name]))
    return [
        f"{name}: stamps are {offset:+.2f} s off the IMU's clock and were shifted" for name, offset in shifts.items()
    ]


def _datum(samples: list[Sample]) -> Datum | None:
    """At the first fix that is one."""
    fixes = (sample for sample in samples if isinstance(sample, GnssFix))
    return next((datum for fix in fixes if (datum := Datum.at(fix)) is not None), None)
