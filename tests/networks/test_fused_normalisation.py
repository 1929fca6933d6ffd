from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from medmodel.networks.fused_normalisation import fuse_normalisation


def _network(policy: str = "float32", **settings: object) -> keras.Model:
    images = keras.Input((5, 4, 3))
    maps = layers.BatchNormalization(dtype=policy, **settings)(images)
    model = keras.Model(images, layers.Activation("linear", dtype="float32")(maps))
    random = np.random.default_rng(1)
    values = [random.uniform(0.5, 2, x.shape) for x in model.get_weights()]
    model.set_weights(values)
    return model


def _both(policy: str = "float32", **settings: object) -> list[keras.Model]:
    plain, fused = _network(policy, **settings), _network(policy, **settings)
    fuse_normalisation(fused)
    return [plain, fused]


def _learned(model: keras.Model, count: int) -> list[np.ndarray]:
    """Outputs, gradients and moving statistics of a step of training."""
    random = np.random.default_rng(0)
    images = tf.constant(random.normal(3, 2, (count, 5, 4, 3)), tf.float32)
    aim = tf.constant(random.normal(0, 1, (count, 5, 4, 3)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = model(images, training=True)
        loss = tf.reduce_mean((outputs - aim) ** 2)
    gradients = tape.gradient(loss, [images, *model.trainable_variables])
    return [outputs.numpy(), *(x.numpy() for x in gradients), *model.get_weights()]


@pytest.mark.parametrize(
    ("policy", "tolerance"),
    [("float32", 1e-5), ("mixed_bfloat16", 0.03), ("mixed_float16", 0.005)],
)
@pytest.mark.parametrize("count", [1, 4])
def test_a_step_is_that_of_keras(policy: str, tolerance: float, count: int) -> None:
    plain, fused = (_learned(model, count) for model in _both(policy))
    for expected, found in zip(plain, fused, strict=True):
        np.testing.assert_allclose(found, expected, tolerance, tolerance)


def test_the_variance_of_a_single_pixel_is_zero() -> None:
    model = keras.Sequential([keras.Input((1, 1, 3)), layers.BatchNormalization()])
    fuse_normalisation(model)
    model(np.ones((1, 1, 1, 3)), training=True)
    np.testing.assert_allclose(model.layers[0].moving_variance, 0.99)


def test_answers_and_the_saved_model_are_those_of_keras(tmp_path: Path) -> None:
    plain, fused = _both()
    images = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(fused(images), plain(images))
    fused.save(tmp_path / "fused.keras")
    loaded = keras.models.load_model(tmp_path / "fused.keras")
    assert type(loaded.layers[1]) is layers.BatchNormalization
    np.testing.assert_array_equal(loaded(images), plain(images))


def test_frozen_layers_and_what_the_operation_does_not_know_stay() -> None:
    frozen = _network()
    frozen.trainable = False
    fuse_normalisation(frozen)
    before = frozen.get_weights()
    frozen(np.ones((2, 5, 4, 3)), training=True)
    for was, now in zip(before, frozen.get_weights(), strict=True):
        np.testing.assert_array_equal(now, was)
    for settings in ({"scale": False}, {"center": False}, {"axis": 1}):
        model = _network(**settings)
        fuse_normalisation(model)
        assert "call" not in vars(model.layers[1])


def test_nothing_is_replaced_where_there_is_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    model = _network()
    fuse_normalisation(model)
    assert "call" not in vars(model.layers[1])
