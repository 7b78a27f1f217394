"""Hundreds of marks over a bad line and with jams: nothing is fired twice, and every result is true."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from test_marker import Bench

from mine_robot.core.types import MarkRequest, MarkStatus


@pytest.mark.parametrize("seed", range(4))
def test_campaign(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bench = Bench(seed)
    loss = rng.uniform(0.0, 0.35)

    def spoil(data: bytes) -> bytes:
        if data and rng.random() < loss:
            if rng.random() < 0.5:
                return b""
            broken = bytearray(data)
            broken[rng.integers(len(broken))] ^= int(rng.integers(1, 256))
            return bytes(broken) + bytes(rng.integers(0, 256, rng.integers(0, 4), dtype=np.uint8))
        return data

    bench.drop = spoil
    counts = dict.fromkeys(MarkStatus, 0)
    for target in range(100):
        chances = {"marker_jam": 0.1, "marker_link": 0.05, "marker_empty": 0.03}
        bench.faults = {fault for fault, chance in chances.items() if rng.random() < chance}
        place = bench.place(rng.uniform(-0.6, 0.6), rng.uniform(-0.04, 0.04))
        bench.marker.request(request := MarkRequest(bench.t, target, *place))
        result = None
        for _ in range(600):
            if bench.faults and rng.random() < 0.02:
                bench.faults = set()
            if rng.random() < 0.005:
                bench.faults = bench.faults | {"marker_link"}
            if rng.random() < 0.02:
                bench.marker.request(request)
            result = bench.step()
            if result is not None:
                break
        assert result is not None
        assert result.target_id == target
        for _ in range(5):  # a pulse under way ends
            bench.step()
        paint = [fired for _, fired, _ in bench.actuator.fired].count(target)
        assert paint <= 1, result
        if result.status is MarkStatus.CONFIRMED:
            assert paint == 1, result
        if result.status is MarkStatus.FAILED:
            assert paint == 0, result
        counts[result.status] += 1
        while bench.marker._again:
            bench.step()
    assert counts[MarkStatus.CONFIRMED] >= 60, counts
