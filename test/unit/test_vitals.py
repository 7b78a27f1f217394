"""Rates, silence and cost as the diagnostics show them."""

from __future__ import annotations

from mine_robot.ros.vitals import Vitals


def test_rates_silence_and_cpu_are_counted_from_call_to_call() -> None:
    vitals = Vitals()
    vitals.expect(["imu", "gnss"])
    vitals.values(10.0, 1.0, 100.0)
    vitals.heard("imu", 40)
    for _ in range(10):
        vitals.heard("imu")
    shown = vitals.values(10.5, 1.1, 100.4)
    assert shown == {"cpu_share": "0.25", "in imu": "100.0 Hz", "in gnss": "0.0 Hz, silent for inf s"}
    vitals.heard("gnss")
    assert vitals.values(11.0, 1.1, 100.8)["in gnss"] == "2.0 Hz"
    assert vitals.values(13.0, 1.1, 101.0)["in gnss"] == "0.0 Hz, silent for 2.0 s"


def test_a_clock_that_stands_or_runs_back_shows_no_rate() -> None:
    vitals = Vitals()
    vitals.values(10.0, 1.0, 100.0)
    vitals.heard("imu")
    assert vitals.values(10.0, 1.0, 100.0) == {"cpu_share": "-", "in imu": "-"}
    vitals.heard("imu")
    assert vitals.values(4.0, 1.0, 101.0)["in imu"] == "-"
