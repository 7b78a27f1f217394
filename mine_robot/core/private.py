"""What is recorded of a field is for its owner and the owner's group only."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

OTHERS = 0o007
GROUP_WRITES = 0o020


def keep_private() -> None:
    """Let this process and its children make files of mode 0640 and folders of 0750, or closer still where the user wants that."""
    os.umask((os.umask(OTHERS) | OTHERS | GROUP_WRITES) & 0o077)


def make_private(folder: Path) -> None:
    """Take what others may do from a folder and all that is in it, as far as it is ours."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            with contextlib.suppress(OSError):
                path.chmod(path.stat().st_mode & ~OTHERS)
