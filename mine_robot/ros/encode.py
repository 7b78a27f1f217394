"""From core types to messages; the inverse of :mod:`mine_robot.ros.decode`."""

from __future__ import annotations

import array
import math
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseStamped, Quaternion, TwistStamped, Vector3
from nav_msgs.msg import OccupancyGrid, Odometry, Path
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, Imu, NavSatFix, NavSatStatus, PointCloud2, PointField
from std_msgs.msg import Bool, Header

from mine_robot.core.types import (
    GnssFix,
    GprScan,
    HeadingFix,
    Health,
    ImuSample,
    LedgerGrid,
    Level,
    MarkRequest,
    MarkResult,
    MetalScan,
    MissionStatus,
    NavState,
    Plan,
    Pose2,
    Progress,
    Remark,
    RemarkAnswer,
    SweepEvidence,
    Target,
    Twist2,
    WheelSample,
)

MAP = "map"
BASE = "base_link"

EVIDENCE_FIELDS = np.dtype(
    [(name, "<f4") for name in ("x", "y", "z", "yaw", "sigma", "height", "speed", "gpr_ok", "metal_ok", "dt")]
)
TARGET_FIELDS = np.dtype(
    [("id", "<u4")]
    + [(name, "<f4") for name in ("x", "y", "z", "sigma_x", "sigma_y", "depth", "llr_gpr", "llr_md", "p_hazard")]
    + [("class", "<u4")]
)
MARK_FIELDS = np.dtype([("id", "<u4"), ("x", "<f4"), ("y", "<f4"), ("z", "<f4")])
METAL_FIELDS = np.dtype([(name, "<f4") for name in ("x", "y", "z", "in_phase", "quadrature")])
POINT_DATATYPES = {"<f4": PointField.FLOAT32, "<u4": PointField.UINT32}


def time(t: float) -> Time:
    """Seconds as a builtin_interfaces/Time, to the nearest nanosecond."""
    nanoseconds = round(t * 1e9)
    return Time(sec=nanoseconds // 1_000_000_000, nanosec=nanoseconds % 1_000_000_000)


def header(t: float, frame: str) -> Header:
    """A std_msgs/Header."""
    return Header(stamp=time(t), frame_id=frame)


def clock(t: float) -> Clock:
    """Simulated time."""
    return Clock(clock=time(t))


def quaternion(roll: float, pitch: float, yaw: float) -> Quaternion:
    """Quaternion of roll, pitch, yaw about fixed axes (REP-103)."""
    cr, sr, cp, sp = math.cos(roll / 2), math.sin(roll / 2), math.cos(pitch / 2), math.sin(pitch / 2)
    cy, sy = math.cos(yaw / 2), math.sin(yaw / 2)
    return Quaternion(
        x=sr * cp * cy - cr * sp * sy,
        y=cr * sp * cy + sr * cp * sy,
        z=cr * cp * sy - sr * sp * cy,
        w=cr * cp * cy + sr * sp * sy,
    )


def vector(values: Sequence[float]) -> Vector3:
    """A geometry_msgs/Vector3."""
    return Vector3(x=float(values[0]), y=float(values[1]), z=float(values[2]))


def imu(sample: ImuSample) -> Imu:
    """Rates and specific force; no orientation (covariance -1, as the message asks)."""
    message = Imu(header=header(sample.t, "imu_link"))
    message.angular_velocity = vector(sample.rate)
    message.linear_acceleration = vector(sample.force)
    message.orientation_covariance[0] = -1.0
    return message


def fix(sample: GnssFix) -> NavSatFix:
    """Antenna position."""
    message = NavSatFix(header=header(sample.t, "gnss_link"))
    message.status.status = int(sample.status)
    message.status.service = NavSatStatus.SERVICE_GPS
    message.latitude, message.longitude, message.altitude = sample.latitude, sample.longitude, sample.height
    known = bool(np.all(np.isfinite(sample.covariance)))
    message.position_covariance = np.asarray(sample.covariance, dtype=float).ravel() if known else np.zeros(9)
    message.position_covariance_type = NavSatFix.COVARIANCE_TYPE_KNOWN if known else NavSatFix.COVARIANCE_TYPE_UNKNOWN
    return message


def heading(sample: HeadingFix) -> Imu:
    """Dual-antenna heading as an orientation of which only the yaw is known."""
    message = Imu(header=header(sample.t, MAP))
    message.orientation = quaternion(0.0, 0.0, sample.yaw)
    covariance = np.zeros(9)
    covariance[[0, 4]] = 1e6
    covariance[8] = sample.sigma**2
    message.orientation_covariance = covariance
    message.angular_velocity_covariance[0] = -1.0
    message.linear_acceleration_covariance[0] = -1.0
    return message


def wheels(sample: WheelSample) -> Odometry:
    """Twist from the encoders; the pose is not used and its covariance says so."""
    message = Odometry(header=header(sample.t, "odom"), child_frame_id=BASE)
    message.twist.twist.linear.x = sample.speed
    message.twist.twist.angular.z = sample.yaw_rate
    message.pose.covariance[::7] = 1e6
    return message


def gpr(scan: GprScan) -> Image:
    """Radar scan as 32FC1."""
    samples, channels = scan.traces.shape
    data = array.array("B", np.ascontiguousarray(scan.traces, dtype="<f4").tobytes())
    return Image(
        header=header(scan.t, "gpr_link"),
        height=samples,
        width=channels,
        encoding="32FC1",
        is_bigendian=0,
        step=4 * channels,
        data=data,
    )


@cache
def _point_fields(dtype: np.dtype) -> list[PointField]:
    """The description of a structured type, the same object each time: it is only ever read."""
    return [
        PointField(name=name, offset=int(offset), datatype=POINT_DATATYPES[kind.str], count=1)
        for name, (kind, offset) in (dtype.fields or {}).items()
    ]


def cloud(t: float, frame: str, rows: np.ndarray) -> PointCloud2:
    """A structured array (n,) as an unordered point cloud."""
    return PointCloud2(
        header=header(t, frame),
        height=1,
        width=len(rows),
        fields=_point_fields(rows.dtype),
        is_bigendian=False,
        point_step=rows.dtype.itemsize,
        row_step=rows.dtype.itemsize * len(rows),
        data=array.array("B", rows.tobytes()),
        is_dense=True,
    )


def metal(scan: MetalScan) -> PointCloud2:
    """Metal-detector scan, a point a coil."""
    rows = np.zeros(len(scan.in_phase), METAL_FIELDS)
    rows["x"], rows["y"], rows["z"] = scan.positions.T
    rows["in_phase"], rows["quadrature"] = scan.in_phase, scan.quadrature
    return cloud(scan.t, "metal_detector_link", rows)


def odometry(state: NavState) -> Odometry:
    """Filtered pose and twist of ``base_link``."""
    message = Odometry(header=header(state.t, MAP), child_frame_id=BASE)
    position = message.pose.pose.position
    position.x, position.y, position.z = (float(value) for value in state.position)
    message.pose.pose.orientation = quaternion(*(float(value) for value in state.rpy))
    message.pose.covariance = np.asarray(state.covariance, dtype=float).ravel()
    message.twist.twist.linear = vector(state.velocity)
    message.twist.twist.angular = vector(state.rate)
    return message


def evidence(records: Sequence[SweepEvidence]) -> PointCloud2:
    """Sweep evidence; the header carries the time of the first record."""
    t = records[0].t if records else 0.0
    rows = [
        (r.x, r.y, 0.0, r.yaw, r.sigma, r.height, r.speed, float(r.gpr_ok), float(r.metal_ok), r.t - t) for r in records
    ]
    return cloud(t, MAP, np.array(rows, EVIDENCE_FIELDS))


def targets(t: float, found: Sequence[Target]) -> PointCloud2:
    """All targets."""
    rows = np.zeros(len(found), TARGET_FIELDS)
    for row, target in zip(rows, found):
        row["id"], row["class"] = target.id, target.kind
        for name in ("x", "y", "z", "sigma_x", "sigma_y", "depth", "llr_gpr", "llr_md", "p_hazard"):
            row[name] = getattr(target, name)
    return cloud(t, MAP, rows)


def mark_request(request: MarkRequest) -> PointCloud2:
    """One request to mark."""
    return cloud(request.t, MAP, np.array([(request.target_id, request.x, request.y, 0.0)], MARK_FIELDS))


def ledger(grid: LedgerGrid) -> OccupancyGrid:
    """The raster of ground states."""
    message = OccupancyGrid(header=header(grid.t, MAP))
    info = message.info
    info.map_load_time = time(grid.t)
    info.resolution = grid.resolution
    info.height, info.width = grid.cells.shape
    info.origin.position.x, info.origin.position.y = grid.x0, grid.y0
    message.data = array.array("b", np.ascontiguousarray(grid.cells, dtype=np.int8).tobytes())
    return message


def twist(command: Twist2) -> TwistStamped:
    """Commanded motion."""
    message = TwistStamped(header=header(command.t, BASE))
    message.twist.linear.x = command.speed
    message.twist.angular.z = command.yaw_rate
    return message


def siren(sounds: bool) -> Bool:
    """Whether the siren sounds."""
    return Bool(data=sounds)


def heartbeat(t: float) -> Header:
    """The operator is there, and has heard of the stack's time ``t``."""
    return header(t, "")


def plan(path: Plan) -> Path:
    """The ends of the plan's steps, stamped with the time at which the plan expects to be there."""
    message = Path(header=header(path.t, MAP))
    t = path.t
    if path.steps:
        message.poses.append(_pose(t, path.steps[0].start))
    for step in path.steps:
        t += step.duration
        message.poses.append(_pose(t, step.end))
    return message


def _pose(t: float, pose: Pose2) -> PoseStamped:
    message = PoseStamped(header=header(t, MAP))
    message.pose.position.x, message.pose.position.y = pose.x, pose.y
    message.pose.orientation = quaternion(0.0, 0.0, pose.yaw)
    return message


def diagnostics(t: float, reports: Iterable[Health]) -> DiagnosticArray:
    """Health reports."""
    return DiagnosticArray(
        header=header(t, ""),
        status=[_status(report.name, report.level, report.message, report.values) for report in reports],
    )


def _status(name: str, level: Level, message: str, values: dict[str, str]) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(name=name, level=bytes([level]), message=message, hardware_id="mine_robot", values=pairs)


def _record(t: float, name: str, text: str, values: dict[str, object]) -> DiagnosticArray:
    """One record of keys and values; numbers are written so that they read back exactly."""
    return DiagnosticArray(
        header=header(t, MAP),
        status=[_status(name, Level.OK, text, {key: str(value) for key, value in values.items()})],
    )


def mission_status(status: MissionStatus) -> DiagnosticArray:
    """What the mission does and wants."""
    values: dict[str, object] = {
        "state": status.state.value,
        "goal": status.goal.value,
        "goal_target": status.goal_target,
        "request_t": status.request_t,
        "targets": status.targets,
        "listed": status.listed,
        "marks_requested": status.marks_requested,
        "marks_confirmed": status.marks_confirmed,
        "acknowledged": status.acknowledged,
        "released": "; ".join(f"{one.target_id} {one.x!r} {one.y!r}" for one in status.released),
    }
    return _record(status.t, "mission", status.reason, values)


def progress(done: Progress) -> DiagnosticArray:
    """How far the follower is."""
    values: dict[str, object] = {
        "plan_t": done.plan_t,
        "step": done.step,
        "done": done.done,
        "remaining_m": round(done.remaining_m, 3),
        "remaining_s": round(done.remaining_s, 2),
        "cross_track": round(done.cross_track, 4),
        "stopped": done.stopped,
        "sweeping": done.sweeping,
    }
    return _record(done.t, "progress", "", values)


def mark_result(result: MarkResult) -> DiagnosticArray:
    """Outcome of a mark."""
    values: dict[str, object] = {
        "target_id": result.target_id,
        "status": result.status.value,
        "x": result.x,
        "y": result.y,
    }
    return _record(result.t, "mark", result.detail, values)


def remark(said: Remark) -> DiagnosticArray:
    """What a person says."""
    return _record(said.t, "remark", said.comment, _remark_values(said))


def remark_answer(answer: RemarkAnswer) -> DiagnosticArray:
    """What became of a remark."""
    values = {**_remark_values(answer.remark), "kept": answer.kept, "why": answer.why}
    return _record(answer.remark.t, "remark", answer.remark.comment, values)


def _remark_values(said: Remark) -> dict[str, object]:
    return {"number": said.number, "kind": said.kind.value, "target_id": said.target_id, "author": said.author}
