"""Message and service classes by their ROS name."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any


@cache
def message_class(type_name: str) -> Any:
    """The Python class of ``package/msg/Name`` or ``package/srv/Name``."""
    package, kind, name = type_name.split("/")
    return getattr(importlib.import_module(f"{package}.{kind}"), name)
