"""Every transition of the mission there is; the tests sweep the machine against this table."""

from __future__ import annotations

from mine_robot.core.types import MissionState as S

TRANSITIONS: dict[S, frozenset[S]] = {
    S.IDLE: frozenset({S.ALIGN, S.ABORTED, S.ESTOP}),
    S.ALIGN: frozenset({S.PLAN, S.PAUSED, S.ABORTED, S.ESTOP}),
    S.PLAN: frozenset({S.PLAN, S.SEARCH, S.APPROACH, S.MARK, S.RETURN, S.HOLD, S.PAUSED, S.DONE, S.ABORTED, S.ESTOP}),
    S.SEARCH: frozenset({S.PLAN, S.HOLD, S.PAUSED, S.ABORTED, S.ESTOP}),
    S.APPROACH: frozenset({S.PLAN, S.MARK, S.HOLD, S.PAUSED, S.ABORTED, S.ESTOP}),
    S.MARK: frozenset({S.PLAN, S.HOLD, S.PAUSED, S.ABORTED, S.ESTOP}),
    S.HOLD: frozenset({S.PLAN, S.PAUSED, S.ABORTED, S.ESTOP}),
    S.PAUSED: frozenset({S.ALIGN, S.PLAN, S.ABORTED, S.ESTOP}),
    S.RETURN: frozenset({S.PLAN, S.HOLD, S.PAUSED, S.DONE, S.ABORTED, S.ESTOP}),
    S.ESTOP: frozenset({S.IDLE, S.ALIGN, S.PLAN, S.ABORTED}),
    S.DONE: frozenset(),
    S.ABORTED: frozenset(),
}
