"""Recordings of any kind go through the localisation as the node would have run it."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_typestore
from sim_drive import FIELD, lanes, world
from typer.testing import CliRunner

from mine_robot.bringup.cli import app
from mine_robot.core.types import GnssFix, ImuSample, Pose2, Twist2, WheelSample
from mine_robot.records.bag import BagWriter
from mine_robot.records.errors import RecordError
from mine_robot.records.log_topics import NAVIGATION, REPLAYED, SCANS, find_topics, renamed
from mine_robot.records.replay_input import read_samples
from mine_robot.ros.topics import GNSS_FIX, GNSS_HEADING, GPR_SCAN, IMU, METAL_SCAN, TOPICS, WHEELS, Topic

KINDS = {
    "imu/data": "sensor_msgs/msg/Imu",
    "gnss/fix": "sensor_msgs/msg/NavSatFix",
    "wheel/odometry": "nav_msgs/msg/Odometry",
}
DRIVE_S = 20.0


class Messages:
    """Core types as messages of one ROS version."""

    def __init__(self, store: Stores) -> None:
        self.store = get_typestore(store)
        self.one = store is Stores.ROS1_NOETIC

    def _make(self, kind: str, *fields: Any) -> Any:
        return self.store.types[kind](*fields)

    def header(self, t: float, ahead: float = 0.0) -> Any:
        nanoseconds = round((t + ahead) * 1e9)
        stamp = self._make("builtin_interfaces/msg/Time", nanoseconds // 10**9, nanoseconds % 10**9)
        return self._make("std_msgs/msg/Header", *([0] if self.one else []), stamp, "")

    def vector(self, values: Any) -> Any:
        return self._make("geometry_msgs/msg/Vector3", *(float(value) for value in values))

    def message(self, sample: Any, ahead: float = 0.0) -> Any:
        rest = self._make("geometry_msgs/msg/Quaternion", 0.0, 0.0, 0.0, 1.0)
        if isinstance(sample, ImuSample):
            rate, force = self.vector(sample.rate), self.vector(sample.force)
            nine = np.zeros(9)
            return self._make(KINDS["imu/data"], self.header(sample.t), rest, nine, rate, nine, force, nine)
        if isinstance(sample, GnssFix):
            status = self._make("sensor_msgs/msg/NavSatStatus", int(sample.status), 1)
            place = (sample.latitude, sample.longitude, sample.height)
            return self._make(
                KINDS["gnss/fix"], self.header(sample.t, ahead), status, *place, sample.covariance.ravel(), 2
            )
        assert isinstance(sample, WheelSample)
        point = self._make("geometry_msgs/msg/Point", 0.0, 0.0, 0.0)
        pose = self._make(
            "geometry_msgs/msg/PoseWithCovariance", self._make("geometry_msgs/msg/Pose", point, rest), np.zeros(36)
        )
        twist = self._make(
            "geometry_msgs/msg/Twist", self.vector((sample.speed, 0, 0)), self.vector((0, 0, sample.yaw_rate))
        )
        twist = self._make("geometry_msgs/msg/TwistWithCovariance", twist, np.zeros(36))
        return self._make(KINDS["wheel/odometry"], self.header(sample.t), "", pose, twist)


@pytest.fixture(scope="module")
def drive() -> tuple[list[tuple[str, Any]], list[tuple[float, Pose2]]]:
    """Samples by topic in the order of time, and the truth."""
    simulated, samples, truth = world(seed=5), [], []
    while simulated.t < DRIVE_S:
        batch = simulated.step(Twist2(simulated.t, *lanes(simulated.t)))
        now = [("imu/data", s) for s in batch.imu] + [("gnss/fix", s) for s in batch.fixes]
        samples += sorted(now + [("wheel/odometry", s) for s in batch.wheels], key=lambda item: item[1].t)
        truth.append((batch.t, simulated.truth().pose))
    return samples, truth


def write_sqlite(path: Path, samples: list[tuple[str, Any]], names: dict[str, str], *, ahead: float = 0.0) -> None:
    make = Messages(Stores.ROS2_JAZZY)
    with Writer2(path, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        topics = {ours: writer.add_connection(name, KINDS[ours], typestore=make.store) for ours, name in names.items()}
        for name, sample in samples:
            if name in topics:
                data = make.store.serialize_cdr(make.message(sample, ahead), KINDS[name])
                writer.write(topics[name], round(sample.t * 1e9), data)


def write_bag(path: Path, samples: list[tuple[str, Any]]) -> None:
    make = Messages(Stores.ROS1_NOETIC)
    with Writer1(path) as writer:
        topics = {name: writer.add_connection("/" + name, kind, typestore=make.store) for name, kind in KINDS.items()}
        for name, sample in samples:
            writer.write(
                topics[name], round(sample.t * 1e9), make.store.serialize_ros1(make.message(sample), KINDS[name])
            )


def write_mcap(path: Path, samples: list[tuple[str, Any]]) -> None:
    make = Messages(Stores.ROS2_JAZZY)
    with BagWriter(path, clock=lambda: 0.0) as writer:
        for name, kind in KINDS.items():
            writer.add_topic("/" + name, kind)
        for name, sample in samples:
            data = bytes(make.store.serialize_cdr(make.message(sample), KINDS[name]))
            writer.write("/" + name, round(sample.t * 1e9), data)


def replay(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["replay", *(str(argument) for argument in arguments)])


def errors(folder: Path, truth: list[tuple[float, Pose2]]) -> np.ndarray:
    """Distances of the trajectory from the truth of the same instants, in the last five seconds."""
    with (folder / "trajectory.csv").open(encoding="utf-8") as file:
        rows = {round(float(row["t"]), 2): row for row in csv.DictReader(file)}
    late = [(rows[round(t, 2)], pose) for t, pose in truth if t > DRIVE_S - 5.0 and round(t, 2) in rows]
    assert len(late) > 40
    found = FIELD.datum.to_map([float(r["lon"]) for r, _ in late], [float(r["lat"]) for r, _ in late])[:, :2]
    return np.linalg.norm(found - [(pose.x, pose.y) for _, pose in late], axis=1)


@pytest.mark.parametrize("kind", ["sqlite", "ros1", "mcap"])
def test_every_kind_of_recording_gives_the_same_track(kind: str, drive: Any, tmp_path: Path) -> None:
    samples, truth = drive
    log = {"sqlite": tmp_path / "log", "ros1": tmp_path / "log.bag", "mcap": tmp_path / "log.mcap"}[kind]
    if kind == "sqlite":
        write_sqlite(log, samples, {name: "/" + name for name in KINDS})
    else:
        (write_bag if kind == "ros1" else write_mcap)(log, samples)
    result = replay(log, "--out", tmp_path / "out")  # as much of the stack as there are sensors
    assert result.exit_code == 0, result.output
    assert errors(tmp_path / "out", truth).max() < 0.06
    assert (tmp_path / "out" / "health.csv").read_text().startswith("t,state,sigma_m,message\n")


def test_imu_and_gnss_alone_under_other_names_are_enough(drive: Any, tmp_path: Path) -> None:
    samples, truth = drive
    write_sqlite(tmp_path / "log", samples, {"imu/data": "/vectornav/imu", "gnss/fix": "/gps/fix"}, ahead=18.0)
    result = replay(
        tmp_path / "log", "--only", "localization", "--out", tmp_path / "out", "--remap", "/gps/fix:=gnss/fix"
    )
    assert result.exit_code == 0, result.output
    assert "/vectornav/imu is read as imu/data" in result.output
    assert "gnss/fix: stamps are +18.00 s off the IMU's clock and were shifted" in result.output
    assert errors(tmp_path / "out", truth).max() < 0.1


def test_a_log_without_motion_or_heading_ends_short_with_the_reason(drive: Any, tmp_path: Path) -> None:
    samples = [(name, sample) for name, sample in drive[0] if sample.t < 3.0]
    write_mcap(tmp_path / "log.mcap", samples)
    result = replay(tmp_path / "log.mcap", "--only", "localization", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "no estimate: aligning: waiting for GNSS heading" in result.output


@pytest.mark.parametrize(
    ("log", "options", "words"),
    [
        ("nothing.mcap", [], "does not exist"),
        ("text.bag", [], "cannot be read as a ROS recording"),
        ("empty", [], "holds no recording"),
        ("text.csv", [], "is not a recording"),
        ("log.mcap", ["--remap", "/a"], "must look like FROM:=TO"),
        ("log.mcap", ["--remap", "/a:=imu/data"], "the log has no topic '/a'"),
        ("log.mcap", ["--remap", "/imu/data:=imu"], "'imu' is none of"),
        ("log.mcap", ["--only", "nothing"], "must be one of"),
    ],
)
def test_bad_input_is_one_line(log: str, options: list[str], words: str, drive: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("text.bag", "text.csv"):
        (tmp_path / name).write_text("no recording\n")
    write_mcap(tmp_path / "log.mcap", drive[0][:100])
    arguments = [tmp_path / log, "--out", tmp_path / "out", "--only", "localization", *options]
    error = replay(*arguments).exception
    assert words in str(error)
    assert "\n" not in str(error)


def test_a_log_without_gnss_names_what_it_holds(drive: Any, tmp_path: Path) -> None:
    write_sqlite(tmp_path / "log", drive[0][:100], {"imu/data": "/imu/data"})
    with pytest.raises(RecordError, match=r"no topic gnss/fix; the log holds /imu/data"):
        read_samples(tmp_path / "log", {})


def test_topics_are_found_behind_a_namespace_or_as_the_only_one_of_their_type() -> None:
    there = {
        "/robot/imu/data": IMU.type_name,
        "/fix": GNSS_FIX.type_name,
        "/odom": WHEELS.type_name,
        "/other_imu": IMU.type_name,
    }
    found = find_topics(there, {}, NAVIGATION)
    assert found == {"/robot/imu/data": IMU, "/fix": GNSS_FIX, "/odom": WHEELS}
    assert renamed(found) == ["/fix is read as gnss/fix", "/odom is read as wheel/odometry"]


@pytest.mark.parametrize("topic", REPLAYED, ids=lambda topic: topic.name)
def test_one_topic_under_another_name_is_taken_and_said_and_several_are_refused(topic: Topic) -> None:
    """Of every sensor alike; only a heading, which has the type of an IMU, has to have its name."""
    found = find_topics({"/strange": topic.type_name}, {}, (topic,))
    assert found == ({} if topic is GNSS_HEADING else {"/strange": topic})
    two = {f"/{robot}/{topic.name}": topic.type_name for robot in ("b", "a")}
    several = [two] if topic is GNSS_HEADING else [two, {"/b": topic.type_name, "/a": topic.type_name}]
    for there in several:
        first, second = sorted(there)
        with pytest.raises(RecordError, match=f"{first}, {second}; say which with --remap NAME:={topic.name}"):
            find_topics(there, {}, (topic,))
        assert find_topics(there, {second: topic.name}, (topic,)) == {second: topic}
    with pytest.raises(RecordError, match="already"):
        find_topics(two, dict.fromkeys(two, topic.name), (topic,))


def test_our_own_topics_are_never_taken_for_another_and_foreign_ones_only_if_they_can_be_read() -> None:
    ours = {"/r/" + topic.name.lstrip("/"): topic.type_name for topic in TOPICS if topic not in REPLAYED}
    assert find_topics(ours, {}, REPLAYED) == {}
    there = {"/camera": GPR_SCAN.type_name, "/lidar": METAL_SCAN.type_name, "/georadar": GPR_SCAN.type_name}
    radar = SimpleNamespace(
        header=SimpleNamespace(stamp=SimpleNamespace(sec=1, nanosec=0)), encoding="32FC1", height=2, width=1, step=4, is_bigendian=0,
        data=np.zeros(8, dtype=np.uint8),
    )  # fmt: skip
    picture = SimpleNamespace(**{**vars(radar), "encoding": "rgb8"})
    first = {"/camera": picture, "/georadar": radar, "/lidar": None}
    assert find_topics(there, {}, SCANS, first.get) == {"/georadar": GPR_SCAN}


def test_only_the_links_of_the_sensors_in_the_log_are_needed(drive: Any, tmp_path: Path) -> None:
    write_mcap(tmp_path / "log.mcap", drive[0][:600])
    links = {name: f"<link name='{name}'/>" for name in ("base_link", "imu_link", "gnss_link")}
    joints = {
        name: f"<joint name='{name}' type='fixed'><parent link='base_link'/><child link='{name}'/><origin xyz='0.1 0 1'/></joint>"
        for name in ("imu_link", "gnss_link")
    }
    urdf = tmp_path / "other.urdf"
    urdf.write_text(f"<robot name='other'>{''.join(links.values())}{''.join(joints.values())}</robot>")
    result = replay(tmp_path / "log.mcap", "--urdf", urdf, "--out", tmp_path / "out")
    assert isinstance(result.exception, SystemExit), result.exception  # it ends as with the robot of the project
    urdf.write_text(f"<robot name='other'>{links['base_link']}{links['imu_link']}{joints['imu_link']}</robot>")
    error = replay(tmp_path / "log.mcap", "--urdf", urdf, "--out", tmp_path / "out").exception
    assert "no frame gnss_link" in str(error) and "gpr" not in str(error)
