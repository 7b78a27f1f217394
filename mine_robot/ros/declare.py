"""Parameters of a node from their dataclass: described, bounded, read-only; what nobody knows is an error."""

from __future__ import annotations

from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from mine_robot.core.parameters import ParameterError, ParameterSpec, build, specs, unknown_key
from mine_robot.pipeline.parameters import NODE_PARAMETERS

IGNORED_PARAMETERS = ("use_sim_time", "start_type_description_service", "qos_overrides.")


def declare_parameters(node: Node, cls: type) -> Any:
    """Declare what the dataclass ``cls`` describes and build it from the values given; raises :class:`ParameterError`."""
    known = {spec.name: spec for spec in specs(cls)}
    overrides = node._parameter_overrides
    unknown = [name for name in overrides if name not in known and not name.startswith(IGNORED_PARAMETERS)]
    values = {}
    for name, spec in known.items():
        value = _declare_one(node, spec)
        if value is not None:
            values[name] = value
    # Values under '/**' reach every node; only what no node knows is wrong, and the runner has checked that.
    everywhere = {spec.name for other in NODE_PARAMETERS.values() for spec in specs(other)}
    for name in unknown:
        if name not in everywhere:
            raise ParameterError(unknown_key(name, list(known)))
    return build(cls, values)


def _declare_one(node: Node, spec: ParameterSpec) -> Any:
    text = f"{spec.doc} [{spec.unit}]" if spec.unit else spec.doc
    descriptor = ParameterDescriptor(
        name=spec.name,
        description=text,
        additional_constraints=spec.range_text,
        read_only=True,
        dynamic_typing=True,
    )
    if spec.low is not None and spec.high is not None and not spec.is_list:
        if spec.kind is float:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(spec.low), to_value=float(spec.high))
            ]
        elif spec.kind is int:
            descriptor.integer_range = [IntegerRange(from_value=int(spec.low), to_value=int(spec.high), step=1)]
    unset = spec.required or (spec.is_list and not spec.default)
    value = node.declare_parameter(spec.name, None if unset else spec.default, descriptor).value
    return list(value) if spec.is_list and value is not None else value
