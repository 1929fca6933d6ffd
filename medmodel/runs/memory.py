"""Memory that a run needs, roughly, against what its device has."""

from __future__ import annotations

from medmodel.core.config import TrainConfig

_PROCESS = 1_000_000_000
"""TensorFlow with all that it loads, on a processor."""
_GPU_PROCESS = 700_000_000
"""Context and kernels on a GPU."""
_FROZEN = 600_000_000
"""Frozen features in batches of their own, and the linear layer."""
_FEATURES = {"efficientnet_lite0": 6_144, "efficientnet_lite0_lite2": 13_584}
"""Numbers that a frozen network gives for each image; of an encoder, as of Lite0."""
_FEATURE_BYTES = 10
"""Of each of them: all are held in half precision, and those of training images twice
in full, while a layer learned from some makes way for one that learns from more."""
_PARAMETERS = {
    "efficientnet_lite0": 3_400_000,
    "compact_resnet": 900_000,
    "document_cnn": 0,
    "resnet50v2": 23_600_000,
    "densenet121": 7_000_000,
    "efficientnetv2b0": 5_900_000,
    "convnext_tiny": 27_800_000,
    "mobilenetv2": 2_300_000,
}
_ACTIVATIONS = {
    "efficientnet_lite0": 1606,
    "compact_resnet": 601,
    "document_cnn": 272,
    "resnet50v2": 2532,
    "densenet121": 3994,
    "efficientnetv2b0": 1307,
    "convnext_tiny": 2307,
    "mobilenetv2": 1755,
}
"""Bytes of the outputs of all layers in float32, for each pixel of the input; counted
from the networks, at 128 and 224 pixels the same."""
_GRADIENTS = 1.5
"""Of the activations: what goes back through the layers beside what went forth."""
_WEIGHT_BYTES = 16
"""Weight, gradient and two moments of Adam, in float32."""
_DOCUMENT_DENSE = 8192 / 16
"""Weights of the dense layer of the teaching document's network for each pixel."""
_USUAL_SIDE = 128


def memory_needed(
    config: TrainConfig, on_gpu: bool = False, trains: bool = True, images: int = 0
) -> int:
    """Bytes that a training takes at its peak, an estimate to a factor of two.

    Args:
        config: Its settings.
        on_gpu: Whether it computes on a GPU, whose memory counts.
        trains: False for a batch, which only asks the model.
        images: Of the data set, roughly; 0 if unknown.
    """
    base = _GPU_PROCESS if on_gpu else _PROCESS
    if not trains:
        return base + _FROZEN
    if config.training == "frozen":
        # The last layer learns in the memory of the processor.
        features = _FEATURES.get(config.model, _FEATURES["efficientnet_lite0"])
        learned = 0 if on_gpu else images * features * _FEATURE_BYTES
        return base + _FROZEN + learned
    side = config.size or _USUAL_SIDE
    model = config.model
    parameters = _PARAMETERS.get(model, max(_PARAMETERS.values()))
    if model == "document_cnn":
        parameters = round(_DOCUMENT_DENSE * side**2)
    activations = _ACTIVATIONS.get(model, max(_ACTIVATIONS.values()))
    half = 0.5 if config.precision in ("mixed_float16", "mixed_bfloat16") else 1.0
    batch = config.batch_size * side**2 * activations * _GRADIENTS * half
    return round(base + _WEIGHT_BYTES * parameters + batch)
