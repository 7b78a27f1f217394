"""Times of the stack for people: elapsed in simulation; local time with its zone, and elapsed since the run began, on a robot."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass

UNKNOWN = "?"
UNIX_TIMES = 946_684_800.0  # s, the year 2000: no simulated mission lasts thirty years


@dataclass(frozen=True)
class RunClock:
    """Says times ``t``, s: of a ``simulated`` clock, which begins at 0; else UNIX times, of a run that ``began`` at one (NaN: not known).

    ``zone`` is that of the words, by default this computer's.
    """

    simulated: bool
    began: float = math.nan
    zone: datetime.tzinfo | None = None

    @classmethod
    def seen(cls, t: float) -> RunClock:
        """The clock of a log of which nothing else is known: one that shows a time in this century is a robot's."""
        return cls(simulated=not t >= UNIX_TIMES)

    def moment(self, t: float) -> str:
        """A time to a tenth of a second where it is simulated, else with its day."""
        return f"{t:.1f} s" if self.simulated else self.date(t)

    def elapsed(self, t: float) -> str:
        """Since the run began: 2:03, 1:02:03."""
        return duration(t if self.simulated else t - self.began)

    def date(self, t: float) -> str:
        """Day, local time to the second and zone; of a simulated clock the elapsed time."""
        return self._local(t, "%Y-%m-%d %H:%M:%S %Z")

    def time(self, t: float) -> str:
        """Local time and zone; of a simulated clock the elapsed time."""
        return self._local(t, "%H:%M:%S %Z")

    def both(self, t: float) -> str:
        """Local time with zone, and elapsed time; the latter alone of a simulated clock."""
        return self.elapsed(t) if self.simulated else f"{self.time(t)}, {self.elapsed(t)} elapsed"

    def span(self, first: float, last: float) -> str:
        """From a time to another, to a tenth of a second."""
        if self.simulated:
            return f"from {first:.1f} s to {last:.1f} s"
        return f"from {self.date(first)} to {self.time(last)} ({last - first:.1f} s)"

    def _local(self, t: float, form: str) -> str:
        if self.simulated:
            return self.elapsed(t)
        try:
            return f"{local(t, self.zone):{form}}"
        except (ValueError, OverflowError, OSError):  # no time that a calendar has
            return UNKNOWN


def local(t: float, zone: datetime.tzinfo | None = None) -> datetime.datetime:
    """A UNIX time in ``zone``, by default this computer's; raises ValueError, OverflowError or OSError for what no calendar has."""
    return datetime.datetime.fromtimestamp(t, datetime.timezone.utc).astimezone(zone)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, the hours only where there are any."""
    if not math.isfinite(seconds):
        return UNKNOWN
    sign, whole = ("-" if round(seconds) < 0 else ""), abs(round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{sign}{hours}:{minutes:02d}:{rest:02d}" if hours else f"{sign}{minutes}:{rest:02d}"
