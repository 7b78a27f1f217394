"""The stops above the guard: by service, for motion, for a stranger's command, for want of a heartbeat; and who opens them."""

from __future__ import annotations

import dataclasses

import pytest
from control_plant import limits, nav_state, robot, status

from mine_robot.control.foreign import REMEMBERED, OwnCommands
from mine_robot.control.guard import GuardDecision
from mine_robot.control.params import GuardParams
from mine_robot.control.stops import AGAIN_S, Stops
from mine_robot.core.types import Health, Level, MissionState, Twist2, WheelSample

S = MissionState
DRIVE = (0.4, 0.1)


def stops(**changes: float) -> Stops:
    made = Stops(dataclasses.replace(GuardParams(), **changes), limits(), robot())
    made.set_mission(status(0.0, S.SEARCH))
    return made


def passes(made: Stops, t: float, drive: tuple[float, float] = DRIVE) -> bool:
    twist = made.pass_on(t, GuardDecision(Twist2(t, *drive), "")).twist
    assert twist.t == t
    assert (twist.speed, twist.yaw_rate) in (drive, (0.0, 0.0))
    return twist.speed != 0.0


def report(made: Stops, name: str, t: float) -> Health:
    return next(report for report in made.health(t) if report.name == name)


def test_a_stop_by_service_holds_until_the_mission_has_taken_it_over_and_a_person_has_resumed() -> None:
    made = stops()
    assert passes(made, 1.0)
    made.stop(1.1)
    assert not passes(made, 1.1)
    assert report(made, "guard_stop", 1.2).level is Level.ERROR
    for told in (status(1.0, S.ESTOP), status(1.0, S.PLAN), status(1.05, S.SEARCH), status(5.0, S.SEARCH)):
        made.set_mission(told)  # what a frozen mission had on its lips, and one that has not heard yet
        assert not passes(made, 5.0)
    made.set_mission(status(6.0, S.ESTOP))
    assert not passes(made, 6.0)
    assert report(made, "guard_stop", 6.0).level is Level.WARN  # else nobody could resume
    made.set_mission(status(6.0, S.PLAN))
    made.set_mission(status(5.5, S.SEARCH))
    assert not passes(made, 6.1)
    made.set_mission(status(7.0, S.PLAN))
    assert passes(made, 7.0)
    assert all(item.level is Level.OK for item in made.health(7.0))
    assert not made.siren


def test_motion_while_told_to_stand_sounds_the_siren_and_latches() -> None:
    made = stops()
    made.set_mission(status(1.0, S.PAUSED))
    t = 1.0
    while t < 10.0 and not made.siren:
        t = round(t + 0.05, 6)
        speed = 0.3 if t > 5.0 else 0.0
        made.add_wheels(WheelSample(t, speed, 0.0))
        made.add_nav(nav_state(t, 2.0 + max(t - 5.0, 0.0) * 0.3, 1.0, 0.0, speed))
        assert not passes(made, t, (0.0, 0.0))
    assert 5.3 < t < 5.6
    alarm = report(made, "standstill", t)
    assert alarm.level is Level.ERROR
    assert alarm.message.startswith("moved 0.1")
    assert set(alarm.values) >= {"who", "moved_m", "since_t", "east_m", "north_m", "stopped_t"}
    assert not passes(made, t)
    made.set_mission(status(t + 0.1, S.ESTOP))
    assert report(made, "standstill", t + 0.1).level is Level.ERROR  # long enough for the mission to hear of it
    assert report(made, "standstill", t + 1.1).level is Level.WARN
    assert made.siren
    made.set_mission(status(t + 2.0, S.PLAN))
    assert not made.siren
    assert passes(made, t + 2.0)


@pytest.mark.parametrize("state", [S.IDLE, S.ALIGN])
def test_a_robot_that_is_brought_to_its_field_by_hand_may_move(state: MissionState) -> None:
    made = stops()
    made.set_mission(status(0.0, state))
    for index in range(200):
        made.add_wheels(WheelSample(index * 0.05, 0.5, 0.0))
        passes(made, index * 0.05, (0.0, 0.0))
    assert not made.siren


def test_a_strangers_command_stops_the_robot_and_names_him() -> None:
    made = stops()
    asked = []

    def who() -> list[str]:
        asked.append(1)
        return ["/teleop"]

    for index in range(100):  # a flood is one alarm
        made.add_foreign(2.0 + index * 0.01, Twist2(2.0, 0.5, 0.0), who)
    assert not passes(made, 2.1)
    assert made.siren
    assert len(asked) == 1
    told = report(made, "foreign_command", 2.1)
    assert told.level is Level.ERROR
    assert "/teleop" in told.message
    assert "0.50 m/s" in told.message
    made.add_foreign(2.0 + AGAIN_S, None, list)
    assert "somebody unknown" in report(made, "foreign_command", 13.0).message


def test_who_resumes_while_the_stranger_goes_on_is_stopped_again() -> None:
    made = stops()
    made.add_foreign(2.0, None, lambda: ["/teleop"])
    made.set_mission(status(2.1, S.ESTOP))
    made.set_mission(status(2.5, S.PLAN))
    assert passes(made, 2.5)
    made.add_foreign(2.6, None, lambda: ["/teleop"])
    assert not passes(made, 2.6)


def test_a_stop_noted_late_is_no_earlier_word_for_the_others() -> None:
    made = stops()
    made.stop(5.0)
    made.add_foreign(4.0, None, lambda: ["/teleop"])  # heard late
    made.set_mission(status(4.5, S.ESTOP))
    made.set_mission(status(4.6, S.PLAN))
    assert not passes(made, 5.1)
    made.set_mission(status(5.5, S.ESTOP))
    made.set_mission(status(5.6, S.PLAN))
    assert passes(made, 5.7)


def test_a_heartbeat_is_demanded_only_where_it_is_configured_and_its_want_is_not_latched() -> None:
    free = stops()
    assert passes(free, 50.0)
    assert "operator" not in {item.name for item in free.health(50.0)}
    made = stops(operator_age_max=2.0)
    assert not passes(made, 1.0)
    assert report(made, "operator", 1.0).level is Level.ERROR
    made.set_operator(1.0)
    assert passes(made, 2.9)
    assert report(made, "operator", 2.9).level is Level.OK
    assert not passes(made, 3.1)
    assert "no heartbeat from the operator" in made.pass_on(3.1, GuardDecision(Twist2(3.1, *DRIVE), "")).reason
    made.set_operator(3.2)
    assert passes(made, 3.3)
    made.set_operator(1.5)  # an old one, late
    assert passes(made, 3.3)
    made.set_operator(1e6)  # nobody's
    assert not passes(made, 3.4)


def test_own_commands_come_back_once_each() -> None:
    own = OwnCommands()
    for word in (b"a", b"b", b"b", b"c", b"d"):
        own.sent(word)
    assert not own.foreign(b"a")
    assert not own.foreign(b"b")
    assert not own.foreign(b"b")
    assert own.foreign(b"b"), "repeated by somebody"
    assert own.foreign(b"x")
    assert own.foreign(b"")
    assert not own.foreign(b"d"), "c was lost on the way"
    assert own.foreign(b"c")
    for index in range(3 * REMEMBERED):
        own.sent(b"%d" % index)
    assert own.foreign(b"0"), "long ago"
    assert not own.foreign(b"%d" % (3 * REMEMBERED - 1))
