"""Devices of a training: processor, one GPU, or several by MirroredStrategy."""

from __future__ import annotations

import os

import tensorflow as tf

from medmodel.core.processes.pool import cores
from medmodel.language import _

SMALL_OPERATIONS = ("compact_resnet",)
"""Networks that are trained sooner so; see `train_vs_torch` in docs/benchmarks.md."""
_FEW_CORES = 2
"""On more it was not measured."""


def choose_devices(device: str) -> tuple[tf.distribute.Strategy, str]:
    """Sets TensorFlow up for a run; to be called before anything is computed.

    GPU memory is taken as needed, not all at once, so that a predictor fits beside a
    training. A worker that was shown only its own GPUs counts those from 0.

    Args:
        device: `"auto"` (the first GPU there is, else the processor), `"cpu"`,
            `"gpu:0"`, ... or `"all_gpus"`.

    Returns:
        The strategy under whose `scope()` models are built, and what computes.
    """
    gpus = tf.config.list_physical_devices("GPU")
    used = _used(gpus, device)
    if gpus:
        tf.config.set_visible_devices(used, "GPU")
    for gpu in used:
        tf.config.experimental.set_memory_growth(gpu, True)
    names = [f"/GPU:{number}" for number in range(len(used))]
    return strategy(names), _words(device, [gpu_name(gpu) for gpu in used])


def limit_threads(model: str) -> None:
    """Lets one thread compute each operation of a small network on few cores.

    Its operations are so short that threads which share one wait for each other more
    than they work. Operations that do not need each other are still computed at the
    same time, as those of the backward pass are. Of no effect once TensorFlow has
    computed anything, or where TF_NUM_INTRAOP_THREADS says how many.

    Args:
        model: Key of `MODEL_NAMES`.
    """
    if model in SMALL_OPERATIONS and cores() <= _FEW_CORES:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


def strategy(names: list[str]) -> tf.distribute.Strategy:
    """One copy of the model per device where there are several, else just one.

    Args:
        names: Logical devices, like `"/GPU:0"`; empty for the default one.
    """
    if len(names) > 1:
        return tf.distribute.MirroredStrategy(names)
    return tf.distribute.get_strategy()


def gpu_name(gpu: tf.config.PhysicalDevice) -> str:
    """What its maker calls it."""
    details = tf.config.experimental.get_device_details(gpu)
    return str(details.get("device_name", gpu.name))


def _used(gpus: list, device: str) -> list:
    if device == "cpu":
        return []
    if device == "all_gpus":
        return gpus
    number = int(device.removeprefix("gpu:")) if device.startswith("gpu:") else 0
    return gpus[number : number + 1] or gpus[:1]


def _words(device: str, names: list[str]) -> str:
    if not names:
        if device in ("cpu", "auto"):
            return _("Processor")
        return _("Processor: no GPU was found here")
    if len(names) == 1:
        return names[0]
    return _("{gpus} GPUs at once: {names}", gpus=len(names), names=", ".join(names))
