"""Pose and plan in; wanted motion out."""

from __future__ import annotations

from mine_robot.control.follower import Follower
from mine_robot.core.types import Health, NavState, Progress
from mine_robot.pipeline.loading import load_robot
from mine_robot.pipeline.parameters import FollowerNodeParams
from mine_robot.ros import decode, encode
from mine_robot.ros.node import StackNode, existing_path
from mine_robot.ros.topics import CMD_RAW, MISSION_STATE, ODOMETRY, PLAN, PROGRESS

PROGRESS_PERIOD_S = 0.5


class FollowerNode(StackNode[FollowerNodeParams]):
    """Binds :class:`Follower` to its topics."""

    name = "follower"

    def __init__(self) -> None:
        super().__init__()
        robot = load_robot(existing_path(self.params.files.urdf, "urdf"))
        self.follower = Follower(self.params, self.params.limits, robot)
        self.said: Progress | None = None
        self.command = self.talk(CMD_RAW)
        self.progress = self.talk(PROGRESS)
        self.poll(PLAN, decode.plan, self.follower.set_plan)
        self.poll(MISSION_STATE, decode.mission_status, self.follower.set_mission)
        self.listen(ODOMETRY, decode.odometry, self.on_odometry)

    def on_odometry(self, state: NavState) -> None:
        """One control cycle."""
        command, progress = self.follower.update(state)
        self.command.publish(encode.twist(command))
        said = self.said
        changed = said is None or (progress.plan_t, progress.step, progress.done, progress.stopped) != (
            said.plan_t,
            said.step,
            said.done,
            said.stopped,
        )
        if said is None or changed or progress.t - said.t > PROGRESS_PERIOD_S - 1e-6:
            self.said = progress
            self.progress.publish(encode.progress(progress))

    def health(self, t: float) -> tuple[Health, ...]:
        """State of the follower."""
        return (self.follower.health(t),)
