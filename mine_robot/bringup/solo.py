"""The operator's page without a stack behind it: before and between missions (``lobby``), and beside a recording (``training``)."""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mine_robot import __version__
from mine_robot.console.access import Access
from mine_robot.console.address import Address, token_in
from mine_robot.console.app import Call, Console, Say
from mine_robot.console.desk import Desk, Draw, Launch
from mine_robot.console.errands import Errands, field_preview
from mine_robot.console.seats import Seats
from mine_robot.console.server import Server
from mine_robot.console.shelf import Shelf
from mine_robot.console.store import Store
from mine_robot.console.traces import Traces
from mine_robot.console.view import View
from mine_robot.core.tally import in_words
from mine_robot.mission.journal import JournalError
from mine_robot.mission.journal_reader import read_journal
from mine_robot.pipeline.parameters import ConsoleNodeParams
from mine_robot.records.errors import RecordError
from mine_robot.records.export import FORMATS
from mine_robot.records.run_directory import RunDirectory, read_json
from mine_robot.records.text import percent

LOG = logging.getLogger("console")


@dataclass
class Solo:
    """A console of its own; ``folder`` has the past runs, ``token_file`` the token of a page that others reach."""

    params: ConsoleNodeParams
    parameters: Path  # file with which fields are planned
    folder: Path
    token_file: Path
    traces: Traces
    replay: bool = False
    store: Store = field(default_factory=Store)
    errands: Errands = field(default_factory=Errands)

    def __post_init__(self) -> None:
        self.view = View(self.store, mark_p=self.params.limits.mark_p_hazard, replay=self.replay)
        self.seats = Seats(self.params.viewers_max, self._on_seats)
        self._on_seats(None, 0, "")

    def say(self, words: str) -> None:
        """News, for pages and for the log."""
        LOG.info(words)
        self.view.log(words, time.monotonic())

    def show_result(self, directory: RunDirectory) -> None:
        """Show how a run ended and what it found, as far as its records say."""
        try:
            record, summary = read_journal(directory.journal), read_json(directory.summary)
        except (JournalError, RecordError) as error:
            LOG.info("no result is shown: %s", error)
            return
        if record.ledger is not None:
            self.view.ledger(record.ledger)
        for request in record.mark_requests:
            self.view.mark_request(request)
        for result in record.mark_results:
            self.view.mark_result(result, time.monotonic(), remembered=True)
        self.view.targets(record.targets, time.monotonic(), remembered=True)
        found = in_words(summary["suspects"], summary["targets"])
        words = (
            f"the last one: {summary['state']}, {percent(summary['coverage'])} searched, {found}; {summary['reason']}"
        )
        self.store.put("result", words, live=True)

    def serve(
        self, address: Address, scene: dict[str, Any], call: Call, remark: Say, draw: Draw, launch: Launch | None = None
    ) -> Server:
        """Start the server; raises ValueError if it may not or cannot listen."""
        listener = address.bind()
        access = Access(tls=bool(address.certificate), token="" if address.local else token_in(self.token_file))
        empty = RunDirectory(self.folder)
        shelf = Shelf(
            root=self.folder,
            running="",
            info=empty.run.name,
            summary=empty.summary.name,
            handed_over=[path.name for path in empty.handed_over],
            formats=list(FORMATS),
        )
        desk = Desk(
            access=access,
            seats=self.seats,
            errands=self.errands,
            shelf=shelf,
            draw=draw,
            preview=partial(field_preview, self.errands, self.parameters),
            launch=launch,
        )
        console = Console(
            store=self.store,
            traces=self.traces,
            seats=self.seats,
            access=access,
            call=call,
            say=remark,
            desk=desk,
            hello={"boot": secrets.token_hex(8), "version": __version__, "scene": scene},
            rate=self.params.rate,
        )
        return Server(console.app(), address, listener)

    def _on_seats(self, holder: int | None, count: int, what: str) -> None:
        self.store.put("control", {"holder": holder, "viewers": count}, live=True)
        if what:
            self.say(what)
