"""Scenario files: what is accepted, and how a wrong one is named."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import shapely
from sim_drive import FIELD, ROBOT, field, scenario

from mine_robot.sim.objects import CATALOGUE
from mine_robot.sim.scenario import FAULT_OPTIONS, Scenario, ScenarioError, place_random, scenario_from_dict
from mine_robot.sim.world import start_pose


def test_a_full_scenario() -> None:
    lon, lat, _ = FIELD.datum.to_wgs84(1.0, 2.0)
    parsed = scenario_from_dict(
        {
            "seed": 5,
            "soil": "loam",
            "terrain": {"type": "rough", "slope_deg": 3.0},
            "objects": [
                {"type": "pmn", "east": 3.0, "north": 4.0, "depth_m": 0.05},
                {"type": "nail", "lon": float(lon), "lat": float(lat), "depth_m": 0.0},
            ],
            "random_objects": {"m14": 3},
            "faults": [
                {"at_s": 10, "for_s": 5, "kind": "gnss_false_fix", "offset_m": 0.4},
                {"at_s": 20, "kind": "imu_dead"},
            ],
        },
        FIELD.datum,
    )
    assert parsed.seed == 5
    assert parsed.terrain.slope_deg == 3.0
    assert parsed.terrain.slip == 0.05
    assert (parsed.objects[0].kind, parsed.objects[0].x, parsed.objects[0].y) == ("pmn", 3.0, 4.0)
    assert (parsed.objects[1].x, parsed.objects[1].y) == pytest.approx((1.0, 2.0), abs=1e-6)
    assert parsed.faults[1].duration == math.inf
    assert parsed.active("gnss_false_fix", 9.99) is None
    assert parsed.active("gnss_false_fix", 10.0).options == {"offset_m": 0.4}
    assert parsed.active("gnss_false_fix", 15.0) is None
    assert parsed.active("imu_dead", 1e6) is not None


def test_an_empty_file_is_the_default_scenario() -> None:
    assert scenario_from_dict(None, FIELD.datum) == Scenario()
    assert scenario_from_dict({}, FIELD.datum) == Scenario()


def test_a_killing_has_to_say_whom() -> None:
    with pytest.raises(ScenarioError, match="fault 1 \\(node_kill\\) has no 'node'"):
        scenario(faults=[{"kind": "node_kill", "at_s": 1.0}])


def test_all_fault_kinds_of_the_contract_are_accepted() -> None:
    kinds = [
        "gnss_dropout",
        "gnss_float",
        "gnss_false_fix",
        "gnss_walk",
        "gnss_frozen",
        "heading_lost",
        "imu_dead",
        "wheel_slip",
        "gpr_dead",
        "gpr_frozen",
        "gpr_channel_dead",
        "md_coil_dead",
        "marker_jam",
        "marker_empty",
        "marker_link",
        "command_link_lost",
        "low_battery",
        "node_kill",
    ]
    assert set(kinds) <= set(FAULT_OPTIONS)
    options = {"node_kill": {"node": "planner"}}
    parsed = scenario(faults=[{"kind": kind, "at_s": 1.0, "for_s": 2.0, **options.get(kind, {})} for kind in kinds])
    assert all(parsed.active(kind, 2.0) for kind in kinds)


def one_object(**changes: Any) -> dict[str, Any]:
    item = {"type": "pmn", "east": 1.0, "north": 1.0, "depth_m": 0.1} | changes
    return {"objects": [{key: value for key, value in item.items() if value is not None}]}


def one_fault(**changes: Any) -> dict[str, Any]:
    return {"faults": [{"kind": "gnss_float", "at_s": 1.0} | changes]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "the scenario must be a mapping"),
        ({"sed": 1}, "unknown key in the scenario: 'sed'; did you mean 'seed'?"),
        ({"seed": -1}, "'seed' must be a whole number"),
        ({"seed": True}, "'seed' must be a whole number"),
        ({"soil": 3}, "'soil' must be"),
        ({"terrain": "medow"}, "did you mean 'meadow'?"),
        ({"terrain": {"rougness_m": 0.1}}, "did you mean 'roughness_m'?"),
        ({"terrain": {"roughness_m": 3.0}}, "must be within 0 and 0.2"),
        ({"objects": {}, "faults": 3}, "'faults' must be a list"),
        (one_object(type="pnm"), "did you mean 'pmn'?"),
        (one_object(type=None), "there is no type of object 1"),
        (one_object(east=None), "object 1 (pmn) needs either 'east' and 'north' or 'lon' and 'lat'"),
        (one_object(lat=40.0, lon=47.0), "needs either"),
        (one_object(depth_m=None), "has no 'depth_m'"),
        (one_object(depth_m=3.0), "'depth_m' of object 1 must be within 0 and 1"),
        (one_object(depth_m=math.nan), "must be a number"),
        (one_object(east="here"), "must be a number, got 'here'"),
        (one_object(dept_m=0.1), "did you mean 'depth_m'?"),
        ({"random_objects": {"m41": 1}}, "did you mean 'm14'?"),
        ({"random_objects": {"m14": -2}}, "whole number"),
        ({"random_objects": 3}, "'random_objects' must be a mapping"),
        (one_fault(kind="gnss_flaot"), "did you mean 'gnss_float'?"),
        (one_fault(at_s="soon"), "'at_s' of fault 1 (gnss_float) must be a number"),
        (one_fault(for_s=-1), "must be within"),
        (one_fault(offset_m=1.0), "unknown key in fault 1 (gnss_float): 'offset_m'"),
        (
            one_fault(kind="gpr_channel_dead", channel=1.5),
            "'channel' of fault 1 (gpr_channel_dead) must be a whole number",
        ),
        (one_fault(kind="node_kill", node=3), "must be the name of a node"),
        ({"faults": [{"kind": "imu_dead"}]}, "has no 'at_s'"),
        ({"faults": ["imu_dead"]}, "fault 1 must be a mapping"),
    ],
)
def test_a_wrong_scenario_is_named_in_one_line(data: Any, words: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario_from_dict(data, FIELD.datum)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", range(4))
def test_random_objects_keep_their_distances(seed: int) -> None:
    wanted = scenario(random_objects={"pmn": 6, "tm62": 4, "nail": 20, "stone": 10}, objects=one_object()["objects"])
    drawn = place_random(wanted, FIELD, np.random.default_rng(seed))
    assert len(drawn) == 40
    at = np.array([(item.x, item.y) for item in (*wanted.objects, *drawn)])
    apart = np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1)) + 10.0 * np.eye(len(at))
    assert apart.min() >= 1.0
    for item in drawn:
        point = shapely.Point(item.x, item.y)
        assert FIELD.hazard.contains(point)
        assert FIELD.hazard.boundary.distance(point) >= 0.4 - 1e-6
        low, high = CATALOGUE[item.kind].depths_m
        assert low <= item.depth <= high


def test_a_crowded_field_is_refused() -> None:
    with pytest.raises(ScenarioError, match="no room in the hazard area for another 'nail'"):
        place_random(scenario(random_objects={"nail": 500}), FIELD, np.random.default_rng(0))
    with pytest.raises(ScenarioError, match="no room"):
        place_random(scenario(random_objects={"nail": 1}), field(width=0.7), np.random.default_rng(0))


def test_the_robot_starts_on_safe_ground_facing_the_hazard_area() -> None:
    pose = start_pose(FIELD, ROBOT)
    disc = shapely.Point(pose.x, pose.y).buffer(ROBOT.pivot_radius)
    assert FIELD.safe.contains(disc)
    assert FIELD.hazard.distance(shapely.Point(pose.x, pose.y)) < ROBOT.pivot_radius + 0.4
    ahead = pose.to_map(np.array([3.0, 0.0]))
    assert FIELD.hazard.contains(shapely.Point(ahead))


def test_no_room_to_start_is_refused() -> None:
    with pytest.raises(ScenarioError, match="no safe area has room for the robot to turn"):
        start_pose(field(safe_depth=1.0), ROBOT)
