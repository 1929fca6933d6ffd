"""What travels with an exported model: classes, input, thresholds, intended use."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from medmodel import __version__
from medmodel.evaluation.calibration.temperature_scaling import stored_temperature
from medmodel.evaluation.decision.frozen_thresholds import frozen_thresholds
from medmodel.evaluation.multi_label.run_findings import model_decisions
from medmodel.runs.run import Run
from medmodel.runs.tables.split import split_checksum

NAME = "medmodel.json"
"""File, and key in a model file's own metadata."""
RESIZE = (
    "Pillow: BICUBIC where a side grows, else HAMMING with reducing_gap 2; pad: the "
    "longer side becomes size, black around; crop: the middle square; stretch: both "
    "sides become size. Grey is Pillow's mode L."
)
INTENDED_USE = (
    "Research and teaching. Not for clinical use: not for diagnosis, screening, triage "
    "or any decision about a person."
)


def model_metadata(run: Run) -> dict[str, Any]:
    """All that a program needs to feed an exported model and to read its answer.

    No patient, no path and no file name of an image is in it.

    Args:
        run: A run with a model.

    Returns:
        JSON values: `task`; `classes`, or findings, in the order of the outputs;
        `mask_values`, of a segmentation the value in a mask of each class, else empty;
        `input` with its shape (height, width, channels), uint8 values 0 to 255,
        normalised inside; `preprocessing`, as in `Preprocessing`, and how sizes change;
        `temperature`, by which log probabilities are divided before another softmax,
        or None;
        `decision_threshold`, the `name` of one of two classes and the `value` that its
        probability before calibration must reach to be the predicted class, or None
        where the most probable class is; `thresholds` of classes that somebody chose
        on validation images, or None; of a model of several findings `findings`, the
        `name`, `temperature` (1 where it is not calibrated) and `threshold` of each,
        from which on its probability after calibration predicts it, or None, else
        empty.

    Raises:
        RunError: It has no model, or model.json or findings.csv is damaged.
        FileError: Another file of the run is damaged.
    """
    facts, config = run.model_facts, run.config
    temperature, frozen = stored_temperature(run), frozen_thresholds(run)
    checksum, classes = split_checksum(run), len(facts.class_names)
    side = facts.preprocessing.size
    return {
        "name": config.title,
        "run": run.id,
        "recipe": config.recipe,
        "medmodel": __version__,
        "intended_use": INTENDED_USE,
        "task": _task(run),
        "classes": facts.class_names,
        "mask_values": facts.mask_values,
        "input": {
            "name": "image",
            "shape": list(facts.preprocessing.shape),
            "dtype": "uint8",
            "range": [0, 255],
            "normalisation": "inside the model",
        },
        "output": {
            "name": "probabilities",
            "shape": [side, side, classes] if facts.mask_values else [classes],
            "activation": "sigmoid" if config.multi_label else "softmax",
        },
        "preprocessing": asdict(facts.preprocessing) | {"resize": RESIZE},
        "temperature": temperature.value if temperature else None,
        "decision_threshold": asdict(facts.threshold) if facts.threshold else None,
        "thresholds": frozen[1] if frozen else None,
        "findings": _findings(run) if config.multi_label else [],
        "data_fingerprint": checksum.sha256 if checksum else None,
    }


def _task(run: Run) -> str:
    if run.config.multi_label:
        return "multi-label classification"
    return "segmentation" if run.model_facts.mask_values else "classification"


def _findings(run: Run) -> list[dict[str, Any]]:
    """Threshold and temperature of each, from validation images."""
    return [
        {
            "name": each.name,
            "temperature": each.temperature,
            "threshold": None if math.isnan(each.threshold) else each.threshold,
        }
        for each in model_decisions(run, run.model_facts.class_names)
    ]
