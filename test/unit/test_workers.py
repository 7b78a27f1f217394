"""Work spread over a local Dask cluster gives what it gives here."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from records_examples import write_inputs, write_journal
from typer.testing import CliRunner

from mine_robot.bringup.cli import app
from mine_robot.bringup.workers import workers
from mine_robot.pipeline.loading import LoadError
from mine_robot.records.errors import RecordError
from mine_robot.records.finish import finish_run

pytest.importorskip("distributed", reason="Dask is an extra")


def elsewhere(number: int) -> tuple[int, int]:
    if number < 0:
        raise RecordError(f"{number} is no run")
    return number * number, os.getpid()


def test_a_cluster_keeps_the_order_and_tells_errors_as_they_are() -> None:
    with workers("local") as spread:
        results = list(spread(elsewhere, range(8)))
        with pytest.raises(RecordError, match="-1 is no run"):
            list(spread(elsewhere, [1, -1]))
    assert [square for square, _ in results] == [number**2 for number in range(8)]
    assert os.getpid() not in {process for _, process in results}


def test_a_merge_on_a_cluster_is_the_same(tmp_path: Path) -> None:
    runs = []
    for name in "ab":
        runs.append(tmp_path / name)
        write_inputs(runs[-1])
        write_journal(runs[-1])
        finish_run(runs[-1], figures=False)
    for out, options in (("here", []), ("there", ["--dask", "local"])):
        words = ["merge", *map(str, runs), "--out", str(tmp_path / out), *options]
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == 0
    for name in ("summary.json", "targets.csv", "clearance.geojson", "provenance.geojson"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
    assert len(json.loads((tmp_path / "here" / "summary.json").read_text())["runs"]) == 2


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://"])
def test_a_cluster_that_is_not_there_is_one_line(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mine_robot.bringup.workers.CONNECT_S", 0.5)
    with pytest.raises(LoadError, match=f"--dask {address}: no scheduler there"), workers(address):
        pass
