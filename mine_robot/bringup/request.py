"""What the user asked ``mine-robot run`` for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mine_robot.console.address import Address


@dataclass(frozen=True)
class RunRequest:
    """What the user asked for; ``sim`` is ``builtin``, ``gazebo11``, ``harmonic`` or ``none`` (the real robot), ``rate`` 0: as fast
    as possible.

    ``console`` is where the operator's page is served, if at all; with ``wait`` the mission begins when a person says so there.
    ``resume`` is the directory of a run to go on with; then everything else has to be as it was. ``remote``: DDS may leave
    this machine. ``language`` is that of the report. ``namespace`` is that of all its names, empty for none.
    ``priors`` is what is known of the ground beforehand (docs/priors.md).
    """

    field: Path
    scenario: Path | None = None
    parameters: tuple[Path, ...] = ()
    out: Path | None = None
    sim: str = "builtin"
    rate: float = 0.0
    seed: int | None = None
    resume: Path | None = None
    remote: bool = False
    console: Address | None = None
    wait: bool = False
    language: str = "en"
    namespace: str = ""
    priors: Path | None = None

    @property
    def simulated(self) -> bool:
        """True if no real robot is driven."""
        return self.sim != "none"
