"""From messages to core types.

Everything here reads attributes only and imports no message package, so that the messages of ``rclpy`` (live) and of ``rosbags``
(replay) decode alike. Every decoder is total: a message of whatever content gives a value within what :mod:`mine_robot.ros.gate`
says of its topic, or a :class:`DecodeError` of one line.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mine_robot.core.types import (
    FixStatus,
    GnssFix,
    GprScan,
    HeadingFix,
    ImuSample,
    LedgerGrid,
    MarkRequest,
    MetalScan,
    NavState,
    Plan,
    PlanStep,
    Pose2,
    StepKind,
    SweepEvidence,
    Target,
    TargetClass,
    Twist2,
    WheelSample,
    wrap_angle,
)
from mine_robot.ros import gate
from mine_robot.ros.checks import DecodeError, Range, member, seconds, total
from mine_robot.ros.clouds import cells, columns, image, point_rows
from mine_robot.ros.gate import GATE
from mine_robot.ros.refusals import Refusals
from mine_robot.ros.reports import diagnostics, mark_result, mission_status, progress, remark, remark_answer
from mine_robot.ros.topics import EVIDENCE, GPR_SCAN, LEDGER, MARK_REQUEST, METAL_SCAN, PLAN, TARGETS
from mine_robot.ros.wire import deserialise

# The decoders in :mod:`mine_robot.ros.reports`, and what the readers of logs need of the modules that know no message package.
__all__ = [
    "DecodeError",
    "Refusals",
    "deserialise",
    "diagnostics",
    "mark_result",
    "mission_status",
    "progress",
    "remark",
    "remark_answer",
    "seconds",
]
MIN_STEP_SPEED = 0.01  # m/s or rad/s
ROTATION_TOLERANCE = 0.01  # of the square of a quaternion's norm


def yaw_pitch_roll(q: Any) -> tuple[float, float, float]:
    """Yaw, pitch, roll in rad of a geometry_msgs/Quaternion (body to parent); NaN where the quaternion is not finite.

    Raises :class:`DecodeError` if it is finite and no rotation, which nobody has filled in.
    """
    x, y, z, w = q.x, q.y, q.z, q.w
    norm = x * x + y * y + z * z + w * w
    if not abs(norm - 1.0) <= ROTATION_TOLERANCE:
        if math.isfinite(norm):
            raise DecodeError(f"the orientation ({x:.3g}, {y:.3g}, {z:.3g}, {w:.3g}) is no rotation")
        return math.nan, math.nan, math.nan
    sin_pitch = max(-1.0, min(1.0, 2.0 * (w * y - z * x)))
    yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
    roll = math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y))
    return yaw, math.asin(sin_pitch), roll


def _vector(vector: Any) -> np.ndarray:
    return np.array((vector.x, vector.y, vector.z), dtype=float)


def _within(bound: Range, name: str, vector: Any) -> np.ndarray:
    """A vector (3,) with each component in the range."""
    x, y, z = vector.x, vector.y, vector.z
    if not (bound.low <= x <= bound.high and bound.low <= y <= bound.high and bound.low <= z <= bound.high):
        for axis, value in zip("xyz", (x, y, z)):
            bound.check(f"{name} {axis}", value)
    return np.array((x, y, z), dtype=float)


@total
def clock(message: Any) -> float:
    """rosgraph_msgs/Clock -> s."""
    return seconds(message.clock)


@total
def imu(message: Any) -> ImuSample:
    """sensor_msgs/Imu -> rates and specific force."""
    return ImuSample(
        seconds(message.header.stamp), _vector(message.angular_velocity), _vector(message.linear_acceleration)
    )


@total
def fix(message: Any) -> GnssFix:
    """sensor_msgs/NavSatFix; an unknown covariance becomes NaN, which the filter refuses or replaces by its floor."""
    covariance = np.array(message.position_covariance, dtype=float).reshape(3, 3)
    kind, status = message.position_covariance_type, message.status.status
    if kind == 0:
        covariance = np.full((3, 3), np.nan)
    elif kind not in (1, 2, 3):
        raise DecodeError(f"the type of covariance is {kind}, expected 0 to 3")
    quality = member("status", FixStatus, max(status, FixStatus.NONE.value))  # -2 is "unknown", hence no fix
    place = float(message.latitude), float(message.longitude), float(message.altitude)
    return GnssFix(seconds(message.header.stamp), *place, covariance, quality)


@total
def heading(message: Any) -> HeadingFix:
    """sensor_msgs/Imu or geometry_msgs/PoseWithCovarianceStamped of a dual-antenna receiver -> yaw; NaN where it gives none."""
    if hasattr(message, "orientation"):
        orientation, covariance = message.orientation, message.orientation_covariance
        variance, given = float(covariance[8]), covariance[0] != -1.0
    else:
        orientation, variance, given = message.pose.pose.orientation, float(message.pose.covariance[35]), True
    sigma = math.sqrt(variance) if variance > 0.0 else math.nan
    try:
        yaw = yaw_pitch_roll(orientation)[0] if given else math.nan
    except DecodeError:
        yaw = math.nan
    return HeadingFix(seconds(message.header.stamp), yaw, sigma)


@total
def wheels(message: Any) -> WheelSample:
    """nav_msgs/Odometry -> forward speed and yaw rate."""
    twist = message.twist.twist
    return WheelSample(seconds(message.header.stamp), float(twist.linear.x), float(twist.angular.z))


@total
def gpr(message: Any) -> GprScan:
    """sensor_msgs/Image 32FC1 -> traces (samples, channels)."""
    return GprScan(seconds(message.header.stamp), image(message, GATE[GPR_SCAN]))


@total
def metal(message: Any) -> MetalScan:
    """sensor_msgs/PointCloud2 -> positions, in-phase and quadrature a coil."""
    x, y, z, in_phase, quadrature = columns(message, GATE[METAL_SCAN])
    return MetalScan(seconds(message.header.stamp), np.stack([x, y, z], axis=-1), in_phase, quadrature)


@total
def odometry(message: Any) -> NavState:
    """nav_msgs/Odometry of ``odometry/filtered`` -> NavState."""
    pose, twist = message.pose.pose, message.twist.twist
    yaw, pitch, roll = yaw_pitch_roll(pose.orientation)
    return NavState(
        t=seconds(message.header.stamp),
        position=_within(gate.PLACE_OR_LOST, "position", pose.position),
        rpy=np.array((roll, pitch, yaw)),
        velocity=_within(gate.SPEED, "speed", twist.linear),
        rate=_within(gate.TURN, "rate", twist.angular),
        covariance=np.array(message.pose.covariance, dtype=float).reshape(6, 6),
    )


@total
def evidence(message: Any) -> list[SweepEvidence]:
    """sensor_msgs/PointCloud2 of ``detection/evidence``."""
    t = seconds(message.header.stamp)
    found = []
    for x, y, yaw, sigma, height, speed, gpr_ok, metal_ok, dt in point_rows(message, GATE[EVIDENCE]):
        if t + dt < 0.0:
            raise DecodeError(f"a record of {t + dt:.3f} s is of no time")
        found.append(SweepEvidence(t + dt, x, y, yaw, sigma, height, speed, bool(gpr_ok), bool(metal_ok)))
    return found


@total
def targets(message: Any) -> tuple[Target, ...]:
    """sensor_msgs/PointCloud2 of ``detection/targets``."""
    seconds(message.header.stamp)
    found = []
    for x, y, z, sigma_x, sigma_y, depth, llr_gpr, llr_md, p, target_id, kind in point_rows(message, GATE[TARGETS]):
        if p > 0.0 and not math.isfinite(x + y):
            raise DecodeError(f"target {target_id} of probability {p:.3g} has no place")
        kind = TargetClass(int(kind))
        found.append(Target(int(target_id), x, y, z, sigma_x, sigma_y, depth, llr_gpr, llr_md, p, kind))
    if len({target.id for target in found}) < len(found):
        raise DecodeError("two targets have one id")
    return tuple(found)


@total
def mark_requests(message: Any) -> list[MarkRequest]:
    """sensor_msgs/PointCloud2 of ``marking/request``."""
    t = seconds(message.header.stamp)
    return [MarkRequest(t, int(number), x, y) for number, x, y in point_rows(message, GATE[MARK_REQUEST])]


@total
def ledger(message: Any) -> LedgerGrid:
    """nav_msgs/OccupancyGrid of ``coverage/ledger``."""
    row, info = GATE[LEDGER], message.info
    corner = info.origin.position
    x0, y0 = row.values["x"].check("origin x", corner.x), row.values["y"].check("origin y", corner.y)
    resolution = row.values["resolution"].check("resolution", float(info.resolution))
    return LedgerGrid(seconds(message.header.stamp), x0, y0, resolution, cells(message, row))


@total
def twist(message: Any) -> Twist2:
    """geometry_msgs/TwistStamped -> speed and yaw rate."""
    speed, rate = float(message.twist.linear.x), float(message.twist.angular.z)
    gate.SPEED.check("speed", speed)
    gate.TURN.check("yaw rate", rate)
    return Twist2(seconds(message.header.stamp), speed, rate)


@total
def siren(message: Any) -> bool:
    """std_msgs/Bool of ``alarm/siren``."""
    return bool(message.data)


@total
def heartbeat(message: Any) -> float:
    """std_msgs/Header of ``operator/heartbeat`` -> the stack's time that the operator's side has heard of."""
    return seconds(message.stamp)


@total
def plan(message: Any) -> Plan:
    """nav_msgs/Path of ``coverage/plan`` -> steps between consecutive poses.

    A step whose ends share their position is a pivot, a drive against its heading is reverse, and the time stamps of its ends give
    its speed. What the path does not carry stays with the planner: which drives count as search, and the gaps.
    """
    poses = message.poses
    GATE[PLAN].check_count(len(poses))
    ends = [(seconds(pose.header.stamp), _pose2(pose.pose)) for pose in poses]
    return Plan(seconds(message.header.stamp), tuple(_step(*ends[i - 1], *ends[i]) for i in range(1, len(ends))))


def _step(start_t: float, start: Pose2, end_t: float, end: Pose2) -> PlanStep:
    length = math.hypot(end.x - start.x, end.y - start.y)
    ahead = (end.x - start.x) * math.cos(start.yaw) + (end.y - start.y) * math.sin(start.yaw)
    if end_t < start_t:
        raise DecodeError(f"the path's times of arrival go back by {start_t - end_t:.3f} s")
    pivot = length < 1e-3
    amount = abs(wrap_angle(end.yaw - start.yaw)) if pivot else length
    kind = StepKind.TURN if pivot else StepKind.TRANSIT
    # A step of no length says that the robot stands right; any speed will do for it.
    speed = max(amount / max(end_t - start_t, 1e-3), MIN_STEP_SPEED)
    GATE[PLAN].values["speed"].check("speed", speed)
    return PlanStep(kind, start, end, not pivot and ahead < 0.0, False, speed)


def _pose2(pose: Any) -> Pose2:
    x, y, yaw = float(pose.position.x), float(pose.position.y), yaw_pitch_roll(pose.orientation)[0]
    gate.PLACE.check("x", x)
    gate.PLACE.check("y", y)
    gate.ANGLE.check("yaw", yaw)
    return Pose2(x, y, yaw)
