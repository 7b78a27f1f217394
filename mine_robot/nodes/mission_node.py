"""The mission's state machine on its topics and services; the only writer of the journal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from std_srvs.srv import Trigger

from mine_robot.core.types import Health, LedgerGrid, Level, MarkResult, MissionStatus, Plan, Progress, Target
from mine_robot.mission.journal import Journal
from mine_robot.mission.machine import Mission
from mine_robot.pipeline.parameters import MissionNodeParams
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros import decode, encode
from mine_robot.ros.node import StackNode, existing_path
from mine_robot.ros.topics import DIAGNOSTICS, LEDGER, MARK_REQUEST, MARK_RESULT, MISSION_STATE, PLAN, PROGRESS, SERVICES, TARGETS

LEDGER_PERIOD_S = 5.0
STATUS_PERIOD_S = 1.0


class MissionNode(StackNode[MissionNodeParams]):
    """Binds :class:`Mission` to its topics; writes down every decision before it is published."""

    name = "mission"
