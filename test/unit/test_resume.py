"""What is taken up by a resumed run, and what keeps a run from being resumed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from mission_bench import target

from mine_robot.bringup.prepare import RunRequest, prepare_run
from mine_robot.bringup.resources import resource
from mine_robot.core import actuator_protocol
from mine_robot.core.types import (
    Cell,
    Goal,
    LedgerGrid,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MissionState,
    MissionStatus,
    Pose2,
)
from mine_robot.mission.journal import Journal
from mine_robot.mission.journal_reader import read_journal
from mine_robot.pipeline.coverage import CoverageManager
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_field, load_robot, load_scenario
from mine_robot.pipeline.recall import Memory, memory_of, recall
from mine_robot.pipeline.simulation import Simulation, SimulationFiles

DATA = Path(__file__).parents[1] / "data"
FIELD, SCENARIO = DATA / "small_field.geojson", DATA / "small_scenario.yaml"


def begun(tmp_path: Path, state: MissionState = MissionState.SEARCH, namespace: str = "") -> Path:
    """A run that was killed in ``state``."""
    run = prepare_run(RunRequest(FIELD, SCENARIO, out=tmp_path / "run", seed=5, namespace=namespace)).directory
    with Journal(run.journal) as journal:
        journal.status(MissionStatus(9.0, state, "as it was", Goal.SEARCH, -1, 1.0))
    return run.path


def resume(folder: Path, field: Path = FIELD, **changes: object) -> RunRequest:
    return RunRequest(field, **{"resume": folder, **changes})


def test_a_run_goes_on_in_its_directory_with_its_parameters(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    before = (folder / "parameters.yaml").read_text()
    prepared = prepare_run(resume(folder, scenario=SCENARIO, seed=5, rate=2.0))
    assert prepared.directory.path == folder
    assert (folder / "parameters.yaml").read_text() == before.replace(" rate: 0.0\n", " rate: 2.0\n")
    again = ParameterFiles([folder / "parameters.yaml"])
    assert again.nodes["marker"]["run"] > 0
    assert again.nodes["simulator"]["scenario"] == str(folder / "scenario.yaml")


def test_a_run_that_was_moved_goes_on_where_it_is(tmp_path: Path) -> None:
    folder = begun(tmp_path).rename(tmp_path / "elsewhere")
    prepare_run(resume(folder))
    assert str(folder) in (folder / "parameters.yaml").read_text()


def test_a_run_goes_on_in_its_namespace(tmp_path: Path) -> None:
    folder = begun(tmp_path, namespace="robot1")
    for asked in ("", "robot1", "/robot1/"):
        prepared = prepare_run(resume(folder, namespace=asked))
        assert "__ns:=/robot1" in prepared.command(prepared.nodes[0])
    with pytest.raises(LoadError, match="its namespace was '/robot1', not 'robot2'"):
        prepare_run(resume(folder, namespace="robot2"))


def changed_field(tmp_path: Path, change: str) -> Path:
    content = json.loads(FIELD.read_text())
    if change == "moved":
        text = re.sub(r"46\.93", "46.94", FIELD.read_text())
    elif change == "wider":
        content["features"][0]["geometry"]["coordinates"][0][1][0] += 5e-6
        content["features"][0]["geometry"]["coordinates"][0][2][0] += 5e-6
        text = json.dumps(content)
    else:
        point = {"type": "Point", "coordinates": [46.9312, 39.9905]}
        content["features"].append({"type": "Feature", "properties": {"role": "known_target"}, "geometry": point})
        text = json.dumps(content)
    path = tmp_path / "changed.geojson"
    path.write_text(text)
    return path


@pytest.mark.parametrize("change", ["moved", "wider", "known target"])
def test_another_field_is_refused(tmp_path: Path, change: str) -> None:
    folder = begun(tmp_path)
    with pytest.raises(LoadError, match="cannot resume") as caught:
        prepare_run(resume(folder, changed_field(tmp_path, change)))
    assert "\n" not in str(caught.value)


def test_another_geometry_is_refused(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    urdf = folder / "robot.urdf"
    urdf.write_text(urdf.read_text().replace("1.15", "1.16"))
    with pytest.raises(LoadError, match="geometry"):
        prepare_run(resume(folder))


def test_another_world_parameters_or_place_are_refused(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    other = tmp_path / "other.yaml"
    other.write_text("seed: 3\n")
    tuned = tmp_path / "tuned.yaml"
    tuned.write_text("/**: {ros__parameters: {limits: {search_speed: 0.3}}}\n")
    hasty = tmp_path / "hasty.yaml"
    hasty.write_text("/**: {ros__parameters: {qos_overrides: {/gpr/scan: {subscription: {depth: 3}}}}}\n")
    for changes, word in (
        ({"parameters": (hasty,)}, "quality of service"),
        ({"scenario": other}, "another scenario"),
        ({"seed": 6}, "another seed"),
        ({"parameters": (tuned,)}, "search_speed"),
        ({"out": tmp_path / "new"}, "stays in its directory"),
        ({"sim": "none"}, "it ran simulated"),
    ):
        with pytest.raises(LoadError, match=word):
            prepare_run(resume(folder, **changes))


def test_what_is_complete_still_going_on_or_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="no such run directory"):
        prepare_run(resume(tmp_path / "nothing"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(LoadError, match="cannot resume"):
        prepare_run(resume(tmp_path / "empty"))
    folder = begun(tmp_path)
    with Journal(folder / "journal.sqlite"), pytest.raises(LoadError, match="still going on"):
        prepare_run(resume(folder))
    with Journal(folder / "journal.sqlite") as journal:
        journal.status(MissionStatus(10.0, MissionState.DONE, "all searched", Goal.HOME, -1, 1.0))
    with pytest.raises(LoadError, match="complete"):
        prepare_run(resume(folder))


def test_a_damaged_journal_is_put_in_order_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = begun(tmp_path)
    with Journal(folder / "journal.sqlite") as journal:
        journal.targets(1.0, (target(1), target(2)))
        journal._database.execute("update targets set data = '{}' where target = 2")
    prepare_run(resume(folder))
    said = capsys.readouterr().err
    assert "'targets' are damaged" in said
    assert "searching all ground again" in said
    assert [item.id for item in read_journal(folder / "journal.sqlite").targets] == [1]
    (folder / "journal.sqlite").write_bytes(b"rubbish" * 999)
    with pytest.raises(LoadError, match="cannot resume: the journal"):
        prepare_run(resume(folder))


def test_everything_a_run_knows_is_recalled(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    assert recall(path) == Memory()
    with Journal(path) as journal:
        assert recall(path) == Memory()
        journal.info({"home": [1.0, 2.0, 0.5]})
        journal.status(MissionStatus(1.0, MissionState.SEARCH, "searching", Goal.SEARCH, -1, 1.0))
        journal.targets(1.0, (target(1), target(2)))
        journal.mark_request(MarkRequest(2.0, 1, 5.0, 0.0))
        journal.mark_result(MarkResult(3.0, 1, MarkStatus.CONFIRMED, 5.0, 0.0, ""))
        journal.mark_request(MarkRequest(4.0, 2, 5.0, 0.0))
    memory = recall(path)
    assert memory.began
    assert memory.home == Pose2(1.0, 2.0, 0.5)
    assert [item.id for item in memory.targets] == [1, 2]
    assert [request.target_id for request in memory.unresolved] == [2]
    assert memory_of(read_journal(path)) == memory


def manager() -> CoverageManager:
    params = ParameterFiles([resource("config/robot.yaml")]).build("planner")
    return CoverageManager(params, params.limits, load_robot(resource("urdf/mine_robot.urdf.xacro")), load_field(FIELD))


def searched_grid(coverage: CoverageManager) -> LedgerGrid:
    grid = coverage.grid(5.0)
    grid.cells[grid.cells == Cell.PENDING] = Cell.SEARCHED
    return grid


def test_ground_near_the_head_is_searched_again_and_the_tracks_stand_on_searched_ground() -> None:
    coverage = manager()
    grid, pose = searched_grid(coverage), Pose2(0.0, -0.5, np.pi / 2)
    coverage.recall(Memory(grid=grid, grid_pose=pose, home=Pose2(0.0, -3.0, 0.0)))
    again = coverage.grid(6.0)
    lost = np.argwhere((grid.cells == Cell.SEARCHED) & (again.cells != Cell.SEARCHED))
    points = np.column_stack((grid.x0 + (lost[:, 1] + 0.5) * 0.05, grid.y0 + (lost[:, 0] + 0.5) * 0.05))
    body = pose.to_body(points)
    robot = load_robot(resource("urdf/mine_robot.urdf.xacro"))
    limits = ParameterFiles([resource("config/robot.yaml")]).build("planner").limits
    assert len(lost) > 100
    assert np.abs(body[:, 0] - robot.sweep_ahead).max() <= 0.36
    # Even if the robot drove on for half a second after the journal was written, its tracks are not on doubtful ground.
    front = max(patch.x_max for patch in robot.contact_patches) + limits.patch_growth
    assert body[:, 0].min() > front + 0.25
    assert coverage.home == Pose2(0.0, -3.0, 0.0)


def test_without_a_pose_or_on_another_raster_nothing_is_taken_for_searched() -> None:
    coverage = manager()
    grid = searched_grid(coverage)
    coverage.recall(Memory(grid=grid))
    assert coverage.ledger.searched_area == 0.0
    shifted = LedgerGrid(grid.t, grid.x0 + 0.01, grid.y0, grid.resolution, grid.cells)
    with pytest.raises(ValueError, match="another raster"):
        coverage.recall(Memory(grid=shifted, grid_pose=Pose2(0.0, 0.0, 0.0)))


def simulation(seed: int = 3) -> Simulation:
    params = ParameterFiles([resource("config/robot.yaml"), resource("config/sim.yaml")]).build("simulator")
    field = load_field(FIELD)
    return Simulation(
        load_scenario(SCENARIO, field, seed), field, load_robot(resource("urdf/mine_robot.urdf.xacro")), params
    )


def test_a_killed_world_goes_on_where_it_was_and_time_never_runs_back(tmp_path: Path) -> None:
    first = simulation()
    files = SimulationFiles(tmp_path, first)
    assert not files.resumed
    for _ in range(47):
        first.step(None, b"")
        files.record()
    first.actuator.fired.append((first.t, 4, 0.2))  # paint is saved at once, whenever the last state was
    first.step(None, b"")
    files.record()
    (tmp_path / "sim" / "truth.csv").open("a").write("2.40,1.0")  # what a kill leaves
    second = simulation()
    resumed = SimulationFiles(tmp_path, second)
    assert resumed.resumed
    assert first.t <= second.t <= first.t + 1.0
    assert np.allclose(second.truth.position, first.truth.position, atol=0.05)
    assert [mark[1] for mark in second.fired()] == [4]
    second.step(None, b"")
    resumed.record()
    resumed.close()
    world = json.loads((tmp_path / "sim" / "world.json").read_text())
    assert [mark[1] for mark in world["fired"]] == [4]
    assert world["objects"]


def test_the_state_of_another_world_is_refused(tmp_path: Path) -> None:
    SimulationFiles(tmp_path, simulation(3)).close()
    with pytest.raises(LoadError, match="seed"):
        SimulationFiles(tmp_path, simulation(4))
    (tmp_path / "sim" / "state.json").write_text('{"seed": 3')
    with pytest.raises(LoadError, match="not the state of a simulated world"):
        SimulationFiles(tmp_path, simulation(3))


def test_the_page_of_the_protocol_has_the_codes_of_the_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "actuator_protocol.md").read_text()
    for kind in actuator_protocol.Kind:
        assert re.search(rf"{kind.name}\W+0x{kind.value:02X}\b", page), kind
    for word in (*actuator_protocol.Outcome, *actuator_protocol.ActuatorState, *actuator_protocol.Tool):
        text = {"SAFE": "made safe"}.get(word.name, word.name.lower())
        assert f"{word.value} {text}" in page, word
    assert f"more than {actuator_protocol.MAX_FRAME} bytes" in page
    assert f"at most {actuator_protocol.PERMIT_S:g} s old" in page
