"""Parameters that contradict each other, and what check says about them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from mine_robot.bringup.check import base_and, warnings
from mine_robot.bringup.cli import app
from mine_robot.bringup.explain import explain
from mine_robot.core.parameters import specs
from mine_robot.pipeline.consistency import RULES, contradictions
from mine_robot.pipeline.loading import ParameterFiles, load_robot
from mine_robot.pipeline.parameters import NODE_PARAMETERS

ROOT = Path(__file__).parents[2]
ROBOT = load_robot(ROOT / "urdf/mine_robot.urdf.xacro")

FILES = ParameterFiles([ROOT / "config/robot.yaml"])
NODES = {node: FILES.build(node) for node in FILES.nodes}


def broken(*settings: str) -> list[tuple[tuple[str, ...], str]]:
    files = ParameterFiles([ROOT / "config/robot.yaml"])
    for text in settings:
        files.assign(text)
    nodes = {node: files.build(node) for node in files.nodes}
    return [(rule.keys, problem) for rule, problem in contradictions(nodes, ROBOT)]


@pytest.mark.parametrize("name", ["robot.yaml", "sim.yaml", "field.yaml"])
def test_the_delivered_parameters_fit_each_other(name: str) -> None:
    assert warnings([ROOT / "config" / name]) == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["limits.search_speed=0.7"], "no ground counts"),
        (["limits.reaction_time=0.6"], "within the halo"),
        (["limits.deceleration=0.3"], "within the halo"),
        (["limits.drive_speed=0.3"], "faster than driving"),
        (["planner.side_slope_max=0.5"], "forbid nothing"),
        (["limits.lane_overlap=0.05"], "although 0.05 m are asked for"),
        (["planner.resolution=0.1"], "strips stay between lanes"),
        (["limits.head_height_min=0.2"], "nothing counts"),
        (["detector.gpr.antenna_height_m=0.3"], "at the nominal 0.3 m nothing counts"),
        (["detector.gpr.channel_offsets_m=[0.1, 0.2]"], "2 offsets are given"),
        (["localization.output_rate=4"], "takes that for a break"),
        (["localization.output_rate=6"], "slower than the reaction"),
        (["guard.nav_age=0.06", "localization.output_rate=20"], "already stale"),
        (["guard.sigma_limit=0.02"], "ground counts up to 0.03 m"),
        (["follower.stop_lag=0.1"], "stops overshoot"),
        (["follower.stray_limit=0.2"], "may stray 0.2 m"),
        (["limits.halo_radius=0.6"], "no mark is possible"),
        (["detector.association_m=0.5"], "are one target"),
        (["mission.mark_timeout=10"], "the mission waits 10 s"),
        (["mission.health_age=0.6"], "one late report is a fault"),
    ],
)
def test_each_contradiction_is_told_with_its_figures(settings: list[str], words: str) -> None:
    problems = broken(*settings)
    assert any(words in problem for _, problem in problems), problems


def test_an_overlap_that_eats_a_narrow_array_is_told() -> None:
    narrow = replace(ROBOT, gpr_offsets=np.array([0.2, -0.2]), coil_offsets=np.array([0.2, -0.2]))
    files = ParameterFiles([ROOT / "config/robot.yaml"])
    files.assign("limits.lane_overlap=0.5")
    nodes = {node: files.build(node) for node in files.nodes}
    assert any("0.80 m wide a lane gains 0.30 m" in problem for _, problem in contradictions(nodes, narrow))


@given(st.floats(0.05, 0.6), st.floats(0.0, 1.0), st.floats(0.1, 4.0), st.floats(0.1, 2.0), st.floats(0.0, 0.5))
def test_a_slower_robot_never_breaks_the_rule_of_stopping(
    speed: float, reaction: float, brakes: float, halo: float, slower: float
) -> None:
    def stops(v: float) -> bool:
        limits = replace(
            NODES["mission"].limits, search_speed=v, reaction_time=reaction, deceleration=brakes, halo_radius=halo
        )
        nodes = {name: replace(params, limits=limits) for name, params in NODES.items()}
        return not any("its tracks stop" in problem for _, problem in contradictions(nodes, ROBOT))

    assert stops(max(0.05, speed * slower)) or not stops(speed)


def test_every_rule_names_parameters_that_exist() -> None:
    known = {f"{node}.{spec.name}" for node, cls in NODE_PARAMETERS.items() for spec in specs(cls)}
    for rule in RULES:
        assert rule.words.endswith(".")
        for key in rule.keys:
            assert key in known or f"mission.{key}" in known, key


def test_check_warns_and_does_not_fail(tmp_path: Path) -> None:
    (tmp_path / "fast.yaml").write_text("/**:\n  ros__parameters:\n    limits: {search_speed: 0.9}\n")
    result = CliRunner().invoke(app, ["check", str(tmp_path / "fast.yaml")])
    assert result.exit_code == 0
    assert "warning: limits.search_speed, limits.evidence_speed_max: at 0.9 m/s no ground counts" in result.output


def test_explain_tells_meaning_value_range_and_company(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("detector:\n  ros__parameters:\n    gpr: {threshold: 3.5}\n")
    result = CliRunner().invoke(app, ["check", str(tmp_path / "mine.yaml"), "--explain", "detection.gpr.threshold"])
    assert result.exit_code == 0
    assert "detector.gpr.threshold = 3.5" in result.output and "0.5 to 10; default 2.5" in result.output
    lines = explain("limits.search_speed", base_and([]))
    assert lines[0] == "limits.search_speed = 0.5 m/s" and any("room to stop" in line for line in lines)
    assert len(explain("detector.gpr", base_and([]))) > 20


@pytest.mark.parametrize("name", [full for rule in RULES for full in rule.keys])
def test_everything_in_a_rule_can_be_explained(name: str) -> None:
    assert explain(name, base_and([]))[0].startswith(f"{name} = ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--explain", "limits.serch_speed"], "did you mean 'limits.search_speed'?"), ([], "give at least one FILE")],
)
def test_bad_input_is_one_line(arguments: list[str], words: str) -> None:
    error = str(CliRunner().invoke(app, ["check", *arguments]).exception)
    assert words in error and "\n" not in error
