"""The mission's state machine on its topics and services; the only writer of the journal."""

from __future__ import annotations

import math
from collections.abc import Callable

from std_srvs.srv import Trigger

from mine_robot import __version__
from mine_robot.core.types import (
    Health,
    LedgerGrid,
    Level,
    MarkResult,
    MissionState,
    NavState,
    Pose2,
    Remark,
    RemarkAnswer,
    RemarkKind,
    Target,
)
from mine_robot.mission.journal import Journal, JournalError
from mine_robot.mission.machine import Mission
from mine_robot.mission.reactions import OWN, STOP_EVENTS
from mine_robot.mission.strangers import StrangerWatch
from mine_robot.pipeline.disk_watch import disk_health
from mine_robot.pipeline.parameters import MissionNodeParams
from mine_robot.pipeline.priors import fingerprints
from mine_robot.pipeline.recall import Memory, recall
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros import decode, encode
from mine_robot.ros.node import REFUSED_FROM, StackNode, existing_path
from mine_robot.ros.publishers import COMMANDS, Lookout
from mine_robot.ros.topics import (
    DIAGNOSTICS,
    LEDGER,
    MARK_REQUEST,
    MARK_RESULT,
    MISSION_STATE,
    ODOMETRY,
    PLAN,
    PROGRESS,
    REMARK,
    REMARK_ANSWER,
    SERVICES,
    TARGETS,
)

DISK_PERIOD_S = 5.0


class MissionNode(StackNode[MissionNodeParams]):
    """Binds :class:`Mission` to its topics; what moves anything is in the journal before it is published, a stop waits for no disk."""

    name = "mission"

    def __init__(self) -> None:
        super().__init__()
        directory = RunDirectory(existing_path(self.params.files.run_directory, "run_directory"))
        self.mission = Mission(self.params, self.params.limits, self.params.fitted.absent)
        self.pose: Pose2 | None = None
        memory = recall(directory.journal)
        self.journal = Journal(directory.journal)
        parameters = directory.parameters.read_text(encoding="utf-8")
        known = {"priors": fingerprints(directory.priors)}
        self.journal.info({"version": __version__, "field": directory.field.name, "parameters": parameters, **known})
        self.mission.restore(memory.requests, memory.results, memory.highest_p)
        self.mission.recall_targets(memory.history, memory.released)
        self.memory: Memory | None = memory if memory.began else None  # until it is noted that the run was resumed
        self.home_known = memory.home is not None
        self.waits = True
        self.noted: tuple[MissionState, str, float] | None = None
        self.stops: dict[
            str, str
        ] = {}  # stamp of the newest stop of guard and marker in the journal, by the name of its report
        self.stopped: list[Health] = []  # stops that are not in the journal yet
        self.broken = ""
        self.directory = directory
        self.lookout, self.strangers = Lookout(self, self.gate), StrangerWatch(COMMANDS)
        self.disk_t, self.disk = -DISK_PERIOD_S, Health("disk", Level.OK, "not looked at yet")
        self.state = self.talk(MISSION_STATE)
        self.request = self.talk(MARK_REQUEST)
        self.answer = self.talk(REMARK_ANSWER)
        self.poll(DIAGNOSTICS, decode.diagnostics, self.on_diagnostics)
        self.poll(TARGETS, decode.targets, self.on_targets)
        self.poll(ODOMETRY, decode.odometry, self.on_odometry, newest=True)
        self.poll(PROGRESS, decode.progress, self.mission.set_progress)
        self.poll(PLAN, decode.plan, self.mission.set_plan)
        self.poll(MARK_RESULT, decode.mark_result, self.on_mark_result)
        self.poll(LEDGER, decode.ledger, self.on_ledger)
        self.poll(REMARK, decode.remark, self.on_remark)
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
        """Health of every component; nobody else may say how the stack is."""
        ours = self.gate.owners.ours(self.speaker)
        for report in message[1]:
            if ours:
                for topic, who in refusals(report):
                    self.strangers.tell(self.now, topic, who)
            elif report.name in OWN:
                self.strangers.tell(self.now, f"{DIAGNOSTICS.name} of {report.name}", self.speaker.words)
                continue
            self.mission.set_health(report)
            if report.name in STOP_EVENTS and report.values.get("stopped_t", "") != self.stops.get(report.name, ""):
                self.stopped.append(report)

    def on_targets(self, targets: tuple[Target, ...]) -> None:
        """Targets go to the journal first."""
        self.write(lambda: self.journal.targets(self.now, targets))
        self.mission.set_targets(targets)

    def on_mark_result(self, result: MarkResult) -> None:
        """Mark results go to the journal first."""
        self.write(lambda: self.journal.mark_result(result))
        self.mission.set_mark_result(result)

    def on_odometry(self, state: NavState) -> None:
        """The pose tells which suspect is nearest and when searched ground is settled."""
        self.mission.set_nav(state)
        self.pose = state.pose
        if not self.home_known and all(math.isfinite(value) for value in (state.pose.x, state.pose.y, state.pose.yaw)):
            home = [state.pose.x, state.pose.y, state.pose.yaw]
            self.home_known = self.write(lambda: self.journal.info({"home": home}))

    def on_ledger(self, grid: LedgerGrid) -> None:
        """Every change of the ledger goes to the journal, with the pose that tells which ground the head had just passed."""
        self.write(lambda: self.journal.ledger(grid, self.pose))

    def on_remark(self, remark: Remark) -> None:
        """What a person says goes to the journal; the answer says so, or why not."""
        why = self.mission.refusal(remark)
        if not why and not self.write(lambda: self.note(remark)):
            why = self.broken
        if not why:
            self.mission.set_remark(remark)
        self.answer.publish(encode.remark_answer(RemarkAnswer(remark, not why, why)))

    def note(self, remark: Remark) -> None:
        """Write a remark down; one that takes a halo back as the override that it is."""
        if remark.kind is RemarkKind.RELEASE:
            self.journal.override(self.now, remark, self.mission.releases(remark.target_id))
        else:
            self.journal.remark(remark)

    def command(
        self, service: str, act: Callable[[], tuple[bool, str]]
    ) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        """A service handler: the command takes effect at once, not at the next tick."""

        def handle(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            t = self.now
            if service in ("mission/start", "mission/resume"):  # by what is so now
                self.advance(t, look_again=True)
            response.success, response.message = act()
            self.step(t)
            done = {"accepted": response.success, "answer": response.message}
            self.write(lambda: self.journal.event(t, service, done))
            return response

        return handle

    # --- output -------------------------------------------------------------------------------------------------------
    def tick(self, t: float) -> None:
        """Advance the state machine; what guard and marker have stopped by themselves is noted when the robot has been told to stand."""
        self.advance(t)
        waiting, self.stopped = self.stopped, []
        for report in waiting:
            self.note_stop(t, report)

    def note_stop(self, t: float, report: Health) -> None:
        """Each stop goes to the journal once: who, how far, where, since when, as far as it is known."""
        stamp = report.values.get("stopped_t", "")
        if stamp and stamp != self.stops.get(report.name, ""):
            values = {"what": report.message, **report.values}
            if self.write(lambda: self.journal.event(t, STOP_EVENTS[report.name], values)):
                self.stops[report.name] = stamp

    def advance(self, t: float, *, look_again: bool = False) -> None:
        """Look who else is there, and step; what moves the robot is decided before anything is written."""
        there = {*self.lookout.look(at_once=look_again), *self.gate.refused()}
        notes = self.strangers.update(t, [(who.topic, who.publisher.words) for who in there])
        self.mission.set_health(self.strangers.health)
        self.step(t)
        for note in notes:
            self.write(lambda note=note: self.journal.event(t, "stranger", note))

    def step(self, t: float) -> None:
        """One update: journal, then publish; a robot that has to stand hears so first."""
        if (memory := self.memory) is not None and t > 0.0:
            self.memory = None
            counts = {"targets": len(memory.targets), "unsettled marks": len(memory.unresolved)}
            self.write(lambda: self.journal.event(t, "resumed", counts))
        output = self.mission.update(t)
        status = output.status
        self.waits = status.state.waits
        if output.changed:
            if not status.state.drives:
                self.state.publish(encode.mission_status(status))
            if (status.state, status.reason, status.request_t) != self.noted:
                self.noted = (status.state, status.reason, status.request_t)
                self.write(lambda: self.journal.status(status))
            if status.state.drives:
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
        """The journal, that the mission lives, and whether it may be started; its state has a topic of its own."""
        journal = Health("journal", Level.ERROR if self.broken else Level.OK, self.broken or "writing")
        if not self.disk_t <= t < self.disk_t + DISK_PERIOD_S:
            self.disk_t, self.disk = t, disk_health(self.directory.path, self.params.disk_min)
        mission = Health("mission", Level.OK, "running", {"waits": "yes" if self.waits else "no"})
        return (
            mission,
            journal,
            self.disk,
            self.strangers.health,
            self.mission.target_list(),
            self.mission.readiness(),
        )

    def destroy_node(self) -> None:
        """Close the journal."""
        self.journal.close()
        super().destroy_node()


def refusals(report: Health) -> list[tuple[str, str]]:
    """Topic and publisher of the messages that a node of the stack refused of late."""
    values = report.values.items()
    return [(key.removeprefix(REFUSED_FROM), value) for key, value in values if key.startswith(REFUSED_FROM)]
