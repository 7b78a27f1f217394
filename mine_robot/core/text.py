"""Text that came from outside, and what may be done with it: the one door for names, and one line for people."""

from __future__ import annotations

import re
from typing import Any

NAME_MAX = 250  # characters
# What no screen shows, or shows as something else: control characters, separators of lines, overrides and isolates of the direction of
# writing (Unicode UAX #9), halves of surrogate pairs, and what is no character.
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]")
FORMULA = re.compile(
    r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]"
)  # with which a spreadsheet begins a formula (OWASP: CSV injection)
NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")


def checked_name(value: Any, what: str) -> str:
    """A name given in a file, in one line; empty for none.

    Raises :class:`ValueError`, saying ``what``, if it is no text, could not be shown as it is on every screen, page and map, or is too
    long.
    """
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"'{what}' must be text, not {short(value)}")
    text = " ".join(str(value).split())
    if (found := HIDDEN.search(text)) is not None:
        raise ValueError(f"'{what}' holds U+{ord(found[0]):04X}, which cannot be shown: {short(text)}")
    if len(text) > NAME_MAX:
        raise ValueError(f"'{what}' is longer than {NAME_MAX} characters: {short(text)}")
    return text


def one_line(text: str) -> str:
    """``text`` in a line that does nothing to a terminal: what is hidden is written as its number."""
    return HIDDEN.sub(lambda found: repr(found[0])[1:-1] if found[0] < "\x80" else f"\\u{ord(found[0]):04x}", text)


def short(value: Any, limit: int = 60) -> str:
    """``value`` as Python writes it, cut to ``limit`` characters, in one line."""
    text = one_line(repr(value))
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def harmless(value: Any) -> Any:
    """A cell of a table for spreadsheets: text that would be taken for a formula gets an apostrophe before it; numbers stay numbers."""
    if not isinstance(value, str) or NUMBER.fullmatch(value) or not FORMULA.match(value.lstrip(" ")):
        return value
    return f"'{value}"


def writable(text: str) -> str:
    """``text`` as every file of UTF-8 holds it: halves of surrogate pairs and NUL are replaced."""
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", text)
