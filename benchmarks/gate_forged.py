"""Lies with a purpose: messages that look right and say what is not so, told to a running mission by ``gate_campaign.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import gate_messages as hostile
import numpy as np
from gate_drives import (
    Paced,
    Say,
    evidence_burst,
    evidence_slow,
    evidence_twins,
    odometry_and_evidence,
)
from gate_scene import Scene

from mine_robot.core.types import (
    Cell,
    GnssFix,
    GprScan,
    HeadingFix,
    Health,
    Level,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MissionState,
    Plan,
    PlanStep,
    Pose2,
    Progress,
    RemarkAnswer,
    RemarkKind,
    StepKind,
    Target,
    WheelSample,
)
from mine_robot.ros import decode, encode
from mine_robot.ros.topics import (
    CLOCK,
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

COMPONENTS = ("localization", "gpr", "metal_detector", "coverage", "follower", "guard", "marker", "mission", "journal")
NOZZLE_M = 0.9  # ahead of base_link
LASTS_S = 2.0


@dataclass(frozen=True)
class Forgery:
    """``act`` is given the scene, a mouth and a clock of the wall."""

    name: str
    act: Callable[[Scene, Say, Paced], None]
    topics: tuple[Topic, ...]
    before: str = "search"
    blind: bool = False


def _steady(*makes: Callable[[Scene], tuple[Topic, Any]], pace: float = 0.02) -> Callable[[Scene, Say, Paced], None]:
    """Say the same again and again."""

    def act(scene: Scene, say: Say, paced: Paced) -> None:
        for _ in paced(LASTS_S, pace):
            for make in makes:
                say(*make(scene))

    return act


def _pose_aside(metres: float) -> Callable[[Scene], tuple[Topic, Any]]:
    def make(scene: Scene) -> tuple[Topic, Any]:
        nav = scene.nav
        x, y = nav.pose.to_map(np.array([0.0, metres]))
        moved = replace(nav, t=nav.t + 1e-3, position=np.array([x, y, nav.position[2]]))
        return ODOMETRY, encode.odometry(moved)

    return make


def _changed_targets(
    change: Callable[[Target], Target], *, further: bool = False
) -> Callable[[Scene], tuple[Topic, Any]]:
    """The list with every target changed; ``further`` from message to message."""

    def make(scene: Scene) -> tuple[Topic, Any]:
        known = scene.suspects if further else scene.known_targets
        return TARGETS, encode.targets(scene.t, [change(target) for target in known])

    return make


def _many_targets(scene: Scene, say: Say, paced: Paced) -> None:
    """Ten thousand targets that nobody found, far from the field, beside those that were."""
    for index, _ in enumerate(paced(2.0, 0.2)):
        more = [scene.target(1000 * (index + 1) + number, 500.0 + number, 0.0) for number in range(1000)]
        say(TARGETS, encode.targets(scene.t, [*scene.known_targets, *more]))


def _ledger_of(state: Cell) -> Callable[[Scene], tuple[Topic, Any]]:
    def make(scene: Scene) -> tuple[Topic, Any]:
        grid = scene.grid
        return LEDGER, encode.ledger(replace(grid, t=scene.t, cells=np.full_like(grid.cells, state)))

    return make


def _said_state(state: MissionState) -> Callable[[Scene], tuple[Topic, Any]]:
    return lambda scene: (
        MISSION_STATE,
        encode.mission_status(replace(scene.status, t=scene.t, state=state, reason="")),
    )


def _loosen(scene: Scene, say: Say, paced: Paced) -> None:
    """As if a person had resumed: an emergency stop of now, then the search, and a command for it."""
    for index, _ in enumerate(paced(LASTS_S, 0.03)):
        state = MissionState.ESTOP if index % 10 == 0 else MissionState.SEARCH
        say(MISSION_STATE, encode.mission_status(replace(scene.status, t=scene.t, state=state, reason="")))
        say(CMD_RAW, encode.twist(scene.twist(0.5)))


def _driving_off(scene: Scene) -> tuple[Topic, Any]:
    """A plan from here straight over whatever lies ahead."""
    start = scene.nav.pose
    x, y = start.to_map(np.array([4.0, 0.0]))
    end = Pose2(float(x), float(y), start.yaw)
    step = PlanStep(StepKind.LANE, start, end, False, True, 0.5)
    return PLAN, encode.plan(Plan(scene.status.request_t, (step,)))


def _nothing_left(scene: Scene) -> tuple[Topic, Any]:
    return PLAN, encode.plan(Plan(scene.status.request_t, ()))


def _done(scene: Scene) -> tuple[Topic, Any]:
    t = scene.status.request_t
    return PROGRESS, encode.progress(Progress(scene.t, t, 999, True, 0.0, 0.0, 0.0, True, False))


def _health(level: Level) -> Callable[[Scene], tuple[Topic, Any]]:
    return lambda scene: (
        DIAGNOSTICS,
        encode.diagnostics(scene.t, [Health(name, level, "said by nobody") for name in COMPONENTS]),
    )


def _confirmed(scene: Scene) -> tuple[Topic, Any]:
    numbers = [target.id for target in scene.suspects] or [1]
    number = numbers[-1]
    return MARK_RESULT, encode.mark_result(MarkResult(scene.t, number, MarkStatus.CONFIRMED, 0.0, 0.0, "marked"))


def _flat_radar(scene: Scene) -> tuple[Topic, Any]:
    scan = decode.gpr(hostile.unpack(GPR_SCAN, scene.last(GPR_SCAN) or b""))
    noise = np.random.default_rng(1).normal(0.0, 1e-3, scan.traces.shape).astype(np.float32)
    return GPR_SCAN, encode.gpr(GprScan(scene.t, scan.traces.mean(axis=1, keepdims=True) + noise))


def _flat_metal(scene: Scene) -> tuple[Topic, Any]:
    scan = decode.metal(hostile.unpack(METAL_SCAN, scene.last(METAL_SCAN) or b""))
    noise = np.random.default_rng(2).normal(0.0, 1e-3, scan.in_phase.shape)
    return METAL_SCAN, encode.metal(replace(scan, t=scene.t, in_phase=noise, quadrature=noise))


def _false_fix(metres: float) -> Callable[[Scene], tuple[Topic, Any]]:
    def make(scene: Scene) -> tuple[Topic, Any]:
        fix = decode.fix(hostile.unpack(GNSS_FIX, scene.last(GNSS_FIX) or b""))
        return GNSS_FIX, encode.fix(
            GnssFix(scene.t, fix.latitude + metres / 111e3, fix.longitude, fix.height, fix.covariance, fix.status)
        )

    return make


def _false_imu(scene: Scene) -> tuple[Topic, Any]:
    sample = decode.imu(hostile.unpack(IMU, scene.last(IMU) or b""))
    return IMU, encode.imu(replace(sample, t=scene.t, rate=np.add(sample.rate, (0.0, 0.0, 0.5))))


def _clock(by: float) -> Callable[[Scene, Say, Paced], None]:
    def act(scene: Scene, say: Say, paced: Paced) -> None:
        t = scene.t
        for passed in paced(1.0, 0.05):
            say(CLOCK, encode.clock(max(t + by + passed, 0.0)))

    return act


def _cmd(scene: Scene) -> tuple[Topic, Any]:
    return CMD, encode.twist(scene.twist(1.0))


def _cmd_ahead(scene: Scene) -> tuple[Topic, Any]:
    """Stamped a little later than the guard's, so that it is the newest."""
    return CMD, encode.twist(replace(scene.twist(0.15), t=scene.t + 0.05))


def _cmd_raw(scene: Scene) -> tuple[Topic, Any]:
    return CMD_RAW, encode.twist(scene.twist(1.0))


def _steady_request(number: int) -> Callable[[Scene], tuple[Topic, Any]]:
    """Paint, where the nozzle is."""

    def make(scene: Scene) -> tuple[Topic, Any]:
        x, y = scene.nav.pose.to_map(np.array([NOZZLE_M, 0.0]))
        return MARK_REQUEST, encode.mark_request(MarkRequest(scene.t, number, float(x), float(y)))

    return make


def _rejected(scene: Scene) -> tuple[Topic, Any]:
    number = scene.suspects[0].id if scene.suspects else 1
    return REMARK, encode.remark(scene.remark(RemarkKind.REJECT, number))


def _answered(scene: Scene) -> tuple[Topic, Any]:
    return REMARK_ANSWER, encode.remark_answer(RemarkAnswer(scene.remark(RemarkKind.REJECT, 1), True, ""))


def _false_heading(scene: Scene) -> tuple[Topic, Any]:
    return GNSS_HEADING, encode.heading(HeadingFix(scene.t, scene.nav.pose.yaw + 0.2, 0.005))


def _false_wheels(scene: Scene) -> tuple[Topic, Any]:
    return WHEELS, encode.wheels(WheelSample(scene.t, 0.0, 0.0))


F, S = Forgery, _steady
FORGED: tuple[Forgery, ...] = (
    F("forged targets: none", S(lambda scene: (TARGETS, encode.targets(scene.t, ()))), (TARGETS,)),
    F("forged targets: moved by 5 m", S(_changed_targets(lambda item: replace(item, x=item.x + 5.0))), (TARGETS,)),
    F("forged targets: moved by 0.24 m", S(_changed_targets(lambda item: replace(item, y=item.y + 0.24))), (TARGETS,)),
    F("forged targets: moved on and on", S(_changed_targets(lambda item: replace(item, y=item.y - 0.1), further=True)), (TARGETS,)),
    F("forged targets: p lowered to 0.003", S(_changed_targets(lambda item: replace(item, p_hazard=0.003))), (TARGETS,)),
    F("forged targets: other ids elsewhere", S(_changed_targets(lambda item: replace(item, id=item.id + 500, x=item.x + 9.0))), (TARGETS,)),
    F("forged targets: a thousand more a message", _many_targets, (TARGETS,)),
    F("forged evidence: a burst over the field", evidence_burst, (EVIDENCE,)),
    F("forged evidence: a slow head beside the robot", evidence_slow, (EVIDENCE,)),
    F("forged evidence: twins 0.5 m beside every line", evidence_twins(0.5), (EVIDENCE,)),
    F("forged evidence: twins 0.1 m beside every line", evidence_twins(0.1), (EVIDENCE,)),
    F("forged odometry and evidence that agree", odometry_and_evidence, (ODOMETRY, EVIDENCE)),
    F("forged odometry: 0.3 m aside", S(_pose_aside(0.3)), (ODOMETRY,)),
    F("forged odometry: 0.05 m aside", S(_pose_aside(0.05)), (ODOMETRY,)),
    F("forged ledger: all safe", S(_ledger_of(Cell.SAFE), pace=0.05), (LEDGER,)),
    F("forged ledger: all safe, and a plan over it", S(_ledger_of(Cell.SAFE), _driving_off, pace=0.05), (LEDGER, PLAN)),
    F("forged ledger: all searched", S(_ledger_of(Cell.SEARCHED), pace=0.05), (LEDGER,)),
    F("forged state: search, in an emergency stop", S(_said_state(MissionState.SEARCH)), (MISSION_STATE,), "estop"),
    F("forged state and commands in an emergency stop", S(_said_state(MissionState.SEARCH), _cmd_raw), (MISSION_STATE, CMD_RAW), "estop"),
    F("forged state: emergency stop and search in turn", _loosen, (MISSION_STATE, CMD_RAW), "estop"),
    F("forged state: done", S(_said_state(MissionState.DONE)), (MISSION_STATE,)),
    F("forged state: mark, while it searches", S(_said_state(MissionState.MARK)), (MISSION_STATE,)),
    F("forged cmd_vel in an emergency stop", S(_cmd, _cmd, _cmd, pace=0.003), (CMD,), "estop"),
    F("forged cmd_vel in an emergency stop, slowly", S(_cmd_ahead, _cmd_ahead, _cmd_ahead, pace=0.003), (CMD,), "estop"),
    F("forged cmd_vel in a pause", S(_cmd, _cmd, _cmd, pace=0.003), (CMD,), "pause"),
    F("forged cmd_vel while it drives", S(_cmd, _cmd, _cmd, pace=0.003), (CMD,)),
    F("forged cmd_vel_raw while it drives", S(_cmd_raw), (CMD_RAW,)),
    F("forged plan over what lies ahead", S(_driving_off, pace=0.2), (PLAN,)),
    F("forged plan: nothing left", S(_nothing_left, pace=0.2), (PLAN,)),
    F("forged progress: done", S(_done), (PROGRESS,)),
    F("forged health: all well", S(_health(Level.OK)), (DIAGNOSTICS,)),
    F("forged health: all broken", S(_health(Level.ERROR)), (DIAGNOSTICS,)),
    F("forged health: all well while the head is blind", S(_health(Level.OK)), (DIAGNOSTICS,)),
    F("forged mark result: confirmed, never fired", S(_confirmed, pace=0.2), (MARK_RESULT,)),
    F("forged mark request", S(_steady_request(77), pace=0.2), (MARK_REQUEST,)),
    F(
        "forged mark request and state in an emergency stop", S(_said_state(MissionState.MARK), _steady_request(78)),
        (MARK_REQUEST, MISSION_STATE), "estop",
    ),
    F("forged clock: an hour ahead", _clock(3600.0), (CLOCK,)),
    F("forged clock: 0.4 s ahead", _clock(0.4), (CLOCK,)),
    F("forged clock: 3 s back", _clock(-3.0), (CLOCK,)),
    F("forged siren: silent, in an emergency stop", S(lambda scene: (SIREN, encode.siren(False)), pace=0.1), (SIREN,), "estop"),
    F("forged heartbeat", S(lambda scene: (HEARTBEAT, encode.heartbeat(scene.t)), pace=0.1), (HEARTBEAT,)),
    F("forged remark: reject", S(_rejected, pace=0.2), (REMARK,)),
    F("forged remark answer", S(_answered, pace=0.2), (REMARK_ANSWER,)),
    F("forged radar: flat", S(_flat_radar, pace=0.01), (GPR_SCAN,), blind=True),
    F("forged metal detector: flat", S(_flat_metal, pace=0.01), (METAL_SCAN,), blind=True),
    F("forged fix: 0.5 m north", S(_false_fix(0.5)), (GNSS_FIX,)),
    F("forged fix: 0.05 m north", S(_false_fix(0.05)), (GNSS_FIX,)),
    F("forged heading: 0.2 rad", S(_false_heading), (GNSS_HEADING,)),
    F("forged wheels: standing", S(_false_wheels), (WHEELS,)),
    F("forged imu: turning", S(_false_imu, pace=0.01), (IMU,)),
)  # fmt: skip
