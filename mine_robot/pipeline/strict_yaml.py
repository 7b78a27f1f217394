"""YAML as people mean it: one reader for every YAML file of the project, which refuses what readers of YAML understand differently.

A parameter file is read by us, by ROS and by people. YAML 1.1 makes 192 of ``0300``, 300 of ``5:00``, True of ``yes``, YAML 1.2 does not;
of a key that stands twice most readers keep the last one. All of that is refused with its line. The file is read event by event (libyaml),
so that neither depth nor aliases of a hostile file can hurt.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, six times as fast
MAX_DEPTH = 30
INT_MAX = 2**63 - 1  # of a ROS parameter
NULLS = ("", "~", "null", "Null", "NULL")
TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
AMBIGUOUS = (
    (re.compile(r"[-+]?0[0-9_]+[0-9_.eE+-]*"), "octal for some readers, for its leading zero"),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"), "a number in sixties for some readers"),
    (re.compile(r"[-+]?0[xXoObB][0-9a-fA-F_]*"), "not a decimal number"),
    (re.compile(r"[-+]?\.?[0-9][0-9_.]*_[0-9_.]*([eE][-+]?[0-9]+)?"), "a number with underscores for some readers"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?"), "a date for some readers"),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), "no number that anything here could have"),
    (re.compile(r"y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF"), "true or false for some readers: write that"),
)


class YamlError(ValueError):
    """What cannot be read, or could be read in two ways; one line that says where."""


class Section(dict[str, Any]):
    """A mapping of the file; ``lines`` has the line of each of its keys."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


def read_yaml(text: str) -> Any:
    """The content of a YAML file: :class:`Section`, list, str, int, float, bool or None.

    Raises :class:`YamlError` for what is no YAML, holds nothing or several documents, repeats a key, has keys that are no names, anchors,
    aliases, merge keys or tags, is nested too deeply, and for plain words that YAML 1.1 and 1.2 understand differently.
    """
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=LOADER):
            builder.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        said = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise YamlError(f"not YAML: {' '.join(str(said).split())}{where}") from None
    if builder.content is None:
        raise YamlError("is empty: it holds no values")
    return builder.content


class _Dumper(yaml.SafeDumper):
    """Quotes every text that a reader could take for something else."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    try:
        plain = scalar(text) == text
    except YamlError:
        plain = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else "'")


_Dumper.add_representer(str, _represent_text)


def write_yaml(content: Any) -> str:
    """``content`` (dict, list, str, numbers) as YAML that every reader understands alike."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Builder:
    """Values from events. ``_open`` holds the sections and lists around the next value, ``_keys`` the key that waits in each section."""

    def __init__(self) -> None:
        self.content: Any = None
        self._documents = 0
        self._open: list[Section | list[Any]] = []
        self._keys: list[str | None] = []

    def take(self, event: yaml.Event) -> None:
        """The next event; raises :class:`YamlError`."""
        line = event.start_mark.line + 1 if event.start_mark is not None else 0
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise YamlError(f"line {line}: a second document begins; give one file for each")
        elif isinstance(event, yaml.NodeEvent):
            self._refuse_references(event, line)
            if isinstance(event, yaml.ScalarEvent):
                value = scalar(event.value, line) if event.implicit[0] else event.value
                self._place(value, line, event.value)
            else:
                self._begin(Section() if isinstance(event, yaml.MappingStartEvent) else [], line)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._open.pop()
            self._keys.pop()

    @staticmethod
    def _refuse_references(event: yaml.NodeEvent, line: int) -> None:
        if event.anchor is not None:
            raise YamlError(
                f"line {line}: '{event.anchor[:40]}' is an anchor or alias; write the value where it is meant"
            )
        if (tag := getattr(event, "tag", None)) is not None:
            raise YamlError(f"line {line}: {str(tag)[:40]!r} is a tag; write the value alone")

    def _begin(self, value: Section | list[Any], line: int) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise YamlError(f"line {line}: nested more than {MAX_DEPTH} deep")
        self._place(value, line, "")
        self._open.append(value)
        self._keys.append(None)

    def _place(self, value: Any, line: int, text: str) -> None:
        """Put a value where it belongs: as the content, into a list, as a key, or as the value of the key before it."""
        if not self._open:
            self.content = value
            return
        around, key = self._open[-1], self._keys[-1]
        if isinstance(around, list):
            around.append(value)
        elif key is not None:
            around[key] = value
            self._keys[-1] = None
        else:
            name = _checked_key(value, line, text, around)
            self._keys[-1], around.lines[name] = name, line


def _checked_key(value: Any, line: int, text: str, section: Section) -> str:
    if not isinstance(value, str):
        raise YamlError(f"line {line}: the key {text[:40]!r} is no name")
    if value == "<<":
        raise YamlError(f"line {line}: '<<' merges another section in; write its values")
    if value in section.lines:
        raise YamlError(
            f"'{value[:60]}' stands twice, in line {section.lines[value]} and in line {line}: one of them would be lost"
        )
    return value


def scalar(text: str, line: int = 1) -> Any:
    """What a plain word means; raises :class:`YamlError` if that depends on the reader."""
    for pattern, words in AMBIGUOUS:
        if pattern.fullmatch(text):
            raise YamlError(f"line {line}: {text[:40]!r} is {words}; quote it if it is text")
    if text in NULLS:
        return None
    if text in TRUE or text in FALSE:
        return text in TRUE
    if INTEGER.fullmatch(text):
        number = int(text) if len(text) <= 20 else INT_MAX + 1
        if abs(number) > INT_MAX:
            raise YamlError(f"line {line}: {text[:40]} is too large")
        return number
    if FLOAT.fullmatch(text):
        value = float(text)
        if not math.isfinite(value) or (value == 0.0 and re.search("[1-9]", re.split("[eE]", text)[0])):
            raise YamlError(f"line {line}: {text[:40]} is too {'small' if value == 0.0 else 'large'} for a number")
        return value
    return text
