"""How a node is fed and what it costs: rate and silence of each input, share of a core. Counted a heartbeat at a time."""

from __future__ import annotations

from collections.abc import Iterable


class Vitals:
    """Counts messages as they come; :meth:`values` sums up since the last call."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._heard_t: dict[str, float] = {}
        self._t = self._cpu = self._wall = 0.0

    def expect(self, names: Iterable[str]) -> None:
        """Inputs that are to be shown even if they stay silent."""
        for name in names:
            self._counts.setdefault(name, 0)

    def heard(self, name: str, count: int = 1) -> None:
        """``count`` messages have come in on ``name``."""
        self._counts[name] = self._counts.get(name, 0) + count

    def values(self, t: float, cpu: float, wall: float) -> dict[str, str]:
        """What happened since the last call, as text: ``t`` is the stack's time in s, ``cpu`` and ``wall`` the process's and the wall's."""
        period, wall_period = t - self._t, wall - self._wall
        shown = {"cpu_share": f"{(cpu - self._cpu) / wall_period:.2f}" if self._wall and wall_period > 0.0 else "-"}
        for name, count in self._counts.items():
            if count or name not in self._heard_t:
                self._heard_t[name] = t if count else float("-inf")
            silence = t - self._heard_t[name]
            rate = f"{count / period:.1f} Hz" if period > 0.0 else "-"
            shown[f"in {name}"] = f"{rate}, silent for {silence:.1f} s" if silence > 0.0 else rate
            self._counts[name] = 0
        self._t, self._cpu, self._wall = t, cpu, wall
        return shown
