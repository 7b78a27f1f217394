"""What goes wrong with records of a run."""

from __future__ import annotations


class RecordError(ValueError):
    """A record of a run cannot be read or written; the message is one line that says which and why."""
