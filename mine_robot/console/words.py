"""What the page says of the robot: a function of the mission's state, and of nothing that was said before."""

from __future__ import annotations

from mine_robot.core.types import MissionState as S

WORDS = {
    S.IDLE: "The mission has not been started; the robot is told to stand.",
    S.ALIGN: "The mission has been started; the robot is told to stand until its components are ready.",
    S.PLAN: "The robot is told to stand while its way is planned.",
    S.SEARCH: "The robot searches and drives.",
    S.APPROACH: "The robot drives to a target.",
    S.MARK: "The robot is told to stand while it marks a target.",
    S.HOLD: "The robot is told to stand until the cause is gone.",
    S.PAUSED: "The robot is told to stand until somebody resumes.",
    S.RETURN: "The robot drives home.",
    S.ESTOP: "Confirmed: emergency stop. The robot is told to stand until somebody resumes.",
    S.DONE: "The mission is complete; the robot is told to stand.",
    S.ABORTED: "The mission has ended short; the robot is told to stand.",
}


def words_of(state: S, *, replay: bool = False) -> str:
    """One sentence or two; a replay says that no robot is meant."""
    return f"REPLAY, no robot was stopped or moved: {WORDS[state]}" if replay else WORDS[state]
