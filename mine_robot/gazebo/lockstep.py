"""Gazebo 11 in lock step: it takes a step only when it is told to, and says where the robot is after it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from scipy.spatial.transform import Rotation

from mine_robot.core.types import Array
from mine_robot.gazebo.place import GazeboError, Place
from mine_robot.gazebo.server import Server
from mine_robot.gazebo.transport import Client, message
from mine_robot.gazebo.vehicle import Placement
from mine_robot.gazebo.world_file import MODEL, PHYSICS_STEP_S, WORLD

T = TypeVar("T")
START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 10.0
RETRY_S = 0.05  # wall time between attempts to reach a server that is starting
NUDGE_S = 0.02  # wall time without news after which the server is asked again
LOOK_S = 0.2  # wall time between looks at whether the server lives


class LockStep:
    """A :class:`~mine_robot.gazebo.vehicle.Server` of Gazebo 11: a child process, ended with this object."""

    def __init__(self, place: Place, world: Path, log: Path) -> None:
        place.import_messages()
        self._loop = asyncio.new_event_loop()
        self._server = Server(place, world, log)
        self._steps = 0
        self._driven = (0.0, 0.0)
        self._speeds: list[Any] = []
        self._taken = 0
        self._pose: tuple[int, Any] = (-1, None)
        self._wanted: Callable[[], bool] = bool
        self._news = asyncio.Event()
        self._client = Client(WORLD)
        try:
            self._run(self._open(), START_TIMEOUT_S)
        except GazeboError:
            self.close()
            raise

    def advance(self, speed: float, yaw_rate: float) -> Placement:
        """One physics step."""
        return self._run(self._advance(speed, yaw_rate), ANSWER_TIMEOUT_S)

    def put(self, pose: Array) -> None:
        """Put the robot somewhere else."""
        self._run(self._put(pose), ANSWER_TIMEOUT_S)

    def close(self) -> None:
        """End the server and the connections."""
        if not self._loop.is_closed():
            self._loop.run_until_complete(self._client.close())
            self._loop.close()
        self._server.close()

    # --- asynchronous part ----------------------------------------------------------------------------------------------
    def _run(self, work: Any, timeout: float) -> Any:
        return self._loop.run_until_complete(self._watched(work, timeout))

    async def _watched(self, work: Awaitable[T], timeout: float) -> T:
        """The result of ``work``, unless the server ends before or time is up."""
        task = asyncio.ensure_future(work)
        limit = time.monotonic() + timeout
        while not task.done():
            await asyncio.wait({task}, timeout=LOOK_S)
            ending = self._server.ending()
            if not task.done() and (ending or time.monotonic() > limit):
                task.cancel()
                await asyncio.wait({task})
                raise GazeboError(ending or f"gzserver does not answer for {timeout:.0f} s")
        try:
            return task.result()
        except OSError as error:  # the connection may end before the process
            raise GazeboError(self._server.ending() or f"gzserver: {error}") from None

    async def _open(self) -> None:
        client = self._client
        while True:
            try:
                await client.connect(self._server.port)
                break
            except OSError:
                await asyncio.sleep(RETRY_S)  # the master is not there yet
        # A server that is still loading may forget who asks: the plugin is the last to come.
        await client.published(f"{MODEL}/tracks_speed")
        await client.subscribe("pose/local/info", "PosesStamped", self._heard(self._on_poses, "PosesStamped"))
        await client.subscribe(f"{MODEL}/tracks_speed", "Vector2d", self._heard(self._speeds.append, "Vector2d"))
        await client.subscribe("response", "Response", self._heard(self._on_response, "Response"))
        self._control = await client.advertise("world_control", "WorldControl")
        self._velocity = await client.advertise(f"{MODEL}/cmd_vel_twist", "Twist")
        self._modify = await client.advertise("model/modify", "Model")
        self._request = await client.advertise("request", "Request")
        for publisher in (self._control, self._velocity, self._modify, self._request):
            await publisher.matched()

    def _heard(self, take: Callable[[Any], None], kind: str) -> Callable[[bytes], None]:
        def hear(data: bytes) -> None:
            take(message(kind).FromString(data))
            if self._wanted():
                self._news.set()

        return hear

    def _on_poses(self, poses: Any) -> None:
        """The stream of poses; it never pauses, which also keeps the server's sending thread awake, and is empty while nothing moves."""
        self._taken = _steps(poses.time)
        for pose in poses.pose:
            if pose.name == MODEL:
                self._pose = (self._taken, pose)

    def _on_response(self, response: Any) -> None:
        """The answer to :meth:`_ask`; nothing moves between two advances, so it is the pose of now."""
        if response.id == self._steps and response.type == "gazebo.msgs.Model":
            self._pose = (self._steps, message("Model").FromString(response.serialized_data).pose)

    async def _advance(self, speed: float, yaw_rate: float) -> Placement:
        if (speed, yaw_rate) != self._driven:
            await self._drive(speed, yaw_rate)
        self._steps += 1
        self._control.publish(message("WorldControl")(multi_step=1))
        await self._until(lambda: self._pose[0] == self._steps, self._ask)
        return _placement(self._pose[1])

    async def _drive(self, speed: float, yaw_rate: float) -> None:
        """Set the track speeds. The plugin repeats them: only then does a step begin, so that none runs under the old ones."""
        command = message("Twist")()
        _fill(command.linear, (speed, 0.0, 0.0))
        _fill(command.angular, (0.0, 0.0, -yaw_rate))  # the plugin turns right for positive rates
        self._speeds.clear()
        self._velocity.publish(command)
        await self._until(lambda: bool(self._speeds), lambda: self._velocity.publish(command))
        self._driven = (speed, yaw_rate)

    async def _put(self, pose: Array) -> None:
        model = message("Model")(name=MODEL)
        _fill(model.pose.position, pose[:3])
        turned = model.pose.orientation
        turned.x, turned.y, turned.z, turned.w = Rotation.from_euler("xyz", pose[3:]).as_quat().tolist()
        self._modify.publish(model)

        def there() -> bool:
            return bool(np.allclose(_placement(self._pose[1]).position, pose[:3], atol=1e-4))

        await self._until(there, self._ask)

    async def _until(self, true: Callable[[], bool], nudge: Callable[[], None]) -> None:
        """Wait for news that make it so; where they stay out, ``nudge``."""
        self._wanted = true
        while not true():
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), NUDGE_S)
            except asyncio.TimeoutError:
                nudge()

    def _ask(self) -> None:
        """Have the server say where the robot is, once it has taken its step: it drops poses from a full queue."""
        if self._taken == self._steps:
            self._request.publish(message("Request")(id=self._steps, request="entity_info", data=MODEL))


def _placement(pose: Any) -> Placement:
    place, turned = pose.position, pose.orientation
    return Placement(
        np.array([place.x, place.y, place.z]), Rotation.from_quat([turned.x, turned.y, turned.z, turned.w])
    )


def _steps(stamp: Any) -> int:
    return round((stamp.sec + stamp.nsec * 1e-9) / PHYSICS_STEP_S)


def _fill(vector: Any, values: Any) -> None:
    vector.x, vector.y, vector.z = (float(value) for value in values)
