"""What the campaign of attacks (``gate_campaign.py``) does to a running mission: every attack by name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import gate_messages as hostile
import numpy as np
from gate_forged import FORGED
from gate_scene import Scene
from gate_voices import insider_of

from mine_robot.core.types import MarkRequest, MarkResult, MarkStatus, MissionState, Remark, RemarkAnswer, RemarkKind
from mine_robot.ros import encode
from mine_robot.ros.messages import message_class
from mine_robot.ros.topics import (
    CLOCK,
    CMD,
    MARK_REQUEST,
    MARK_RESULT,
    MISSION_STATE,
    REMARK,
    REMARK_ANSWER,
    TARGETS,
    TOPICS,
    Topic,
)

PACE_S = 0.005
PATIENT = 5  # times as long by the wall
FLOOD = 4000  # messages, and at most this long:
FLOOD_S = 4.0
MANY = 400  # of broken messages a topic
LARGE_ONES = 2
DELAY_S = 2.5
LASTS_S = 2.0
SILENT_AT_S, SILENT_S, SILENT_WALL_S = 60.0, 5.0, 90.0
BLINDING = ("gpr_dead", "md_coil_dead")  # faults in which the head does not sense


class Speaker(Protocol):
    """A mouth of gate_voices.py."""

    def say(self, topic: Topic, message: Any) -> None:
        """Publish a message or bytes."""


@dataclass
class Arena:
    """Where an attack acts: ``scene`` knows what the stack said before, ``speak`` opens a further mouth by node name and namespace."""

    scene: Scene
    mouth: Speaker
    speak: Callable[..., Any]
    freeze: Callable[[str], None]
    call: Callable[[str], str]
    press: Callable[[], None]
    second: Callable[[str], None]
    listeners: Callable[[str], int]
    badge: Callable[[str], Any]
    rng: np.random.Generator

    def paced(self, seconds: float, pace: float = PACE_S) -> Iterator[float]:
        """Times from the begin, until so many seconds of wall time and of the stack's have passed; on a busy machine these take longer."""
        begin, t = time.monotonic(), self.scene.t
        while (passed := time.monotonic() - begin) < seconds or (
            self.scene.t - t < seconds and passed < PATIENT * seconds
        ):
            yield passed
            time.sleep(pace)


Act = Callable[[Arena], None]


@dataclass(frozen=True)
class Attack:
    """``before`` is what the mission does when it comes: ``search``, ``estop``, ``pause``. The ``frozen`` node may die of it."""

    name: str
    kind: str
    act: Act = field(repr=False)
    topics: tuple[Topic, ...] = ()
    before: str = "search"
    frozen: str = ""
    blind: bool = False
    lasts: float = LASTS_S
    faults: tuple[dict[str, Any], ...] = ()
    mouths: tuple[str, ...] = ("stranger",)
    quiet: bool = False  # the visitor says nothing: others speak
    presses: bool = False  # a person presses the emergency stop

    @property
    def alone(self) -> bool:
        """Needs a mission of its own, whatever comes of it."""
        return bool(self.faults)


# --- every topic, every kind ------------------------------------------------------------------------------------------
def genuine(scene: Scene, topic: Topic) -> bytes:
    """A message of the topic as the stack would send it: heard, or made where none has been heard."""
    heard = scene.last(topic)
    if heard is not None:
        return heard
    t = scene.t
    remark = Remark(t, "1", RemarkKind.REJECT, 1, "seen", "operator")
    made = {
        CLOCK: encode.clock(t),
        TARGETS: encode.targets(t, scene.suspects or (scene.target(7, 0.0, 0.0),)),
        MARK_REQUEST: encode.mark_request(MarkRequest(t, 1, 0.0, 0.0)),
        MARK_RESULT: encode.mark_result(MarkResult(t, 1, MarkStatus.CONFIRMED, 0.0, 0.0, "")),
        REMARK: encode.remark(remark),
        REMARK_ANSWER: encode.remark_answer(RemarkAnswer(remark, True, "")),
    }
    return scene.bytes(made[topic] if topic in made else message_class(topic.type_name)())


def _now(arena: Arena, topic: Topic) -> bytes:
    """A genuine message with the present time."""
    data = genuine(arena.scene, topic)
    message = hostile.unpack(topic, data)
    hostile.stamp(message, arena.scene.t)
    return hostile.pack(topic, message)


def _send(arena: Arena, topic: Topic, messages: list[bytes], most: int = MANY) -> None:
    if len(messages) > most:
        chosen = sorted(arena.rng.choice(len(messages), most, replace=False).tolist())
        messages = [messages[index] for index in chosen]
    for data in messages:
        arena.mouth.say(topic, data)
        time.sleep(PACE_S)


def _repeated(make: Callable[[Topic, bytes], list[bytes]]) -> Callable[[Topic], Act]:
    def of(topic: Topic) -> Act:
        def act(arena: Arena) -> None:
            for _ in arena.paced(LASTS_S, 0.05):
                _send(arena, topic, make(topic, _now(arena, topic)))

        return act

    return of


def _once(make: Callable[[Topic, bytes, np.random.Generator], list[bytes]], most: int) -> Callable[[Topic], Act]:
    def of(topic: Topic) -> Act:
        return lambda arena: _send(arena, topic, make(topic, _now(arena, topic), arena.rng), most)

    return of


def _duplicated(topic: Topic) -> Act:
    def act(arena: Arena) -> None:
        said = None
        for _ in arena.paced(LASTS_S):
            data = genuine(arena.scene, topic)
            if data is not said:
                said = data
                for _ in range(5):
                    arena.mouth.say(topic, data)

    return act


def _delayed(topic: Topic) -> Act:
    def act(arena: Arena) -> None:
        begin = time.monotonic()
        old = [(wall, data) for wall, data in arena.scene.history(topic) if wall < begin]
        start = max(begin - DELAY_S, old[0][0]) if old else begin
        for wall, data in [item for item in old if item[0] >= start][:400]:
            time.sleep(max(0.0, min(begin + wall - start - time.monotonic(), 1.0)))
            arena.mouth.say(topic, data)

    return act


def _flood(topic: Topic) -> Act:
    def act(arena: Arena) -> None:
        data, begin = _now(arena, topic), time.monotonic()
        for _ in range(FLOOD if len(data) < 20_000 else FLOOD // 10):
            arena.mouth.say(topic, data)
            if time.monotonic() - begin > FLOOD_S:
                break

    return act


KINDS: dict[str, Callable[[Topic], Act]] = {
    "empty": _repeated(lambda topic, data: hostile.empty(topic, data)),
    "nan": _repeated(lambda topic, data: hostile.with_floats(topic, data, float("nan"))),
    "infinite": _repeated(lambda topic, data: hostile.with_floats(topic, data, float("inf"))),
    "future": _repeated(lambda topic, data: [hostile.shifted(topic, data, by) for by in (0.5, 3600.0, 1e9)]),
    "duplicated": _duplicated,
    "delayed": _delayed,
    "flood": _flood,
    "layouts": _once(lambda topic, data, _: hostile.layouts(topic, data), MANY),
    "texts": _once(lambda topic, data, _: hostile.texts(topic, data), MANY),
    "bytes": _once(hostile.broken, MANY),
    "large": _once(lambda topic, data, _: hostile.large(topic, data) * LARGE_ONES, LARGE_ONES),
}


def _matrix() -> list[Attack]:
    found = []
    for topic in TOPICS:
        name = topic.name.strip("/")
        mouths = ("stranger", "insider") if insider_of(topic) else ("stranger",)
        found += [Attack(f"{name} {kind}", kind, of(topic), (topic,), mouths=mouths) for kind, of in KINDS.items()]
    return found


# --- what is told with a purpose --------------------------------------------------------------------------------------
def _replay(arena: Arena) -> None:
    """As a rosbag would: everything of some seconds ago, in its order, with its times."""
    begin = time.monotonic()
    everything = [
        (wall, topic, data) for topic in TOPICS if topic is not CLOCK for wall, data in arena.scene.history(topic)
    ]
    old = sorted((item for item in everything if begin - 8.0 < item[0] < begin - 4.0), key=lambda item: item[0])
    for wall, topic, data in old[:3000]:
        time.sleep(max(0.0, min(begin + wall - old[0][0] - time.monotonic(), 0.5)))
        arena.mouth.say(topic, data)


def _storm(arena: Arena) -> None:
    """Participants and topics that have nothing to do with the robot, all at once."""
    with arena.speak("storm", "/elsewhere") as speaker:
        for number in range(500):
            speaker.say(
                Topic(f"storm/number_{number}", CMD.type_name, CMD.delivery, ""), encode.twist(arena.scene.twist(0.0))
            )
    for number in range(12):
        with arena.speak(f"guest_{number}", "/elsewhere") as speaker:
            speaker.say(Topic("storm/one", CMD.type_name, CMD.delivery, ""), encode.twist(arena.scene.twist(0.0)))


def _glimpse(arena: Arena) -> None:
    """Someone is there for an instant: drives, clears the targets, and is gone."""
    with arena.speak("glimpse") as speaker:
        speaker.say(TARGETS, encode.targets(arena.scene.t, ()))
        for _ in range(5):
            speaker.say(CMD, encode.twist(arena.scene.twist(1.0)))
            time.sleep(0.01)


def _namesake(node: str, badge: bool, topic: Topic, make: Callable[[Scene], Any]) -> Act:
    """Somebody of the same name and namespace, who may show what the genuine node shows."""

    def act(arena: Arena) -> None:
        with arena.speak(node, "", arena.badge(node) if badge else None) as speaker:
            speaker.prepare([topic], arena.listeners)
            for _ in arena.paced(LASTS_S, 0.05):
                speaker.say(topic, make(arena.scene))

    return act


def _frozen_stop(arena: Arena) -> None:
    arena.freeze("mission")
    arena.press()
    time.sleep(6.0)


def _silent(arena: Arena) -> None:
    """The fault is the scenario's: see it through, however slow the machine is."""
    begin = time.monotonic()
    while arena.scene.t < SILENT_AT_S + SILENT_S and time.monotonic() - begin < SILENT_WALL_S:
        time.sleep(0.1)


def _freeze(node: str) -> Act:
    def act(arena: Arena) -> None:
        arena.freeze(node)
        time.sleep(14.0)  # time goes on without it after the simulator's patience

    return act


def _forged() -> list[Attack]:
    return [
        Attack(
            item.name,
            "forged",
            lambda arena, item=item: item.act(arena.scene, arena.mouth.say, arena.paced),
            item.topics,
            before=item.before,
            blind=item.blind,
        )
        for item in FORGED
    ]


def _namesakes() -> list[Attack]:
    told: tuple[tuple[str, str, Topic, str, Callable[[Scene], Any]], ...] = (
        ("detector", "clears the targets", TARGETS, "search", lambda scene: encode.targets(scene.t, ())),
        ("guard", "drives in an emergency stop", CMD, "estop", lambda scene: encode.twist(scene.twist(1.0))),
        ("mission", "says search in an emergency stop", MISSION_STATE, "estop", lambda scene: encode.mission_status(
            replace(scene.status, t=scene.t, state=MissionState.SEARCH)
        )),
    )  # fmt: skip
    return [
        Attack(
            f"namesake of the {node}{', its badge copied,' if badge else ''} {words}", "forged",
            _namesake(node, badge, topic, make), (topic,), before=before, mouths=("stranger",), quiet=True,
        )
        for node, words, topic, before, make in told
        for badge in (False, True)
    ]  # fmt: skip


def _special() -> list[Attack]:
    frozen = ("localization", "detector", "planner", "follower", "guard", "marker", "mission", "recorder")
    silent = (("imu_dead", {}), ("gnss_dropout", {}), ("gpr_dead", {}), ("md_coil_dead", {"coil": 1}))
    faults = {kind: {"kind": kind, "at_s": SILENT_AT_S, "for_s": SILENT_S, **more} for kind, more in silent}
    return [
        Attack("old messages replayed", "delayed", _replay, TOPICS),
        Attack("storm of topics and participants", "flood", _storm),
        Attack("publisher for an instant", "forged", _glimpse, (TARGETS, CMD), quiet=True),
        *_namesakes(),
        Attack(
            "second stack, ROS_DOMAIN_ID in hexadecimal",
            "second stack",
            lambda arena: arena.second("hex"),
            TOPICS,
            lasts=30.0,
        ),
        Attack(
            "second stack, a machine of its own",
            "second stack",
            lambda arena: arena.second("machine"),
            TOPICS,
            lasts=30.0,
        ),
        Attack(
            "emergency stop while the mission is frozen",
            "frozen",
            _frozen_stop,
            frozen="mission",
            lasts=6.0,
            presses=True,
        ),
        *(Attack(f"frozen {node}", "frozen", _freeze(node), frozen=node, lasts=14.0) for node in frozen),
        *(
            Attack(f"silent driver: {kind}", "silent", _silent, lasts=8.0, faults=(fault,))
            for kind, fault in faults.items()
        ),
    ]


ATTACKS: tuple[Attack, ...] = (*_forged(), *_special(), *_matrix())
