"""Train the detector's second stage from examples (``scripts/hazard_examples.py``) and write it as JSON.

Needs scikit-learn, in an environment of its own; the project does without it:

    python3 -m venv ENV; ENV/bin/pip install scikit-learn==1.9.*
    ENV/bin/python scripts/train_hazard_model.py mine_robot/detection/hazard_model.json EXAMPLES.npz...

The probability is calibrated (Platt) on the scores that each third of the fields gets from trees grown on the others, an object counting
once with its most suspicious look, for hazards as rare as the examples' weights say. Examples of ``--also`` (of an earlier version, which
may lack features) only help to grow trees. From the same scores comes the table ``operating``: what a threshold of the probability
costs. Of it follows ``limits.mark_p_hazard`` for a wanted Pd.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

FORMAT = "mine_robot hazard model 1"
FOLDS = 3
THRESHOLDS = (
    0.002,
    0.003,
    0.004,
    0.005,
    0.006,
    0.007,
    0.008,
    0.01,
    0.012,
    0.015,
    0.02,
    0.03,
    0.05,
    0.07,
    0.1,
    0.15,
    0.2,
    0.3,
    0.4,
    0.5,
    0.7,
    0.9,
)
SETTINGS: dict[str, dict[str, float]] = {  # both sensors decide; one alone informs, or stands in for the other
    "both": {
        "max_iter": 300,
        "learning_rate": 0.05,
        "max_leaf_nodes": 63,
        "min_samples_leaf": 30,
        "l2_regularization": 5.0,
        "max_features": 0.3,
    },
    "one": {
        "max_iter": 200,
        "learning_rate": 0.06,
        "max_leaf_nodes": 14,
        "min_samples_leaf": 20,
        "l2_regularization": 3.0,
        "max_features": 0.4,
    },
}


def grow(x: np.ndarray, y: np.ndarray, settings: dict[str, float]) -> HistGradientBoostingClassifier:
    """Boosted trees, always from the same random numbers."""
    return HistGradientBoostingClassifier(random_state=0, early_stopping=False, **settings).fit(x, y)


def held_out(
    x: np.ndarray, y: np.ndarray, fields: np.ndarray, also: tuple[np.ndarray, np.ndarray], settings: dict[str, float]
) -> np.ndarray:
    """Raw scores of every example from trees that have not seen its field; ``also`` are features and labels of other fields."""
    raw = np.zeros(len(y))
    for train, test in GroupKFold(FOLDS).split(x, y, fields):
        grown = grow(np.concatenate([x[train], also[0]]), np.concatenate([y[train], also[1]]), settings)
        raw[test] = grown.decision_function(x[test])
    return raw


def load(paths: list[Path], names: list[str] | None = None) -> dict[str, np.ndarray]:
    """Examples of several files, each with other seeds; features in the order of ``names``, NaN where a file lacks one."""
    parts = [np.load(path, allow_pickle=False) for path in paths]
    shared = ("names", "gpr_count", "area", "features")
    data = {key: np.concatenate([part[key] for part in parts]) for key in parts[0].files if key not in shared}
    names = names or [str(name) for name in parts[0]["names"]]
    features = []
    for part in parts:
        column = {str(name): values for name, values in zip(part["names"], part["features"].T)}
        unknown = np.full(len(part["labels"]), np.nan, dtype=np.float32)
        features.append(np.stack([column.get(name, unknown) for name in names], axis=1))
    sums = {"area": np.array(sum(float(part["area"]) for part in parts)), "gpr_count": parts[0]["gpr_count"]}
    return {**data, **sums, "features": np.concatenate(features), "names": np.array(names)}


def seeds(data: dict[str, np.ndarray]) -> str:
    """Which fields the examples come from."""
    return f"{int(data['fields'].min())} to {int(data['fields'].max())}, {len(np.unique(data['fields']))} fields"


def export(model: HistGradientBoostingClassifier) -> dict[str, Any]:
    """The trees as plain numbers."""
    trees = []
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        leaf, own = nodes["is_leaf"].astype(bool), np.arange(len(nodes))
        trees.append(
            {
                "feature": np.where(leaf, 0, nodes["feature_idx"]).tolist(),
                "threshold": [float(f"{v:.7g}") for v in np.where(leaf, 0.0, nodes["num_threshold"])],
                "left": np.where(leaf, own, nodes["left"]).tolist(),
                "right": np.where(leaf, own, nodes["right"]).tolist(),
                "missing_left": nodes["missing_go_to_left"].astype(int).tolist(),
                "value": [float(f"{v:.6g}") for v in np.where(leaf, nodes["value"], 0.0)],
            }
        )
    return {"baseline": float(model._baseline_prediction[0, 0]), "trees": trees}


def most_suspicious(raw: np.ndarray, data: dict[str, np.ndarray]) -> np.ndarray:
    """Indices of the examples that count: of an object the one with the highest score, on empty ground all."""
    best: dict[tuple[int, int], int] = {}
    for i in np.nonzero(data["items"] >= 0)[0]:
        key = int(data["fields"][i]), int(data["items"][i])
        if key not in best or raw[i] > raw[best[key]]:
            best[key] = int(i)
    return np.concatenate([np.nonzero(data["items"] < 0)[0], list(best.values())]).astype(int)


def operating(p: np.ndarray, data: dict[str, np.ndarray]) -> list[list[float]]:
    """Threshold, Pd of the hazards passed, and false alarms per m² for a range of thresholds; an object counts once."""
    best: dict[tuple[int, int], float] = {}
    for field, item, value in zip(data["fields"], data["items"], p):
        if item >= 0:
            best[field, item] = max(best.get((field, item), 0.0), float(value))
    passed = [(int(field), int(item)) for field, item in data["hazards"]]
    hits = np.array([best.get(key, 0.0) for key in passed])
    hazards = {(field, item) for field, item, label in zip(data["fields"], data["items"], data["labels"]) if label > 0}
    clutter = np.array([value for key, value in best.items() if key not in hazards])
    empty = p[data["items"] < 0]
    area = float(data["area"])
    return [
        [t, round(float((hits >= t).mean()), 4), round(float((clutter >= t).sum() + (empty >= t).sum()) / area, 4)]
        for t in THRESHOLDS
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("examples", type=Path, nargs="+")
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="examples from which trees are grown only")
    parser.add_argument("--scores", type=Path, help="write held-out probabilities here, to see what is missed")
    options = parser.parse_args()
    data = load(options.examples)
    names, gpr_count = [str(name) for name in data["names"]], int(data["gpr_count"])
    also = (
        load(options.also, names) if options.also else {key: data[key][:0] for key in ("features", "labels", "fields")}
    )
    y, weights = data["labels"], data["weights"]
    slices = {"both": slice(None), "gpr": slice(0, gpr_count), "md": slice(gpr_count, None)}
    models = {}
    for name, part in slices.items():
        x, more = data["features"][:, part], (also["features"][:, part], also["labels"])
        settings = SETTINGS["both" if name == "both" else "one"]
        raw = held_out(x, y, data["fields"], more, settings)
        own = most_suspicious(raw, data)
        prior = float(np.log(weights[own][y[own] > 0].sum() / weights[own][y[own] == 0].sum()))
        platt = LogisticRegression(C=1e6).fit(raw[own, None], y[own], weights[own])
        slope, intercept = float(platt.coef_[0, 0]), float(platt.intercept_[0])
        p = 1.0 / (1.0 + np.exp(-(slope * raw + intercept)))
        table = operating(p, data)
        calibrated = {"slope": slope, "intercept": intercept, "prior": prior, "operating": table}
        grown = grow(np.concatenate([x, more[0]]), np.concatenate([y, more[1]]), settings)
        models[name] = {**export(grown), **calibrated}
        print(name, f"slope {slope:.2f}", *table, sep="\n  ")
        if name == "both" and options.scores is not None:
            np.savez(
                options.scores,
                p=p,
                **{key: data[key] for key in ("labels", "kinds", "items", "fields", "hazards", "hazard_kinds")},
            )
    provenance = {
        "script": "scripts/train_hazard_model.py",
        "examples": "scripts/hazard_examples.py",
        "data": "simulated fields (benchmarks/detection_field.py), soils varied about " + "those of sim/soil.py",
        "seeds": seeds(data),
        "also": seeds(also) if options.also else "",
        "candidates": len(y) + len(also["labels"]),
        "of_hazards": int(y.sum() + also["labels"].sum()),
        "hazards_passed": len(data["hazards"]),
        "area_m2": round(float(data["area"])),
        "scikit_learn": sklearn.__version__,
        "settings": SETTINGS,
    }
    content = {"format": FORMAT, "provenance": provenance, "features": names, "models": models}
    options.out.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{options.out}: {options.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
