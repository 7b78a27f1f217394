"""What pages ask for beyond the live picture, done by the ``mine-robot`` command in a process of its own.

So drawing and reading logs never hold up the server, in which an emergency stop waits for nothing. One errand runs at a time, at the
lowest priority; what takes too long is killed, and nothing outlives the console. ``python -m mine_robot.console.errands`` is the
process before it becomes ``mine-robot``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from mine_robot.console.access import Refusal
from mine_robot.core.children import die_with_parent
from mine_robot.core.json_text import to_json

NICE = 19
WAITING_MAX = 3
EVIDENCE_S, PREVIEW_S = 60.0, 120.0


class Errands:
    """Runs errands one after another; those for which there is no room are refused."""

    def __init__(self) -> None:
        self._turn: asyncio.Lock | None = None
        self._waiting = 0

    async def run(self, *words: str, limit_s: float) -> str:
        """Run ``mine-robot`` with ``words`` and return what it prints; raises :class:`Refusal` with the reason if it cannot be done."""
        if self._waiting >= WAITING_MAX:
            raise Refusal(429, "too many requests wait for their turn")
        self._turn = self._turn or asyncio.Lock()  # made within the loop to which it belongs
        self._waiting += 1
        try:
            async with self._turn:
                return await self._run(words, limit_s)
        finally:
            self._waiting -= 1

    async def _run(self, words: tuple[str, ...], limit_s: float) -> str:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "mine_robot.console.errands", *words)
        none = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(*command, stdin=none, stdout=pipe, stderr=pipe)
        try:
            printed, errors = await asyncio.wait_for(process.communicate(), limit_s)
        except asyncio.TimeoutError:
            raise Refusal(503, f"not done within {limit_s:.0f} s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode != 0:
            lines = (errors or printed).decode("utf-8", "replace").strip().splitlines()
            raise Refusal(404, lines[-1].removeprefix("mine-robot: ")[:300] if lines else "it failed without a word")
        return printed.decode("utf-8", "replace")


async def evidence_picture(errands: Errands, run: Path, target: int) -> bytes:
    """The evidence behind a target of the run directory ``run`` as PNG; raises :class:`Refusal` with the reason if there is none."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "evidence.png"
        await errands.run("evidence", str(run), str(target), "--out", str(picture), limit_s=EVIDENCE_S)
        return picture.read_bytes()


async def field_preview(errands: Errands, parameters: Path, wish: dict[str, Any]) -> str:
    """The JSON of ``mine-robot preview`` for a field, a KML file or a sketch, planned with ``parameters``."""
    with tempfile.TemporaryDirectory() as folder:
        asked, out = Path(folder) / "asked.json", Path(folder) / "field.geojson"
        asked.write_text(to_json(wish), encoding="utf-8")
        words = ("preview", str(asked), "--params", str(parameters), "--out", str(out))
        return await errands.run(*words, limit_s=PREVIEW_S)


def main() -> None:
    """Become ``mine-robot`` with the arguments of this process."""
    os.nice(NICE)
    die_with_parent()
    os.execv(sys.executable, [sys.executable, "-m", "mine_robot.bringup.cli", *sys.argv[1:]])


if __name__ == "__main__":
    main()
