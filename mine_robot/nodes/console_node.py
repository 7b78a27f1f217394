"""The operator's console: what the stack says to browsers, what they ask for to the mission's services."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from rclpy.clock import Clock, ClockType

from mine_robot import __version__
from mine_robot.console.access import Access
from mine_robot.console.address import Address, token_in
from mine_robot.console.app import Console
from mine_robot.console.desk import Desk
from mine_robot.console.errands import Errands, evidence_picture, field_preview
from mine_robot.console.scene import scene
from mine_robot.console.seats import Seats
from mine_robot.console.server import Server
from mine_robot.console.shelf import Shelf
from mine_robot.console.store import Store
from mine_robot.console.traces import Traces, choose
from mine_robot.console.view import View
from mine_robot.core.types import (
    Health,
    LedgerGrid,
    Level,
    MarkRequest,
    MarkResult,
    MissionStatus,
    NavState,
    Remark,
    RemarkAnswer,
    RemarkKind,
    Target,
)
from mine_robot.mission.journal import JournalError
from mine_robot.mission.reactions import OWN
from mine_robot.pipeline.loading import ParameterFiles, load_field, load_robot
from mine_robot.pipeline.parameters import ConsoleNodeParams
from mine_robot.pipeline.priors import priors_of_run
from mine_robot.pipeline.recall import recall
from mine_robot.records.export import FORMATS
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros import decode, encode
from mine_robot.ros.caller import ServiceCaller
from mine_robot.ros.intake import RAW
from mine_robot.ros.node import StackNode, existing_path
from mine_robot.ros.topics import (
    DIAGNOSTICS,
    ESTOP,
    GPR_SCAN,
    HEARTBEAT,
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
    TARGETS,
    Topic,
)
from mine_robot.ros.wire import deserialiser

UNANSWERED_MAX = 20  # remarks whose answer is still waited for
LEDGER_SHARE = 0.1  # of the time goes at most into finding out what changed in the ledger, however large it is


class ConsoleNode(StackNode[ConsoleNodeParams]):
    """Feeds a :class:`View` and serves it. Nothing in the stack listens to it, so its end changes nothing but what people see."""

    name = "console"

    def __init__(self) -> None:
        super().__init__()
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        params = self.params
        directory = RunDirectory(existing_path(params.files.run_directory, "run_directory"))
        self.store = Store()
        self.remarks = self.talk(REMARK)
        self.heartbeat = self.talk(HEARTBEAT)
        self.unanswered: dict[str, Future[tuple[bool, str]]] = {}
        files = ParameterFiles([directory.parameters])
        radar, absent = files.build("detector").gpr, files.build("mission").fitted.absent
        self.traces = Traces(radar.sample_interval_ns, radar.seen_ns)
        self.scans: dict[Topic, list[bytes]] = {GPR_SCAN: [], METAL_SCAN: []}
        self.end_scans: list[Callable[[], None]] = []  # while scans are listened to
        self.view = View(self.store, mark_p=params.limits.mark_p_hazard, absent=absent)
        self.remember(directory)
        self.seats = Seats(params.viewers_max, self.on_seats)
        self.on_seats(None, 0, "")
        self.next_look = 0.0
        self.own_token = None if params.token else directory.console_token
        self.grid: LedgerGrid | None = None  # the newest ledger that pages have not been told
        self.next_ledger = 0.0
        self.poll(MISSION_STATE, decode.mission_status, self.on_mission)
        self.poll(DIAGNOSTICS, decode.diagnostics, self.on_diagnostics)
        self.poll(ODOMETRY, decode.odometry, self.on_odometry, newest=True)
        self.poll(PROGRESS, decode.progress, self.view.progress)
        self.poll(PLAN, decode.plan, self.view.plan)
        self.poll(LEDGER, decode.ledger, self.on_ledger)
        self.poll(TARGETS, decode.targets, self.on_targets)
        self.poll(MARK_REQUEST, decode.mark_requests, self.on_mark_requests)
        self.poll(MARK_RESULT, decode.mark_result, self.on_mark_result)
        self.poll(REMARK_ANSWER, decode.remark_answer, self.on_remark_answer)
        self.create_timer(1.0 / params.rate, self.refresh, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.serve(directory)

    def serve(self, directory: RunDirectory) -> None:
        """Start the web server; raises ValueError if it may not or cannot listen."""
        params = self.params
        address = Address(params.host, params.port, params.certificate, params.key)
        listener = address.bind()
        token = "" if address.local else token_in(self.own_token or Path(params.token))
        field, robot = load_field(directory.field), load_robot(existing_path(params.files.urdf, "urdf"))
        priors = priors_of_run(directory.priors, field)
        simulated = bool(self.get_parameter("use_sim_time").value)
        began = directory.clock().began
        hello = {
            "boot": secrets.token_hex(8),
            "version": __version__,
            "scene": scene(field, robot, params.limits, simulated=simulated, began=began, priors=priors),
        }
        access = Access(tls=bool(address.certificate), token=token)
        self.caller = ServiceCaller(self)
        console = Console(
            store=self.store,
            traces=self.traces,
            seats=self.seats,
            access=access,
            call=self.call,
            say=self.say,
            desk=self.desk(directory, access),
            hello=hello,
            rate=params.rate,
        )
        self.server = Server(console.app(), address, listener)
        self.get_logger().info(f"listening on {address.url}")

    def desk(self, directory: RunDirectory, access: Access) -> Desk:
        """What is served beside the live picture: the runs in the folder of this one, and the evidence of this one."""
        shelf = Shelf(
            root=directory.path.parent,
            running=directory.path.name,
            info=directory.run.name,
            summary=directory.summary.name,
            handed_over=[path.name for path in directory.handed_over],
            formats=list(FORMATS),
        )
        errands = Errands()
        draw = partial(evidence_picture, errands, directory.path)
        plan = partial(field_preview, errands, directory.parameters)
        return Desk(access=access, seats=self.seats, errands=errands, shelf=shelf, draw=draw, preview=plan)

    def remember(self, directory: RunDirectory) -> None:
        """Marks that were made before this node began; everything else is latched on its topic."""
        try:
            memory = recall(directory.journal)
        except JournalError as error:
            self.get_logger().warning(f"the marks so far are not known: {error}")
            return
        for request in memory.requests:
            self.view.mark_request(request)
        for result in memory.results:
            self.view.mark_result(result, time.monotonic(), remembered=True)
        for remark in memory.remarks:
            self.view.remark(remark, time.monotonic(), remembered=True)

    # --- inputs -------------------------------------------------------------------------------------------------------
    def take_polled(self) -> None:
        """Topics are looked at on the wall clock, not with every tick: simulated time may run ten times as fast."""
        if time.monotonic() >= self.next_look:
            self.next_look = time.monotonic() + 0.5 / self.params.rate
            super().take_polled()

    def on_mission(self, status: MissionStatus) -> None:
        """State of the mission."""
        self.view.mission(status, time.monotonic())

    def on_diagnostics(self, message: tuple[float, tuple[Health, ...]]) -> None:
        """Health of a node; nobody else may say how the stack is."""
        t, reports = message
        if not self.gate.owners.ours(self.speaker):
            reports = tuple(report for report in reports if report.name not in OWN)
        self.view.health(t, reports, time.monotonic())

    def on_odometry(self, state: NavState) -> None:
        """The newest pose."""
        self.view.pose(state, time.monotonic())

    def on_ledger(self, grid: LedgerGrid) -> None:
        """The ledger; what changed in it is worked out when there is time."""
        self.grid = grid

    def on_targets(self, targets: tuple[Target, ...]) -> None:
        """All targets."""
        self.view.targets(targets, time.monotonic())

    def on_mark_requests(self, requests: list[MarkRequest]) -> None:
        """Marks that are asked for."""
        for request in requests:
            self.view.mark_request(request)

    def on_mark_result(self, result: MarkResult) -> None:
        """What became of a mark."""
        self.view.mark_result(result, time.monotonic())

    def say(self, kind: RemarkKind, target: int, comment: str, author: str) -> Future[tuple[bool, str]]:
        """Give a remark to the mission; the future gets whether it was kept. Called by the server's thread."""
        remark = Remark(self.now, secrets.token_hex(8), kind, target, comment, author)
        answer: Future[tuple[bool, str]] = Future()
        answer.set_running_or_notify_cancel()  # whoever stops waiting does not cancel it
        self.unanswered = {**dict(list(self.unanswered.items())[-UNANSWERED_MAX:]), remark.number: answer}
        self.remarks.publish(encode.remark(remark))
        return answer

    def on_remark_answer(self, answer: RemarkAnswer) -> None:
        """A remark is in the journal, or is not."""
        if answer.kept:
            self.view.remark(answer.remark, time.monotonic())
        waiting = self.unanswered.get(answer.remark.number)
        if waiting is not None and not waiting.done():
            waiting.set_result((answer.kept, answer.why or "kept in the journal"))

    def call(self, service: str) -> Future[tuple[bool, str]]:
        """Call a service of the mission; an emergency stop goes to guard and marker too. Called by the server's thread."""
        return self.caller.stop() if service == ESTOP else self.caller.call(service)

    def look_at_sensors(self) -> None:
        """Listen to scans only while a page wants to see them; of those that came since the last update a few are decoded."""
        if self.seats.sensors_wanted != bool(self.end_scans):
            for end in self.end_scans:
                end()
            self.end_scans = []
            if self.seats.sensors_wanted:
                self.end_scans = [
                    self.poll(GPR_SCAN, RAW, self.scans[GPR_SCAN].append),
                    self.poll(METAL_SCAN, RAW, self.scans[METAL_SCAN].append),
                ]
        for topic, decoder, add in (
            (GPR_SCAN, decode.gpr, self.traces.gpr),
            (METAL_SCAN, decode.metal, self.traces.metal),
        ):
            waiting, read = self.scans[topic], deserialiser(topic.type_name)
            for index in choose(len(waiting)):
                try:
                    add(decoder(read(waiting[index])))
                except decode.DecodeError as error:
                    self.refusals.note(topic.name, str(error))
            waiting.clear()

    def on_seats(self, holder: int | None, count: int, what: str) -> None:
        """Who has control, for every page; called by the server's thread."""
        self.store.put("control", {"holder": holder, "viewers": count}, live=True)
        if what:
            self.view.log(what, time.monotonic())
            self.get_logger().info(what)

    # --- output -------------------------------------------------------------------------------------------------------
    def refresh(self) -> None:
        """What pages see, at their rate."""
        if not self.server.alive:
            raise ConnectionError("the web server has ended")  # whoever started this node starts it again
        self.take_polled()
        begin = time.monotonic()
        if self.grid is not None and begin >= self.next_ledger:
            self.view.ledger(self.grid)
            self.grid = None
            self.next_ledger = begin + (time.monotonic() - begin) / LEDGER_SHARE
        self.look_at_sensors()
        self.view.refresh(time.monotonic())
        if self.seats.controlled:
            self.heartbeat.publish(encode.heartbeat(self.now))

    def health(self, t: float) -> tuple[Health, ...]:
        """Who is there."""
        return (Health("console", Level.OK, "serving", {"viewers": str(self.seats.count)}),)

    def destroy_node(self) -> None:
        """Tell pages the last word and that the console closes, end the server before the node goes, and with it the token: the run
        directory is handed in. After a kill it is used again.
        """
        with contextlib.suppress(Exception):  # whatever ended the node
            super().take_polled()
            self.view.refresh(time.monotonic())
        self.server.say_last(self.store, "closed", 2.0 / self.params.rate)
        self.server.close()
        self.caller.close()
        if self.own_token is not None:
            self.own_token.unlink(missing_ok=True)
        super().destroy_node()
