"""Counts what a damaged write-ahead log has lost. SQLite cuts the log at the first bad frame and says nothing.

Format and checksum: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import struct
from pathlib import Path

MAGICS = {0x377F0682: "<", 0x377F0683: ">"}  # with the byte order of the checksums
HEADER, FRAME_HEADER = 32, 24


def lost_frames(journal: Path) -> int:
    """Whole frames of the present log behind the first one whose checksum fails; 0 for a log that is whole or merely torn."""
    path = Path(f"{journal}-wal")
    data = path.read_bytes() if path.is_file() else b""
    if len(data) < HEADER:
        return 0
    magic, _, page, _, salt1, salt2, check1, check2 = struct.unpack(">8I", data[:HEADER])
    order = MAGICS.get(magic)
    if order is None or not 512 <= page <= 65536:
        return max((len(data) - HEADER) // (FRAME_HEADER + 4096), 1)
    sums = _checksum(data[:24], (0, 0), order)
    size = FRAME_HEADER + page
    frames = [data[at : at + size] for at in range(HEADER, len(data) - size + 1, size)]
    if sums != (check1, check2):
        return len(frames)
    for index, frame in enumerate(frames):
        _, _, frame_salt1, frame_salt2, want1, want2 = struct.unpack(">6I", frame[:FRAME_HEADER])
        sums = _checksum(frame[:8] + frame[FRAME_HEADER:], sums, order)
        if (frame_salt1, frame_salt2) != (salt1, salt2) or sums != (want1, want2):
            # Frames with these salts behind it were written after it; others are left over from an earlier round.
            return sum(struct.unpack(">2I", later[8:16]) == (salt1, salt2) for later in frames[index + 1 :])
    return 0


def _checksum(data: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for index in range(0, len(words), 2):
        first = (first + words[index] + second) & 0xFFFFFFFF
        second = (second + words[index + 1] + first) & 0xFFFFFFFF
    return first, second
