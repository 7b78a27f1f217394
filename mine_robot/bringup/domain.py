"""The DDS domain of this environment, read as ROS reads it, and refused where a person would read it otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mine_robot.pipeline.loading import LoadError

VARIABLE = "ROS_DOMAIN_ID"
DOMAIN_MAX = 232  # beyond which the ports of DDS (DDSI-RTPS 9.6.2) do not fit into 16 bits
NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0|[1-9][0-9]*", re.ASCII)


def domain_id(environment: Mapping[str, str]) -> int:
    """The number of the domain; raises :class:`LoadError` on what is none.

    ``rcl`` calls ``strtoul`` with base 0 and ignores what follows: it takes ``0x1c`` and ``28 `` for 28, but ``028`` for 2 (octal),
    ``28x`` for 28 and ``1e1`` for 1.
    """
    text = environment.get(VARIABLE, "").strip(" \t\n\r\f\v")
    if not text:
        return 0
    if not NUMBER.fullmatch(text):
        raise LoadError(
            f"{VARIABLE}={text!r:.40}: must be a whole number from 0 to {DOMAIN_MAX}, without leading zeros"
        )
    number = int(text, 0) if len(text) < 20 else DOMAIN_MAX + 1
    if number > DOMAIN_MAX:
        raise LoadError(f"{VARIABLE}={text:.40}: must be from 0 to {DOMAIN_MAX}")
    return number
