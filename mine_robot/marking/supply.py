"""What is left to mark with, in words; empty text if there is enough."""

from __future__ import annotations

from mine_robot.core.actuator_protocol import Ack, Tool
from mine_robot.marking.params import MarkerParams


def empty(tool: Tool, state: Ack) -> str:
    """That nothing is left."""
    if tool is Tool.PAINT:
        return "the paint is empty" if state.paint <= 0.0 else ""
    return "the flag magazine is empty" if state.flags == 0 else ""


def low(tool: Tool, state: Ack, params: MarkerParams) -> str:
    """That little is left."""
    if tool is Tool.PAINT:
        return f"the paint is low ({state.paint:.0%})" if state.paint < params.paint_low else ""
    return f"{state.flags} flags are left" if state.flags < params.flags_low else ""
