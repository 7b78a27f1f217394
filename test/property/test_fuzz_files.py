"""Broken files of every kind: a few of those of ``benchmarks/fuzz_files.py``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from fuzz_files import Tally, batch


def test_no_file_ends_in_anything_but_content_or_one_line(tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    batch(4711, 80, tally)
    assert tally.total == 80
    assert not tally.faults
    assert {kind for kind, _ in tally.counts} >= {"field", "kml", "parameters", "scenario", "urdf", "log"}
