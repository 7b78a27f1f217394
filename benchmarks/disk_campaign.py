"""A run directory that is full or turns read-only while the mission goes on: does the robot stand, is all that was recorded intact?

``python benchmarks/disk_campaign.py --out DIR`` needs to be root on Linux with loop devices, and a ROS_DOMAIN_ID that nobody else uses. The
run directory lies on a file system of its own: an ext4 image of 96 MiB that goes read-only on an error, as a worn card in a robot does.
``full``: a file takes all room at once while the robot searches; when the mission stands it is removed. ``full-ended``: it stays, the run
is ended by Ctrl-C and resumed when there is room. ``readonly``: the file system reports an error and goes read-only; after a check
(e2fsck) it is mounted again and the run resumed. ``filling``: the disk fills slowly, the robot drives home. Prints a JSON line for each;
exit code 1 if anything was lost, doubled or not said.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml
from process_kill_campaign import Run, Tally, check_targets, judge
from witness import Witness, stands

from mine_robot.core.types import MissionState

IMAGE_MIB = 96
MIB = 2**20
FULL_S = 4.0  # of wall time, well within mission.hold_timeout
REACTION_S = 2.0  # the limit of the rows for journal and recorder, in time of the stack
LEAST_MIB = 20.0  # free, below which the robot drives home
LIMIT_S = 240.0
Say = dict[str, object]


def call(*words: str) -> str:
    """A command that has to succeed."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


class Disk:
    """A small ext4 file system in a file."""

    def __init__(self, folder: Path) -> None:
        self.image, self.path = folder / "disk.ext4", folder / "disk"
        self.path.mkdir(parents=True)
        with self.image.open("wb") as file:
            file.truncate(IMAGE_MIB * MIB)
        call("mkfs.ext4", "-q", "-F", "-m", "0", str(self.image))
        self.mount()

    def mount(self) -> None:
        """Bring it up; a file system that goes read-only on an error."""
        call("mount", "-o", "loop,errors=remount-ro", str(self.image), str(self.path))

    def break_down(self) -> None:
        """Report an error of the medium: the file system is read-only from here on, and what was not synchronised is lost.

        Of the simulator's files nothing may be: its world does not run back when a robot's disk fails.
        """
        for file in (self.path / "run" / "sim").iterdir():
            if file.is_file():
                call("sync", str(file))
        device = call("findmnt", "-no", "SOURCE", str(self.path)).removeprefix("/dev/")
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("1", encoding="ascii")

    def repair(self) -> None:
        """What a person does then: check it, mount it again."""
        call("umount", str(self.path))
        subprocess.run(["e2fsck", "-fy", str(self.image)], check=False, capture_output=True)
        self.mount()

    def leave(self, mib: float) -> None:
        """Take all room but so many MiB."""
        with (self.path / "filler").open("ab") as file, contextlib.suppress(OSError):
            while (over := shutil.disk_usage(self.path).free - int(mib * MIB)) > 0:
                file.write(b"\1" * min(over, MIB))
                file.flush()

    def free(self) -> None:
        """Give the room back."""
        (self.path / "filler").unlink()


@contextlib.contextmanager
def disk_in(folder: Path) -> Iterator[Disk]:
    """A disk for as long as the block lasts."""
    disk = Disk(folder)
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk.path)], check=False, capture_output=True)


class DiskRun(Run):
    """A mission whose run directory lies on the small disk."""

    def __init__(self, folder: Path, seed: int, disk: Disk) -> None:
        super().__init__(folder, seed)
        self.out = disk.path / "run"
        parameters = folder / "parameters.yaml"
        parameters.write_text(
            yaml.safe_dump({"mission": {"ros__parameters": {"disk_min": LEAST_MIB}}}), encoding="utf-8"
        )
        self.options = ("--params", str(parameters))

    def wait(self, process: subprocess.Popen[bytes], what: Callable[[], bool]) -> bool:
        """Wait until something is the case; False if the run ends or too much time goes by."""
        limit = time.monotonic() + LIMIT_S
        while process.poll() is None and time.monotonic() < limit:
            if what():
                return True
            time.sleep(0.2)
        return what()

    def searched(self) -> bool:
        """The robot searches and has found something."""
        record = self.record()
        return bool(record and record.targets and record.statuses[-1].state is MissionState.SEARCH)

    def end(self, process: subprocess.Popen[bytes]) -> int:
        """Ctrl-C."""
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        return process.wait(120.0)

    def said(self) -> list[str]:
        """What the runner printed, without the lines that show progress."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]


def stood(seen: Witness, begin: float, until: float) -> bool:
    """No command to drive between two times of the stack."""
    commands = [command for command in list(seen.commands) if begin + REACTION_S <= command.t <= until]
    return bool(commands) and all(map(stands, commands))


def strike(kind: str, run: DiskRun, disk: Disk, tally: Tally, seen_by: Witness) -> Say:
    """One mission with one trouble; returns what was seen."""
    process = run.start()
    if not run.wait(process, run.searched):
        tally.failures.append(f"{kind}: the robot did not search: {run.said()[-3:]}")
        return {}
    before = run.record()
    assert before is not None
    if kind == "filling":
        disk.leave(LEAST_MIB / 2.0)
    elif kind == "readonly":
        disk.break_down()
    else:
        disk.leave(0.0)
    struck, struck_t = time.monotonic(), seen_by.t
    seen: Say = {"kind": kind}
    if kind == "full":
        time.sleep(FULL_S)
        seen["stood"] = stood(seen_by, struck_t, seen_by.t)
        disk.free()
    if kind in ("full", "filling"):
        code = process.wait(600.0)
    else:
        run.wait(process, lambda: time.monotonic() - struck > 30.0)
        seen["stood"] = stood(seen_by, struck_t, seen_by.t)
        code = run.end(process)
    if not seen.get("stood", True):
        tally.failures.append(f"{kind}: the robot drove on")
    seen |= {"exit": code, "said": run.said()[-4:]}
    after = run.record()
    if after is None or not {target.id for target in before.targets} <= {target.id for target in after.targets}:
        tally.failures.append(f"{kind}: something recorded is lost")
    if any("Traceback" in line for line in run.said()):
        tally.failures.append(f"{kind}: a traceback on the terminal")
    seen["tracebacks in logs"] = [
        path.name for path in (run.out / "log").glob("*.log") if "Traceback" in path.read_text(errors="replace")
    ]
    check_targets(run, tally)
    return seen


def go_on(kind: str, run: DiskRun, disk: Disk, tally: Tally, seen: Say) -> None:
    """Mend the disk and resume until the mission is complete."""
    if kind == "readonly":
        disk.repair()
    elif (disk.path / "filler").exists():
        disk.free()
    seen["state"] = str(run.state().value if run.state() else None)
    if run.state() is not MissionState.DONE:
        seen["resumed exit"] = run.start().wait(600.0)
    check_targets(run, tally)
    if run.state() is not MissionState.DONE:
        tally.failures.append(f"{kind}: not complete after it was resumed: {run.said()[-3:]}")
    judge(run, tally)


def main() -> int:
    """Every trouble once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = ("full", "full-ended", "readonly", "filling")
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--seed", type=int, default=6000)
    parser.add_argument("--out", type=Path, required=True, help="Folder for the disks and what the runs print.")
    arguments = parser.parse_args()
    tally = Tally()
    for kind in arguments.kinds:
        folder = arguments.out / kind
        with disk_in(folder) as disk:
            run = DiskRun(folder / "mission", arguments.seed, disk)
            with Witness() as witness:
                seen = strike(kind, run, disk, tally, witness)
            if seen:
                go_on(kind, run, disk, tally, seen)
            print(json.dumps(seen), flush=True)
    print(json.dumps({"complete": tally.complete, "of": len(arguments.kinds), "failures": tally.failures}))
    return 1 if tally.failures or tally.complete < len(arguments.kinds) else 0


if __name__ == "__main__":
    sys.exit(main())
