"""Before anything is begun: does somebody else publish the topics of the stack?"""

from __future__ import annotations

import time

from mine_robot.bringup.namespace import operator_arguments
from mine_robot.bringup.request import RunRequest
from mine_robot.bringup.security import participant_error
from mine_robot.pipeline.loading import LoadError

DISCOVERY_S = 1.0  # wall time in which DDS finds everybody who is there: answers to a new participant come within 0.1 s
AGAIN_S = 0.1
NAMES_S = 0.3  # in which the name of a node follows its publisher


def refuse_strangers(request: RunRequest, number: int) -> None:
    """Raise :class:`LoadError` that names a publisher which may not be there when the run ``number`` begins.

    Nothing is published meanwhile. ROS that does not start is a :class:`LoadError` too.
    """
    import rclpy

    from mine_robot.ros.publishers import Gate, Lookout

    context = rclpy.Context()
    try:
        context.init(["--ros-args", *operator_arguments(request.namespace)])
        node = rclpy.create_node("operator", context=context, start_parameter_services=False, enable_rosout=False)
    except RuntimeError as error:
        context.try_shutdown()
        raise participant_error(error) from None
    try:
        lookout = Lookout(node, Gate(node, number, simulation=request.simulated))
        limit = time.monotonic() + DISCOVERY_S
        while time.monotonic() < limit:
            time.sleep(AGAIN_S)
            if lookout.look(at_once=True):
                time.sleep(NAMES_S)
                break
        strangers = lookout.look(at_once=True)
    finally:
        node.destroy_node()
        context.try_shutdown()
    if strangers:
        raise LoadError(refusal([stranger.words for stranger in strangers]))


def refusal(words: list[str]) -> str:
    """One line about strangers, given what each does."""
    more = f" (and {len(words) - 1} more)" if len(words) > 1 else ""
    return f"{words[0]}{more}: end it, or take another ROS_DOMAIN_ID or --namespace"
