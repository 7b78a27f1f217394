"""The learned second stage of the detector as it is delivered with the package."""

from __future__ import annotations

import json
import logging
from functools import lru_cache
from importlib.resources import files

from mine_robot.detection.fusion import Judge, judge_by_rules
from mine_robot.detection.learned import HazardModel, ModelError

NAME = "hazard_model.json"
log = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def load_hazard_model() -> HazardModel:
    """The model; raises :class:`~mine_robot.detection.learned.ModelError` if it is missing or does not fit this detector."""
    try:
        return HazardModel(json.loads(files("mine_robot.detection").joinpath(NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise error if isinstance(error, ModelError) else ModelError(f"{NAME}: {error}") from None


def best_judge() -> Judge:
    """The learned model, or the rules if there is none; a warning says so."""
    try:
        return load_hazard_model()
    except ModelError as error:
        log.warning("targets are judged by rules, without the learned second stage: %s", error)
        return judge_by_rules
