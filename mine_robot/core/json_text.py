"""The one encoder of everything that is written as JSON (RFC 8259): files, what commands print, what pages and journal get.

It knows the types of this project, so that no writer has to: numpy's numbers, truth values and arrays, paths, times, enumerations and
dataclasses. A number that is not finite, which JSON does not know, is written as null: unknown. What is none of these is a bug and raises.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np

COMPACT = (",", ":")
SURROGATE = re.compile("[\ud800-\udfff]")  # halves of characters, which no UTF-8 file can hold as they are


def to_json(
    content: Any, *, indent: int | None = None, compact: bool = False, ascii_only: bool = False, exact: bool = False
) -> str:
    """``content`` as JSON in one line, or with ``indent``; ``compact`` leaves out blanks, ``ascii_only`` suits any terminal.

    ``exact`` is for what only this project reads again (the journal, the state of a simulated world): numbers that are not finite stay
    as they are, in Python's notation. Raises TypeError for a type that is not known, ValueError for content that holds itself.
    """
    separators = COMPACT if compact else None

    def encoder(escaped: bool) -> json.JSONEncoder:
        return json.JSONEncoder(
            default=_plain, ensure_ascii=escaped, allow_nan=exact, indent=indent, separators=separators
        )

    try:
        text = encoder(ascii_only).encode(content)
    except (
        ValueError,
        TypeError,
    ):  # a number that is not finite, or a key that is no text: seldom, and slow to look for
        content = _cleaned(content, exact)
        text = encoder(ascii_only).encode(content)
    return text if SURROGATE.search(text) is None else encoder(True).encode(content)


def _plain(value: Any) -> Any:
    """``value`` as something that JSON has; raises TypeError for what is not known."""
    if isinstance(value, np.generic):
        return _plain(value.item()) if isinstance(value, np.datetime64) else value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no type that can be written as JSON")


def _cleaned(value: Any, exact: bool, depth: int = 0) -> Any:
    """``value`` of plain types alone, with None for what is not finite unless it is to stay ``exact``, and text as keys."""
    if depth > 200:
        raise ValueError("too deep for JSON, or it holds itself")
    if isinstance(value, float):
        return float(value) if exact or math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, dict):
        return {_key(key): _cleaned(item, exact, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(item, exact, depth + 1) for item in value]
    return _cleaned(_plain(value), exact, depth + 1)


def _key(key: Any) -> str:
    """A key as text, as the encoder itself writes those that it takes."""
    plain = key if isinstance(key, (str, int, float)) or key is None else _plain(key)
    return plain if isinstance(plain, str) else json.dumps(plain)
