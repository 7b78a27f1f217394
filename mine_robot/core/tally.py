"""How many targets there are: the one way in which they are counted, on the page, in the terminal and in the records."""

from __future__ import annotations

from collections.abc import Iterable


class Tally:
    """Two numbers: ``listed``, all that the detector ever listed, and ``suspects``, those that ever were as probable as ``mark_p``."""

    def __init__(self, mark_p: float) -> None:
        self._mark_p = mark_p
        self._listed: set[int] = set()
        self.suspected: set[int] = set()

    def add(self, targets: Iterable[tuple[int, float]]) -> None:
        """Take targets as (id, probability of a hazard); a probability that is no number makes no suspect."""
        for number, probability in targets:
            self._listed.add(number)
            if probability >= self._mark_p:
                self.suspected.add(number)

    @property
    def listed(self) -> int:
        """Number of targets."""
        return len(self._listed)

    @property
    def suspects(self) -> int:
        """Number of suspects among them."""
        return len(self.suspected)


def in_words(suspects: int, listed: int) -> str:
    """Both numbers, named."""
    return f"{suspects} {'suspect' if suspects == 1 else 'suspects'} of {listed} listed"
