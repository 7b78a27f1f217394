"""The node graph in one list: the runner, the launch files, the documentation and the contract tests all read it."""

from __future__ import annotations

from dataclasses import dataclass

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
    TOPICS,
    WHEELS,
    Topic,
)

SENSOR_TOPICS = (IMU, GNSS_FIX, GNSS_HEADING, WHEELS, GPR_SCAN, METAL_SCAN)


@dataclass(frozen=True)
class GraphNode:
    """One process of the stack. The death of a ``critical`` node ends the run; another one is started again and rejoins.

    An ``optional`` one runs only where it is asked for; the run neither waits for it nor ends without it.
    """

    name: str
    doc: str
    subscribes: tuple[Topic, ...]
    publishes: tuple[Topic, ...]
    critical: bool = True
    simulation_only: bool = False
    optional: bool = False


# Every node also publishes /diagnostics and follows /clock in simulation.
GRAPH: tuple[GraphNode, ...] = (
    GraphNode(
        "simulator",
        "World, vehicle, sensors and marking actuator; knows the truth and keeps it.",
        subscribes=(CMD, EVIDENCE, DIAGNOSTICS),
        publishes=(CLOCK, *SENSOR_TOPICS),
        simulation_only=True,
    ),
    GraphNode(
        "localization",
        "Error-state Kalman filter over IMU, GNSS, heading and track encoders.",
        subscribes=(WHEELS, GNSS_FIX, GNSS_HEADING, IMU),
        publishes=(ODOMETRY,),
    ),
    GraphNode(
        "detector",
        "Radar and metal-detector processing, fusion into targets, sweep evidence.",
        subscribes=(GPR_SCAN, METAL_SCAN, ODOMETRY),
        publishes=(TARGETS, EVIDENCE),
    ),
    GraphNode(
        "planner",
        "Ledger of searched ground, and plans from it.",
        subscribes=(TARGETS, ODOMETRY, EVIDENCE, MISSION_STATE),
        publishes=(LEDGER, PLAN),
    ),
    GraphNode(
        "follower",
        "Path following.",
        subscribes=(PLAN, MISSION_STATE, ODOMETRY),
        publishes=(CMD_RAW, PROGRESS),
    ),
    GraphNode(
        "guard",
        "Safety guard: last writer of cmd_vel.",
        subscribes=(LEDGER, TARGETS, MISSION_STATE, WHEELS, CMD, HEARTBEAT, ODOMETRY, CMD_RAW),
        publishes=(CMD, SIREN),
    ),
    GraphNode(
        "marker",
        "Mark sequence and the driver of the marking actuator.",
        subscribes=(ODOMETRY, SIREN, MISSION_STATE, MARK_REQUEST),
        publishes=(MARK_RESULT,),
        critical=False,
    ),
    GraphNode(
        "mission",
        "State machine, safety reactions and journal.",
        subscribes=(DIAGNOSTICS, TARGETS, ODOMETRY, PROGRESS, PLAN, MARK_RESULT, LEDGER, REMARK),
        publishes=(MISSION_STATE, MARK_REQUEST, REMARK_ANSWER),
    ),
    GraphNode(
        "recorder",
        "Writes log.mcap.",
        subscribes=tuple(topic for topic in TOPICS if topic is not CLOCK),
        publishes=(),
        critical=False,
    ),
    GraphNode(
        "console",
        "The operator's page in the browser.",
        subscribes=(
            MISSION_STATE,
            DIAGNOSTICS,
            ODOMETRY,
            PROGRESS,
            PLAN,
            LEDGER,
            TARGETS,
            MARK_REQUEST,
            MARK_RESULT,
            REMARK_ANSWER,
            GPR_SCAN,
            METAL_SCAN,
        ),
        publishes=(REMARK, HEARTBEAT),
        critical=False,
        optional=True,
    ),
)


def graph(*, simulation: bool, console: bool = False) -> tuple[GraphNode, ...]:
    """The nodes of a run: with the built-in simulator, or without it where drivers publish the sensor topics."""
    return tuple(node for node in GRAPH if (simulation or not node.simulation_only) and (console or not node.optional))


def mermaid() -> str:
    """The graph as a Mermaid flowchart, an arrow a topic (without /clock, /diagnostics, and those that only listen)."""
    shown = [node for node in GRAPH if node.publishes]
    lines = ["flowchart LR"]
    lines += [f"  {node.name}[{node.name}]" for node in shown]
    for publisher in shown:
        for topic in publisher.publishes:
            if topic is CLOCK:
                continue
            takers = [node.name for node in shown if topic in node.subscribes]
            lines += [f"  {publisher.name} -- {topic.name} --> {taker}" for taker in takers]
    return "\n".join(lines)
