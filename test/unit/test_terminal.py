"""A terminal or pipe that has gone ends nothing; what is written is for owner and group; which signals end a process."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from mine_robot import __version__
from mine_robot.bringup import runner
from mine_robot.bringup.cli import app
from mine_robot.bringup.prepare import RunRequest, prepare_run
from mine_robot.bringup.terminal import Terminal
from mine_robot.core.private import keep_private, make_private
from mine_robot.pipeline.loading import LoadError
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros.refusals import Refusals

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "test" / "data" / "small_field.geojson"
SPEAKER = """
import sys
from rich.text import Text
from mine_robot.bringup.terminal import complain, console, lasting_streams
lasting_streams()
for number in range(2000):
    console.print(f"line {number}")
    console.print(Text("and text"))
    complain("trouble")
with open(sys.argv[1], "w") as file:
    file.write("to the end")
"""


def speaks_to_the_end(folder: Path, redirection: str) -> None:
    done = folder / "done"
    command = f'"$0" -c "$1" "$2" {redirection}'
    subprocess.run(["bash", "-c", command, sys.executable, SPEAKER, str(done)], check=False, timeout=60)
    assert done.read_text() == "to the end"


@pytest.mark.parametrize(
    "redirection",
    ["2>/dev/null | head -1 >/dev/null", "2>&1 | head -1 >/dev/null", ">&- 2>&-", ">/dev/full 2>/dev/full"],
)
def test_a_reader_that_has_gone_ends_nothing(tmp_path: Path, redirection: str) -> None:
    speaks_to_the_end(tmp_path, redirection)


def test_a_terminal_that_hung_up_ends_nothing(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    done = tmp_path / "done"
    with subprocess.Popen(
        [sys.executable, "-c", SPEAKER, str(done)], stdout=theirs, stderr=theirs, start_new_session=True
    ) as speaker:
        os.close(theirs)
        os.read(ours, 100)
        os.close(ours)
        speaker.wait(60)
    assert done.read_text() == "to the end"


def test_the_version_is_said() -> None:
    said = CliRunner().invoke(app, ["--version"])
    assert (said.exit_code, said.output) == (0, f"mine-robot {__version__}\n")


SIGNALS = """
from mine_robot.core.children import ending_signals
print(*(number.name for number in ending_signals()))
"""


@pytest.mark.parametrize("prefix, left", [([], "SIGINT SIGTERM SIGHUP SIGQUIT"), (["nohup"], "SIGINT SIGTERM SIGQUIT")])
def test_under_nohup_a_closed_terminal_ends_nothing(prefix: list[str], left: str) -> None:
    for number in (signal.SIGHUP, signal.SIGQUIT):
        assert signal.getsignal(number) is signal.SIG_DFL
    done = subprocess.run(
        [*prefix, sys.executable, "-c", SIGNALS], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == left


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777, 0o277])
def test_files_are_for_owner_and_group_whatever_the_mask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        keep_private()
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "file").write_text("")
    finally:
        os.umask(before)
    for path, most in ((tmp_path / "folder", 0o750), (tmp_path / "folder" / "file", 0o640)):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode | most == most and mode & 0o600 == 0o600, oct(mode)


def test_a_run_directory_is_private_and_an_old_one_becomes_so(tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    out.chmod(0o777)
    prepared = prepare_run(RunRequest(SMALL, out=out))
    assert stat.S_IMODE(out.stat().st_mode) & 0o007 == 0
    (out / "link").symlink_to(tmp_path / "nowhere")
    for path in out.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o777)
    make_private(prepared.directory.path)
    assert all(path.is_symlink() or path.stat().st_mode & 0o007 == 0 for path in (out, *out.rglob("*")))


def test_a_run_directory_has_a_name_that_can_be_shown(tmp_path: Path) -> None:
    for name in ("a\x1bb", "a\udcffb", "a\nb"):
        with pytest.raises(LoadError, match="can be shown"):
            prepare_run(RunRequest(SMALL, out=tmp_path / name))


@pytest.mark.parametrize(
    "number, words",
    [(signal.SIGHUP, "the terminal was closed"), (signal.SIGINT, "Ctrl-C"), (signal.SIGQUIT, "SIGQUIT")],
)
def test_a_closed_terminal_ends_a_mission_with_its_records(
    number: signal.Signals, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell repeats the signal of its terminal, which must not disturb the records."""
    done: list[str] = []

    class Stack:
        refusals = Refusals()

        def __init__(self, *_: Any, **__: Any) -> None: ...

        def stop_all(self) -> None:
            done.append("stopped")

        def conduct(self, *_: Any, **__: Any) -> Any:
            os.kill(os.getpid(), number)
            signal.pause()

        def call(self, service: str, timeout: float) -> None:
            done.append(service)

        def close(self) -> None:
            os.kill(os.getpid(), number)

    def finish_run(*_: Any, ended_by: str, **__: Any) -> dict[str, str]:
        os.kill(os.getpid(), number)
        done.append(ended_by)
        return {"state": "aborted"}

    request = RunRequest(SMALL)
    (tmp_path / "run.json").write_text('{"simulation": true}')
    prepared = SimpleNamespace(directory=RunDirectory(tmp_path), request=request, nodes=(), companions={}, number=1)
    for name, value in {
        "Processes": Stack,
        "Operator": Stack,
        "Display": lambda *_: SimpleNamespace(running=nullcontext, show=None),
        "finish_run": finish_run,
        "show_summary": lambda *_: None,
    }.items():
        monkeypatch.setattr(runner, name, value)
    monkeypatch.setattr(runner, "environment", lambda _: {})
    monkeypatch.setattr(runner, "prepare_run", lambda *_: prepared)
    monkeypatch.setattr(runner, "hold_the_robot", lambda _: nullcontext())
    monkeypatch.setattr(runner, "_show_field", lambda *_: None)
    monkeypatch.setattr(runner, "_watch", lambda *_: None)
    before = signal.getsignal(number)
    assert runner.run_mission(request, Terminal(), []) == 1
    assert done == ["mission/abort", "stopped", f"stopped by the operator ({words})"]
    assert signal.getsignal(number) is before
