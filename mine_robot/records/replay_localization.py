"""A recording's navigation sensors run through the localisation again: here, or in a process that runs ahead of the detection."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

from mine_robot.core.geodesy import Datum
from mine_robot.core.priors import NO_PRIORS
from mine_robot.core.types import NavState
from mine_robot.localization.localizer import Localizer
from mine_robot.pipeline.localization import Sample, Track, localize
from mine_robot.records.errors import RecordError
from mine_robot.records.log_source import Progress
from mine_robot.records.replay_input import Recording, read_samples
from mine_robot.records.replay_request import ReplayRequest, silent
from mine_robot.records.replay_results import write_health
from mine_robot.records.run_directory import RunDirectory
from mine_robot.records.tables import write_trajectory

BATCH = 200  # states sent at once
Hear = Callable[[NavState], None]


@dataclass(frozen=True)
class Localized:
    """What the localisation made of a recording: whether there are estimates, the origin of ``map``, and lines for the operator."""

    complete: bool
    datum: Datum
    lines: tuple[str, ...]


def localize_log(request: ReplayRequest, hear: Hear | None = None) -> Localized:
    """The very filter of the stack over the recording; writes ``trajectory.csv`` and ``health.csv``, ``hear`` takes every estimate.

    Raises :class:`RecordError` where sensors are missing.
    """
    recording = read_samples(request.log, request.remap, request.progress("reading"))
    datum = request.datum or recording.datum
    if datum is None:
        raise RecordError(f"{request.log}: no usable GNSS fix: {', '.join(recording.remarks) or 'the topic is empty'}")
    params = request.parameters.build("localization")
    localizer = Localizer(params, params.limits, request.robot, datum)
    track = localize(localizer, _told(recording, request.progress("localization")), hear=hear)
    request.out.mkdir(parents=True, exist_ok=True)
    write_trajectory(RunDirectory(request.out).trajectory, datum, track.states)
    write_health(request.out / "health.csv", track)
    return Localized(bool(track.states), datum, tuple(_report(track, recording.remarks)))


def _told(recording: Recording, progress: Progress) -> Iterator[Sample]:
    """The samples, while ``progress`` hears how many were taken."""
    for count, sample in enumerate(recording.samples):
        if count % 1000 == 0:
            progress(count / len(recording.samples))
        yield sample


def _report(track: Track, remarks: Sequence[str]) -> list[str]:
    lines = list(remarks)
    if not track.states:
        why = track.health[-1][1].message if track.health else "no IMU sample"
        return [*lines, f"no estimate: {why}"]
    first, last = track.states[0].t, track.states[-1].t
    lines += [f"{t - first:.1f} s: {health.message}" for t, health in track.health if t >= first][:20]
    return [*lines, f"{len(track.states)} estimates over {last - first:.1f} s -> trajectory.csv"]


class Localization:
    """The estimates of a recording, one after the other, and when they have all been taken what :func:`localize_log` returns."""

    result: Localized

    def __init__(self, request: ReplayRequest) -> None:
        self._states: list[NavState] = []
        self.result = localize_log(request, self._states.append)

    def __iter__(self) -> Iterator[NavState]:
        return iter(self._states)


class LocalizationAhead(Localization):
    """The same from another process, which waits when it is as far ahead as a pipe holds."""

    def __init__(self, request: ReplayRequest, inbox: Connection) -> None:
        self._request, self._inbox = request, inbox

    def __iter__(self) -> Iterator[NavState]:
        while True:
            try:
                item = self._inbox.recv()
            except EOFError:
                raise RecordError("the localisation's process was killed, perhaps for want of memory") from None
            if isinstance(item, list):
                yield from item
            elif isinstance(item, tuple):
                self._request.tell(*item)
            elif isinstance(item, Exception):
                raise item
            else:
                self.result = item
                return


@contextmanager
def localization(request: ReplayRequest) -> Iterator[Localization]:
    """The localisation of ``request``; a process of its own ends with the block."""
    if not request.ahead:
        yield Localization(request)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy the threads of a progress bar
    inbox, outbox = context.Pipe(duplex=False)
    asked = replace(request, tell=silent, prior=NO_PRIORS)
    process = context.Process(target=_run, args=(asked, outbox), daemon=True)
    process.start()
    outbox.close()
    try:
        yield LocalizationAhead(request, inbox)
    finally:
        inbox.close()
        process.kill()
        process.join()


def _run(request: ReplayRequest, outbox: Connection) -> None:
    """The other process: batches of states, then the result or what went wrong."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    batch: list[NavState] = []

    def hear(state: NavState) -> None:
        batch.append(state)
        if len(batch) == BATCH:
            outbox.send(batch)
            batch.clear()

    def tell(part: str, share: float) -> None:
        if part == "reading":  # from then on the detection's progress says more
            outbox.send((part, share))

    try:
        result = localize_log(replace(request, tell=tell), hear)
        outbox.send(batch)
        outbox.send(result)
    except BrokenPipeError:  # the parent is gone
        return
    except Exception as error:  # the parent raises it
        outbox.send(error)
