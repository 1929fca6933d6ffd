"""Mixed precision: which dtype policy trains fastest here, by a short trial.

bfloat16 makes dense convolutions up to three times as fast where the processor or GPU
has units for it, and depthwise ones three times slower on processors.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from medmodel.language import _

FLOAT32, BFLOAT16, FLOAT16 = "float32", "mixed_bfloat16", "mixed_float16"
SECONDS = 1.5
"""Time for the steps of each candidate on average, building and the first one aside."""
_IMAGES = 16
_STEPS = 8
# Half precision must be clearly faster to be worth its rounding.
_WORTH_IT = 1.1


@dataclass(frozen=True)
class PrecisionChoice:
    """The arithmetic of a run.

    Args:
        policy: Name of a Keras dtype policy.
        reason: Why, as one sentence.
    """

    policy: str
    reason: str


def choose_precision(
    build: Callable[[], keras.Model], images: np.ndarray
) -> PrecisionChoice:
    """Times a few training steps of each arithmetic that this machine is made for.

    Leaves the global dtype policy as it was.

    Args:
        build: Makes the network under the current dtype policy.
        images: A batch as in training, uint8 (n, height, width, channels).

    Returns:
        What was chosen, and why.
    """
    policies = candidates()
    if len(policies) == 1:
        reason = _("float32: this machine has no units for half precision.")
        return PrecisionChoice(FLOAT32, reason)
    before = keras.config.dtype_policy()
    try:
        few = images[:_IMAGES]
        steps = {policy: _training_step(policy, build, few) for policy in policies}
    finally:
        keras.config.set_dtype_policy(before)
    times = quickest(steps)
    return fastest({policy: len(few) / took for policy, took in times.items()})


def fastest(rates: dict[str, float]) -> PrecisionChoice:
    """The policy to take, and why.

    Args:
        rates: Images per second of each policy; float32 is one of them.
    """
    best = max(rates, key=lambda policy: rates[policy])
    if rates[best] < _WORTH_IT * rates[FLOAT32]:
        best = FLOAT32
    others = ", ".join(
        f"{name} {rate:.0f}" for name, rate in rates.items() if name != best
    )
    reason = _(
        "{best}: {rate:.0f} images/s in a short trial ({others}).",
        best=best,
        rate=rates[best],
        others=others,
    )
    return PrecisionChoice(best, reason)


def candidates() -> list[str]:
    """float32, and the half precisions that the hardware has units for."""
    gpus = tf.config.list_logical_devices("GPU")
    if not gpus:
        return [FLOAT32, BFLOAT16] if _processor_has_bfloat16() else [FLOAT32]
    details = tf.config.experimental.get_device_details(
        tf.config.list_physical_devices("GPU")[0]
    )
    return candidates_for(details.get("compute_capability", (0, 0)))


def candidates_for(capability: Sequence[int]) -> list[str]:
    """The policies worth a trial on a GPU of this compute capability.

    Tensor cores know float16 since 7.0 (Volta) and bfloat16 since 8.0 (Ampere).
    """
    if tuple(capability) >= (8, 0):
        return [FLOAT32, BFLOAT16, FLOAT16]
    return [FLOAT32, FLOAT16] if tuple(capability) >= (7, 0) else [FLOAT32]


def _processor_has_bfloat16() -> bool:
    if platform.machine() in ("arm64", "aarch64"):
        names = {"bf16"}
    else:
        names = {"avx512_bf16", "amx_bf16"}
    path = Path("/proc/cpuinfo")
    flags = path.read_text(encoding="utf-8").split() if path.exists() else []
    return not names.isdisjoint(flags)


def _training_step(
    policy: str, build: Callable[[], keras.Model], images: np.ndarray
) -> Callable[[], object]:
    """A training step, compiled; after it has ended its result is back."""
    keras.config.set_dtype_policy(policy)
    model = build()
    pixels = tf.constant(images)

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            scores = model(pixels, training=True)
            loss = -tf.reduce_mean(tf.math.log(scores[:, 0] + 1e-7))
        gradients = tape.gradient(loss, model.trainable_variables)
        # Something that needs all of them, so that none is optimised away.
        return tf.add_n([tf.reduce_sum(tf.abs(g)) for g in gradients if g is not None])

    def taken() -> object:
        return step().numpy()

    taken()
    return taken


def quickest(steps: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of the quickest of a few calls of each.

    They take turns, so that what else the machine does disturbs all alike: on a busy
    one, each in its own time, the slower arithmetic was taken now and then.

    Args:
        steps: Name -> what is timed.
    """
    times = dict.fromkeys(steps, math.inf)
    began, rounds = time.perf_counter(), 0
    while not rounds or (
        rounds < _STEPS and time.perf_counter() - began < SECONDS * len(steps)
    ):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name] = min(times[name], time.perf_counter() - start)
        rounds += 1
    return times
