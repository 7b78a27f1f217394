"""The proposal of cells to re-check."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import MultiPolygon

from mine_robot.core.geodesy import Datum
from mine_robot.records.quality import draw_sample, write_sample

SEED = "9f" * 32
size = st.floats(0.3, 12.0)


def field(width: float, height: float) -> MultiPolygon:
    return MultiPolygon([shapely.box(0.0, 0.0, width, height)])


def test_half_of_a_square_field_is_drawn() -> None:
    sample = draw_sample(field(10.0, 6.0), SEED)
    assert (sample.count, len(sample.cells), sample.area_m2) == (60, 30, 30.0)
    assert len(np.unique(sample.cells, axis=0)) == 30


@given(size, size, st.floats(0.05, 1.0), st.text("0123456789abcdef", min_size=8, max_size=64))
def test_cells_lie_on_searched_ground_and_are_drawn_the_same_again(
    width: float, height: float, share: float, seed: str
) -> None:
    ground = field(width, height)
    sample = draw_sample(ground, seed, share=share)
    assert len(sample.cells) == math.ceil(share * sample.count)
    for x, y in sample.cells:
        assert shapely.box(x - 0.5, y - 0.5, x + 0.5, y + 0.5).intersection(ground).area >= 0.5 - 1e-9
    again = draw_sample(ground, seed, share=share)
    assert np.array_equal(sample.cells, again.cells)


def test_another_journal_draws_other_cells() -> None:
    ground = field(10.0, 10.0)
    assert not np.array_equal(draw_sample(ground, "1" * 64).cells, draw_sample(ground, "2" * 64).cells)


@pytest.mark.parametrize("ground", [MultiPolygon(), field(0.2, 0.2)])
def test_nothing_searched_is_no_sample(ground: MultiPolygon, tmp_path: Path) -> None:
    sample = draw_sample(ground, "")
    assert len(sample.cells) == 0
    write_sample(tmp_path / "qa.csv", sample, Datum(40.0, 47.0))
    assert len(list(csv.reader((tmp_path / "qa.csv").open()))) == 1
