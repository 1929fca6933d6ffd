"""The moving average of a network's weights, which is validated and saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import keras
import tensorflow as tf
from keras import layers

MEASURED_BATCHES = 30
MOMENTUM = 0.9
"""Of what the statistics were before each batch leaves this share, whatever it leaves
in training: after 30 of them 4 % are left, with the 0.99 of some networks 74 %."""


class AveragedWeights(keras.callbacks.SwapEMAWeights):
    """Puts the moving averages of the weights in their place, to validate and save.

    From the beginning of validation until this callback's turn at the end of the epoch:
    to be called after those that look at the model, before the backup.

    Means and variances of batch normalisation belong to the weights they came from:
    for the averages they are measured anew (Izmailov et al. 2018, Averaging Weights
    Leads to Wider Optima and Better Generalization, UAI, section 3.2).

    Args:
        batches: Gives training batches, the same every time; the first of each is its
            images. At most `MEASURED_BATCHES` are read.
        check: Called before each of them; what it raises ends the measuring.
    """

    def __init__(
        self,
        batches: Callable[[], Iterable[Any]],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._batches, self._check = batches, check
        self._trained: list[tuple[keras.Variable, Any]] = []
        self._forward: Callable[[Any], Any] | None = None

    def on_test_begin(self, logs: Any = None) -> None:
        """Takes the averages, and measures their statistics."""
        super().on_test_begin(logs)
        normalised = [
            layer
            for layer in self.model._flatten_layers()
            if isinstance(layer, layers.BatchNormalization) and layer.trainable
        ]
        self._trained = [
            (variable, keras.ops.convert_to_numpy(variable))
            for layer in normalised
            for variable in (layer.moving_mean, layer.moving_variance)
        ]
        if not normalised:
            return
        usual = [layer.momentum for layer in normalised]
        for layer in normalised:
            layer.momentum = MOMENTUM
        try:
            self._measure()
        finally:
            for layer, momentum in zip(normalised, usual, strict=True):
                layer.momentum = momentum

    def _measure(self) -> None:
        if self._forward is None:
            # In one graph, made once: layer by layer it takes more than twice as long.
            self._forward = tf.function(
                lambda images: self.model(images, training=True)
            )
        for number, batch in enumerate(self._batches()):
            if number == MEASURED_BATCHES:
                return
            self._check()
            self._forward(batch[0])

    def on_test_end(self, logs: Any = None) -> None:
        """Leaves the averages where they are: the model may be saved now."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Puts the weights that are trained back, and their statistics."""
        super().on_test_end(logs)
        for variable, value in self._trained:
            variable.assign(value)
        self._trained = []
