"""Parameters: one typed dataclass field each, with unit, range and meaning.

A parameter class is a frozen dataclass whose fields are made by :func:`param` (a value) or :func:`group` (a nested
parameter class). Everything else derives from those fields: the check of a YAML file, the parameters a ROS node
declares, and the tables in ``docs/parameters.md``. An unknown key or a value out of range is an error, because rclpy
would silently ignore the one and accept the other.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast, get_type_hints

from mine_robot.core.text import short

P = TypeVar("P")
NAMES_SHOWN = 40
SCALARS = (bool, int, float, str)


class ParameterError(ValueError):
    """A parameter that is unknown, missing, of the wrong type or out of range; the message names key and remedy."""


@dataclass(frozen=True)
class ParameterSpec:
    """What one parameter is: dotted ``name``, Python ``kind``, ``unit``, inclusive range, meaning and default."""

    name: str
    kind: type
    is_list: bool
    unit: str
    low: float | None
    high: float | None
    doc: str
    default: Any
    choices: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        """True if the configuration file has to give the value (limits of safety have no default)."""
        return self.default is dataclasses.MISSING

    @property
    def type_name(self) -> str:
        """The kind as shown to people: ``float`` or ``list of float``."""
        return f"list of {self.kind.__name__}" if self.is_list else self.kind.__name__

    def check(self, value: Any) -> Any:
        """Return ``value`` as the declared type; raise :class:`ParameterError` if it does not fit."""
        if self.is_list:
            if not isinstance(value, (list, tuple)):
                raise ParameterError(f"'{self.name}' must be a {self.type_name}, got {short(value)}")
            return tuple(self._check_scalar(item) for item in value)
        return self._check_scalar(value)

    def _check_scalar(self, value: Any) -> Any:
        accepts_int = self.kind is float and isinstance(value, int) and not isinstance(value, bool)
        if not accepts_int and (not isinstance(value, self.kind) or (self.kind is int and isinstance(value, bool))):
            raise ParameterError(f"'{self.name}' must be a {self.type_name}, got {short(value)}")
        if self.kind is float:
            value = float(value)
            if not math.isfinite(value):
                raise ParameterError(f"'{self.name}' must be finite, got {value}")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise ParameterError(f"'{self.name}' must be {self.range_text}, got {value}")
        if self.choices and value not in self.choices:
            raise ParameterError(f"'{self.name}' must be one of {', '.join(self.choices)}, got {short(value)}")
        return value

    @property
    def range_text(self) -> str:
        """The accepted range as text, with the unit."""
        unit = f" {self.unit}" if self.unit else ""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}{unit}"
        if self.low is not None:
            return f"at least {self.low:g}{unit}"
        if self.high is not None:
            return f"at most {self.high:g}{unit}"
        return ", ".join(self.choices)


def param(
    doc: str,
    *,
    default: Any = dataclasses.MISSING,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a parameter as a dataclass field; without ``default`` the configuration must give it."""
    metadata = {"doc": doc, "unit": unit, "low": low, "high": high, "choices": choices}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata, kw_only=True)
    return dataclasses.field(default=default, metadata=metadata, kw_only=True)


def group(cls: type) -> Any:
    """Declare a nested group of parameters as a dataclass field: its names are prefixed with the field's name."""
    return dataclasses.field(metadata={"group": cls}, kw_only=True)


def specs(cls: type, prefix: str = "") -> Iterator[ParameterSpec]:
    """Yield the specification of every parameter of ``cls``, in order of declaration, groups flattened."""
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        name = prefix + field.name
        if "group" in field.metadata:
            yield from specs(field.metadata["group"], prefix=name + ".")
            continue
        kind, is_list = _kind(hints[field.name])
        low, high = field.metadata["low"], field.metadata["high"]
        default = list(field.default) if is_list and field.default is not dataclasses.MISSING else field.default
        yield ParameterSpec(
            name,
            kind,
            is_list,
            field.metadata["unit"],
            low,
            high,
            field.metadata["doc"],
            default,
            field.metadata["choices"],
        )


def _kind(hint: Any) -> tuple[type, bool]:
    """Split a field's type hint into its scalar type and whether it is a tuple of it."""
    if hint in SCALARS:
        return cast(type, hint), False
    arguments = getattr(hint, "__args__", ())
    if getattr(hint, "__origin__", None) is tuple and arguments and arguments[0] in SCALARS:
        return arguments[0], True
    raise TypeError(f"a parameter is a bool, int, float, str or a tuple of one of them, not {hint}")


def build(cls: type[P], values: Mapping[str, Any]) -> P:
    """Build parameter class ``cls`` from a flat mapping of dotted names to values.

    Raises :class:`ParameterError` that lists every unknown, missing, ill-typed or out-of-range key.
    """
    known = {spec.name: spec for spec in specs(cls)}
    problems = [unknown_key(name, list(known)) for name in values if name not in known]
    checked: dict[str, Any] = {}
    for name, spec in known.items():
        if name not in values and spec.required:
            problems.append(f"'{name}' is missing: it has no default ({spec.doc})")
            continue
        try:
            checked[name] = spec.check(values.get(name, spec.default))
        except ParameterError as error:
            problems.append(str(error))
    if problems:
        raise ParameterError("; ".join(problems))
    return _assemble(cls, checked, "")


def _assemble(cls: type[P], values: Mapping[str, Any], prefix: str) -> P:
    arguments = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        name = prefix + field.name
        if "group" in field.metadata:
            arguments[field.name] = _assemble(field.metadata["group"], values, name + ".")
        else:
            arguments[field.name] = values[name]
    return cls(**arguments)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings (the shape of a ROS parameter file) to dotted names."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def to_flat(parameters: Any, prefix: str = "") -> dict[str, Any]:
    """The inverse of :func:`build`: dotted names and values of a parameter object."""
    flat: dict[str, Any] = {}
    for field in dataclasses.fields(parameters):
        value = getattr(parameters, field.name)
        if "group" in field.metadata:
            flat.update(to_flat(value, f"{prefix}{field.name}."))
        else:
            flat[prefix + field.name] = list(value) if isinstance(value, tuple) else value
    return flat


def unknown_key(name: str, known: list[str]) -> str:
    """The message for an unknown key, with the nearest valid name."""
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    names = f"; valid names: {', '.join(known)}" if len(known) <= NAMES_SHOWN else "; docs/parameters.md has all names"
    hint = f"; did you mean '{nearest[0]}'?" if nearest else names
    return f"'{name[:80]}' is not a parameter{hint}"
