"""The log: written for anyone's reader, readable up to the last second after a killed writer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from mine_robot.records.bag import BagReader, BagWriter
from mine_robot.records.errors import RecordError

TYPES = get_typestore(Stores.ROS2_JAZZY)
IMU = "sensor_msgs/msg/Imu"


def imu(t: float) -> bytes:
    types = TYPES.types
    stamp = types["builtin_interfaces/msg/Time"](sec=int(t), nanosec=round(t % 1 * 1e9))
    vector, zeros = types["geometry_msgs/msg/Vector3"], np.zeros(9)
    message = types[IMU](
        header=types["std_msgs/msg/Header"](stamp=stamp, frame_id="imu_link"),
        orientation=types["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0),
        orientation_covariance=zeros,
        angular_velocity=vector(x=0.1, y=0.2, z=t),
        angular_velocity_covariance=zeros,
        linear_acceleration=vector(x=0.0, y=0.0, z=9.81),
        linear_acceleration_covariance=zeros,
    )
    return bytes(TYPES.serialize_cdr(message, IMU))


def write(path: Path, times: np.ndarray, **options: Any) -> BagWriter:
    writer = BagWriter(path, **options)
    writer.add_topic("/imu/data", IMU, reliable=False, depth=50)
    writer.add_topic("/mission/state", "diagnostic_msgs/msg/DiagnosticArray", transient_local=True, depth=1)
    for t in times:
        writer.write("/imu/data", round(t * 1e9), imu(t))
    return writer


def test_independent_readers_read_the_log(tmp_path: Path) -> None:
    times = np.arange(0.0, 5.0, 0.05)
    write(tmp_path / "log.mcap", times).close()
    with AnyReader([tmp_path / "log.mcap"]) as reader:
        stamps = [stamp for _, stamp, _ in reader.messages()]
        qos = {connection.topic: connection.ext.offered_qos_profiles[0] for connection in reader.connections}
    assert stamps == [round(t * 1e9) for t in times]
    assert (qos["/imu/data"].reliability.name, qos["/imu/data"].depth) == ("BEST_EFFORT", 50)
    assert qos["/mission/state"].durability.name == "TRANSIENT_LOCAL"
    with (tmp_path / "log.mcap").open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_header().profile == "ros2"
        schema, channel, _ = next(iter(reader.iter_messages()))
    assert (schema.name, schema.encoding, channel.message_encoding) == (IMU, "ros2msg", "cdr")
    assert channel.metadata["topic_type_hash"].startswith("RIHS01_")


def test_own_reader_returns_what_was_written(tmp_path: Path) -> None:
    times = np.arange(0.0, 3.0, 0.1)
    write(tmp_path / "log.mcap", times).close()
    reader = BagReader(tmp_path / "log.mcap")
    messages = list(reader.messages(["/imu/data"]))
    assert [t for _, t, _ in messages] == [round(t * 1e9) for t in times]
    assert messages[-1][2].angular_velocity.z == times[-1]
    assert list(reader.messages(["/nothing"])) == []
    assert (reader.truncated, reader.damaged) == (False, 0)


def test_topics_are_those_with_messages(tmp_path: Path) -> None:
    write(tmp_path / "log.mcap", np.arange(0.0, 3.0, 0.1)).close()
    assert BagReader(tmp_path / "log.mcap").topics() == {"/imu/data": IMU}


def test_killed_writer_loses_less_than_a_second(tmp_path: Path) -> None:
    writer = write(tmp_path / "log.mcap", np.arange(0.0, 10.0, 0.1))
    reader = BagReader(
        tmp_path / "log.mcap"
    )  # the writer is alive and has not closed: what the system holds is all there is
    stamps = [t * 1e-9 for _, t, _ in reader.messages()]
    assert reader.truncated
    assert stamps[-1] > 9.9 - 1.0
    writer.close()


ENDLESS = """
import sys
from pathlib import Path
from test_records_bag import imu, write
import numpy as np
writer = write(Path(sys.argv[1]), np.arange(0.0, 5.0, 0.05))
print("five seconds", flush=True)
while True:
    writer.write("/imu/data", 5_000_000_000, imu(5.0))
"""


def test_a_writer_killed_with_9_loses_its_last_second_at_most(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENDLESS, str(tmp_path / "log.mcap")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None and process.stdout.readline()
        process.kill()
    reader = BagReader(tmp_path / "log.mcap")
    stamps = [t * 1e-9 for _, t, _ in reader.messages()]
    assert reader.truncated and reader.damaged == 0
    assert stamps == sorted(stamps) and stamps[-1] >= 4.95 - 1.0


def test_chunks_close_by_the_writers_own_clock_too(tmp_path: Path) -> None:
    clock = iter(np.arange(0.0, 1000.0, 0.4)).__next__
    writer = write(tmp_path / "log.mcap", np.zeros(20), clock=clock)
    assert len(list(BagReader(tmp_path / "log.mcap").messages())) >= 17
    writer.close()


@pytest.mark.parametrize("share", [0.3, 0.5, 0.77, 0.95])
def test_log_cut_anywhere_reads_up_to_the_cut(tmp_path: Path, share: float) -> None:
    write(tmp_path / "log.mcap", np.arange(0.0, 20.0, 0.05)).close()
    data = (tmp_path / "log.mcap").read_bytes()
    (tmp_path / "cut.mcap").write_bytes(data[: int(share * len(data))])
    reader = BagReader(tmp_path / "cut.mcap")
    stamps = [t for _, t, _ in reader.messages()]
    assert reader.truncated
    assert len(stamps) > 0 and stamps == [round(t * 1e9) for t in np.arange(0.0, 20.0, 0.05)[: len(stamps)]]


def test_damaged_chunk_is_skipped_and_counted(tmp_path: Path) -> None:
    write(tmp_path / "log.mcap", np.arange(0.0, 20.0, 0.05)).close()
    data = bytearray((tmp_path / "log.mcap").read_bytes())
    at = len(data) // 2
    data[at : at + 4] = bytes(255 - value for value in data[at : at + 4])
    (tmp_path / "bad.mcap").write_bytes(data)
    reader = BagReader(tmp_path / "bad.mcap")
    count = len(list(reader.messages()))
    assert 340 <= count < 400
    assert reader.damaged == 1


@pytest.mark.parametrize("content", [b"", b"\x89MC", b"SQLite format 3\x00" * 10])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log.mcap").write_bytes(content)
    with pytest.raises(RecordError, match="not an MCAP file"):
        list(BagReader(tmp_path / "log.mcap").messages())


def test_missing_file_and_unknown_type_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="does not exist"):
        BagReader(tmp_path / "log.mcap")
    writer = BagWriter(tmp_path / "log.mcap")
    with pytest.raises(RecordError, match="'my_msgs/msg/Odd'"):
        writer.add_topic("/odd", "my_msgs/msg/Odd")
    writer.close()
    with pytest.raises(RecordError, match="cannot be written"):
        BagWriter(tmp_path / "log.mcap")
