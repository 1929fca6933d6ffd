"""environment.json of a run: on what and with what it is trained, at every attempt."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import metadata

from medmodel.core import devices
from medmodel.core.storage import read_if_whole, write_json
from medmodel.networks.precision import PrecisionChoice
from medmodel.runs.run import Run
from medmodel.training.context import TrainingContext
from medmodel.training.input_size import InputSizeChoice

_FILE = "environment.json"
_PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "pillow", "scipy")


@dataclass(frozen=True)
class _Choices:
    size: int = 0
    size_reason: str = ""
    precision: str = ""
    precision_reason: str = ""


def size_of_earlier_attempt(run: Run) -> InputSizeChoice | None:
    """The input size with which the run began; None if it has not, or none is known."""
    choices = read_if_whole(run.folder / _FILE, _Choices)
    if choices is None or not choices.size or not choices.size_reason:
        return None
    return InputSizeChoice(choices.size, choices.size_reason)


def precision_of_earlier_attempt(run: Run) -> PrecisionChoice | None:
    """The precision with which the run began; None if it has not, or none is known."""
    choices = read_if_whole(run.folder / _FILE, _Choices)
    if choices is None or not choices.precision:
        return None
    return PrecisionChoice(choices.precision, choices.precision_reason)


def write_environment(
    context: TrainingContext,
    size: InputSizeChoice,
    precision: PrecisionChoice,
    device: str,
) -> None:
    """Writes environment.json, which holds for all later attempts, too.

    Args:
        context: The run.
        size: Of its images.
        precision: Of its arithmetic.
        device: What computes, in words.

    Raises:
        OSError: The disk is full or fails.
    """
    facts = {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "devices": [device.title for device in devices.available()],
        "device": device,
        "precision": precision.policy,
        "precision_reason": precision.reason,
        "size": context.preprocessing.size,
        "seed": context.config.seed,
        "size_reason": size.reason,
    }
    write_json(context.run.folder / _FILE, facts)
