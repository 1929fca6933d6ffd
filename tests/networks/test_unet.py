"""The U-Net: shapes at any size, probabilities, what is trained and what not."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from medmodel.core.preprocessing import Preprocessing
from medmodel.networks.unet import build_unet


@pytest.mark.parametrize(
    ("name", "size", "colour"),
    [
        ("unet_lite0", 45, "grey"),
        ("compact_unet", 28, "grey"),
        ("compact_unet", 45, "rgb"),
    ],
)
def test_every_pixel_gets_probabilities_at_any_size(
    name: str, size: int, colour: str
) -> None:
    preprocessing = Preprocessing(size=size, colour=colour)  # type: ignore[arg-type]
    model = build_unet(name, preprocessing, 3)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, *preprocessing.shape), np.uint8)
    scores = model(images).numpy()
    assert scores.shape == (2, size, size, 3)
    assert scores.dtype == np.float32
    assert scores.sum(axis=-1) == pytest.approx(np.ones((2, size, size)), abs=1e-5)
    assert model.layers[-1].bias.numpy().tolist() == [3, 0, 0]  # mostly background


def test_the_pretrained_encoder_keeps_its_running_statistics() -> None:
    model = build_unet("unet_lite0", Preprocessing(size=28), 2)
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    trained = {layer.name for layer in norms if layer.trainable}
    assert trained == {f"decoder{level}_norm" for level in range(5)}
    scratch = build_unet("unet_lite0", Preprocessing(size=28), 2, pretrained=False)
    assert all(layer.trainable for layer in scratch.layers)
    kernels = [m.get_layer("conv_stem").get_weights()[0] for m in (model, scratch)]
    assert not np.allclose(*kernels)


def test_all_of_the_compact_network_is_trained() -> None:
    model = build_unet("compact_unet", Preprocessing(size=28), 2)
    assert all(layer.trainable for layer in model.layers)


def test_the_same_seed_gives_the_same_network() -> None:
    first, again, other = (
        build_unet("compact_unet", Preprocessing(size=28), 2, seed=seed).get_layer(
            "decoder0_conv"
        )
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first.get_weights()[0], again.get_weights()[0])
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def test_probabilities_stay_float32_in_mixed_precision() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_unet("compact_unet", Preprocessing(size=28), 2)
    finally:
        keras.config.set_dtype_policy("float32")
    scores = model(np.zeros((1, 28, 28, 3), np.uint8))
    assert scores.dtype == "float32"
    assert model.get_layer("decoder0_conv").compute_dtype == "bfloat16"
