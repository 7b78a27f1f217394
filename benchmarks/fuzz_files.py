"""Broken files of every kind that the commands read: each is taken, or refused in one line.

``python benchmarks/fuzz_files.py --count 100000`` mutates valid examples (bytes, words, nodes of JSON) and feeds them to the loaders, in
worker processes with limits of memory and time. It prints a table by kind, keeps what went wrong in ``--keep``, and exits 1 on a traceback,
a hang (20 s) or a crash.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HANG_S = 20.0
BATCH = 2000  # files of one worker
MEMORY = 4 << 30
WORDS = [
    b"", b"0", b"-1", b"1e400", b"NaN", b"null", b"true", b"9" * 400, b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b'"\\ud800"', b"[" * 2000,
    b"{", b"}", b"]", b"<", b">", b"&a", b"*a", b"!!x", b"---\n", b"\t", b"0300", b"5:00", b"yes", b"../../x", b"/dev/zero", b"[/x]",
    b"\x1b[31m", b"${1/0}", b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"\n\n", b": ", b"- ", b"'", b'"', b"18446744073709551616",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1e308, -1e-308, 10**40, "", "x", "\ud800", "[/x]", "9" * 300, [], {}, [[]], [None], {"a": 1}, [0.0, 0.0],
    [1e9, 1e9, 1e9], "Polygon", "Point", "hazard_area", "GeometryCollection",
]  # fmt: skip


# --- examples and what reads them -------------------------------------------------------------------------------------
def _kinds(folder: Path) -> dict[str, tuple[list[bytes], str, Callable[[Path], Any], int]]:
    """By kind: examples, suffix of the file, what reads it, and its weight."""
    import numpy as np
    import rasterio
    from rasterio.transform import from_origin

    from mine_robot.bringup.check import check_file
    from mine_robot.mission.journal import Journal
    from mine_robot.mission.journal_reader import read_journal
    from mine_robot.pipeline.heights import read_heights
    from mine_robot.pipeline.loading import ParameterFiles, expand_urdf, load_field, load_robot
    from mine_robot.pipeline.priors import load_priors
    from mine_robot.pipeline.rasters import read_raster
    from mine_robot.records.run_directory import read_json

    fields = [
        path.read_bytes() for path in (*ROOT.glob("config/missions/*.geojson"), ROOT / "test/data/small_field.geojson")
    ]
    field = load_field(ROOT / "test/data/small_field.geojson")
    parameters = [path.read_bytes() for path in ROOT.glob("config/*.yaml")]
    parameters.append(ParameterFiles([ROOT / "config/robot.yaml"]).dump().encode())
    scenarios = [path.read_bytes() for path in (*ROOT.glob("config/scenarios/*.yaml"), *ROOT.glob("test/data/*.yaml"))]
    buried = (
        b"  - {type: pmn, east: 1.0, north: 2.0, depth_m: 0.05}\n  - {type: tm62, lon: 47.0, lat: 40.0, depth_m: 0.1}\n"
    )
    scenarios.append(
        b"soil: {base: sand, permittivity: 5.0}\nterrain: {type: meadow, slope_deg: 3.0}\nobjects:\n" + buried
    )
    xacro = ROOT / "urdf/mine_robot.urdf.xacro"
    west, south = field.datum.longitude, field.datum.latitude
    place = {"crs": "EPSG:4326", "transform": from_origin(west - 1e-4, south + 1e-4, 1e-6, 1e-6)}
    tiff = folder / "example.tif"
    with rasterio.open(tiff, "w", driver="GTiff", width=200, height=200, count=1, dtype="float32", **place) as image:
        image.write(np.ones((200, 200), dtype=np.float32), 1)
    heights = "\n".join(f"{west + 1e-6 * i:.7f} {south:.7f} {100 + i}" for i in range(50)).encode()
    with Journal(folder / "journal.sqlite") as journal:
        journal.event(1.0, "hold", {"cause": "gnss"})
    return {
        "field": (fields, ".geojson", load_field, 20),
        "kml": ([_kml()], ".kml", load_field, 10),
        "parameters": (parameters, ".yaml", check_file, 15),
        "scenario": (scenarios, ".yaml", check_file, 15),
        "urdf": ([expand_urdf(xacro).encode()], ".urdf", load_robot, 10),
        "xacro": ([xacro.read_bytes()], ".xacro", load_robot, 1),
        "priors": ([_priors(west, south)], ".geojson", lambda path: load_priors(path, field), 10),
        "raster": ([tiff.read_bytes()], ".tif", lambda path: read_raster(path, 1, field), 5),
        "height model": ([heights], ".xyz", lambda path: read_heights(path, field), 5),
        "log": ([_log(folder)], ".mcap", _read_log, 5),
        "sqlite log": ([_sqlite(folder)], ".db3", _read_log, 2),
        "journal": ([(folder / "journal.sqlite").read_bytes()], ".sqlite", read_journal, 5),
        "run.json": ([b'{"field": "field.geojson", "simulation": true, "seed": 3}'], ".json", read_json, 5),
    }


def _kml() -> bytes:
    corners = "47.0,40.0 47.0002,40.0 47.0002,40.0002 47.0,40.0002 47.0,40.0"
    lower = "47.0,39.9999 47.0002,39.9999 47.0002,40.0 47.0,40.0 47.0,39.9999"
    ring = "<outerBoundaryIs><LinearRing><coordinates>{}</coordinates></LinearRing></outerBoundaryIs>"
    mark = f"<Placemark><name>{{}}</name><Polygon>{ring}</Polygon></Placemark>"
    inner = mark.format("Hazard area", corners) + mark.format("Safe area", lower)
    return (
        f'<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>{inner}</Document></kml>'.encode()
    )


def _priors(west: float, south: float) -> bytes:
    point = {"type": "Point", "coordinates": [west, south]}
    line = {"type": "LineString", "coordinates": [[west, south], [west + 1e-5, south]]}
    every = [
        ({"role": "suspected_point", "p": 0.5, "sigma_m": 0.5, "name": "a"}, point),
        ({"role": "mine_row", "spacing_m": 1.0, "p": 0.5, "sigma_m": 0.2}, line),
    ]
    features = [{"type": "Feature", "properties": own, "geometry": shape} for own, shape in every]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def _messages() -> list[tuple[str, str, Any]]:
    import numpy as np

    from mine_robot.core.types import GprScan, ImuSample
    from mine_robot.ros import encode
    from mine_robot.ros.topics import GPR_SCAN, IMU

    imu = [encode.imu(ImuSample(0.01 * i, np.zeros(3), np.array([0.0, 0.0, 9.8]))) for i in range(50)]
    radar = [encode.gpr(GprScan(0.1 * i, np.ones((40, 4), dtype=np.float32))) for i in range(5)]
    return [(topic.name, topic.type_name, one) for topic, every in ((IMU, imu), (GPR_SCAN, radar)) for one in every]


def _log(folder: Path) -> bytes:
    from rclpy.serialization import serialize_message

    from mine_robot.records.bag import BagWriter

    path = folder / "example.mcap"
    with BagWriter(path) as writer:
        every = _messages()
        for name, kind in dict.fromkeys((name, kind) for name, kind, _ in every):
            writer.add_topic("/" + name, kind)
        for number, (name, _, message) in enumerate(every):
            writer.write("/" + name, number * 10**7, serialize_message(message))
            if number % 10 == 0:
                writer.flush()
    return path.read_bytes()


def _sqlite(folder: Path) -> bytes:
    from rclpy.serialization import serialize_message
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    path, store = folder / "bag", get_typestore(Stores.ROS2_JAZZY)
    with Writer(path, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        every = _messages()
        ends: dict[str, Any] = {}
        for number, (name, kind, message) in enumerate(every):
            if name not in ends:
                ends[name] = writer.add_connection("/" + name, kind, typestore=store)
            writer.write(ends[name], number * 10**7, serialize_message(message))
    return next(path.glob("*.db3")).read_bytes()


def _read_log(path: Path) -> None:
    from mine_robot.records.log_source import LogSource
    from mine_robot.records.log_topics import DECODERS, REPLAYED, UNDECODABLE, find_topics

    with LogSource(path) as source:
        topics = find_topics(source.topics, {}, REPLAYED, source.first)
        for name, _, message in source.messages(topics):
            with contextlib.suppress(*UNDECODABLE):
                DECODERS[topics[name]](message)


# --- mutations --------------------------------------------------------------------------------------------------------
def mutated(content: bytes, rng: random.Random) -> bytes:
    """A broken version of ``content``."""
    if content[:1] in b"{[" and rng.random() < 0.5:
        with contextlib.suppress(ValueError):
            return json.dumps(_mutated_tree(json.loads(content), rng)).encode()
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 12))):
        at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        end = min(end, at + rng.choice((1, 4, 40, 4000)))
        match rng.randrange(7):
            case 0:
                data[at:at] = rng.choice(WORDS)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = data[at:end]
            case 3 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 4:
                data[at:end] = rng.choice(WORDS)
            case 5 if rng.random() < 0.3:
                del data[at:]
            case _:
                data[at:end] = bytes(rng.randrange(256) for _ in range(min(end - at, 8)))
    return bytes(data)


def _mutated_tree(tree: Any, rng: random.Random) -> Any:
    """One node of a JSON tree is another value, is there twice, or is gone."""
    parent: Any = None
    node, key = tree, None
    while isinstance(node, (dict, list)) and node and (parent is None or rng.random() < 0.85):
        parent = node
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        node = node[key]
    if parent is None:
        return rng.choice(VALUES)
    choice = rng.random()
    if choice < 0.15:
        del parent[key]
    elif choice < 0.3 and isinstance(parent, list):
        parent.insert(rng.randrange(len(parent) + 1), node)
    elif choice < 0.5 and isinstance(node, (int, float)):
        parent[key] = node * rng.choice((0, -1, 1.0001, 1e3, 1e300))
    else:
        parent[key] = rng.choice(VALUES)
    return tree


# --- a worker ---------------------------------------------------------------------------------------------------------
def work(seed: int, count: int, folder: Path) -> None:
    """Feed ``count`` files; a line of JSON to standard output before and after each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from mine_robot.mission.journal import JournalError
    from mine_robot.pipeline.loading import LoadError
    from mine_robot.records.errors import RecordError

    kinds = _kinds(folder)
    rng = random.Random(seed)
    names = [name for name, kind in kinds.items() for _ in range(kind[3])]
    said, quiet = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)

    def tell(**line: Any) -> None:
        os.write(said, (json.dumps(line) + "\n").encode())

    for number in range(count):
        name = rng.choice(names)
        examples, suffix, read, _ = kinds[name]
        path = folder / f"case{suffix}"
        path.write_bytes(mutated(rng.choice(examples), rng))
        tell(begin=name, path=str(path), case=f"{seed}_{number}")
        try:
            read(path)
            result = "ok"
        except (LoadError, RecordError, JournalError) as error:
            result = "refused" if "\n" not in str(error) else f"several lines: {str(error)[:200]!r}"
        except Exception:
            result = traceback.format_exc()
        for left in folder.glob(f"case{suffix}-*"):
            left.unlink()
        tell(result=result)


# --- the parent -------------------------------------------------------------------------------------------------------
class Tally:
    """What became of the files, by kind."""

    def __init__(self, keep: Path) -> None:
        self.keep, self.counts, self.faults = keep, Counter[tuple[str, str]](), Counter[str]()

    def take(self, begun: dict[str, Any], result: str) -> None:
        """Count one file; one that went wrong in a new way is kept."""
        good = result in ("ok", "refused")
        self.counts[begun["begin"], result if good else "wrong"] += 1
        if good:
            return
        last = [line.strip() for line in result.strip().splitlines()]
        key = f"{begun['begin']}: {' | '.join(last[-4:])[-300:]}"
        self.faults[key] += 1
        if self.faults[key] == 1:
            self.keep.mkdir(parents=True, exist_ok=True)
            path = Path(begun["path"])
            with contextlib.suppress(OSError):
                shutil.copyfile(path, self.keep / f"{begun['begin'].replace(' ', '_')}_{begun['case']}{path.suffix}")
            print(f"{key}", flush=True)

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def batch(seed: int, count: int, tally: Tally) -> None:
    """One worker to its end, or to the file that ended it."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, __file__, "--worker", str(seed), "--count", str(count), "--keep", folder]
        with (
            subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as worker,
            selectors.DefaultSelector() as ready,
        ):
            assert worker.stdout is not None
            ready.register(worker.stdout, selectors.EVENT_READ)
            begun: dict[str, Any] | None = None
            waited_from, rest = time.monotonic() + 60.0, b""  # it imports first
            while True:
                if ready.select(timeout=1.0):
                    data = os.read(worker.stdout.fileno(), 1 << 16)
                    waited_from = time.monotonic()
                    if not data:
                        break
                    *lines, rest = (rest + data).split(b"\n")
                    for line in map(json.loads, lines):
                        if "result" in line:
                            assert begun is not None
                            tally.take(begun, line["result"])
                            begun = None
                        else:
                            begun = line
                elif time.monotonic() - waited_from > HANG_S:
                    if begun is not None:
                        tally.take(begun, f"hang of {HANG_S:.0f} s")
                        begun = None
                    os.killpg(worker.pid, signal.SIGKILL)
                    break
            code = worker.wait()
            if begun is not None:
                tally.take(begun, f"crash: {code}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzzed"), help="folder for what went wrong")
    parser.add_argument("--minutes", type=float, default=1e9, help="end after this time")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        work(options.worker, options.count, options.keep)
        return 0
    tally, begun = Tally(options.keep), time.monotonic()
    seed = options.seed * 1_000_000
    while tally.total < options.count and time.monotonic() - begun < 60.0 * options.minutes:
        batch(seed, min(BATCH, options.count - tally.total), tally)
        seed += 1
    print(f"{'kind':14} {'files':>8} {'ok':>8} {'refused':>8} {'wrong':>6}")
    for name in sorted({kind for kind, _ in tally.counts}):
        ok, refused, wrong = (tally.counts[name, result] for result in ("ok", "refused", "wrong"))
        print(f"{name:14} {ok + refused + wrong:8} {ok:8} {refused:8} {wrong:6}")
    print(
        f"{tally.total} files in {time.monotonic() - begun:.0f} s, {sum(tally.faults.values())} wrong in {len(tally.faults)} ways"
    )
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
