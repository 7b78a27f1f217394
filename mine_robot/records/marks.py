"""A mark as the records show it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mine_robot.core.types import MarkStatus


@dataclass(frozen=True)
class Mark:
    """The mark on one target: when it was asked for and, once there is an outcome, the nozzle's place in ``map``."""

    target_id: int
    requested_t: float
    status: MarkStatus | None = None
    t: float = math.nan
    x: float = math.nan
    y: float = math.nan
    detail: str = ""

    @property
    def state(self) -> str:
        """``requested`` (no outcome known), ``confirmed``, ``unverified`` or ``failed``."""
        return self.status.value if self.status else "requested"

    @property
    def placed(self) -> bool:
        """True if something may lie on the ground: proven or not, at a known place."""
        fired = self.status in (MarkStatus.CONFIRMED, MarkStatus.UNVERIFIED)
        return fired and math.isfinite(self.x) and math.isfinite(self.y)
