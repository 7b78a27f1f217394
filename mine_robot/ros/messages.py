"""Message and service classes by their ROS name."""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=None)
def message_class(type_name: str) -> Any:
    """The Python class of ``package/msg/Name`` or ``package/srv/Name``."""
    package, kind, name = type_name.split("/")
    return getattr(importlib.import_module(f"{package}.{kind}"), name)
