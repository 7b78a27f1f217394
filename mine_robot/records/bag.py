"""The log of a run: an MCAP file that ``ros2 bag``, Foxglove and PlotJuggler read, and whose beginning survives a
killed writer.

Chunks are closed and synchronised to the disk at least once a second, so that a killed process or a power cut loses no more
than that. A lone ``.mcap`` is a complete rosbag2 recording (``ros2 bag info log.mcap``), therefore no
``metadata.yaml`` is written beside it.
"""

from __future__ import annotations

import contextlib
import os
import struct
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import EndOfFile, McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, McapRecord, Message, Schema
from mcap.stream_reader import CRCValidationError, get_chunk_data_stream
from mcap.writer import MCAP0_MAGIC, CompressionType, Writer
from rosbags.typesys import Stores, TypesysError, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from mine_robot.core.json_text import to_json
from mine_robot.records.errors import RecordError
from mine_robot.ros.decode import DecodeError, Refusals, deserialise

FLUSH_PERIOD = 1.0  # s, of writing and of the log's own clock, whichever passes first
TopicChoice = Collection[str] | Callable[[str], bool] | None  # names, a test of a name, or everything
Windows = Sequence[tuple[int, int]]  # times of recording in ns, from and to
RECORD_HEAD = struct.Struct("<BQ")
CHANNEL_ID = struct.Struct("<H")
CHUNK_TIMES = struct.Struct("<QQ")  # of recording: the first and the last message of a chunk
MESSAGE_HEAD = struct.Struct("<HIQQ")  # channel, sequence, time of recording, time of publication
CONTENT = (Opcode.SCHEMA, Opcode.CHANNEL, Opcode.MESSAGE)
FOREVER = {"sec": 9223372036, "nsec": 854775807}
DAMAGE = (
    McapError,
    CRCValidationError,
    zstandard.ZstdError,
    struct.error,
    UnicodeDecodeError,
    ValueError,
    MemoryError,
    OverflowError,
)


class BagWriter:
    """Writes serialised messages to a new MCAP file at ``path``; an existing file is never overwritten
    (:class:`RecordError`).

    ``clock`` gives the seconds of the writing process, by which chunks are closed.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._types = get_typestore(Stores.ROS2_JAZZY)
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        try:
            self._file = path.open("xb")
            self._writer = Writer(self._file, compression=CompressionType.ZSTD)
            self._writer.start(profile="ros2")
            self._file.flush()
        except OSError as error:
            if not isinstance(error, FileExistsError):
                path.unlink(missing_ok=True)  # a full disk has room for a name
            raise RecordError(f"the log {path} cannot be written: {error.strerror}") from None
        self._path, self._head = path, self._file.tell()
        self._flushed_at = clock()
        self._flushed_t_ns: int | None = None

    def add_topic(
        self, topic: str, type_name: str, *, reliable: bool = True, transient_local: bool = False, depth: int = 10
    ) -> None:
        """Announce ``topic`` with its type (``sensor_msgs/msg/Imu``) and the quality of service it is offered with.

        Raises :class:`RecordError` if ROS 2 Jazzy does not know the type.
        """
        if type_name not in self._types.fielddefs:
            raise RecordError(f"the type '{type_name}' of topic '{topic}' is not a message of ROS 2 Jazzy")
        if type_name not in self._schemas:
            definition, _ = self._types.generate_msgdef(type_name, ros_version=2)
            self._schemas[type_name] = self._writer.register_schema(type_name, "ros2msg", definition.encode())
        metadata = {
            "offered_qos_profiles": to_json([_qos_profile(reliable, transient_local, depth)]),
            "topic_type_hash": self._types.hash_rihs01(type_name),
        }
        self._channels[topic] = self._writer.register_channel(topic, "cdr", self._schemas[type_name], metadata)
        self._counts[topic] = 0

    def write(self, topic: str, t_ns: int, data: bytes) -> None:
        """Append a CDR-serialised message received at ``t_ns`` nanoseconds on the clock of the stack."""
        channel = self._channels[topic]
        self._counts[topic] += 1
        self._writer.add_message(channel, t_ns, data, publish_time=t_ns, sequence=self._counts[topic])
        if self._flushed_t_ns is None:
            self._flushed_t_ns = t_ns
        if self._clock() - self._flushed_at >= FLUSH_PERIOD or t_ns - self._flushed_t_ns >= FLUSH_PERIOD * 1e9:
            self.flush()
            self._flushed_t_ns = t_ns

    def flush(self) -> None:
        """Close the chunk and have everything on the disk: what was written survives a power cut now, as the journal's entries do."""
        self._writer.flush()
        os.fdatasync(self._file.fileno())
        self._flushed_at = self._clock()

    def close(self) -> None:
        """Write the index and close the file; further calls do nothing."""
        if not self._file.closed:
            self._writer.finish()
            self._file.close()

    def abandon(self) -> None:
        """Let the file go as it is, without an index: it cannot be written. One that holds nothing is removed."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            if self._path.stat().st_size <= self._head:
                self._path.unlink()

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _qos_profile(reliable: bool, transient_local: bool, depth: int) -> dict[str, Any]:
    """A QoS profile as rosbag2 of Jazzy writes it (metadata version 9)."""
    return {
        "history": "keep_last",
        "depth": depth,
        "reliability": "reliable" if reliable else "best_effort",
        "durability": "transient_local" if transient_local else "volatile",
        "deadline": FOREVER,
        "lifespan": FOREVER,
        "liveliness": "automatic",
        "liveliness_lease_duration": FOREVER,
        "avoid_ros_namespace_conventions": False,
    }


class RawMessage(NamedTuple):
    """A message as recorded: ``t_ns`` is the time of recording, ``data`` its CDR bytes."""

    topic: str
    type_name: str
    t_ns: int
    data: bytes


def _chooser(topics: TopicChoice) -> Callable[[str], bool]:
    """The test of a topic's name that ``topics`` stands for."""
    if topics is None:
        return lambda _: True
    return topics if callable(topics) else set(topics).__contains__


def _split(data: bytes, unwanted: set[int]) -> list[McapRecord]:
    """The records in a chunk's data (MCAP: opcode u8, length u64, content). What nobody asked for is stepped over unread: of a
    mission's messages nine in ten are sensor data that its report does not need.
    """
    records: list[McapRecord] = []
    position = 0
    while position < len(data):
        opcode, length = RECORD_HEAD.unpack_from(data, position)
        begin, position = position + RECORD_HEAD.size, position + RECORD_HEAD.size + length
        if opcode == Opcode.MESSAGE and CHANNEL_ID.unpack_from(data, begin)[0] in unwanted:
            continue
        if opcode in CONTENT:
            records.append(_record(opcode, data[begin:position]))
    return records


def _record(opcode: int, data: bytes) -> McapRecord:
    """A record of one of the kinds :data:`CONTENT` from its content."""
    if opcode == Opcode.MESSAGE:
        channel, sequence, log_time, publish_time = MESSAGE_HEAD.unpack_from(data)
        return Message(channel, log_time, data[MESSAGE_HEAD.size :], publish_time, sequence)
    stream = ReadDataStream(BytesIO(data))
    return Schema.read(stream) if opcode == Opcode.SCHEMA else Channel.read(stream)


def _outside(chunk: bytes, windows: Windows) -> bool:
    """True if no message of a chunk is of any of the ``windows``; the chunk's record begins with its times."""
    first, last = CHUNK_TIMES.unpack_from(chunk)
    return all(last < start or first > end for start, end in windows)


class BagReader:
    """Reads an MCAP log from front to back, without its index: a file cut short reads up to its last complete chunk.

    After reading to the end, ``truncated`` says whether the end was missing, ``damaged`` counts the pieces that were skipped, and
    ``refusals`` has the messages that are none of their type; whoever decodes the others adds to them.
    """

    def __init__(self, path: Path, refusals: Refusals | None = None) -> None:
        if not path.is_file():
            raise RecordError(f"the log {path} does not exist")
        self.path = path
        self.truncated = False
        self.damaged = 0
        self.refusals = Refusals() if refusals is None else refusals
        self.position = 0  # bytes of the file that were read
        self._types = get_typestore(Stores.ROS2_JAZZY)

    def topics(self) -> dict[str, str]:
        """Types of the topics that have messages; of each the first is looked at, the others are stepped over."""
        unwanted: set[int] = set()
        schemas: dict[int, str] = {}
        channels: dict[int, Channel] = {}
        topics: dict[str, str] = {}
        for record in self._records(unwanted):
            if isinstance(record, Schema):
                schemas[record.id] = record.name
            elif isinstance(record, Channel):
                channels[record.id] = record
            elif isinstance(record, Message) and record.channel_id in channels:
                channel = channels[record.channel_id]
                topics[channel.topic] = schemas.get(channel.schema_id, "")
                unwanted.add(record.channel_id)
        return topics

    def raw(self, topics: TopicChoice = None, windows: Windows | None = None) -> Iterator[RawMessage]:
        """Yield the messages of ``topics`` in the order of writing, with ``windows`` only those of chunks that touch one.

        Raises :class:`RecordError` if the file is not an MCAP file at all.
        """
        self.truncated, self.damaged = False, 0
        wanted = _chooser(topics)
        unwanted: set[int] = set()
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        for record in self._records(unwanted, windows):
            if isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, Channel):
                channels[record.id] = record
                if not wanted(record.topic):
                    unwanted.add(record.id)
            elif isinstance(record, Message):
                channel = channels.get(record.channel_id)
                schema = schemas.get(channel.schema_id) if channel else None
                if channel is None or schema is None:
                    self.damaged += 1
                elif record.channel_id not in unwanted:
                    self._learn(schema)
                    yield RawMessage(channel.topic, schema.name, record.log_time, record.data)

    def messages(self, topics: TopicChoice = None, windows: Windows | None = None) -> Iterator[tuple[str, int, Any]]:
        """Yield ``(topic, t_ns, message)`` with the decoded messages of ``topics`` (all if None), in the order of
        writing; ``windows`` as in :meth:`raw`.
        """
        for raw in self.raw(topics, windows):
            try:
                message = deserialise(self._types, raw.data, raw.type_name)
            except DecodeError as error:
                self.refusals.note(raw.topic, str(error))
                continue
            yield raw.topic, raw.t_ns, message

    @property
    def typestore(self) -> Typestore:
        """The message types of the log, as far as it was read."""
        return self._types

    def _records(self, unwanted: set[int], windows: Windows | None = None) -> Iterator[McapRecord]:
        """The records of the file, those within chunks included, without most messages of the channels ``unwanted``; ends at the
        first that is incomplete. The first chunk, which says what the channels are, is read whatever the ``windows``.
        """
        first = True
        with self.path.open("rb") as file:
            if file.read(len(MCAP0_MAGIC)) != MCAP0_MAGIC:
                raise RecordError(f"{self.path} is not an MCAP file")
            size = os.fstat(file.fileno()).st_size
            try:
                while (head := RECORD_HEAD.unpack(file.read(RECORD_HEAD.size)))[0] != Opcode.FOOTER:
                    opcode, length = head
                    if length > size:
                        raise EndOfFile
                    if (
                        opcode != Opcode.CHUNK and opcode not in CONTENT
                    ):  # the index: a third of the records, and not needed
                        file.seek(length, os.SEEK_CUR)
                        continue
                    data = file.read(min(length, CHUNK_TIMES.size))
                    if opcode == Opcode.CHUNK and windows is not None and not first and _outside(data, windows):
                        file.seek(length - len(data), os.SEEK_CUR)
                        continue
                    first = first and opcode != Opcode.CHUNK
                    data += file.read(length - len(data))
                    if len(data) < length:
                        raise EndOfFile
                    self.position = file.tell()
                    yield from self._unpacked(data, unwanted) if opcode == Opcode.CHUNK else (_record(opcode, data),)
            except DAMAGE:
                self.truncated = True

    def _unpacked(self, data: bytes, unwanted: set[int]) -> list[McapRecord]:
        """The records of a chunk whose checksum is right; a damaged chunk has none."""
        try:
            stream, length = get_chunk_data_stream(Chunk.read(ReadDataStream(BytesIO(data))), validate_crc=True)
            return _split(stream.read(length), unwanted)
        except DAMAGE:
            self.damaged += 1
            return []

    def _learn(self, schema: Schema) -> None:
        """Make a message type known that Jazzy does not ship, from the definition in the file."""
        if schema.name in self._types.fielddefs or schema.encoding != "ros2msg":
            return
        try:
            known = self._types.fielddefs.keys()
            types = get_types_from_msg(schema.data.decode(), schema.name)
            self._types.register({name: definition for name, definition in types.items() if name not in known})
        except (TypesysError, UnicodeDecodeError):
            return
