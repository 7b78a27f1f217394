"""``python -m mine_robot.bringup.group COMMAND...``: a command whose whole process group ends with it.

Launch signals only the process that it started; ``gz sim`` starts others, and may leave them behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import Any

from mine_robot.core.children import die_with_parent, ending_signals


def main() -> None:
    """Run the command to its end, pass signals on to its group, leave nothing of it; the exit code is its own."""
    process = subprocess.Popen(sys.argv[1:], start_new_session=True, preexec_fn=die_with_parent)

    def pass_on(number: int, frame: Any = None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    for number in ending_signals():
        signal.signal(number, pass_on)
    code = process.wait()
    pass_on(signal.SIGKILL)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
