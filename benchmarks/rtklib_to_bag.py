"""Turns the recordings of github.com/rtklibexplorer/GNSS_IMU (a car with RTK receiver and MEMS inertial unit) into a rosbag2 folder.

    .venv/bin/python benchmarks/rtklib_to_bag.py FOLDER/data/drive_0708/gnss_1934_sf.pos FOLDER/data/drive_0708/imu_1934.csv BAG

The fixes are RTKLIB's solution (GPS time, degrees, quality, standard deviations), the inertial samples a logger's lines of acceleration in
g, rates in degrees/s and its clock in ms, with RTKLIB's file of time tags beside it. Nothing is filtered or corrected.
"""

from __future__ import annotations

import argparse
import datetime
import struct
from pathlib import Path

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

G = 9.80665
STATUS = {1: 2, 2: 1}  # RTKLIB's quality: 1 fixed, 2 float; anything else is a single fix
TAG_HEADER = 60


def read_imu(path: Path) -> np.ndarray:
    """Rows of GPS time in s, acceleration in m/s² and rates in rad/s; time runs evenly between the tags of the ends."""
    rows = np.genfromtxt(path, delimiter=",", invalid_raise=False)
    rows = rows[np.isfinite(rows).all(axis=1)]
    tags = path.with_name(path.name + ".tag").read_bytes()[TAG_HEADER:]
    _, whole, fraction = struct.unpack_from("<IId", tags)
    last_tick = struct.unpack_from("<II", tags, 16 + 8 * ((len(tags) - 16) // 8 - 1))[0]
    clock = rows[:, 6] - rows[0, 6]
    t = whole + fraction + clock / clock[-1] * last_tick / 1e3
    return np.column_stack([t, rows[:, :3] * G, np.radians(rows[:, 3:6])])


def read_fixes(path: Path) -> list[tuple[float, list[float]]]:
    """GPS time in s, then latitude, longitude, height, quality, satellites, sigmas north, east and up."""
    fixes = []
    for line in path.read_text().splitlines():
        if line.startswith("%"):
            continue
        day, clock, *numbers = line.split()
        time = datetime.datetime.strptime(f"{day} {clock}+0000", "%Y/%m/%d %H:%M:%S.%f%z")
        fixes.append((time.timestamp(), [float(number) for number in numbers]))
    return fixes


def main() -> None:
    """Convert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fixes", type=Path)
    parser.add_argument("imu", type=Path)
    parser.add_argument("bag", type=Path)
    options = parser.parse_args()
    types = get_typestore(Stores.ROS2_JAZZY)
    kinds = types.types
    stamp, header = kinds["builtin_interfaces/msg/Time"], kinds["std_msgs/msg/Header"]
    vector, imu = kinds["geometry_msgs/msg/Vector3"], kinds["sensor_msgs/msg/Imu"]
    fix, status = kinds["sensor_msgs/msg/NavSatFix"], kinds["sensor_msgs/msg/NavSatStatus"]
    rest = kinds["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
    unknown = np.array([-1.0, *[0.0] * 8])

    def head(t: float, frame: str) -> object:
        nanoseconds = round(t * 1e9)
        return header(stamp(nanoseconds // 10**9, nanoseconds % 10**9), frame)

    messages: list[tuple[float, str, object]] = [
        (
            row[0],
            "imu",
            imu(head(row[0], "imu_link"), rest, unknown, vector(*row[4:]), np.zeros(9), vector(*row[1:4]), np.zeros(9)),
        )
        for row in read_imu(options.imu)
    ]
    for t, (lat, lon, height, quality, _, north, east, up, *_rest) in read_fixes(options.fixes):
        quality_status = status(STATUS.get(int(quality), 0), 1)
        covariance = np.diag([east**2, north**2, up**2]).ravel()
        messages.append((t, "fix", fix(head(t, "gnss_link"), quality_status, lat, lon, height, covariance, 2)))
    with Writer(options.bag, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connections = {
            "imu": writer.add_connection("/imu/data", "sensor_msgs/msg/Imu", typestore=types),
            "fix": writer.add_connection("/gnss/fix", "sensor_msgs/msg/NavSatFix", typestore=types),
        }
        for t, name, message in sorted(messages, key=lambda item: item[0]):
            kind = connections[name].msgtype
            writer.write(connections[name], round(t * 1e9), types.serialize_cdr(message, kind))


if __name__ == "__main__":
    main()
