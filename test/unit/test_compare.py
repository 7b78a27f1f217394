"""Comparison of target lists, and the ROC."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mine_robot.records.compare import Result, compare, read_result, track_difference
from mine_robot.records.errors import RecordError
from mine_robot.records.roc import Listed, RocPoint, roc
from mine_robot.sim.types import BuriedObject

HEADER = "id,lat,lon,east,north,depth_m,sigma_m,p_hazard,class,llr_gpr,llr_md\n"
coordinate = st.floats(-3.0, 3.0)
targets = st.lists(st.tuples(coordinate, coordinate, st.floats(0.0, 1.0)), max_size=8).map(
    lambda rows: tuple(Listed(number, *row) for number, row in enumerate(rows, 1))
)


def result(*listed: Listed) -> Result:
    return Result(Path("x"), listed, np.empty((0, 3)), {})


def test_what_was_gained_lost_and_moved() -> None:
    old = result(Listed(1, 0.0, 0.0, 0.9), Listed(2, 5.0, 0.0, 0.5), Listed(3, 9.0, 0.0, 0.2))
    new = result(Listed(1, 5.0, 0.1, 0.5), Listed(2, 0.0, 0.0, 0.4), Listed(3, 20.0, 0.0, 0.3))
    difference = compare(new, old)
    assert [target["id"] for target in difference["gained"]] == [3]
    assert [target["id"] for target in difference["lost"]] == [3]
    assert difference["moved"] == [{"id": 1, "was": 2, "by_m": 0.1, "p_hazard": [0.5, 0.5]}]
    assert difference["changed"] == [{"id": 2, "was": 1, "by_m": 0.0, "p_hazard": [0.9, 0.4]}]


@given(targets, targets)
def test_every_target_is_told_once_and_the_way_back_mirrors_it(a: tuple[Listed, ...], b: tuple[Listed, ...]) -> None:
    there, back = compare(result(*a), result(*b)), compare(result(*b), result(*a))
    kept = len(a) - len(there["gained"])
    assert kept == len(b) - len(there["lost"]) == len(b) - len(back["gained"])
    assert len(there["moved"]) == len(back["moved"]) <= kept
    itself = compare(result(*a), result(*a))
    assert not (itself["gained"] or itself["lost"]) and itself["unchanged"] <= len(a)


@given(targets, targets)
def test_an_roc_only_rises(listed: tuple[Listed, ...], buried: tuple[Listed, ...]) -> None:
    objects = [BuriedObject("pmn" if i % 2 else "can", t.east, t.north, 0.05) for i, t in enumerate(buried)]
    curve = roc(listed, objects)
    assert [point.threshold for point in curve] == sorted({t.p_hazard for t in listed}, reverse=True)
    for first, second in pairwise(curve):
        assert second.found >= first.found and second.false_alarms >= first.false_alarms
    if curve:
        assert curve[-1].found <= sum(item.kind == "pmn" for item in objects)


def test_an_roc_by_hand() -> None:
    objects = [BuriedObject("pmn", 0.0, 0.0, 0.05), BuriedObject("nail", 3.0, 0.0, 0.02)]
    listed = (Listed(1, 3.0, 0.0, 0.9), Listed(2, 0.1, 0.0, 0.5), Listed(3, math.nan, 0.0, 0.8))
    assert roc(listed, objects) == [RocPoint(0.9, 0, 1), RocPoint(0.5, 1, 1)]


def test_tracks_are_compared_at_common_instants() -> None:
    old = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [2.0, 2.0, 0.0]])
    assert track_difference(old[1:] + np.array([0.0, 0.0, 0.3]), old) == {"rms": 0.3, "largest": 0.3}
    assert track_difference(old + np.array([10.0, 0.0, 0.0]), old) is None


@pytest.mark.parametrize("table", [HEADER + "1,0,0,east,0,0,0,0.5,ap,0,0\n", "id,lat\n1,2\n"])
def test_a_broken_table_is_one_line(table: str, tmp_path: Path) -> None:
    (tmp_path / "targets.csv").write_text(table)
    with pytest.raises(RecordError, match="cannot be read"):
        read_result(tmp_path)


def test_a_target_without_a_place_is_gained_not_lost_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "targets.csv").write_text(HEADER + "4,,,,,,,0.5,unknown,,\n")
    difference = compare(read_result(tmp_path), result())
    assert difference["gained"] == [{"id": 4, "east": None, "north": None, "p_hazard": 0.5}]
