"""What pages are told of the sensors, and the errands that run beside the server."""

from __future__ import annotations

import asyncio
import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mine_robot.console.access import Refusal
from mine_robot.console.errands import WAITING_MAX, Errands, evidence_picture
from mine_robot.console.traces import COLUMNS, KEPT, ROWS, UNKNOWN, ZERO, Traces, Wish, choose
from mine_robot.core.types import GprScan, MetalScan

RAW, PROCESSED = Wish(1, False), Wish(1, True)
SAMPLES, CHANNELS = 192, 3
VIEWER_BYTES_S = 20_000  # of the 100 kB/s of a viewer


def radar(t: float, level: float = 1.0, samples: int = SAMPLES) -> GprScan:
    """A bounce alike in all scans, and an echo at sample 40 as strong as ``level``."""
    trace = np.zeros(samples)
    trace[20], trace[40] = 100.0, level
    noise = 0.01 * np.random.default_rng(round(1000 * t)).normal(size=(samples, CHANNELS))
    return GprScan(t, (trace[:, None] + noise).astype(np.float32))


def metal(t: float, *values: float) -> MetalScan:
    quadrature = np.array(values or (1.0, 2.0))
    return MetalScan(t, np.zeros((len(quadrature), 3)), 10.0 * quadrature, quadrature)


def told(traces: Traces, wish: Wish, after: int = 0) -> tuple[dict[str, Any], int]:
    text, last = traces.compose(wish, after)
    return (json.loads(text)["sensors"] if text else {}), last


def codes(content: dict[str, Any]) -> np.ndarray:
    gpr = content["gpr"]
    data = np.frombuffer(base64.b64decode(gpr["codes"]), dtype=np.uint8)
    return data.reshape(-1, gpr["rows"])


def test_a_page_is_told_the_past_once_and_then_what_is_new() -> None:
    traces = Traces(0.1, 9.0)
    for i in range(10):
        traces.gpr(radar(0.05 * i))
        traces.metal(metal(0.05 * i))
    content, last = told(traces, RAW)
    assert codes(content).shape == (10, 90)
    assert len(content["metal"]) == 10 and content["metal"][0] == [[10.0, 20.0], [1.0, 2.0]]
    assert told(traces, RAW, last) == ({}, last)
    traces.gpr(radar(1.0))
    content, _ = told(traces, PROCESSED, last)
    assert codes(content).shape == (1, 90) and "metal" not in content


def test_the_background_hides_the_echo_in_the_raw_section_and_not_in_the_processed_one() -> None:
    traces = Traces(0.1, 9.0)
    for i in range(60):
        traces.gpr(radar(0.05 * i, level=0.0))
    _, last = told(traces, RAW)
    traces.gpr(radar(9.0, level=1.0))
    raw, processed = (codes(told(traces, wish, last)[0])[0].astype(int) - ZERO for wish in (RAW, PROCESSED))
    assert raw[20] == 127 and abs(raw[40]) <= 2
    assert processed[40] == 127 and abs(processed[20]) < 100


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 700), st.floats(1.0, 60.0), st.integers(0, 2**32 - 1))
def test_columns_stay_small_whatever_the_radar(samples: int, seen_ns: float, seed: int) -> None:
    traces, rng = Traces(0.1, seen_ns), np.random.default_rng(seed)
    for i in range(3):
        scan = rng.normal(size=(samples, CHANNELS)) * 10.0 ** rng.integers(-30, 30)
        scan[rng.random(scan.shape) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
        traces.gpr(GprScan(float(i), scan))
    content, _ = told(traces, PROCESSED)
    found = codes(content)
    assert found.shape[0] == 3 and found.shape[1] <= ROWS
    assert content["gpr"]["rows"] * content["gpr"]["row_ns"] >= min(0.1 * samples, seen_ns) - 0.1


def test_an_update_stays_within_its_share_of_a_viewers_bytes() -> None:
    traces, last = Traces(0.01, 9.0), 0
    for i in range(COLUMNS):
        traces.gpr(radar(0.05 * i, samples=1000))
        traces.metal(metal(0.05 * i, *(1234.56 + k for k in range(16))))
    text, last = traces.compose(PROCESSED, last)
    assert 5 * len(text) < VIEWER_BYTES_S
    for i in range(3 * KEPT):
        traces.gpr(radar(0.05 * i))
    assert len(codes(told(traces, RAW)[0])) == KEPT, "not more than the page shows"


@given(st.integers(0, 2000))
def test_of_many_scans_a_few_are_chosen_evenly_the_last_among_them(count: int) -> None:
    chosen = choose(count)
    assert len(chosen) == min(count, COLUMNS)
    if count:
        assert chosen[-1] == count - 1
        assert np.ptp(np.diff(chosen)) <= 1 if len(chosen) > 1 else True


def test_what_is_no_number_or_another_size_is_no_end() -> None:
    traces = Traces(0.1, 9.0)
    dead = radar(0.0).traces.copy()
    dead[:, 1] = np.nan
    traces.gpr(GprScan(0.0, dead))
    traces.metal(metal(0.0, math.nan, 3.0))
    content, _ = told(traces, RAW)
    assert (codes(content) == UNKNOWN).all()
    assert content["metal"] == [[[None, 30.0], [None, 3.0]]]
    traces.gpr(GprScan(0.1, np.zeros(5)))
    traces.gpr(GprScan(0.1, np.zeros((0, 3))))
    traces.gpr(GprScan(0.2, np.ones((50, 1))))
    content, _ = told(traces, Wish(7, True))
    assert (content["gpr"]["channels"], content["gpr"]["channel"], len(codes(content))) == (1, 0, 1)


# --- errands ---------------------------------------------------------------------------------------------------------------
def test_an_errand_says_what_it_prints_or_why_it_failed(tmp_path: Path) -> None:
    async def both() -> str:
        errands = Errands()
        with pytest.raises(Refusal, match="no journal at"):
            await evidence_picture(errands, tmp_path, 3)
        return await errands.run("check", "--explain", "limits.search_speed", limit_s=60.0)

    assert "limits.search_speed" in asyncio.run(both())


def test_what_takes_too_long_is_killed_and_crowds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def crowd() -> list[BaseException | str]:
        errands = Errands()
        many = (errands.run("check", "--help", limit_s=0.01) for _ in range(WAITING_MAX + 1))
        return await asyncio.gather(*many, return_exceptions=True)

    refused = asyncio.run(crowd())
    assert sorted(one.status for one in refused if isinstance(one, Refusal)) == [429, *[503] * WAITING_MAX]
