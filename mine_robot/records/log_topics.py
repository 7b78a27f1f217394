"""Which topics of a recording are which of ours: the one matcher for replay, report and evidence."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mine_robot.records.errors import RecordError
from mine_robot.ros import decode
from mine_robot.ros.topics import GNSS_FIX, GNSS_HEADING, GPR_SCAN, IMU, METAL_SCAN, ODOMETRY, TOPICS, WHEELS, Topic

NAVIGATION = (IMU, GNSS_FIX, GNSS_HEADING, WHEELS)
SCANS = (GPR_SCAN, METAL_SCAN)
REPLAYED = (*NAVIGATION, *SCANS, ODOMETRY)
DECODERS: dict[Topic, Callable[[Any], Any]] = {
    IMU: decode.imu,
    GNSS_FIX: decode.fix,
    GNSS_HEADING: decode.heading,
    WHEELS: decode.wheels,
    GPR_SCAN: decode.gpr,
    METAL_SCAN: decode.metal,
    ODOMETRY: decode.odometry,
}
# The frames of the URDF that the messages of a sensor are about.
LINKS = {IMU: "imu_link", GNSS_FIX: "gnss_link", GPR_SCAN: "gpr_link", METAL_SCAN: "metal_detector_link"}
OTHER_TYPES = {GNSS_HEADING: {"sensor_msgs/msg/Imu", "geometry_msgs/msg/PoseWithCovarianceStamped"}}
BY_NAME = (GNSS_HEADING,)  # shares its type with the IMU, and is never guessed
UNDECODABLE = (decode.DecodeError, AttributeError, TypeError, ValueError, LookupError)
First = Callable[[str], Any]  # the first message of a topic, by its name; None if there is none


def is_topic(name: str, topic: Topic) -> bool:
    """True if ``name`` is that of ``topic``, behind whatever namespace."""
    return ("/" + name.lstrip("/")).endswith("/" + topic.name.lstrip("/"))


def topic_of(name: str, topics: Iterable[Topic]) -> Topic | None:
    """Which of ``topics`` the name is that of, behind whatever namespace."""
    return next((topic for topic in topics if is_topic(name, topic)), None)


def find_topics(
    there: Mapping[str, str], remap: Mapping[str, str], wanted: Sequence[Topic], first: First | None = None
) -> dict[str, Topic]:
    """The topics ``wanted`` by their names in the log: as remapped, by name behind any namespace, or as the only one of its type.

    With ``first`` only a topic whose first message is one of the kind is taken for it by its type: a camera's picture is no radar scan.
    Raises :class:`RecordError` where several could be meant, and for a remapping of what is not there or to what replay does not know.
    """
    taken = _remapped(there, remap)
    found = {name: topic for name, topic in taken.items() if topic in wanted}
    for topic in wanted:
        if topic in found.values():
            continue
        kinds = OTHER_TYPES.get(topic, {topic.type_name})
        names = [name for name, kind in there.items() if kind in kinds and name not in found and name not in taken]
        likely = [name for name in names if is_topic(name, topic)] or _by_type(topic, names, first)
        if len(likely) > 1:
            raise RecordError(
                f"several topics could be {topic.name}: {', '.join(sorted(likely))}; say which with --remap NAME:={topic.name}"
            )
        found.update(dict.fromkeys(likely, topic))
    return found


def _by_type(topic: Topic, names: Collection[str], first: First | None) -> list[str]:
    """Those of ``names`` that are no other topic of ours and, as their first message says, could be ``topic``."""
    if topic in BY_NAME:
        return []
    strange = [name for name in names if topic_of(name, TOPICS) is None]
    return strange if first is None else [name for name in strange if _decodes(first(name), topic)]


def _decodes(message: Any, topic: Topic) -> bool:
    try:
        DECODERS[topic](message)
    except UNDECODABLE:
        return False
    return True


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
        if topic in found.values():
            raise RecordError(f"--remap {name}:={target}: another topic is taken as {topic.name} already")
        found[full] = topic
    return found


def missing(log: Path, names: Sequence[str], there: Mapping[str, str]) -> RecordError:
    """The error that topics ``names`` are not in the log, with what is."""
    held = ", ".join(f"{name} ({kind})" for name, kind in sorted(there.items())) or "nothing"
    return RecordError(f"{log}: no topic {' and '.join(names)}; the log holds {held}; name them with --remap FROM:=TO")


def renamed(topics: Mapping[str, Topic]) -> list[str]:
    """A remark for each topic that has another name in the log."""
    return [f"{name} is read as {topic.name}" for name, topic in topics.items() if not is_topic(name, topic)]
