"""``mine-robot check --explain NAME``: what a parameter means, and what it has to fit."""

from __future__ import annotations

from collections.abc import Iterator

from mine_robot.core.parameters import ParameterSpec, specs, unknown_key
from mine_robot.pipeline.consistency import RULES
from mine_robot.pipeline.loading import PACKAGES, LoadError, ParameterFiles
from mine_robot.pipeline.parameters import NODE_PARAMETERS, Common


def explain(name: str, files: ParameterFiles) -> list[str]:
    """Lines about the parameter ``name``, or about every parameter below it (``limits``, ``detector.gpr``).

    Names are those of ``--set``; a node may be left out. Raises :class:`LoadError` if there is none of the name.
    """
    first, dot, rest = name.partition(".")
    name = PACKAGES.get(first, first) + dot + rest
    known = dict(_parameters())
    found = {
        full: spec for full, spec in known.items() if full == name or full.startswith(name + ".") or spec.name == name
    }
    if not found:
        raise LoadError(f"--explain {unknown_key(name, list(known))}")
    return [line for full, spec in found.items() for line in _lines(full, spec, files)]


def _parameters() -> Iterator[tuple[str, ParameterSpec]]:
    """Every parameter by its full name: what all nodes share without a node, the others behind theirs."""
    shared = {spec.name: spec for spec in specs(Common)}
    yield from shared.items()
    for node, cls in NODE_PARAMETERS.items():
        for spec in specs(cls):
            if spec.name not in shared:
                yield f"{node}.{spec.name}", spec


def _lines(full: str, spec: ParameterSpec, files: ParameterFiles) -> Iterator[str]:
    nodes, key = files.find(full)
    value = files.nodes[nodes[0]].get(key, spec.default)
    unit = f" {spec.unit}" if spec.unit else ""
    bounds = f", {spec.range_text}" if spec.range_text else ""
    default = "no default" if spec.required else f"default {spec.default}"
    yield f"{full} = {value}{unit}"
    yield f"  {spec.doc}"
    yield f"  {spec.type_name}{bounds}; {default}"
    for rule in RULES:
        if full in rule.keys:
            others = ", ".join(other for other in rule.keys if other != full)
            yield f"  {rule.words}" + (f" (with {others})" if others else "")
