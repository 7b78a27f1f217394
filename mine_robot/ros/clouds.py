"""Messages that are buffers: point clouds, images and grids.

What a message says of its buffer is checked against the buffer before numpy sees either: a field far beyond its point lets numpy read
beyond its memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mine_robot.core.types import Cell
from mine_robot.ros.checks import DecodeError, Range, shown
from mine_robot.ros.gate import Row

# sensor_msgs/PointField datatypes 1-8
POINT_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}
FIELDS_MAX, STEP_MAX = 64, 4096
STATES = [np.int8(cell) for cell in Cell]


def points(message: Any, row: Row) -> np.ndarray:
    """sensor_msgs/PointCloud2 -> structured array (n,) of the fields that the row lists, in the row's order; values are not checked."""
    step, width, height = message.point_step, message.width, message.height
    if len(message.fields) > FIELDS_MAX:
        raise DecodeError(f"the point cloud has {len(message.fields)} fields, {FIELDS_MAX} are the most")
    fields = tuple([(field.name, field.offset, field.datatype, field.count) for field in message.fields])
    kind = _point_type(fields, step, bool(message.is_bigendian), tuple(row.values))
    count = row.check_count(width * height)
    data = memoryview(message.data)
    if data.nbytes != count * step or (height > 1 and message.row_step != width * step):
        raise DecodeError(f"the point cloud of {width} x {height} points of {step} bytes has {data.nbytes} bytes")
    return np.frombuffer(data, dtype=kind, count=count)


@lru_cache
def _point_type(
    fields: tuple[tuple[str, int, int, int], ...], step: int, big_endian: bool, names: tuple[str, ...]
) -> np.dtype:
    """The structured type of the fields ``names`` of a cloud's points; a topic has the same each time."""
    missing = [name for name in names if not any(field[0] == name for field in fields)]
    if missing:
        raise DecodeError(f"the point cloud has no field {', '.join(missing)}")
    wanted = {field[0]: field for field in fields if field[0] in names}
    if sum(field[0] in wanted for field in fields) > len(wanted):
        raise DecodeError("the point cloud has two fields of one name")
    if not 1 <= step <= STEP_MAX:
        raise DecodeError(f"the point cloud has points of {step} bytes, expected 1 to {STEP_MAX}")
    end = 0
    for name, offset, kind, count in sorted(wanted.values(), key=lambda field: field[1]):
        if kind not in POINT_TYPES or not 0 <= count <= 1:
            raise DecodeError(f"field {name} of the point cloud is {count} x datatype {kind}, expected 1 x 1 to 8")
        if not end <= offset <= step - np.dtype(POINT_TYPES[kind]).itemsize:
            raise DecodeError(f"field {name} of the point cloud at byte {offset} does not fit into its {step} bytes")
        end = offset + np.dtype(POINT_TYPES[kind]).itemsize
    order = ">" if big_endian else "<"
    return np.dtype(
        {
            "names": list(names),
            "formats": [order + POINT_TYPES[wanted[name][2]] for name in names],
            "offsets": [wanted[name][1] for name in names],
            "itemsize": step,
        }
    )


def point_rows(message: Any, row: Row) -> list[tuple[Any, ...]]:
    """The values of every point in the row's order, each within its range."""
    found: list[tuple[Any, ...]] = points(message, row).tolist()
    bounds = _bounds(tuple(row.values.items()))
    for values in found:
        for (name, low, high, whole, bound), value in zip(bounds, values):
            if not low <= value <= high or (whole and value % 1):
                bound.check(name, value)
    return found


@lru_cache
def _bounds(values: tuple[tuple[str, Range], ...]) -> tuple[tuple[str, float, float, bool, Range], ...]:
    return tuple((name, bound.low, bound.high, bound.whole, bound) for name, bound in values)


def columns(message: Any, row: Row) -> list[np.ndarray]:
    """The values as an array (n,) for each field of the row, whatever they are."""
    cloud = points(message, row)
    return [cloud[name].astype(float) for name in row.values]


def image(message: Any, row: Row) -> NDArray[np.float32]:
    """sensor_msgs/Image 32FC1 -> (height, width)."""
    if message.encoding != "32FC1":
        raise DecodeError(f"the scan has encoding '{shown(message.encoding)}', expected 32FC1")
    height, width, step = message.height, message.width, message.step
    row.values["height"].check("height", height)
    row.values["width"].check("width", width)
    data = memoryview(message.data)
    if data.nbytes != height * step or not 4 * width <= step <= 4 * row.values["width"].high:
        raise DecodeError(f"the scan of {height} x {width} in steps of {step} bytes has {data.nbytes} bytes")
    rows = np.frombuffer(data, dtype=np.uint8).reshape(height, step)[:, : 4 * width]
    order = ">" if message.is_bigendian else "<"
    return np.ascontiguousarray(rows).view(order + "f4").astype(np.float32, copy=False)


def cells(message: Any, row: Row) -> NDArray[np.int8]:
    """nav_msgs/OccupancyGrid -> (rows, columns) of :class:`Cell` values."""
    info, origin = message.info, message.info.origin
    height, width = info.height, info.width
    row.check_count(height * width)
    data = memoryview(message.data)
    if data.nbytes != height * width:
        raise DecodeError(f"the grid of {height} x {width} has {data.nbytes} cells")
    turn: Iterable[float] = (origin.orientation.x, origin.orientation.y, origin.orientation.z)
    if any(value != 0.0 for value in turn) or not math.isfinite(origin.orientation.w):
        raise DecodeError("the grid is rotated")
    grid = np.array(message.data, dtype=np.int8)
    known = grid == STATES[0]
    for state in STATES[1:]:
        known |= grid == state
    if not known.all():
        raise DecodeError(f"the grid has a cell of state {int(grid[~known][0])}")
    return grid.reshape(height, width)
