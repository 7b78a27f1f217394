"""A field with a well and three mines on sloping, rough ground, for missions in Gazebo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mine_robot.core.geodesy import Datum

ORIGIN = Datum(40.0, 47.0)
WIDTH, HEIGHT = 10.2, 6.0  # m
WELL = (5.0, 7.4)  # beyond the far border: the head must not strike its wall
SCENARIO = {
    "seed": 1,
    "soil": "dry_sand",
    "terrain": {"type": "meadow", "slope_deg": 3.0, "aspect_deg": 40.0},
    "objects": [
        {"type": "pmn", "east": 2.5, "north": 2.0, "depth_m": 0.05},
        {"type": "pmn", "east": 4.8, "north": 4.3, "depth_m": 0.05},
        {"type": "pmn2", "east": 8.3, "north": 1.6, "depth_m": 0.05},
    ],
}


def write(folder: Path) -> tuple[Path, Path]:
    """The field and the scenario file."""
    x, y = WELL
    features = [
        _rectangle("hazard_area", 0.0, 0.0, WIDTH, HEIGHT),
        _rectangle("safe_area", 0.0, -4.0, WIDTH, 0.0),
        _rectangle("no_go", x - 0.5, y - 0.5, x + 0.5, y + 0.5),
    ]
    field, scenario = folder / "field.geojson", folder / "scenario.yaml"
    field.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    # Places are about the field's own datum; in WGS-84 they are where they are meant to be.
    objects = [
        {"type": item["type"], "depth_m": item["depth_m"], **_place(item["east"], item["north"])}
        for item in SCENARIO["objects"]
    ]
    scenario.write_text(json.dumps({**SCENARIO, "objects": objects}), encoding="utf-8")
    return field, scenario


def _place(east: float, north: float) -> dict[str, float]:
    lon, lat = (float(value) for value in ORIGIN.to_wgs84(east, north)[:2])
    return {"lon": lon, "lat": lat}


def _rectangle(role: str, west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = ORIGIN.to_wgs84([west, east, east, west, west], [south, south, north, north, south])[:, :2].tolist()
    return {"type": "Feature", "properties": {"role": role}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
