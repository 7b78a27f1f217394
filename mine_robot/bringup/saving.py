"""The one door for files and folders that a command is asked to write: none overwrites what the command reads, or a file of another kind.

A file of the same kind, from an earlier call, may be replaced. It is written beside its place first and put there whole, so that a link
is replaced and what it leads to stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mine_robot.pipeline.loading import LoadError, load_json
from mine_robot.records.errors import RecordError

HEAD = 4096  # bytes that say what a file is
STAMP = ".mine_robot_output"  # in a folder that a command fills: which command that was
PLAN_MEMBERS = {"summary", "robot", "features"}
SLOPES = "mine-robot slopes"  # the member `written_by` of the fields that it writes


@dataclass(frozen=True)
class Kind:
    """A kind of output: its ``name``, and whether the file at a path is one that an earlier call wrote."""

    name: str
    is_ours: Callable[[Path], bool]


def _members(path: Path) -> dict[str, object]:
    """The members of a JSON file; none of what is no JSON object."""
    with suppress(LoadError):
        content = load_json(path)
        return content if isinstance(content, dict) else {}
    return {}


def _begins(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


PLAN = Kind("a plan", lambda path: _members(path).keys() >= PLAN_MEMBERS)
FIELD = Kind("a field that `mine-robot slopes` wrote", lambda path: _members(path).get("written_by") == SLOPES)
SCRATCH = Kind("a field of a preview", lambda path: False)
PICTURE = Kind(
    "a picture of ours", lambda path: _begins(path).startswith(b"\x89PNG") and b"Matplotlib" in _begins(path)
)
THRESHOLD = Kind("a parameter file of `threshold`", lambda path: _begins(path).startswith(b"# limits.mark_p_hazard "))


def check_output(out: Path, kind: Kind, inputs: Iterable[Path | None]) -> None:
    """Raise :class:`LoadError` if writing ``out`` would overwrite one of ``inputs``, by whatever name, or a file of another kind."""
    for path in inputs:
        if path is not None and _same(path, out):
            raise LoadError(f"{out}: is the input {path}, which would be overwritten; give another file")
    if out.is_dir():
        raise LoadError(f"{out}: cannot be written: is a folder")
    if not out.is_file():
        return  # nothing there, or a device
    try:
        ours = out.stat().st_size == 0 or kind.is_ours(out)
    except OSError as error:
        raise LoadError(f"{out}: cannot be written: {error.strerror or error}") from None
    if not ours:
        raise LoadError(f"{out}: exists and is not {kind.name}; it is not overwritten: give another file, or delete it")


@contextmanager
def filling(out: Path, command: str, inputs: Iterable[Path | None]) -> Iterator[None]:
    """The block fills the folder ``out``: a new one, an empty one, or one that ``command`` filled before.

    Raises :class:`LoadError` if there is anything else in it, or if it is or holds one of ``inputs``, :class:`RecordError` if it is a file.
    """
    for path in inputs:
        if path is not None and (_same(path, out) or _within(path, out)):
            raise LoadError(f"{out}: is or holds the input {path}; give another folder")
    if out.exists() and not out.is_dir():
        raise RecordError(f"{out} is not a folder")
    stamp = out / STAMP
    if _held(out):
        said = stamp.read_text(encoding="utf-8", errors="replace").strip() if stamp.is_file() else ""
        if said != command:
            what = f"the output of `mine-robot {said[:40]}`" if said else "files that are not of `mine-robot`"
            raise LoadError(f"{out}: holds {what}; nothing is written among them: give a new or empty folder")
    try:
        yield
    finally:
        if _held(out):
            stamp.write_text(f"{command}\n", encoding="utf-8")


def _held(folder: Path) -> bool:
    """Whether there is anything in a folder."""
    with saving(folder):
        return folder.is_dir() and any(folder.iterdir())


@contextmanager
def saving(path: Path) -> Iterator[None]:
    """The block writes ``path``; raises :class:`LoadError` with one line if that cannot be."""
    try:
        yield
    except OSError as error:
        raise LoadError(f"{path}: cannot be written: {error.strerror or error}") from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The block writes the file that it is given, which then takes the place of ``path``; raises as :func:`saving`.

    A device is written itself.
    """
    with saving(path):
        if path.exists() and not path.is_file():
            yield path
            return
        draft = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
        try:
            yield draft
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def save_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _same(one: Path, other: Path) -> bool:
    """Whether two names are one file: links of both kinds, other spellings, and names that differ in nothing but capitals."""
    with suppress(OSError):
        if one.samefile(other):
            return True
    return _plain(one) == _plain(other)


def _plain(path: Path) -> str:
    """A name that is the same for all spellings, on file systems that do not know capitals too."""
    return os.path.realpath(path).casefold()


def _within(path: Path, folder: Path) -> bool:
    return path.exists() and Path(os.path.realpath(folder)) in Path(os.path.realpath(path)).parents
