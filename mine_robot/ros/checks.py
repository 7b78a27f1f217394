"""What single values of a message may be: numbers within a range, members of an enumeration, texts, times.

Nothing here knows a topic; which value of which topic has which range stands in :mod:`mine_robot.ros.gate`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

E = TypeVar("E", bound=Enum)
F = TypeVar("F", bound=Callable[..., Any])
NAME_MAX, TEXT_MAX = 256, 4096  # characters
SHOWN = 60  # characters of a bad value that an error shows
DIGITS_MAX = 40  # of a number in a text
# What moves the cursor, ends the text or turns its direction, and half of a character, is no text.
CONTROLS = (range(0x20), range(0x7F, 0xA0), range(0x2028, 0x202F), range(0x2066, 0x206A), range(0xD800, 0xE000))
NO_TEXT = {code: "\N{REPLACEMENT CHARACTER}" for codes in CONTROLS for code in codes} | dict.fromkeys(b"\t\n\r", " ")


class DecodeError(ValueError):
    """A message whose content does not fit its topic; one line says what."""


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``; ``whole`` ones only, or with ``unknown`` also NaN and infinity, where the consumers know what
    to make of a value that is not known.
    """

    low: float
    high: float
    unit: str = ""
    unknown: bool = False
    whole: bool = False

    def check(self, name: str, value: float) -> float:
        """``value`` itself; raises :class:`DecodeError` if it is not in the range."""
        if self.low <= value <= self.high:
            if not self.whole or value == math.floor(value):
                return value
        elif self.unknown and not math.isfinite(value):
            return value
        raise DecodeError(f"{name} is {value:.9g}, expected {self}")

    def __str__(self) -> str:
        if self.low == -math.inf and self.unknown:
            return "any"
        words = f"{'whole, ' if self.whole else ''}{self.low:g} to {self.high:g} {self.unit}".rstrip()
        return f"{words}, or not known" if self.unknown else words


def total(decode: F) -> F:
    """Makes a decoder raise nothing but :class:`DecodeError`, whatever it is given: a message of another type, say."""

    @functools.wraps(decode)
    def decode_or_refuse(*arguments: Any) -> Any:
        try:
            return decode(*arguments)
        except DecodeError:
            raise
        except (AttributeError, TypeError, ValueError, LookupError, ArithmeticError) as error:
            raise DecodeError(f"not a message of this topic: {shown(error)}") from None

    return decode_or_refuse  # type: ignore[return-value]


def shown(value: object) -> str:
    """A value from outside as part of a line for people: short, and only text."""
    text = plain_text(str(value))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def plain_text(text: str) -> str:
    """``text`` on one line, with a replacement character for whatever is no text."""
    return text if text.isprintable() else text.translate(NO_TEXT)


def checked_text(name: str, text: str, most: int = TEXT_MAX) -> str:
    """A text for people, of at most ``most`` characters, as :func:`plain_text`."""
    if len(text) > most:
        raise DecodeError(f"{name} has {len(text)} characters, {most} are the most")
    return text if text.isprintable() else text.translate(NO_TEXT)


def seconds(stamp: Any) -> float:
    """A builtin_interfaces/Time as seconds; one division, so that equal stamps give equal floats."""
    sec, nanosec = stamp.sec, stamp.nanosec
    if sec < 0 or not 0 <= nanosec < 1_000_000_000:
        raise DecodeError("the stamp is no time")
    return float((sec * 1_000_000_000 + nanosec) / 1e9)


def member(name: str, kinds: type[E], value: object) -> E:
    """The member of an enumeration that has ``value``."""
    try:
        return kinds(value)
    except ValueError:
        allowed = ", ".join(str(kind.value) for kind in kinds)
        raise DecodeError(f"{name} is '{shown(value)}', expected one of {allowed}") from None


class Values:
    """The values of a message that is a record of keys and texts, each looked up once and checked."""

    def __init__(self, pairs: Mapping[str, str], ranges: Mapping[str, Range]) -> None:
        self._pairs, self._ranges = pairs, ranges

    def text(self, key: str, most: int = TEXT_MAX, *, default: str | None = None) -> str:
        """A text, or the ``default``, without which it has to be there."""
        text = self._pairs.get(key, default)
        if text is None:
            raise DecodeError(f"there is no value '{key}'")
        return checked_text(key, text, most)

    def number(self, key: str, *, default: float | None = None) -> float:
        """A number within its range, or the ``default``, without which it has to be there."""
        if default is not None and key not in self._pairs:
            return default
        return self._ranges[key].check(key, number(key, self.text(key)))

    def whole(self, key: str, *, default: float | None = None) -> int:
        """A whole number within its range."""
        return int(self.number(key, default=default))

    def flag(self, key: str) -> bool:
        """``True`` or ``False``."""
        text = self.text(key)
        if text not in ("True", "False"):
            raise DecodeError(f"{key} is '{shown(text)}', expected True or False")
        return text == "True"

    def member(self, key: str, kinds: type[E]) -> E:
        """A member of an enumeration."""
        return member(key, kinds, self.text(key))


def number(name: str, text: str) -> float:
    """The number that a text is."""
    try:
        if len(text) > DIGITS_MAX:
            raise ValueError
        return float(text)
    except ValueError:
        raise DecodeError(f"{name} is '{shown(text)}', expected a number") from None
