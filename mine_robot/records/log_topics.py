"""Which topics of a recording are which of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mine_robot.records.errors import RecordError
from mine_robot.ros.topics import GNSS_FIX, GNSS_HEADING, GPR_SCAN, IMU, METAL_SCAN, ODOMETRY, WHEELS, Topic

NAVIGATION = (IMU, GNSS_FIX, GNSS_HEADING, WHEELS)
SCANS = (GPR_SCAN, METAL_SCAN)
REPLAYED = (*NAVIGATION, *SCANS, ODOMETRY)
OTHER_TYPES = {GNSS_HEADING: {"sensor_msgs/msg/Imu", "geometry_msgs/msg/PoseWithCovarianceStamped"}}
BY_TYPE = (IMU, GNSS_FIX, GPR_SCAN, ODOMETRY)  # taken under any name if the log has one topic of the type


def find_topics(there: Mapping[str, str], remap: Mapping[str, str], wanted: Sequence[Topic]) -> dict[str, Topic]:
    """The topics ``wanted`` by their names in the log: as remapped, by name behind any namespace, or as the only one of its type.

    Raises :class:`RecordError` for a remapping of what is not there or to what replay does not know.
    """
    taken = _remapped(there, remap)
    found = {name: topic for name, topic in taken.items() if topic in wanted}
    for topic in wanted:
        if topic in found.values():
            continue
        kinds = OTHER_TYPES.get(topic, {topic.type_name})
        names = [name for name, kind in there.items() if kind in kinds and name not in found and name not in taken]
        named = [name for name in names if _is(name, topic)]
        free = [name for name in names if not any(_is(name, other) for other in REPLAYED)]
        if named or (topic in BY_TYPE and len(free) == 1):
            found[(named or free)[0]] = topic
    return found


def _is(name: str, topic: Topic) -> bool:
    return ("/" + name.lstrip("/")).endswith("/" + topic.name)


def _remapped(there: Mapping[str, str], remap: Mapping[str, str]) -> dict[str, Topic]:
    known = {topic.name: topic for topic in REPLAYED}
    found: dict[str, Topic] = {}
    for name, target in remap.items():
        topic = known.get(target.lstrip("/"))
        if topic is None:
            raise RecordError(f"--remap {name}:={target}: '{target}' is none of {', '.join(known)}")
        full = name if name in there else "/" + name.lstrip("/")
        if full not in there:
            raise RecordError(
                f"--remap {name}:={target}: the log has no topic '{name}'; it holds {', '.join(sorted(there))}"
            )
        found[full] = topic
    return found


def missing(log: Path, names: Sequence[str], there: Mapping[str, str]) -> RecordError:
    """The error that topics ``names`` are not in the log, with what is."""
    held = ", ".join(f"{name} ({kind})" for name, kind in sorted(there.items())) or "nothing"
    return RecordError(f"{log}: no topic {' and '.join(names)}; the log holds {held}; name them with --remap FROM:=TO")


def renamed(topics: Mapping[str, Topic]) -> list[str]:
    """A remark for each topic that has another name in the log."""
    return [f"{name} is read as {topic.name}" for name, topic in topics.items() if name.lstrip("/") != topic.name]
