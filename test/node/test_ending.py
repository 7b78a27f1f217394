"""How a process with an executor ends: at the first signal, undisturbed by the next, and in any case."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

SCRIPT = """
import sys, time
import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from mine_robot.ros import ending
from mine_robot.ros.executor import SteadyExecutor

ending.GRACE_S = float(sys.argv[1])
rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
executor = SteadyExecutor()
ending.end_on_signals(executor.wake)
node = Node("quiet")
print("ready", flush=True)
try:
    executor.spin_node(node)
except KeyboardInterrupt:
    print("interrupted", flush=True)
time.sleep(float(sys.argv[2]))
executor.shutdown(timeout_sec=1.0)
node.destroy_node()
rclpy.try_shutdown()
print("ended", flush=True)
"""


def ended(grace_s: float, sleeps_s: float, *signals: signal.Signals) -> tuple[int, str, str]:
    """Exit code and output of a process that waits for messages when the signals come."""
    words = [sys.executable, "-c", SCRIPT, str(grace_s), str(sleeps_s)]
    environment = {**os.environ, "ROS_DOMAIN_ID": "89"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)  # it waits without Python by now, most likely
        for number in signals:
            process.send_signal(number)
        out, err = process.communicate(timeout=60.0)
    return process.returncode, out, err


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_ends_the_wait_and_later_ones_do_not_disturb_the_end(first: signal.Signals) -> None:
    code, out, err = ended(30.0, 0.2, first, signal.SIGINT, signal.SIGTERM)
    assert (code, out) == (0, "interrupted\nended\n"), err


def test_a_process_that_cannot_end_says_where_it_hangs_and_ends() -> None:
    code, out, err = ended(0.3, 600.0, signal.SIGINT)
    assert (code, out) == (1, "interrupted\n")
    assert "Timeout" in err and 'File "<string>", line' in err


IMPORTING = """
import importlib, os, signal, sys, time

real = importlib.import_module

def endless(name, package=None):
    if name.endswith("marker_node"):
        os.kill(os.getpid(), signal.{name})
        time.sleep(60.0)
    return real(name, package)

importlib.import_module = endless
sys.argv = ["node", "marker"]
from mine_robot.nodes.__main__ import main
main()
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_node_that_still_imports_ends_at_once_and_well(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING.format(name=name)], capture_output=True, text=True, timeout=50.0
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
