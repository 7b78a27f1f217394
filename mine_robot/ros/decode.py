"""From messages to core types.

Everything here reads attributes only and imports no message package, so that the messages of ``rclpy`` (live) and of ``rosbags``
(replay) decode alike. A message that does not have the layout of :mod:`mine_robot.ros.topics` raises :class:`DecodeError`.
"""

from __future__ import annotations

import math
import sys
from functools import lru_cache
from typing import Any

import numpy as np

from mine_robot.core.types import (
    FixStatus,
    GnssFix,
    Goal,
    GprScan,
    HeadingFix,
    Health,
    ImuSample,
    LedgerGrid,
    Level,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MetalScan,
    MissionState,
    MissionStatus,
    NavState,
    Plan,
    PlanStep,
    Pose2,
    Progress,
    Remark,
    RemarkAnswer,
    RemarkKind,
    StepKind,
    SweepEvidence,
    Target,
    TargetClass,
    Twist2,
    WheelSample,
    wrap_angle,
)

# sensor_msgs/PointField datatypes 1-8
MIN_STEP_SPEED = 0.01  # m/s or rad/s
POINT_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}


class DecodeError(ValueError):
    """A message whose content does not fit its topic; one line says what."""


def seconds(stamp: Any) -> float:
    """A builtin_interfaces/Time as seconds; one division, so that equal stamps give equal floats."""
    return (int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)) / 1e9


def _vector(message: Any) -> np.ndarray:
    return np.array([message.x, message.y, message.z], dtype=float)


def yaw_pitch_roll(q: Any) -> tuple[float, float, float]:
    """Yaw, pitch, roll in rad of a geometry_msgs/Quaternion (body to parent)."""
    sin_pitch = max(-1.0, min(1.0, 2.0 * (q.w * q.y - q.z * q.x)))
    yaw = math.atan2(2.0 * (q.w * q.z + q.x * q.y), 1.0 - 2.0 * (q.y * q.y + q.z * q.z))
    roll = math.atan2(2.0 * (q.w * q.x + q.y * q.z), 1.0 - 2.0 * (q.x * q.x + q.y * q.y))
    return yaw, math.asin(sin_pitch), roll


def clock(message: Any) -> float:
    """rosgraph_msgs/Clock -> s."""
    return seconds(message.clock)


def imu(message: Any) -> ImuSample:
    """sensor_msgs/Imu -> rates and specific force."""
    return ImuSample(
        seconds(message.header.stamp), _vector(message.angular_velocity), _vector(message.linear_acceleration)
    )


def fix(message: Any) -> GnssFix:
    """sensor_msgs/NavSatFix; an unknown covariance becomes NaN, which the filter refuses or replaces by its floor."""
    covariance = np.array(message.position_covariance, dtype=float).reshape(3, 3)
    if message.position_covariance_type == 0:
        covariance = np.full((3, 3), np.nan)
    status = FixStatus(int(np.clip(message.status.status, FixStatus.NONE, FixStatus.FIXED)))
    return GnssFix(
        seconds(message.header.stamp), message.latitude, message.longitude, message.altitude, covariance, status
    )


def heading(message: Any) -> HeadingFix:
    """sensor_msgs/Imu or geometry_msgs/PoseWithCovarianceStamped of a dual-antenna receiver -> yaw."""
    if hasattr(message, "orientation"):
        orientation, variance = message.orientation, float(message.orientation_covariance[8])
    else:
        orientation, variance = message.pose.pose.orientation, float(message.pose.covariance[35])
    sigma = math.sqrt(variance) if variance > 0.0 else math.nan
    return HeadingFix(seconds(message.header.stamp), yaw_pitch_roll(orientation)[0], sigma)


def wheels(message: Any) -> WheelSample:
    """nav_msgs/Odometry -> forward speed and yaw rate."""
    twist = message.twist.twist
    return WheelSample(seconds(message.header.stamp), float(twist.linear.x), float(twist.angular.z))


def gpr(message: Any) -> GprScan:
    """sensor_msgs/Image 32FC1 -> traces (samples, channels)."""
    if message.encoding != "32FC1":
        raise DecodeError(f"radar scan has encoding '{message.encoding}', expected 32FC1")
    order = ">" if message.is_bigendian else "<"
    data = np.frombuffer(memoryview(message.data), dtype=np.uint8)
    if len(data) != message.height * message.step or message.step < 4 * message.width:
        raise DecodeError(f"radar scan of {message.height} x {message.width} has {len(data)} bytes")
    rows = data.reshape(message.height, message.step)[:, : 4 * message.width]
    traces = np.ascontiguousarray(rows).view(order + "f4").astype(np.float32, copy=False)
    return GprScan(seconds(message.header.stamp), traces)


@lru_cache
def _point_type(fields: tuple[tuple[str, int, int], ...], step: int, big_endian: bool) -> np.dtype:
    """The structured type of a cloud's points; a topic has the same each time."""
    order = ">" if big_endian else "<"
    return np.dtype(
        {
            "names": [name for name, _, _ in fields],
            "formats": [order + POINT_TYPES[kind] for _, kind, _ in fields],
            "offsets": [offset for _, _, offset in fields],
            "itemsize": step,
        }
    )


def points(message: Any) -> np.ndarray:
    """sensor_msgs/PointCloud2 -> structured array (n,) with the cloud's fields."""
    fields = tuple((field.name, field.datatype, field.offset) for field in message.fields)
    dtype = _point_type(fields, int(message.point_step), bool(message.is_bigendian))
    count = message.width * message.height
    data = memoryview(message.data)
    if len(data) < count * message.point_step:
        raise DecodeError(f"point cloud of {count} points has {len(data)} bytes")
    return np.frombuffer(data, dtype=dtype, count=count)


def _columns(cloud: np.ndarray, *names: str) -> list[np.ndarray]:
    missing = [name for name in names if name not in (cloud.dtype.names or ())]
    if missing:
        raise DecodeError(f"point cloud has no field {', '.join(missing)}")
    return [cloud[name].astype(float) for name in names]


def metal(message: Any) -> MetalScan:
    """sensor_msgs/PointCloud2 -> positions, in-phase and quadrature a coil."""
    x, y, z, in_phase, quadrature = _columns(points(message), "x", "y", "z", "in_phase", "quadrature")
    return MetalScan(seconds(message.header.stamp), np.stack([x, y, z], axis=-1), in_phase, quadrature)


def odometry(message: Any) -> NavState:
    """nav_msgs/Odometry of ``odometry/filtered`` -> NavState."""
    pose, twist = message.pose.pose, message.twist.twist
    yaw, pitch, roll = yaw_pitch_roll(pose.orientation)
    return NavState(
        t=seconds(message.header.stamp),
        position=_vector(pose.position),
        rpy=np.array([roll, pitch, yaw]),
        velocity=_vector(twist.linear),
        rate=_vector(twist.angular),
        covariance=np.array(message.pose.covariance, dtype=float).reshape(6, 6),
    )


def evidence(message: Any) -> list[SweepEvidence]:
    """sensor_msgs/PointCloud2 of ``detection/evidence``."""
    t = seconds(message.header.stamp)
    names = ("dt", "x", "y", "yaw", "sigma", "height", "speed", "gpr_ok", "metal_ok")
    rows = zip(*(column.tolist() for column in _columns(points(message), *names)))
    found = []
    for dt, x, y, yaw, sigma, height, speed, gpr_ok, metal_ok in rows:
        found.append(SweepEvidence(t + dt, x, y, yaw, sigma, height, speed, bool(gpr_ok), bool(metal_ok)))
    return found


def targets(message: Any) -> tuple[Target, ...]:
    """sensor_msgs/PointCloud2 of ``detection/targets``."""
    names = ("x", "y", "z", "sigma_x", "sigma_y", "depth", "llr_gpr", "llr_md", "p_hazard")
    cloud = points(message)
    rows = np.stack(_columns(cloud, *names), axis=-1)
    ids, kinds = _columns(cloud, "id", "class")
    found = []
    for number, kind, (x, y, z, sigma_x, sigma_y, depth, llr_gpr, llr_md, p) in zip(ids, kinds, rows.tolist()):
        found.append(Target(int(number), x, y, z, sigma_x, sigma_y, depth, llr_gpr, llr_md, p, TargetClass(int(kind))))
    return tuple(found)


def mark_requests(message: Any) -> list[MarkRequest]:
    """sensor_msgs/PointCloud2 of ``marking/request``."""
    ids, x, y = _columns(points(message), "id", "x", "y")
    t = seconds(message.header.stamp)
    return [MarkRequest(t, int(number), float(px), float(py)) for number, px, py in zip(ids, x, y)]


def ledger(message: Any) -> LedgerGrid:
    """nav_msgs/OccupancyGrid of ``coverage/ledger``."""
    info = message.info
    cells = np.array(message.data, dtype=np.int8).reshape(info.height, info.width)
    origin = info.origin.position
    return LedgerGrid(seconds(message.header.stamp), origin.x, origin.y, float(info.resolution), cells)


def twist(message: Any) -> Twist2:
    """geometry_msgs/TwistStamped -> speed and yaw rate."""
    return Twist2(seconds(message.header.stamp), float(message.twist.linear.x), float(message.twist.angular.z))


def siren(message: Any) -> bool:
    """std_msgs/Bool of ``alarm/siren``."""
    return bool(message.data)


def heartbeat(message: Any) -> float:
    """std_msgs/Header of ``operator/heartbeat`` -> the stack's time that the operator's side has heard of."""
    return seconds(message.stamp)


def plan(message: Any) -> Plan:
    """nav_msgs/Path of ``coverage/plan`` -> steps between consecutive poses.

    A step whose ends share their position is a pivot, a drive against its heading is reverse, and the time stamps of its ends give
    its speed. What the path does not carry stays with the planner: which drives count as search, and the gaps.
    """
    poses = message.poses
    stamps = [seconds(pose.header.stamp) for pose in poses]
    steps = []
    for i in range(1, len(poses)):
        start, end = _pose2(poses[i - 1].pose), _pose2(poses[i].pose)
        length = math.hypot(end.x - start.x, end.y - start.y)
        ahead = (end.x - start.x) * math.cos(start.yaw) + (end.y - start.y) * math.sin(start.yaw)
        duration = max(stamps[i] - stamps[i - 1], 1e-3)
        pivot = length < 1e-3
        amount = abs(wrap_angle(end.yaw - start.yaw)) if pivot else length
        kind = StepKind.TURN if pivot else StepKind.TRANSIT
        # A step of no length says that the robot stands right; any speed will do for it.
        speed = max(amount / duration, MIN_STEP_SPEED)
        steps.append(PlanStep(kind, start, end, not pivot and ahead < 0.0, False, speed))
    return Plan(seconds(message.header.stamp), tuple(steps))


def _pose2(pose: Any) -> Pose2:
    return Pose2(float(pose.position.x), float(pose.position.y), yaw_pitch_roll(pose.orientation)[0])


def diagnostics(message: Any) -> tuple[float, tuple[Health, ...]]:
    """diagnostic_msgs/DiagnosticArray -> time and reports."""
    return seconds(message.header.stamp), tuple(
        Health(status.name, _level(status.level), status.message, {pair.key: pair.value for pair in status.values})
        for status in message.status
    )


def _level(level: Any) -> Level:
    """DiagnosticStatus.level is a ``byte``: rclpy gives bytes, rosbags an integer."""
    return Level(int.from_bytes(level, sys.byteorder) if isinstance(level, bytes) else int(level))


def _values(message: Any, name: str) -> dict[str, str]:
    if not message.status:
        raise DecodeError(f"{name} message without a status")
    return {pair.key: pair.value for pair in message.status[0].values}


def mission_status(message: Any) -> MissionStatus:
    """diagnostic_msgs/DiagnosticArray of ``mission/state``."""
    values = _values(message, "mission state")
    try:
        return MissionStatus(
            t=seconds(message.header.stamp),
            state=MissionState(values["state"]),
            reason=message.status[0].message,
            goal=Goal(values["goal"]),
            goal_target=int(values["goal_target"]),
            request_t=float(values["request_t"]),
            targets=int(values["targets"]),
            marks_requested=int(values["marks_requested"]),
            marks_confirmed=int(values["marks_confirmed"]),
            acknowledged=values.get("acknowledged", ""),
        )
    except (KeyError, ValueError) as error:
        raise DecodeError(f"mission state message: {error}") from None


def progress(message: Any) -> Progress:
    """diagnostic_msgs/DiagnosticArray of ``control/progress``."""
    values = _values(message, "progress")
    try:
        return Progress(
            t=seconds(message.header.stamp),
            plan_t=float(values["plan_t"]),
            step=int(values["step"]),
            done=values["done"] == "True",
            remaining_m=float(values["remaining_m"]),
            remaining_s=float(values["remaining_s"]),
            cross_track=float(values["cross_track"]),
            stopped=values["stopped"] == "True",
            sweeping=values["sweeping"] == "True",
        )
    except (KeyError, ValueError) as error:
        raise DecodeError(f"progress message: {error}") from None


def mark_result(message: Any) -> MarkResult:
    """diagnostic_msgs/DiagnosticArray of ``marking/result``."""
    values = _values(message, "mark result")
    try:
        return MarkResult(
            t=seconds(message.header.stamp),
            target_id=int(values["target_id"]),
            status=MarkStatus(values["status"]),
            x=float(values["x"]),
            y=float(values["y"]),
            detail=message.status[0].message,
        )
    except (KeyError, ValueError) as error:
        raise DecodeError(f"mark result message: {error}") from None


def remark(message: Any) -> Remark:
    """diagnostic_msgs/DiagnosticArray of ``mission/remark``."""
    values = _values(message, "remark")
    try:
        return Remark(
            t=seconds(message.header.stamp),
            number=values["number"],
            kind=RemarkKind(values["kind"]),
            target_id=int(values["target_id"]),
            comment=message.status[0].message,
            author=values["author"],
        )
    except (KeyError, ValueError) as error:
        raise DecodeError(f"remark message: {error}") from None


def remark_answer(message: Any) -> RemarkAnswer:
    """diagnostic_msgs/DiagnosticArray of ``mission/remark_answer``."""
    values = _values(message, "remark answer")
    return RemarkAnswer(remark(message), values.get("kept") == "True", values.get("why", ""))
