"""Precision of a run: decided once per machine, network and image size, then kept.

Which arithmetic is the fastest is measured, so the answer depends on what else the
machine does at that moment; and the arithmetic is part of the result. Runs that differ
in seed or fold alone shall not differ in it, too.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from medmodel.core import devices
from medmodel.core.environment import workspace_root
from medmodel.core.locks import Lock
from medmodel.core.storage import read_if_whole, write_json
from medmodel.language import _
from medmodel.networks.precision import FLOAT32, PrecisionChoice, choose_precision
from medmodel.training.context import TrainingContext
from medmodel.training.environment import precision_of_earlier_attempt


def precision_for(
    context: TrainingContext, build: Callable[[], keras.Model]
) -> PrecisionChoice:
    """As the settings say, as the run began, as it was decided here, or by a trial.

    Args:
        context: The run.
        build: Makes its network under the current dtype policy, for the trial.

    Raises:
        Cancelled: Somebody asked to stop while another run tried the same.
        OSError: The disk is full or fails.
    """
    config = context.config
    if config.training == "frozen":
        reason = _("float32: features do not depend on the machine.")
        return PrecisionChoice(FLOAT32, reason)
    if config.precision != "auto":
        reason = _("{precision}: chosen in the settings.", precision=config.precision)
        return PrecisionChoice(config.precision, reason)
    return precision_of_earlier_attempt(context.run) or _of_machine(context, build)


def _of_machine(
    context: TrainingContext, build: Callable[[], keras.Model]
) -> PrecisionChoice:
    path = _file(context)
    lock = Lock(path.with_suffix(".lock"))
    while not lock.acquire(wait=0.3):
        context.reporter.progress(
            "waiting for another run to time the same steps", 0, 0
        )
        context.reporter.job.check()
    try:
        choice = read_if_whole(path, PrecisionChoice)
        if choice is None:
            context.reporter.update(message=_("Timing a few steps of each precision."))
            pixels = context.prepared.pixels[: context.config.batch_size]
            choice = choose_precision(build, pixels)
            write_json(path, choice)
    finally:
        lock.release()
    return choice


def _file(context: TrainingContext) -> Path:
    """Where the answer is kept for this machine, network and size."""
    config = context.config
    facts = {
        "processor": _processor(),
        "devices": [device.title for device in devices.available()],
        "on_processor": not tf.config.list_logical_devices("GPU"),
        "tensorflow": tf.__version__,
        "model": config.model,
        "training": config.training,
        "shape": context.preprocessing.shape,
    }
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]
    return workspace_root() / "precision" / f"{digest}.json"


def _processor() -> str:
    """The processor's model, as Linux names it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    models = (line for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
