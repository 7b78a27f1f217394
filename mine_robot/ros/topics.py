"""Every topic and service of the stack in one table: name, type and quality of service.

Names are relative where a namespace may prefix them (several robots side by side) and are given here without the leading slash;
``clock`` and ``diagnostics`` follow ROS conventions. ``docs/topics.md`` is generated from this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Delivery(Enum):
    """Quality of service by purpose; the profiles are in :mod:`mine_robot.ros.qos`."""

    SENSOR = "best effort, volatile, depth 200: the newest matters, a lost one shows as missing evidence"
    STREAM = "reliable, volatile, depth 200: every message counts"
    STATE = "reliable, transient local, depth 1: whoever joins late gets the last"
    HEALTH = "reliable, transient local, depth 1 a publisher: the last report of every node"
    CLOCK = "best effort, volatile, depth 1"


@dataclass(frozen=True)
class Topic:
    """One topic: ``type_name`` as in ``ros2 interface show``; ``optional`` inputs are not waited for.

    Messages of one that is not ``stamped`` carry no time; the log has the time at which they came.
    """

    name: str
    type_name: str
    delivery: Delivery
    doc: str
    optional: bool = False
    stamped: bool = True


CLOCK = Topic("/clock", "rosgraph_msgs/msg/Clock", Delivery.CLOCK, "Simulated time; waits for the stack.")
DIAGNOSTICS = Topic(
    "/diagnostics",
    "diagnostic_msgs/msg/DiagnosticArray",
    Delivery.HEALTH,
    "Health of every node, at least twice a second.",
)

IMU = Topic("imu/data", "sensor_msgs/msg/Imu", Delivery.SENSOR, "Rates and specific force, 100 Hz, `imu_link`.")
GNSS_FIX = Topic(
    "gnss/fix",
    "sensor_msgs/msg/NavSatFix",
    Delivery.SENSOR,
    "Antenna position `gnss_link`, 5-20 Hz; status -1 none, 0 single, 1 float (SBAS), 2 RTK fixed (GBAS); covariance ENU.",
)
GNSS_HEADING = Topic(
    "gnss/heading",
    "sensor_msgs/msg/Imu",
    Delivery.SENSOR,
    "Dual-antenna heading as orientation of `base_link` in `map`; only yaw and its covariance are used.",
    optional=True,
)
WHEELS = Topic(
    "wheel/odometry",
    "nav_msgs/msg/Odometry",
    Delivery.SENSOR,
    "Twist of `base_link` from the track encoders, 20-50 Hz.",
)
GPR_SCAN = Topic(
    "gpr/scan",
    "sensor_msgs/msg/Image",
    Delivery.SENSOR,
    "`32FC1`, rows are time samples, columns are channels from left to right.",
)
METAL_SCAN = Topic(
    "metal_detector/scan",
    "sensor_msgs/msg/PointCloud2",
    Delivery.SENSOR,
    "A point a coil in `metal_detector_link`: x, y, z, in_phase, quadrature.",
)

ODOMETRY = Topic(
    "odometry/filtered",
    "nav_msgs/msg/Odometry",
    Delivery.STREAM,
    "Pose of `base_link` in `map` with covariance, twist in `base_link`, 20 Hz.",
)
PLAN = Topic(
    "coverage/plan",
    "nav_msgs/msg/Path",
    Delivery.STATE,
    "Pending path: ends of straight drives and pivots, stamped with the time of arrival planned; the header stamp echoes the request.",
)
LEDGER = Topic(
    "coverage/ledger",
    "nav_msgs/msg/OccupancyGrid",
    Delivery.STATE,
    "-1 outside, 0 safe, 10 searched, 50 pending, 75 gap, 100 halo of a target.",
)
EVIDENCE = Topic(
    "detection/evidence",
    "sensor_msgs/msg/PointCloud2",
    Delivery.STREAM,
    "What the head can prove at each pose: x, y, z, yaw of the searched line, sigma, height, speed, gpr_ok, metal_ok, dt.",
)
TARGETS = Topic(
    "detection/targets",
    "sensor_msgs/msg/PointCloud2",
    Delivery.STATE,
    "All targets: id, x, y, z, sigma_x, sigma_y, depth, llr_gpr, llr_md, p_hazard, class.",
)
CMD_RAW = Topic("cmd_vel_raw", "geometry_msgs/msg/TwistStamped", Delivery.STREAM, "What the follower wants.")
CMD = Topic(
    "cmd_vel",
    "geometry_msgs/msg/TwistStamped",
    Delivery.STREAM,
    "What the guard lets through. The base stops by itself 0.3 s after the last stamp, and on a command that is not finite.",
)
SIREN = Topic(
    "alarm/siren",
    "std_msgs/msg/Bool",
    Delivery.STATE,
    "True from an alarm of the guard (motion while told to stand, a stranger's command) until a person resumes.",
    stamped=False,
)
HEARTBEAT = Topic(
    "operator/heartbeat",
    "std_msgs/msg/Header",
    Delivery.STREAM,
    "The operator is there, with the stack's time as heard there: by the console while a page has control, or by `mine-robot run` without "
    "a console.",
    optional=True,
)
PROGRESS = Topic(
    "control/progress", "diagnostic_msgs/msg/DiagnosticArray", Delivery.STATE, "How far the follower is with the plan."
)
MARK_REQUEST = Topic(
    "marking/request", "sensor_msgs/msg/PointCloud2", Delivery.STREAM, "Target to mark: id, x, y, z in `map`."
)
MARK_RESULT = Topic(
    "marking/result",
    "diagnostic_msgs/msg/DiagnosticArray",
    Delivery.STREAM,
    "Outcome of a mark by target id, and where the nozzle stood.",
)
MISSION_STATE = Topic(
    "mission/state",
    "diagnostic_msgs/msg/DiagnosticArray",
    Delivery.STATE,
    "State, reason, wanted plan and counts; latched.",
)
REMARK = Topic(
    "mission/remark",
    "diagnostic_msgs/msg/DiagnosticArray",
    Delivery.STREAM,
    "What a person says of a target or a hold; only a `release`, while the robot stands, opens a halo.",
    optional=True,
)
REMARK_ANSWER = Topic(
    "mission/remark_answer",
    "diagnostic_msgs/msg/DiagnosticArray",
    Delivery.STREAM,
    "The remark once it is in the journal, or why it is not.",
)

TOPICS: tuple[Topic, ...] = (
    CLOCK,
    DIAGNOSTICS,
    IMU,
    GNSS_FIX,
    GNSS_HEADING,
    WHEELS,
    GPR_SCAN,
    METAL_SCAN,
    ODOMETRY,
    PLAN,
    LEDGER,
    EVIDENCE,
    TARGETS,
    CMD_RAW,
    CMD,
    SIREN,
    HEARTBEAT,
    PROGRESS,
    MARK_REQUEST,
    MARK_RESULT,
    MISSION_STATE,
    REMARK,
    REMARK_ANSWER,
)

# The one node that may publish each topic: a driver on the robot whatever its name, the simulator in its place; reports of health
# come from every node of the stack, and from drivers.
DRIVER, SIMULATOR = "", "simulator"
OF_THE_RUN = "*"  # any node of the run: the console, or the terminal where there is none
SENSORS = (IMU, GNSS_FIX, GNSS_HEADING, WHEELS, GPR_SCAN, METAL_SCAN)
PUBLISHER: dict[Topic, str] = {
    CLOCK: SIMULATOR,
    **dict.fromkeys(SENSORS, DRIVER),
    ODOMETRY: "localization",
    **dict.fromkeys((TARGETS, EVIDENCE), "detector"),
    **dict.fromkeys((LEDGER, PLAN), "planner"),
    **dict.fromkeys((CMD_RAW, PROGRESS), "follower"),
    **dict.fromkeys((CMD, SIREN), "guard"),
    HEARTBEAT: OF_THE_RUN,
    MARK_RESULT: "marker",
    **dict.fromkeys((MISSION_STATE, MARK_REQUEST, REMARK_ANSWER), "mission"),
    REMARK: "console",
}


def publishers(*, simulation: bool) -> dict[Topic, str]:
    """Topic and the node that may publish it; :data:`DRIVER` for whichever came first. On the robot nobody hears the clock."""
    if simulation:
        return {topic: node or SIMULATOR for topic, node in PUBLISHER.items()}
    return {topic: node for topic, node in PUBLISHER.items() if node != SIMULATOR}


SERVICE_TYPE = "std_srvs/srv/Trigger"
ESTOP = "mission/estop"
SERVICES: dict[str, str] = {
    "mission/start": "Begin, or go on after the robot was lost.",
    "mission/pause": "Stop driving and wait.",
    "mission/resume": "Go on after a pause or an e-stop.",
    "mission/abort": "End the mission where the robot stands.",
    ESTOP: "Stop at once; latched until a person resumes.",
}
# The way of a stop that waits for no mission; each is offered by the node it is named after.
GUARD_STOP, MARKER_STOP = "guard/stop", "marker/stop"
STOPS: dict[str, str] = {
    GUARD_STOP: "Stand at once; the mission follows with its emergency stop, and holds the robot until a person resumes.",
    MARKER_STOP: "Make the actuator safe at once; otherwise the same.",
}
