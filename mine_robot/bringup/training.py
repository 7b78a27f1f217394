"""``mine-robot console --replay RUN``: a recorded run on the operator's page as if it were live, for training.

No ROS and no robot is behind it. The commands of the page act on the replay alone: it waits for Start, stands after a pause or an
emergency stop until Resume, and ends with Abort. What the recorded mission did is never changed.
"""

from __future__ import annotations

import logging
import queue
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from mine_robot.bringup.check import base_and
from mine_robot.bringup.solo import LOG, Solo
from mine_robot.console.address import Address
from mine_robot.console.errands import evidence_picture
from mine_robot.console.scene import scene
from mine_robot.console.traces import Traces
from mine_robot.console.view import View
from mine_robot.core.children import ending_signals
from mine_robot.core.types import Goal, LedgerGrid, MissionState, MissionStatus, Remark, RemarkAnswer, RemarkKind
from mine_robot.pipeline.loading import LoadError, load_field, load_robot
from mine_robot.pipeline.priors import priors_of_run
from mine_robot.records.errors import RecordError
from mine_robot.records.log_source import LogSource
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros import decode
from mine_robot.ros.topics import (
    DIAGNOSTICS,
    GPR_SCAN,
    LEDGER,
    MARK_REQUEST,
    MARK_RESULT,
    METAL_SCAN,
    MISSION_STATE,
    ODOMETRY,
    PLAN,
    PROGRESS,
    REMARK_ANSWER,
    TARGETS,
    Topic,
)

RATE_MIN, RATE_MAX = 0.2, 100.0  # slower, and what is said twice a second would look silent
LEDGER_SHARE = 0.1  # of the time goes at most into finding out what changed in the ledger
Answer = Future[tuple[bool, str]]


class Playback:
    """Tells a ``view`` what a recording says, as far as a person lets it go on; ``clock`` gives wall time in s."""

    def __init__(
        self, source: LogSource, view: View, traces: Traces, scans: Callable[[], bool], clock: Callable[[], float]
    ) -> None:
        self._view, self._traces, self._scans, self._clock = view, traces, scans, clock
        self._status = MissionStatus(0.0, MissionState.IDLE, "", Goal.NONE, -1, 0.0)
        self._grid: LedgerGrid | None = None
        self._next_ledger = 0.0
        self._standing: MissionState | None = MissionState.IDLE  # what a person has made of it; None: it plays
        self._refusals = source.refusals
        actions = self._actions()
        named = {name: topic for name in source.topics for topic in actions if _is(name, topic)}
        self._actions_of = {name: actions[topic] for name, topic in named.items()}
        self._messages: Iterator[tuple[str, int, Any]] = source.messages(named)
        self._waiting = next(self._messages, None)
        if self._waiting is None:
            raise RecordError("the log holds nothing that the page could show")
        self.t = self._waiting[1] / 1e9
        while MISSION_STATE in named.values() and self._waiting is not None and self._status.state is MissionState.IDLE:
            self._take()  # what was before the start
        self._stand(MissionState.IDLE, "REPLAY: press Start")

    def _actions(self) -> dict[Topic, Callable[[Any], None]]:
        view, clock = self._view, self._clock
        return {
            MISSION_STATE: self._on_mission,
            DIAGNOSTICS: lambda message: view.health(*decode.diagnostics(message), clock()),
            ODOMETRY: lambda message: view.pose(decode.odometry(message), clock()),
            PROGRESS: lambda message: view.progress(decode.progress(message)),
            PLAN: lambda message: view.plan(decode.plan(message)),
            LEDGER: self._on_ledger,
            TARGETS: lambda message: view.targets(decode.targets(message), clock()),
            MARK_REQUEST: self._on_mark_requests,
            MARK_RESULT: lambda message: view.mark_result(decode.mark_result(message), clock()),
            REMARK_ANSWER: self._on_remark,
            GPR_SCAN: lambda message: self._traces.gpr(decode.gpr(message)) if self._scans() else None,
            METAL_SCAN: lambda message: self._traces.metal(decode.metal(message)) if self._scans() else None,
        }

    def _on_mission(self, message: Any) -> None:
        self._status = decode.mission_status(message)
        if self._standing is None:
            self._view.mission(self._status, self._clock())

    def _on_ledger(self, message: Any) -> None:
        self._grid = decode.ledger(message)

    def _on_mark_requests(self, message: Any) -> None:
        for request in decode.mark_requests(message):
            self._view.mark_request(request)

    def _on_remark(self, message: Any) -> None:
        answer: RemarkAnswer = decode.remark_answer(message)
        if answer.kept:
            self._view.remark(answer.remark, self._clock())

    # --- what goes on ---------------------------------------------------------------------------------------------------
    @property
    def plays(self) -> bool:
        """False while a person makes it stand, and once it is over."""
        return self._standing is None and self._waiting is not None

    def advance(self, seconds: float) -> None:
        """Tell what happened in the next ``seconds`` of the recording, if it plays."""
        if not self.plays:
            return
        self.t += seconds
        while self._waiting is not None and self._waiting[1] <= self.t * 1e9:
            self._take()
        self._show()
        if self._waiting is None:
            self._view.log("REPLAY: the recording ends here", self._clock())

    def _take(self) -> None:
        assert self._waiting is not None
        name, t_ns, message = self._waiting
        self.t = max(self.t, t_ns / 1e9)
        try:
            self._actions_of[name](message)
        except decode.DecodeError as error:
            self._refusals.note(name, str(error))
        self._waiting = next(self._messages, None)

    def _show(self) -> None:
        begin = self._clock()
        if self._grid is not None and begin >= self._next_ledger:
            self._view.ledger(self._grid)
            self._grid = None
            self._next_ledger = begin + (self._clock() - begin) / LEDGER_SHARE
        self._view.refresh(self._clock())

    # --- what a person says -----------------------------------------------------------------------------------------------
    def command(self, service: str) -> tuple[bool, str]:
        """Do what a service of the mission would do, to the replay alone."""
        name = service.removeprefix("mission/")
        if self._standing is MissionState.ABORTED or self._status.state.ended or self._waiting is None:
            return False, "the replay is over; no robot hears this"
        if name == "estop":
            return self._stand(MissionState.ESTOP, "REPLAY: emergency stop; no robot was stopped")
        if name == "abort":
            return self._stand(MissionState.ABORTED, "REPLAY: aborted; what was recorded goes on otherwise")
        if name == "pause" and self._standing is None:
            return self._stand(MissionState.PAUSED, "REPLAY: paused")
        if name == ("start" if self._standing is MissionState.IDLE else "resume") and self._standing is not None:
            self._standing = None
            self._view.mission(self._status, self._clock())
            return True, "the replay goes on"
        return False, f"the replay has nothing to {name}; no robot hears this"

    def _stand(self, state: MissionState, reason: str) -> tuple[bool, str]:
        self._standing = state
        self._view.mission(replace(self._status, t=self.t, state=state, reason=reason), self._clock())
        self._show()
        return True, reason

    def remark(self, kind: RemarkKind, target: int, comment: str, author: str) -> tuple[bool, str]:
        """Show a remark on the pages of this session; the run's journal has nothing of it."""
        self._view.remark(Remark(self.t, "", kind, target, comment, author), self._clock())
        return True, "REPLAY: shown here, kept nowhere"


def _is(name: str, topic: Topic) -> bool:
    """Whether a name in the log is that of a topic, in whatever namespace."""
    return f"/{name.lstrip('/')}".endswith(f"/{topic.name.lstrip('/')}")


def serve_training(run: Path, rate: float, address: Address, console: Console) -> None:
    """Serve until Ctrl-C or SIGTERM; raises :class:`LoadError` or :class:`RecordError` with one line if there is nothing to replay."""
    if not RATE_MIN <= rate <= RATE_MAX:
        raise LoadError(f"--rate {rate:g}: a replay goes from {RATE_MIN:g} to {RATE_MAX:g} times as fast as the run")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    directory = RunDirectory(run.absolute())
    simulated = bool(directory.run_info().get("simulation"))
    files = base_and([directory.parameters])  # a run of long ago may lack what the page needs
    radar = files.build("detector").gpr
    traces = Traces(radar.sample_interval_ns, radar.seen_ns)
    solo = Solo(
        files.build("console"),
        directory.parameters,
        directory.path.parent,
        directory.console_token,
        traces,
        replay=True,
    )
    field, robot = load_field(directory.field, recorded=True), load_robot(directory.urdf)
    priors = priors_of_run(directory.priors, field)
    shown = scene(field, robot, solo.params.limits, simulated=simulated, began=directory.clock().began, priors=priors)
    orders: queue.Queue[tuple[Callable[[], tuple[bool, str]], Answer]] = queue.Queue()

    def order(act: Callable[..., tuple[bool, str]], *words: Any) -> Answer:
        """Have the main thread do it: it alone plays."""
        answer: Answer = Future()
        answer.set_running_or_notify_cancel()
        orders.put((partial(act, *words), answer))
        return answer

    with LogSource(directory.path) as source:
        playback = Playback(source, solo.view, traces, lambda: solo.seats.sensors_wanted, time.monotonic)
        server = solo.serve(
            address,
            {**shown, "replay": directory.path.name},
            partial(order, playback.command),
            partial(order, playback.remark),
            partial(evidence_picture, solo.errands, directory.path),
        )
        token = "" if address.local else f"  (token: {directory.console_token})"
        for number in ending_signals():  # a script's background job begins with SIGINT ignored
            signal.signal(number, signal.default_int_handler)
        try:
            console.print(f"REPLAY of {directory.path}: {address.url}{token}", highlight=False, soft_wrap=True)
            _play(playback, rate, 1.0 / solo.params.rate, orders)
        except KeyboardInterrupt:
            LOG.info("the replay ends")
        finally:
            server.say_last(solo.store, "closed", 2.0 / solo.params.rate)
            server.close()
            for line in (*source.problems, *source.refusals.lines()):
                console.print(line, highlight=False, soft_wrap=True, markup=False)
            if not address.local:
                directory.console_token.unlink(missing_ok=True)


def _play(playback: Playback, rate: float, period: float, orders: queue.Queue[Any]) -> None:
    """Play on the wall clock, and do at once what people say."""
    last = time.monotonic()
    while True:
        try:
            act, answer = orders.get(timeout=max(last + period - time.monotonic(), 0.0))
        except queue.Empty:
            now = time.monotonic()
            playback.advance(rate * min(now - last, 1.0))
            last = now
        else:
            answer.set_result(act())
