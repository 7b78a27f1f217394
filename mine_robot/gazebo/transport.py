"""A client of Gazebo 11's own transport: publish and subscribe over TCP, in asyncio, without a Gazebo library.

A frame is eight hexadecimal digits of length and that many bytes. The master speaks ``Packet``s (time, type, serialised message). Who
subscribes learns from it where the publisher listens, connects there with a ``sub`` packet and receives bare messages. Who advertises is
connected to by the subscribers in the same way.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from mine_robot.gazebo.place import HOST, GazeboError

HEADER = 8


@functools.cache
def message(kind: str) -> Any:
    """The protobuf class of a message such as ``WorldControl``; its module was generated when Gazebo was installed."""
    module = re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()
    return getattr(importlib.import_module(f"{module}_pb2"), kind)


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame; raises :class:`GazeboError` at the end of the stream or on bytes that are no frame."""
    try:
        return await reader.readexactly(int(await reader.readexactly(HEADER), 16))
    except (asyncio.IncompleteReadError, OSError, ValueError) as error:
        raise GazeboError(f"the connection ended: {error}") from None


def framed(data: bytes) -> bytes:
    """``data`` as a frame."""
    return f"{len(data):08x}".encode() + data


def packet(kind: str, content: Any) -> bytes:
    """A framed ``Packet`` around a protobuf message."""
    whole = message("Packet")(type=kind, serialized_data=content.SerializeToString())
    whole.stamp.sec = whole.stamp.nsec = 0
    return framed(whole.SerializeToString())


class Client:
    """A node of Gazebo's transport in ``world``; topics are given without ``/gazebo/<world>/``."""

    def __init__(self, world: str) -> None:
        self._prefix = f"/gazebo/{world}/"
        self._writers: list[asyncio.StreamWriter] = []
        self._servers: list[asyncio.Server] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._subscribed: dict[str, tuple[str, Callable[[bytes], None]]] = {}
        self._streams: set[tuple[str, int]] = set()
        self._published: dict[str, asyncio.Event] = {}

    async def connect(self, port: int) -> None:
        """Connect to the master."""
        reader, self._master = await asyncio.open_connection(HOST, port)
        self._writers.append(self._master)
        self._spawn(self._hear_master(reader))

    async def published(self, topic: str) -> None:
        """Wait until somebody publishes on ``topic``."""
        await self._event(self._prefix + topic).wait()

    async def subscribe(self, topic: str, kind: str, callback: Callable[[bytes], None]) -> None:
        """Call ``callback`` with every message (serialised) that anybody publishes on ``topic``."""
        self._subscribed[self._prefix + topic] = (kind, callback)
        self._master.write(packet("subscribe", self._request(self._prefix + topic, kind)))
        await self._master.drain()

    async def advertise(self, topic: str, kind: str) -> Publisher:
        """A publisher on ``topic``; await its :meth:`Publisher.matched` before use."""
        publisher = Publisher(self._writers)
        server = await asyncio.start_server(publisher.accept, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        self._servers.append(server)
        name = f"gazebo.msgs.{kind}"
        self._master.write(
            packet("advertise", message("Publish")(topic=self._prefix + topic, msg_type=name, host=HOST, port=port))
        )
        await self._master.drain()
        return publisher

    async def close(self) -> None:
        """Leave."""
        for server in self._servers:
            server.close()
        for writer in self._writers:
            writer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _event(self, topic: str) -> asyncio.Event:
        return self._published.setdefault(topic, asyncio.Event())

    def _request(self, topic: str, kind: str) -> Any:
        return message("Subscribe")(topic=topic, msg_type=f"gazebo.msgs.{kind}", host=HOST, port=0, latching=False)

    async def _hear_master(self, reader: asyncio.StreamReader) -> None:
        async for data in frames(reader):
            told = message("Packet").FromString(data)
            if told.type == "publishers_init":
                for publish in message("Publishers").FromString(told.serialized_data).publisher:
                    self._event(publish.topic).set()
            elif told.type == "publisher_add":
                self._event(message("Publish").FromString(told.serialized_data).topic).set()
            if told.type in ("publisher_subscribe", "publisher_advertise", "publisher_add"):
                await self._attach(message("Publish").FromString(told.serialized_data))

    async def _attach(self, publish: Any) -> None:
        """Connect to a publisher of a topic that is subscribed to."""
        if publish.topic not in self._subscribed or (publish.topic, publish.port) in self._streams:
            return
        self._streams.add((publish.topic, publish.port))
        kind, callback = self._subscribed[publish.topic]
        reader, writer = await asyncio.open_connection(HOST, publish.port)
        self._writers.append(writer)
        writer.write(packet("sub", self._request(publish.topic, kind)))
        self._spawn(self._stream(reader, callback))

    async def _stream(self, reader: asyncio.StreamReader, callback: Callable[[bytes], None]) -> None:
        async for data in frames(reader):
            callback(data)

    def _spawn(self, work: Any) -> None:
        """Work until the connection ends; who waits for an answer finds out by its absence."""
        self._tasks.append(asyncio.get_running_loop().create_task(work))


async def frames(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Every frame of a stream, until it fails."""
    while True:
        yield await read_frame(reader)


class Publisher:
    """One advertised topic; writes to whoever subscribed."""

    def __init__(self, writers: list[asyncio.StreamWriter]) -> None:
        self._writers = writers
        self._subscribers: list[asyncio.StreamWriter] = []
        self._matched = asyncio.Event()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A subscriber connects and says what it wants."""
        await read_frame(reader)
        self._writers.append(writer)
        self._subscribers.append(writer)
        self._matched.set()

    async def matched(self) -> None:
        """Wait for the first subscriber."""
        await self._matched.wait()

    def publish(self, content: Any) -> None:
        """Send a protobuf message."""
        data = framed(content.SerializeToString())
        for writer in self._subscribers:
            writer.write(data)
