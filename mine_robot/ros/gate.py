"""What may be in a topic, in one table: size, rate, items, and the range of every value that anybody relies on.

The decoders (:mod:`mine_robot.ros.decode`) and the intake of every node (:mod:`mine_robot.ros.intake`) read it, and ``docs/topic_gate.md``
is generated from it. What a sensor reads is not judged here: a reading that is not finite or not plausible is a fault of the sensor, which
localisation and detector tell apart and report in words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mine_robot.ros.checks import DecodeError, Range
from mine_robot.ros.topics import (
    CMD,
    CMD_RAW,
    DIAGNOSTICS,
    EVIDENCE,
    GNSS_FIX,
    GNSS_HEADING,
    GPR_SCAN,
    HEARTBEAT,
    IMU,
    LEDGER,
    MARK_REQUEST,
    MARK_RESULT,
    METAL_SCAN,
    MISSION_STATE,
    ODOMETRY,
    PLAN,
    PROGRESS,
    REMARK,
    REMARK_ANSWER,
    SIREN,
    TARGETS,
    WHEELS,
    Topic,
)

VALUES_MAX = 128  # of a status
KB, MB = 1_000, 1_000_000
AHEAD_S = 5.0  # a node's clock is a tick old, and in a fast simulation that tick may be long
BURST_S = 2.0  # of the permitted rate may come at once
QUEUE = 200  # messages that a reader's queue holds, two seconds of the busiest input; a node that was frozen takes them all at once

PLACE = Range(-1e5, 1e5, "m")  # from the datum; further away nothing is meant
PLACE_OR_LOST = replace(PLACE, unknown=True)
HEIGHT = Range(-2e4, 2e4, "m", unknown=True)
ANGLE = Range(-7.0, 7.0, "rad")
SPEED, TURN = Range(-20.0, 20.0, "m/s", unknown=True), Range(-20.0, 20.0, "rad/s", unknown=True)
SIGMA = Range(0.0, 1e6, "m", unknown=True)
RATIO = Range(-1e6, 1e6, unknown=True)
ANY = Range(-math.inf, math.inf, unknown=True)
ID = Range(0, 1_000_000, whole=True)
ID_OR_NONE = replace(ID, low=-1)
COUNT = Range(0, 1_000_000, whole=True)
FLAG = Range(0, 1, whole=True)
TIME = Range(0.0, 2.0**31, "s")
AREA = Range(0.0, 1e9, "m²")


@dataclass(frozen=True)
class Row:
    """What may be in ``topic``.

    At most ``bytes_max`` as it comes over the wire, and ``rate_max`` messages a second on the clock of the stack. A message holds between
    ``items[0]`` and ``items[1]`` of what ``item`` names. Its stamp lies at most ``ahead`` s beyond the clock (None: it is no time of the
    content) and, where ``ordered``, after the one before. ``safety``: the mission holds while messages of it are refused. ``silent``: what
    follows when nothing that is permitted comes.
    """

    topic: Topic
    bytes_max: int
    rate_max: float
    values: Mapping[str, Range] = field(default_factory=dict)
    items: tuple[int, int] = (1, 1)
    item: str = ""
    ahead: float | None = AHEAD_S
    ordered: bool = False
    safety: bool = True
    doc: str = ""
    silent: str = ""

    def check_count(self, count: int) -> int:
        """``count`` itself, if a message may hold so many; else raises :class:`DecodeError`."""
        low, high = self.items
        if not low <= count <= high:
            raise DecodeError(f"it holds {count} {self.item}, expected {low} to {high}")
        return count


READING = (
    "Any reading: what is not finite or not plausible is a fault of the sensor, in the words of the node that uses it."
)
RECORD = "One status; every key that is listed, each once."
ROWS = (
    Row(
        DIAGNOSTICS, 64 * KB, 400.0, {"searched_m2": AREA, "unproven_m2": AREA}, (0, 256), "statuses",
        doc=f"Level 0 to 3; at most {VALUES_MAX} values a status.",
        silent="A component that has to report and does not for `mission.health_age` counts as STALE: hold.",
    ),
    Row(IMU, 2 * KB, 2000.0, doc=READING,
        silent="Localisation LOST: hold, and a person looks.",
    ),
    Row(GNSS_FIX, 2 * KB, 200.0, doc=f"{READING} Status up to 2, type of covariance 0 to 3.",
        silent="Localisation degraded: hold.",
    ),
    Row(GNSS_HEADING, 4 * KB, 200.0, doc=f"{READING} An orientation that is no rotation is no heading.",
        silent="The heading grows uncertain; beyond its limit localisation is degraded: hold.",
    ),
    Row(WHEELS, 4 * KB, 500.0, doc=READING,
        silent="Localisation goes on with what is left and grows uncertain.",
    ),
    Row(
        GPR_SCAN, 4 * MB, 500.0, {"height": Range(1, 8192), "width": Range(1, 1024)},
        doc=f"{READING} Encoding 32FC1; step and length as height and width say.",
        silent="Radar dead: hold; nothing counts as searched.",
    ),
    Row(METAL_SCAN, 64 * KB, 500.0, dict.fromkeys(("x", "y", "z", "in_phase", "quadrature"), ANY), (1, 256),
        "points", doc=READING,
        silent="Metal detector dead: hold; nothing counts as searched.",
    ),
    Row(
        ODOMETRY, 4 * KB, 500.0,
        {"x": PLACE_OR_LOST, "y": PLACE_OR_LOST, "z": PLACE_OR_LOST, "speed": SPEED, "rate": TURN}, ordered=True,
        doc="A pose that is not finite is a lost one, and a covariance that is none an infinite sigma: each consumer stands. "
        "The orientation is a rotation.",
        silent="The guard stops the robot (`guard.nav_age`); hold.",
    ),
    Row(
        PLAN, 8 * MB, 40.0, {"x": PLACE, "y": PLACE, "speed": Range(0.0, 5.0, "m/s or rad/s")}, (0, 50_000), "poses",
        ahead=None, doc="Orientations are rotations, times of arrival do not go back. The stamp is that of the request.",
        silent="Nothing is driven: the mission asks again, then holds.",
    ),
    Row(
        LEDGER, 100 * MB + 4 * KB, 40.0, {"x": PLACE, "y": PLACE, "resolution": Range(0.005, 10.0, "m")},
        (1, 100_000_000), "cells", doc="As many cells as rows times columns, each of a known state; not rotated.",
        silent="The guard stops the robot (`guard.grid_age`); hold.",
    ),
    Row(
        EVIDENCE, 64 * KB, 500.0,
        {
            "x": PLACE, "y": PLACE, "yaw": ANGLE, "sigma": SIGMA, "height": replace(PLACE, unknown=True),
            "speed": Range(0.0, 20.0, "m/s", unknown=True), "gpr_ok": FLAG, "metal_ok": FLAG, "dt": Range(-10.0, 10.0, "s"),
        },
        (1, 512), "records", ordered=True, doc="What is not known proves nothing.",
        silent="Nothing counts as searched.",
    ),
    Row(
        TARGETS, 4 * MB, 100.0,
        {
            "x": PLACE_OR_LOST, "y": PLACE_OR_LOST, "z": HEIGHT, "sigma_x": SIGMA, "sigma_y": SIGMA,
            "depth": Range(-10.0, 100.0, "m", unknown=True), "llr_gpr": RATIO, "llr_md": RATIO, "p_hazard": Range(0.0, 1.0),
            "id": ID, "class": Range(0, 5, whole=True),
        },
        (0, 20_000), "targets", ahead=None,
        doc="No id twice. Only a target of probability 0, the place-holder of a damaged record, may be without a place.",
        silent="It speaks when something is found. The halos stay.",
    ),
    Row(CMD_RAW, 2 * KB, 500.0, {"speed": SPEED, "yaw_rate": TURN}, ordered=True, doc="Not finite: the guard stops the robot at once.",
        silent="The guard commands zero (`guard.command_age`).",
    ),
    Row(CMD, 2 * KB, 500.0, {"speed": SPEED, "yaw_rate": TURN},
        silent="The base stops by itself.",
    ),
    Row(SIREN, 64, 40.0, ahead=None, doc="True or false.",
        silent="The marker goes by the guard's last word; the guard stands by itself.",
    ),
    Row(HEARTBEAT, 1 * KB, 40.0, doc="Nothing but the time.",
        silent="Where a heartbeat is demanded (`guard.operator_age_max`) the guard stops the robot: hold.",
    ),
    Row(
        PROGRESS, 16 * KB, 100.0,
        {
            "plan_t": replace(TIME, unknown=True), "step": COUNT, "remaining_m": Range(0.0, 1e7, "m"),
            "remaining_s": Range(0.0, 1e9, "s"), "cross_track": PLACE_OR_LOST,
        },
        doc=RECORD,
        silent="The plan counts as not driven: the mission plans anew, then holds.",
    ),
    Row(MARK_REQUEST, 16 * KB, 40.0, {"id": ID, "x": PLACE, "y": PLACE}, (1, 64), "requests", ahead=None,
        silent="It speaks when a mark is wanted.",
    ),
    Row(MARK_RESULT, 16 * KB, 40.0, {"target_id": ID, "x": PLACE_OR_LOST, "y": PLACE_OR_LOST}, ahead=None, doc=RECORD,
        silent="No mark is taken as made: the mission waits, then plans anew (`mission.mark_timeout`).",
    ),
    Row(
        MISSION_STATE, 16 * KB, 100.0,
        {
            "goal_target": ID_OR_NONE, "request_t": TIME, "targets": COUNT, "listed": COUNT,
            "marks_requested": COUNT, "marks_confirmed": COUNT,
        },
        doc=RECORD,
        silent="The guard stops the robot (`guard.mission_age`), the marker makes nothing.",
    ),
    Row(REMARK, 16 * KB, 40.0, {"target_id": ID_OR_NONE}, ahead=None, safety=False, doc=RECORD,
        silent="It speaks when a person does.",
    ),
    Row(REMARK_ANSWER, 16 * KB, 40.0, {"target_id": ID_OR_NONE}, ahead=None, safety=False, doc=RECORD,
        silent="The page says that nobody answered.",
    ),
)  # fmt: skip

GATE: Mapping[Topic, Row] = {row.topic: row for row in ROWS}
