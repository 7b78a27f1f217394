"""How many messages were refused, of which topic and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mine_robot.core.types import INPUT_REFUSED, Health, Level

REASONS_MAX = 20  # of a topic that are told apart; whoever sends what is not wanted may send anything
OTHER, SHOWN_MOST = "other reasons", 5
SHOWN_S = 3.0  # after the last refusal the node still says so


class Refusals:
    """Counts a topic and reason, and ``tell``s the first of each; :meth:`onto` says in a health report what goes on."""

    def __init__(self, tell: Callable[[str], object] = lambda line: None) -> None:
        self._tell = tell
        self._counts: dict[str, dict[str, int]] = {}
        self._last: dict[str, str] = {}
        self._news: dict[str, bool] = {}  # topics refused since the last look, and whether safety is at stake
        self._recent: dict[str, tuple[float, bool]] = {}

    def note(self, topic: str, reason: str, *, safety: bool = True) -> None:
        """A message was refused; ``safety``: it may have said what the robot's safety depends on."""
        counts = self._counts.setdefault(topic, {})
        key = reason if reason in counts or len(counts) < REASONS_MAX else OTHER
        counts[key] = counts.get(key, 0) + 1
        self._last[topic] = reason
        self._news[topic] = self._news.get(topic, False) or safety
        if counts[key] == 1:
            self._tell(f"{topic} refused: {reason}")

    def onto(self, report: Health, t: float) -> Health:
        """A report of time ``t``, with what was refused so far as values. For :data:`SHOWN_S` after a refusal it warns."""
        for topic, safety in self._news.items():
            self._recent[topic] = (t, safety)
        self._news = {}
        self._recent = {topic: item for topic, item in self._recent.items() if abs(t - item[0]) < SHOWN_S}
        values = report.values | {
            f"refused {topic}": f"{sum(counts.values())}, the last: {self._last[topic]}"
            for topic, counts in self._counts.items()
        }
        if not self._recent:
            return replace(report, values=values)
        if any(safety for _, safety in self._recent.values()):
            values |= dict([INPUT_REFUSED])
        words = "; ".join(f"{topic} refused: {self._last[topic]}" for topic in self._recent)
        return replace(report, level=max(report.level, Level.WARN), message=f"{report.message}; {words}", values=values)

    def lines(self) -> list[str]:
        """A line for each topic and reason, with the number of messages; of many reasons of a topic the most frequent."""
        lines = []
        for topic, counts in self._counts.items():
            reasons = sorted(counts.items(), key=lambda item: (item[0] == OTHER, -item[1]))
            shown, rest = reasons[:SHOWN_MOST], sum(count for _, count in reasons[SHOWN_MOST:])
            for reason, count in [*shown, (OTHER, rest)] if rest else shown:
                lines.append(f"{topic}: {count} {'message' if count == 1 else 'messages'} refused: {reason}")
        return lines
