"""Averages of weights are looked at with statistics that belong to them."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest

from medmodel.core.errors import Cancelled
from medmodel.training.averaged_weights import MEASURED_BATCHES, AveragedWeights

LEVEL = 40.0


def normalised(trainable: bool = True, momentum: float = 0.9) -> keras.Model:
    """One batch normalisation, in training, whose statistics are those of nothing."""
    inputs = keras.Input((1,))
    layer = keras.layers.BatchNormalization(momentum=momentum, trainable=trainable)
    outputs = layer(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(outputs))
    model.compile(keras.optimizers.SGD(use_ema=True), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def batches() -> Iterator[tuple[np.ndarray]]:
    """Endless, about `LEVEL` with a variance of 1."""
    while True:
        yield (np.array([[LEVEL - 1.0], [LEVEL + 1.0]], np.float32),)


def of_model(model: keras.Model) -> AveragedWeights:
    averages = AveragedWeights(batches)
    averages.set_model(model)
    return averages


@pytest.mark.parametrize("momentum", [0.9, 0.99])
def test_statistics_are_measured_for_the_averages_and_put_back(momentum: float) -> None:
    model = normalised(momentum=momentum)
    layer = model.layers[1]
    averages = of_model(model)
    averages.on_test_begin()
    # Of zero and one, which they were, 0.9 to the power of 30 is left.
    left = 0.9**MEASURED_BATCHES
    assert float(layer.moving_mean[0]) == pytest.approx((1 - left) * LEVEL, rel=1e-4)
    assert float(layer.moving_variance[0]) == pytest.approx(1.0, rel=1e-4)
    assert layer.momentum == momentum
    averages.on_test_end()
    assert float(layer.moving_mean[0]) > LEVEL / 2
    averages.on_epoch_end(0)
    assert float(layer.moving_mean[0]) == 0.0


def test_stop_is_heard_between_the_measured_batches() -> None:
    model, asked = normalised(momentum=0.99), []

    def check() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise Cancelled("Stop.")

    averages = AveragedWeights(batches, check)
    averages.set_model(model)
    with pytest.raises(Cancelled):
        averages.on_test_begin()
    # Of two batches; and training goes on as it was, should it be resumed.
    measured = float(model.layers[1].moving_mean[0])
    assert measured == pytest.approx((1 - 0.9**2) * LEVEL, rel=1e-4)
    assert model.layers[1].momentum == 0.99


def test_frozen_statistics_stay_and_no_batch_is_read() -> None:
    model = normalised(trainable=False)
    averages = AveragedWeights(lambda: pytest.fail("a batch was asked for"))
    averages.set_model(model)
    averages.on_test_begin()
    averages.on_epoch_end(0)
    assert float(model.layers[1].moving_mean[0]) == 0.0


def test_few_batches_are_enough() -> None:
    model = normalised()
    averages = AveragedWeights(lambda: [(np.full((2, 1), LEVEL, np.float32),)])
    averages.set_model(model)
    averages.on_test_begin()
    assert float(model.layers[1].moving_mean[0]) == pytest.approx(0.1 * LEVEL)
