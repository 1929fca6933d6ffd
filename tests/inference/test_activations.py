"""Inside of a network: the layers of the textbook, in order, with true numbers."""

from __future__ import annotations

import numpy as np

from medmodel.core.preprocessing import Preprocessing
from medmodel.inference import activations
from medmodel.networks import models


def test_the_textbook_network_step_by_step() -> None:
    model = models.build_model("document_cnn", Preprocessing(28, colour="grey"), 3)
    image = np.random.default_rng(0).integers(0, 256, (28, 28, 1), np.uint8)
    facts, arrays = activations.layer_activations(model, image)
    assert [fact["kind"] for fact in facts] == [
        *("scale", "convolution", "maximum pooling", "convolution"),
        *("maximum pooling", "flatten", "dense", "dense"),
    ]
    assert facts[1]["shape"] == [26, 26, 32] and facts[1]["weights"] == 320
    np.testing.assert_allclose(arrays[0][0], image[..., 0] / 255, rtol=1e-6)
    assert arrays[1].shape == (8, 26, 26) and arrays[1].min() >= 0
    np.testing.assert_allclose(arrays[-1], np.asarray(model(image[None]))[0], rtol=1e-5)


def test_many_layers_are_reached_in_parts() -> None:
    model = models.build_model("efficientnet_lite0", Preprocessing(32), 2)
    image = np.zeros((32, 32, 3), np.uint8)
    facts, arrays = activations.layer_activations(model, image)
    assert len(facts) == len(arrays) == activations.MOST_LAYERS + 1
    assert max(max(array.shape) for array in arrays if array.ndim == 3) <= 64
    assert facts[-1]["kind"] == "dense"
    seen = {fact["number"]: fact["name"] for fact in facts}
    for first in range(
        activations.MOST_LAYERS, facts[-1]["of"] - 1, activations.MOST_LAYERS
    ):
        facts, arrays = activations.layer_activations(model, image, first)
        seen |= {fact["number"]: fact["name"] for fact in facts}
    assert list(seen) and sorted(seen) == list(range(1, facts[-1]["of"] + 1))
    assert len(set(seen.values())) == facts[-1]["of"]
