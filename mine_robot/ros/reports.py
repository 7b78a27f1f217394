"""From the messages that are reports to core types: diagnostic_msgs/DiagnosticArray, texts by their keys."""

from __future__ import annotations

import sys
from typing import Any

from mine_robot.core.types import (
    Goal,
    Health,
    Level,
    MarkResult,
    MarkStatus,
    MissionState,
    MissionStatus,
    Progress,
    Release,
    Remark,
    RemarkAnswer,
    RemarkKind,
)
from mine_robot.ros.checks import NAME_MAX, DecodeError, Values, checked_text, member, number, seconds, total
from mine_robot.ros.gate import GATE, VALUES_MAX
from mine_robot.ros.topics import (
    DIAGNOSTICS,
    MARK_RESULT,
    MISSION_STATE,
    PROGRESS,
    REMARK,
    REMARK_ANSWER,
    Topic,
)


@total
def diagnostics(message: Any) -> tuple[float, tuple[Health, ...]]:
    """diagnostic_msgs/DiagnosticArray -> time and reports."""
    GATE[DIAGNOSTICS].check_count(len(message.status))
    return seconds(message.header.stamp), tuple([_health(status) for status in message.status])


def _health(status: Any) -> Health:
    values = _pairs(status)
    for key, bound in GATE[DIAGNOSTICS].values.items():
        if key in values:
            bound.check(key, number(key, values[key]))
    name = checked_text("the name of a status", status.name, NAME_MAX)
    return Health(name, _level(status.level), checked_text("a message", status.message), values)


def _level(level: Any) -> Level:
    """DiagnosticStatus.level is a ``byte``: rclpy gives bytes, rosbags an integer."""
    return member("level", Level, int.from_bytes(level, sys.byteorder) if isinstance(level, bytes) else int(level))


def _pairs(status: Any) -> dict[str, str]:
    """The values of a status by their keys; of two of one key the last."""
    if len(status.values) > VALUES_MAX:
        raise DecodeError(f"a status has {len(status.values)} values, {VALUES_MAX} are the most")
    return {checked_text("a key", pair.key, NAME_MAX): checked_text("a value", pair.value) for pair in status.values}


def _record(message: Any, topic: Topic) -> tuple[float, str, Values]:
    """Time, text and values of a message that is one record of keys and values."""
    if len(message.status) != 1:
        raise DecodeError(f"the message has {len(message.status)} statuses, expected one")
    status = message.status[0]
    pairs = _pairs(status)
    if len(pairs) < len(status.values):
        raise DecodeError("the message has two values of one key")
    return seconds(message.header.stamp), checked_text("the message", status.message), Values(pairs, GATE[topic].values)


@total
def mission_status(message: Any) -> MissionStatus:
    """diagnostic_msgs/DiagnosticArray of ``mission/state``."""
    t, reason, values = _record(message, MISSION_STATE)
    return MissionStatus(
        t=t,
        state=values.member("state", MissionState),
        reason=reason,
        goal=values.member("goal", Goal),
        goal_target=values.whole("goal_target"),
        request_t=values.number("request_t"),
        targets=values.whole("targets"),
        listed=values.whole("listed", default=values.whole("targets")),
        marks_requested=values.whole("marks_requested"),
        marks_confirmed=values.whole("marks_confirmed"),
        acknowledged=values.text("acknowledged", default=""),
        released=_releases(values.text("released", default="")),
    )


def _releases(text: str) -> tuple[Release, ...]:
    """Released halos as ``id x y``, separated by semicolons; a target without a place has NaN for one."""
    row = GATE[MARK_RESULT].values
    releases = []
    for number_, x, y in (part.split() for part in text.split(";") if part.strip()):
        place = (row[name].check(name, number(name, value)) for name, value in (("x", x), ("y", y)))
        releases.append(Release(int(row["target_id"].check("target_id", number("target_id", number_))), *place))
    return tuple(releases)


@total
def progress(message: Any) -> Progress:
    """diagnostic_msgs/DiagnosticArray of ``control/progress``."""
    t, _, values = _record(message, PROGRESS)
    return Progress(
        t=t,
        plan_t=values.number("plan_t"),
        step=values.whole("step"),
        done=values.flag("done"),
        remaining_m=values.number("remaining_m"),
        remaining_s=values.number("remaining_s"),
        cross_track=values.number("cross_track"),
        stopped=values.flag("stopped"),
        sweeping=values.flag("sweeping"),
    )


@total
def mark_result(message: Any) -> MarkResult:
    """diagnostic_msgs/DiagnosticArray of ``marking/result``."""
    t, detail, values = _record(message, MARK_RESULT)
    status = values.member("status", MarkStatus)
    return MarkResult(t, values.whole("target_id"), status, values.number("x"), values.number("y"), detail)


@total
def remark(message: Any) -> Remark:
    """diagnostic_msgs/DiagnosticArray of ``mission/remark``."""
    return _remark(*_record(message, REMARK))


def _remark(t: float, comment: str, values: Values) -> Remark:
    author, number = values.text("author", NAME_MAX), values.text("number", NAME_MAX)
    return Remark(t, number, values.member("kind", RemarkKind), values.whole("target_id"), comment, author)


@total
def remark_answer(message: Any) -> RemarkAnswer:
    """diagnostic_msgs/DiagnosticArray of ``mission/remark_answer``."""
    t, comment, values = _record(message, REMARK_ANSWER)
    return RemarkAnswer(_remark(t, comment, values), values.flag("kept"), values.text("why", default=""))
