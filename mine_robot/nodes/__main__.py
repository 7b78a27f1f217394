"""``python -m mine_robot.nodes NAME``: run one node of the graph."""

from __future__ import annotations

import importlib
import os
import signal
import sys

from mine_robot.core.children import ending_signals
from mine_robot.core.private import keep_private


def main() -> None:
    """Run the node named by the first argument. One that is to end while it still imports has nothing to tear down."""
    keep_private()
    for number in ending_signals():
        signal.signal(number, lambda *_: os._exit(0))
    from mine_robot.pipeline.parameters import NODE_PARAMETERS

    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in NODE_PARAMETERS:
        print(f"usage: node NAME, with NAME one of {', '.join(NODE_PARAMETERS)}", file=sys.stderr)
        sys.exit(2)
    from mine_robot.ros.node import run

    module = importlib.import_module(f"mine_robot.nodes.{name}_node")
    sys.exit(run(getattr(module, f"{name.capitalize()}Node")))


if __name__ == "__main__":
    main()
