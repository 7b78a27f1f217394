"""Field files broken in any way are read or refused in one line: no other error, nothing lost without a word."""

from __future__ import annotations

import copy
import json
import random
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))

from test_field import LAT, LON, D, box
from test_kml import GOOD
from test_malformed_fields import field, holes, polygon, with_feature

from mine_robot.core.field import Field, FieldError, field_from_geojson
from mine_robot.core.json_text import to_json
from mine_robot.pipeline.kml import KmlError, collection_from_kml

SQUARE, OTHER = (box(LON + i * D / 2, LAT, D / 4, D / 4) for i in (0, 1))
SEEDS = [
    field(),
    holes(4),
    with_feature("no_go", polygon(SQUARE), reason="pond", fid=3),
    with_feature("known_target", {"type": "MultiPoint", "coordinates": SQUARE[:2]}),
    {
        **with_feature(
            "no_go", {"type": "MultiPolygon", "coordinates": [[SQUARE], [box(LON + D / 2, LAT, D / 4, D / 4)]]}
        ),
        "bbox": [46, 39, 47, 40],
    },
]
ODD: list[Any] = [
    None, True, 0, -1, 1e308, 10**400, float("nan"), "", "a\nb", "no_go", "Polygon", "Point", "\ud800", [], {}, [[]], [None],
    [46.93, 39.99], {"type": "Point"}, {"coordinates": [1, 2]}, {"type": "FeatureCollection", "features": []}, [[[46.93, 39.99]] * 4],
]  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container in ``value`` with each of its keys."""
    found, waiting = [], [value]
    while waiting:
        item = waiting.pop()
        keys = list(item) if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ()
        for key in keys:
            found.append((item, key))
            waiting.append(item[key])
    return found


def broken(rng: random.Random) -> Any:
    """A field file with a few members replaced, deleted or doubled."""
    content = copy.deepcopy(rng.choice(SEEDS))
    for _ in range(rng.randint(1, 3)):
        found = places(content)
        if not found:
            break
        container, key = rng.choice(found)
        kind = rng.random()
        if kind < 0.6:
            container[key] = copy.deepcopy(rng.choice(ODD))
        elif kind < 0.8:
            del container[key]
        elif isinstance(container, list):
            container.insert(key, copy.deepcopy(rng.choice([container[key], *ODD])))
        else:
            container[rng.choice(["crs", "bbox", "Role", "lane_heading", "x", "geometries"])] = copy.deepcopy(
                rng.choice(ODD)
            )
    return content


def test_broken_geojson_is_read_or_refused_in_one_line() -> None:
    read = 0
    for seed in range(1500):
        content = broken(random.Random(seed))
        try:
            found = field_from_geojson(content, source="f")
        except FieldError as error:
            assert str(error).startswith("f: ") and "\n" not in str(error), seed
            continue
        read += 1
        assert isinstance(found, Field)
        # All that has a role and lies somewhere is in the account, number for number.
        polygons = sum(
            len(one["geometry"]["coordinates"]) if one["geometry"]["type"].startswith("Multi") else 1
            for one in content["features"]
        )
        assert sum(found.account.numbers.values()) == polygons, seed
        json.loads(to_json(content))
    assert 50 < read < 1000


def test_broken_kml_is_read_or_refused_in_one_line() -> None:
    read = 0
    for seed in range(1500):
        rng, content = random.Random(seed), bytearray(GOOD)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(content))
            if rng.random() < 0.5:
                content[at] = rng.randrange(256)
            else:
                start = rng.randrange(len(content))
                content[at:at] = content[start : start + rng.randint(1, 60)]
        try:
            field_from_geojson(collection_from_kml(bytes(content)))
            read += 1
        except (KmlError, FieldError) as error:
            assert "\n" not in str(error), seed
    assert read
