"""``mine-robot threshold``: from the wanted Pd or the accepted false alarms to a parameter file, by the model's calibration."""

from __future__ import annotations

import math
from pathlib import Path

from mine_robot.bringup.saving import THRESHOLD, check_output, save_text
from mine_robot.detection.learned import ModelError
from mine_robot.pipeline.hazard import load_hazard_model
from mine_robot.pipeline.loading import LoadError, overlay


def choose_threshold(pd: float | None, alarms: float | None, out: Path | None) -> list[str]:
    """The calibration's table, or the threshold for exactly one of ``pd`` (0 to 1) and ``alarms`` (per m²), written to ``out`` if given.

    Returns lines for the operator; raises :class:`LoadError` with one line for a wish that nothing fulfils.
    """
    if pd is not None and alarms is not None:
        raise LoadError("--pd and --false-alarms: only one of them can be wanted")
    wanted = pd is not None or alarms is not None
    if out is not None and not wanted:
        raise LoadError("--out: say with --pd or --false-alarms what is wanted")
    try:
        model = load_hazard_model()
    except ModelError as error:
        raise LoadError(f"no calibration: {error}") from None
    rows = model.operating
    if not wanted:
        return [
            "threshold     Pd  false alarms per m2",
            *(f"{p:9.3f} {hit:6.4f} {false:20.4f}" for p, hit, false in rows),
        ]
    chosen = model.threshold(pd) if pd is not None else model.threshold_for_alarms(alarms or 0.0)
    if math.isnan(chosen):
        raise LoadError(
            f"--pd {pd}: the calibration ends at {rows[:, 1].max():.4f}"
            if pd is not None
            else f"--false-alarms {alarms}: the calibration ends at {rows[:, 2].min():.4f} per m2"
        )
    _, hit, false = rows[rows[:, 0] == chosen][0]
    lines = [
        f"limits.mark_p_hazard {chosen:g}: Pd {hit:.4f}, {false:.4f} false alarms per m2 by the model's calibration"
    ]
    if out is not None:
        check_output(out, THRESHOLD, ())
        save_text(out, overlay("limits.mark_p_hazard", chosen, (), lines[0]))
        lines.append(f"{out}: lay it over the others with --params")
    return lines
