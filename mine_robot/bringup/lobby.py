"""``mine-robot console --missions DIR``: the page before and between missions, from which one is started on a field that was drawn there.

What a mission is started with (simulation or robot, scenario, parameters) is said on the command line, by a person at the machine; a
page adds the field and nothing else. The mission is ``mine-robot run --console --wait`` in a process of its own, on the same port: while it
runs, the page is that of its own console, with its checks and its Start, and this process only waits.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from mine_robot.bringup.prepare import RunRequest, parameter_paths
from mine_robot.bringup.resources import resource
from mine_robot.bringup.solo import LOG, Solo
from mine_robot.console.access import Refusal
from mine_robot.console.address import Address
from mine_robot.console.scene import scene
from mine_robot.console.seats import Viewer
from mine_robot.console.traces import Traces
from mine_robot.core.children import ending_signals, how_it_ended
from mine_robot.core.field import FieldError, field_from_geojson
from mine_robot.core.json_text import to_json
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_field, load_robot, load_scenario
from mine_robot.records.run_directory import RunDirectory

NOTHING_RUNS = "no mission runs here"
NAME_MAX = 40  # characters of a field's name in the name of its run
SAID_MAX = 300  # characters of what a mission that failed said last


@dataclass(frozen=True)
class Offer:
    """What the person at the machine allows: missions in ``folder``, with these options of ``mine-robot run``; ``rate`` 0 is max."""

    folder: Path
    sim: str
    scenario: Path | None
    rate: float
    parameters: tuple[Path, ...]
    namespace: str
    address: Address

    def check(self) -> None:
        """Raise :class:`LoadError` if no mission could be started so."""
        if self.sim not in ("builtin", "none"):
            raise LoadError(
                "--missions needs --sim builtin or --sim none: do pages start simulations or the real robot?"
            )
        if self.sim == "none" and self.scenario is not None:
            raise LoadError("--scenario: the real robot has none")
        load_scenario(self.scenario, load_field(_place(self.folder)))

    def words(self) -> list[str]:
        """The options on the command line of ``mine-robot run``."""
        page = self.address
        words = ["--sim", self.sim, "--rate", f"{self.rate:g}" if self.rate else "max", "--namespace", self.namespace]
        words += ["--scenario", str(self.scenario)] if self.scenario else []
        words += [word for file in self.parameters for word in ("--params", str(file))]
        words += ["--console", "--wait", "--console-host", page.host, "--console-port", str(page.port)]
        words += ["--console-token", page.token]
        if page.certificate:
            words += ["--console-certificate", page.certificate, "--console-key", page.key]
        return words


def serve_lobby(offer: Offer, console: Console) -> None:
    """Serve until Ctrl-C or SIGTERM; raises :class:`LoadError` with one line if that cannot be."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with _locked(offer.folder):
        offer.check()
        token = offer.folder / "console_token"
        offer = replace(offer, address=replace(offer.address, token=str(token)))
        what = "the real robot" if offer.sim == "none" else "simulation"
        said = f"Missions in {offer.folder}, {what}: {offer.address.url}"
        said += "" if offer.address.local else f"  (token: {token})"
        for number in ending_signals():  # a script's background job begins with SIGINT ignored
            signal.signal(number, signal.default_int_handler)
        news, last = "", None
        try:
            console.print(said, highlight=False, soft_wrap=True)
            while True:
                field = _wait_for_a_field(offer, news, last)
                last = RunDirectory(field.with_suffix(""))
                news = _run(offer, field)
        except KeyboardInterrupt:
            console.print("no missions are offered any more", highlight=False)
        finally:
            token.unlink(missing_ok=True)


def _wait_for_a_field(offer: Offer, news: str, last: RunDirectory | None) -> Path:
    """Serve the page, with the result of the ``last`` mission, until it starts the next one; returns the file of its field."""
    files = ParameterFiles(parameter_paths(RunRequest(Path(), parameters=offer.parameters, sim=offer.sim)))
    asked: Future[Path] = Future()
    with tempfile.TemporaryDirectory() as scratch:
        parameters = Path(scratch) / "parameters.yaml"
        parameters.write_text(files.dump(), encoding="utf-8")
        solo = Solo(files.build("console"), parameters, offer.folder, Path(offer.address.token), Traces(0.1, 10.0))
        if news:
            solo.say(news)
        if last is not None:
            solo.show_result(last)

        async def launch(field: dict[str, Any], viewer: Viewer, who: str) -> tuple[bool, str]:
            """Keep the field and let the mission start; raises :class:`Refusal` if it is no field."""
            try:
                name = field_from_geojson(field, source="the field").name
            except FieldError as error:
                raise Refusal(422, str(error)) from None
            if asked.done():
                raise Refusal(409, "a mission starts already")
            path = _new_file(offer.folder, name)
            path.write_text(to_json(field, indent=1), encoding="utf-8")
            LOG.warning("viewer %d, %s starts a mission on %s", viewer.number, who, path)
            asked.set_result(path)
            return True, "The stack starts. This page comes back when it is ready; the robot waits for Start there."

        home = scene(
            load_field(last.field if last is not None and last.field.is_file() else _place(offer.folder)),
            load_robot(resource("urdf/mine_robot.urdf.xacro")),
            solo.params.limits,
            simulated=offer.sim != "none",
        )
        server = solo.serve(offer.address, {**home, "lobby": True}, _nothing_runs, _nothing_runs, _no_evidence, launch)
        try:
            field = asked.result()
            server.say_last(solo.store, "starting", 2.0 / solo.params.rate)
            return field
        finally:
            server.close()


def _run(offer: Offer, field: Path) -> str:
    """Run the mission to its end, and say how it ended. Ctrl-C reaches it too and ends it before this process."""
    words = ["run", str(field), "--out", str(field.with_suffix("")), *offer.words()]
    with tempfile.TemporaryFile("w+") as errors:
        command = [sys.executable, "-m", "mine_robot.bringup.cli", *words]
        mission = subprocess.Popen(command, stderr=errors)
        try:
            code = mission.wait()
        except KeyboardInterrupt:
            with contextlib.suppress(ProcessLookupError):
                mission.send_signal(signal.SIGINT)
            mission.wait()
            raise
        errors.seek(0)
        said = errors.read().strip()
    if said:
        print(said, file=sys.stderr)
    words_of = {0: "complete", 1: "ended short"}.get(code) or f"did not start ({how_it_ended(code)})"
    return f"mission on {field.name} {words_of}{': ' + said.splitlines()[-1][:SAID_MAX] if said else ''}"


def _new_file(folder: Path, name: str) -> Path:
    """Where a field is kept, beside the run directory of the same name."""
    stem = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:NAME_MAX] or "field"
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    path = folder / f"{stem}-{stamp}.geojson"
    if path.exists() or path.with_suffix("").exists():
        raise Refusal(409, "a mission of this name has just been started")
    return path


def _place(folder: Path) -> Path:
    """The newest field of the folder: what the page shows, and where it draws."""
    found = [path for kind in ("*.geojson", "*.kml") for path in folder.glob(kind)]
    found += [RunDirectory(path.parent).field for path in folder.glob("*/run.json")]
    found = sorted((path for path in found if path.is_file()), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found:
        with contextlib.suppress(LoadError):
            load_field(path)
            return path
    raise LoadError(f"{folder}: holds no field file; put one there (GeoJSON or KML) that shows where the work is")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Only one such console has the folder."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise LoadError(f"{folder}: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise LoadError(f"{folder}: another console offers missions there") from None
    finally:
        os.close(handle)


def _nothing_runs(*asked: Any) -> Future[tuple[bool, str]]:
    answer: Future[tuple[bool, str]] = Future()
    answer.set_result((False, NOTHING_RUNS))
    return answer


async def _no_evidence(target: int) -> bytes:
    raise Refusal(404, NOTHING_RUNS)
