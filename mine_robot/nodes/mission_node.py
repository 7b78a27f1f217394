"""The mission's state machine on its topics and services; the only writer of the journal."""

from __future__ import annotations

from collections.abc import Callable

from std_srvs.srv import Trigger

from mine_robot import __version__
from mine_robot.core.types import Health, LedgerGrid, Level, MarkResult, MissionState, Target
from mine_robot.mission.journal import Journal, JournalError
from mine_robot.mission.machine import Mission
from mine_robot.pipeline.parameters import MissionNodeParams
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros import decode, encode
from mine_robot.ros.node import StackNode, existing_path
from mine_robot.ros.topics import (
    DIAGNOSTICS,
    LEDGER,
    MARK_REQUEST,
    MARK_RESULT,
    MISSION_STATE,
    ODOMETRY,
    PLAN,
    PROGRESS,
    SERVICES,
    TARGETS,
)

LEDGER_PERIOD_S = 5.0  # between snapshots of the ledger in the journal


class MissionNode(StackNode[MissionNodeParams]):
    """Binds :class:`Mission` to its topics; everything is in the journal before it is published."""

    name = "mission"

    def __init__(self) -> None:
        super().__init__()
        directory = RunDirectory(existing_path(self.params.files.run_directory, "run_directory"))
        self.mission = Mission(self.params, self.params.limits)
        self.journal = Journal(directory.journal)
        self.journal.info({"version": __version__, "field": directory.field.name})
        self.noted: tuple[MissionState, str, float] | None = None
        self.broken = ""
        self.ledger_t = -LEDGER_PERIOD_S
        self.grid: LedgerGrid | None = None
        self.state = self.talk(MISSION_STATE)
        self.request = self.talk(MARK_REQUEST)
        self.poll(DIAGNOSTICS, decode.diagnostics, self.on_diagnostics)
        self.poll(TARGETS, decode.targets, self.on_targets)
        self.poll(ODOMETRY, decode.odometry, self.mission.set_nav, newest=True)
        self.poll(PROGRESS, decode.progress, self.mission.set_progress)
        self.poll(PLAN, decode.plan, self.mission.set_plan)
        self.poll(MARK_RESULT, decode.mark_result, self.on_mark_result)
        self.poll(LEDGER, decode.ledger, self.on_ledger)
        commands: dict[str, Callable[[], tuple[bool, str]]] = {
            "mission/start": self.mission.start,
            "mission/pause": self.mission.pause,
            "mission/resume": self.mission.resume,
            "mission/abort": self.mission.abort,
            "mission/estop": self.mission.estop,
        }
        for service in SERVICES:
            self.create_service(Trigger, service, self.command(service, commands[service]))

    # --- inputs -------------------------------------------------------------------------------------------------------
    def on_diagnostics(self, message: tuple[float, tuple[Health, ...]]) -> None:
        """Health of every component."""
        for report in message[1]:
            self.mission.set_health(report)

    def on_targets(self, targets: tuple[Target, ...]) -> None:
        """Targets go to the journal first."""
        self.write(lambda: self.journal.targets(self.now, targets))
        self.mission.set_targets(targets)

    def on_mark_result(self, result: MarkResult) -> None:
        """Mark results go to the journal first."""
        self.write(lambda: self.journal.mark_result(result))
        self.mission.set_mark_result(result)

    def on_ledger(self, grid: LedgerGrid) -> None:
        """Keep a snapshot of the searched ground from time to time."""
        if grid.t >= self.ledger_t + LEDGER_PERIOD_S:
            self.ledger_t = grid.t
            self.write(lambda: self.journal.ledger(grid))
        self.grid = grid

    def command(
        self, service: str, act: Callable[[], tuple[bool, str]]
    ) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        """A service handler: the command takes effect at once, not at the next tick."""

        def handle(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            response.success, response.message = act()
            done = {"accepted": response.success, "answer": response.message}
            self.write(lambda: self.journal.event(self.now, service, done))
            self.step(self.now)
            return response

        return handle

    # --- output -------------------------------------------------------------------------------------------------------
    def tick(self, t: float) -> None:
        """Advance the state machine."""
        self.step(t)

    def step(self, t: float) -> None:
        """One update: journal, then publish."""
        output = self.mission.update(t)
        status = output.status
        if output.changed:
            if status.state.ended and (grid := self.grid) is not None:
                self.write(lambda: self.journal.ledger(grid))
            if (status.state, status.reason, status.request_t) != self.noted:
                self.noted = (status.state, status.reason, status.request_t)
                self.write(lambda: self.journal.status(status))
            self.state.publish(encode.mission_status(status))
        for request in output.mark_requests:
            if self.write(lambda request=request: self.journal.mark_request(request)):
                self.request.publish(encode.mark_request(request))

    def write(self, entry: Callable[[], None]) -> bool:
        """Write to the journal; a failure is raised as health, on which the mission holds, and nothing is requested."""
        try:
            entry()
        except JournalError as error:
            self.broken = str(error)
            self.get_logger().error(self.broken, throttle_duration_sec=5.0)
            return False
        self.broken = ""
        return True

    def health(self, t: float) -> tuple[Health, ...]:
        """The journal, and that the mission lives; its state has a topic of its own."""
        journal = Health("journal", Level.ERROR if self.broken else Level.OK, self.broken or "writing")
        return (Health("mission", Level.OK, "running"), journal)

    def destroy_node(self) -> None:
        """Close the journal."""
        self.journal.close()
        super().destroy_node()
