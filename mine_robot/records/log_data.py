"""What the records need from the logs of a run, decoded into core types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mine_robot.core.types import NavState, Progress, SweepEvidence, Target
from mine_robot.records.bag import BagReader
from mine_robot.records.errors import RecordError
from mine_robot.ros import decode
from mine_robot.ros.topics import EVIDENCE, ODOMETRY, PROGRESS, TARGETS, Topic


@dataclass
class LogData:
    """Estimated states, evidence, target lists with the time of each, and progress, in the order of writing.

    ``problems`` says in words what could not be read; empty if the log is whole.
    """

    nav: list[NavState] = field(default_factory=list)
    evidence: list[SweepEvidence] = field(default_factory=list)
    targets: list[tuple[float, tuple[Target, ...]]] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_logs(paths: Sequence[Path]) -> LogData:
    """Read the logs of one run, first part first; a part that cannot be read is named in ``problems``."""
    data = LogData()
    if not paths:
        data.problems.append("there is no log")
    takers: dict[Topic, Callable[[Any], None]] = {
        ODOMETRY: lambda message: data.nav.append(decode.odometry(message)),
        EVIDENCE: lambda message: data.evidence.extend(decode.evidence(message)),
        TARGETS: lambda message: data.targets.append((decode.seconds(message.header.stamp), decode.targets(message))),
        PROGRESS: lambda message: data.progress.append(decode.progress(message)),
    }
    for path in paths:
        try:
            _read(BagReader(path), takers, data.problems)
        except (RecordError, OSError) as error:
            data.problems.append(str(error))
    return data


def _read(reader: BagReader, takers: dict[Topic, Callable[[Any], None]], problems: list[str]) -> None:
    """Hand every message of a topic in ``takers`` over; topics match behind any namespace."""
    undecodable = 0
    for name, _, message in reader.messages(lambda name: any(is_topic(name, topic) for topic in takers)):
        take = next(take for topic, take in takers.items() if is_topic(name, topic))
        try:
            take(message)
        except (ValueError, AttributeError):  # DecodeError, or a message of another type on our topic
            undecodable += 1
    if reader.truncated:
        problems.append(f"{reader.path.name} is cut short: its writer did not finish")
    if reader.damaged:
        problems.append(f"{reader.path.name}: {reader.damaged} damaged pieces were skipped")
    if undecodable:
        problems.append(f"{reader.path.name}: {undecodable} messages do not have the layout of their topic")


def is_topic(name: str, topic: Topic) -> bool:
    """True for the topic behind any namespace."""
    return name == topic.name or name.endswith("/" + topic.name.lstrip("/"))
