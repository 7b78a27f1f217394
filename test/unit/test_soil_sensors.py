"""Physics of the radar and metal-detector models."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from detection_lane import robot, truth

from mine_robot.core.parameters import build
from mine_robot.core.types import Array
from mine_robot.sim.gpr import GprModel, entry_point
from mine_robot.sim.metal import MetalModel, field_squared
from mine_robot.sim.objects import CATALOGUE
from mine_robot.sim.soil import LIGHT, SOILS, SoilError, soil_from
from mine_robot.sim.soil_sensor_params import SoilSensorParams
from mine_robot.sim.types import BuriedObject

PARAMS = build(SoilSensorParams, {})
SMOOTH = {"roughness_m": 0.0, "heterogeneity": 0.0}
CHANNEL = 3  # 0.075 m left of the middle
OVER = {"x": robot().gpr[0], "y": 0.075}


def echo(kind: str, depth: float, soil: dict[str, float] | None = None) -> Array:
    """Noise-free trace over the object less the trace over bare soil."""
    quiet = dataclasses.replace(PARAMS.gpr, noise=0.0, jitter=0.0, channel_spread=0.0, specimens=0.0)
    ground = soil_from({**SMOOTH, **(soil or {})})
    state = truth(0.0, 0.0)
    traces = [
        GprModel(ground, objects, robot(), quiet, np.random.default_rng(1)).scan(0.0, state).traces[:, CHANNEL]
        for objects in ([BuriedObject(kind, OVER["x"], OVER["y"], depth)], [])
    ]
    return (traces[0] - traces[1]).astype(float)


@pytest.mark.parametrize("depth", [0.05, 0.10, 0.20])
@pytest.mark.parametrize("permittivity", [4.0, 9.0])
def test_an_echo_arrives_after_its_two_way_travel_time(depth: float, permittivity: float) -> None:
    peak = np.abs(echo("can", depth, {"permittivity": permittivity})).argmax()
    height = float(robot().gpr[2])
    expected = 2.0 * (height + depth * np.sqrt(permittivity)) / LIGHT + PARAMS.gpr.pulse_delay
    assert peak * PARAMS.gpr.sample_interval == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(
    ("kind", "sign"), [("tm62", -1.0), ("can", -1.0), ("root", -1.0), ("tma4", 1.0), ("cavity", 1.0)]
)
def test_polarity_tells_the_optically_thin_from_metal_and_water(kind: str, sign: float) -> None:
    trace = echo(kind, 0.10)
    start = round((2.0 * (0.06 + 0.10 * 3.0) / LIGHT + PARAMS.gpr.pulse_delay) / PARAMS.gpr.sample_interval)
    assert np.sign(trace[start]) == sign


def test_echoes_fade_with_depth_and_conductivity() -> None:
    strength = [np.abs(echo("pmn", depth)).max() for depth in (0.03, 0.08, 0.13)]
    assert strength[0] > strength[1] > strength[2]
    assert np.abs(echo("pmn", 0.1, {"conductivity": 0.1})).max() < 0.7 * np.abs(echo("pmn", 0.1)).max()


def test_contrast_makes_the_echo() -> None:
    assert np.abs(echo("pma3", 0.08, {"permittivity": 2.9})).max() < 0.02 * np.abs(echo("pma3", 0.08)).max()


def test_every_pass_meets_the_same_ground() -> None:
    quiet = dataclasses.replace(PARAMS.gpr, noise=0.0, jitter=0.0)
    model = GprModel(SOILS["loam"], [], robot(), quiet, np.random.default_rng(3))
    first = model.scan(0.0, truth(0.0, -3.2, 1.4)).traces
    model.scan(1.0, truth(1.0, 5.0, 2.0))
    np.testing.assert_array_equal(first, model.scan(2.0, truth(2.0, -3.2, 1.4)).traces)


def test_the_ray_enters_the_soil_where_snell_says() -> None:
    height, depth, distance, index = (np.array([v]) for v in (0.06, 0.10, 0.12, 3.0))
    x = entry_point(height, depth, distance, index)
    assert x / np.hypot(x, height) == pytest.approx(index * (distance - x) / np.hypot(distance - x, depth), rel=1e-3)


def test_scan_has_the_shape_of_the_array() -> None:
    scan = GprModel(SOILS["loam"], [], robot(), PARAMS.gpr, np.random.default_rng(0)).scan(4.0, truth(4.0, 0.0))
    assert scan.t == 4.0 and scan.traces.shape == (192, 8) and scan.traces.dtype == np.float32


def test_the_field_is_exact_on_the_axis_and_a_dipole_far_away() -> None:
    ratio = field_squared(0.11, 0.0, 0.10) / field_squared(0.11, 0.0, 0.25)
    assert ratio == pytest.approx(((0.11**2 + 0.25**2) / (0.11**2 + 0.10**2)) ** 3)
    assert field_squared(0.11, 0.0, 8.0) / field_squared(0.11, 0.0, 4.0) == pytest.approx(2.0**-6, rel=0.01)


def reading(kind: str, depth: float) -> complex:
    """Noise-free reading of the coil 0.1 m left of the middle, straight over the object."""
    quiet = dataclasses.replace(PARAMS.metal, noise=0.0, drift=0.0, specimens=0.0)
    item = BuriedObject(kind, float(robot().metal_detector[0]), 0.1, depth)
    bare = soil_from({**SMOOTH, "mineralisation": 0.0})
    scan = MetalModel(bare, [item], robot(), quiet, np.random.default_rng(1)).scan(0.0, truth(0.0, 0.0))
    return complex(scan.in_phase[2], scan.quadrature[2])


def test_the_metal_detector_reads_the_catalogue_at_its_reference_distance() -> None:
    kind = CATALOGUE["pmn"]
    assert reading("pmn", 0.04 - kind.metal_below_top_m) == pytest.approx(kind.metal, rel=1e-6)


def test_specimens_differ_and_scrap_more_than_mines() -> None:
    quiet = dataclasses.replace(PARAMS.metal, noise=0.0, drift=0.0)
    bare = soil_from({**SMOOTH, "mineralisation": 0.0})
    logs = {}
    for kind in ("pmn", "nail"):
        item = BuriedObject(kind, float(robot().metal_detector[0]), 0.1, 0.05)
        models = [MetalModel(bare, [item], robot(), quiet, np.random.default_rng(seed)) for seed in range(40)]
        logs[kind] = np.log(
            [np.hypot(s.in_phase[2], s.quadrature[2]) for s in (m.scan(0.0, truth(0.0, 0.0)) for m in models)]
        )
    assert 0.05 < logs["pmn"].std() < 0.30 < logs["nail"].std() < 0.6


def test_the_metal_signal_falls_with_depth_as_the_loop_says() -> None:
    below = [0.06 + depth + CATALOGUE["nail"].metal_below_top_m for depth in (0.02, 0.12)]
    expected = ((0.11**2 + below[1] ** 2) / (0.11**2 + below[0] ** 2)) ** 3
    assert abs(reading("nail", 0.02)) / abs(reading("nail", 0.12)) == pytest.approx(expected, rel=1e-6)


def test_phase_separates_iron_from_brass() -> None:
    assert np.angle(reading("nail", 0.03), deg=True) > 100.0
    assert np.angle(reading("cartridge", 0.03), deg=True) < 60.0


def test_mineralised_soil_reads_more_when_the_head_comes_down() -> None:
    quiet = dataclasses.replace(PARAMS.metal, noise=0.0, drift=0.0, specimens=0.0)
    values = []
    for up in (0.0, 0.03):
        model = MetalModel(
            SOILS["laterite"], [], robot(), quiet, np.random.default_rng(1), ground=lambda p: np.zeros(len(p))
        )
        state = truth(0.0, 0.0)
        values.append(model.scan(0.0, dataclasses.replace(state, position=np.array([0.0, 0.0, up]))).in_phase.mean())
    assert values[0] < 1.4 * values[1] < 0.0


def test_without_metal_there_is_only_noise() -> None:
    scan = MetalModel(soil_from({"mineralisation": 0.0}), [BuriedObject("stone", 1.3, 0.0, 0.05)], robot(), PARAMS.metal,
                      np.random.default_rng(1)).scan(0.0, truth(0.0, 0.0))  # fmt: skip
    assert scan.positions.shape == (6, 3) and np.abs(scan.in_phase).max() < 15.0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("laom", "did you mean 'loam'"),
        (3, "soil must be a name"),
        ({"permitivity": 3.0}, "unknown key 'permitivity'"),
        ({"permittivity": 500.0}, "from 2 to 60"),
        ({"conductivity": "wet"}, "soil.conductivity must be a number"),
        ({"base": "moon"}, "unknown soil 'moon'"),
    ],
)
def test_a_wrong_soil_is_one_clear_line(data: object, words: str) -> None:
    with pytest.raises(SoilError, match=words) as error:
        soil_from(data)
    assert "\n" not in str(error.value)


def test_a_soil_mapping_changes_single_values() -> None:
    soil = soil_from({"base": "wet_clay", "roughness_m": 0.01})
    assert soil.permittivity == SOILS["wet_clay"].permittivity and soil.roughness_m == 0.01


def test_catalogue_covers_the_contract() -> None:
    hazards = {"pmn", "pmn2", "pma3", "type72", "m14", "tm62", "tma4", "prom1", "mortar"}
    clutter = {"nail", "cartridge", "wire", "can", "stone", "root", "cavity"}
    assert {name for name, kind in CATALOGUE.items() if kind.hazard} == hazards
    assert {name for name, kind in CATALOGUE.items() if not kind.hazard} == clutter
