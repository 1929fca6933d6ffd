from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from medmodel.core.errors import WeightsError
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.settings.network_names import MODEL_NAMES
from medmodel.networks import models
from medmodel.networks.efficientnet import lite_maps
from medmodel.networks.features import COUNTS
from medmodel.networks.lite import LITE0, LITE2, OFFSET, SCALE, Variant
from medmodel.networks.models import scaled_pixels
from medmodel.networks.pretrained import efficientnet_weights


def run(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Eagerly: a graph that runs once takes longer to build than to run."""
    return np.asarray(model(images, training=False))


def random_images(preprocessing: Preprocessing, count: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, *preprocessing.shape), dtype=np.uint8)


def test_every_model_of_the_form_can_be_built() -> None:
    assert list(models.MODELS) == list(MODEL_NAMES)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_saved_model_is_flat_and_gives_the_same_numbers(
    name: str, tmp_path: Path
) -> None:
    preprocessing = Preprocessing(28, colour="grey")
    model = models.build_model(name, preprocessing, 3)
    kinds = [type(layer) for layer in model.layers]
    # ConvNeXt wraps each halving and its normalisation; no network is nested.
    nested = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    assert all(len(layer.layers) <= 2 for layer in nested)
    assert layers.Lambda not in kinds
    assert all(kind.__module__.startswith("keras.") for kind in kinds)
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path, safe_mode=True)
    images = random_images(preprocessing)
    expected = run(model, images)
    assert expected.dtype == np.float32
    assert expected.shape == (3, 3)
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(run(loaded, images), expected, atol=1e-6)
    for layer in models.heatmap_layers(loaded):
        assert min(loaded.get_layer(layer).output.shape[1:3]) >= 4


def test_document_cnn_is_the_one_of_the_document() -> None:
    model = models.build_model("document_cnn", Preprocessing(224), 5)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds[2:] == [
        "Conv2D",
        "MaxPooling2D",
        "Conv2D",
        "MaxPooling2D",
        "Flatten",
        "Dense",
        "Dense",
    ]
    convolutions = (3 * 9 + 1) * 32 + (32 * 9 + 1) * 64
    dense = (54 * 54 * 64 + 1) * 128 + (128 + 1) * 5
    assert model.count_params() == convolutions + dense
    white = np.full((1, 224, 224, 3), 255, np.uint8)
    first = keras.Model(model.input, model.layers[1].output)
    np.testing.assert_allclose(run(first, white), 1.0)


def test_the_same_seed_gives_the_same_weights() -> None:
    first, same, other = (
        models.build_model("compact_resnet", Preprocessing(28), 2, seed=seed)
        for seed in (1, 1, 2)
    )
    for a, b in zip(first.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.any(first.get_weights()[0] != other.get_weights()[0])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_probabilities_are_float32_in_mixed_precision(policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        preprocessing = Preprocessing(32)
        model = models.build_model("compact_resnet", preprocessing, 2)
        instant = models.frozen_backbone(preprocessing)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == "float32"
    assert model.layers[2].compute_dtype == policy.removeprefix("mixed_")
    assert {layer.compute_dtype for layer in instant.layers[2:]} == {"float32"}


@pytest.mark.parametrize("name", ["densenet121", "mobilenetv2"])
def test_keras_networks_normalise_as_their_authors_did(name: str) -> None:
    family = {
        "densenet121": keras.applications.densenet,
        "mobilenetv2": keras.applications.mobilenet_v2,
    }[name]
    preprocessing = Preprocessing(32)
    model = models.build_model(name, preprocessing, 2)
    images = random_images(preprocessing)
    normalised = keras.Model(model.input, model.get_layer("normalise").output)
    np.testing.assert_allclose(
        run(normalised, images),
        family.preprocess_input(images.astype(np.float32)),
        atol=1e-5,
    )


def test_weights_come_from_a_local_file(tmp_path: Path) -> None:
    network = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    path = tmp_path / "mobilenet_notop.weights.h5"
    network.save_weights(path)
    model = models.build_model("mobilenetv2", Preprocessing(32), 2, str(path), seed=1)
    np.testing.assert_array_equal(
        model.get_layer("Conv1").get_weights()[0],
        network.get_layer("Conv1").get_weights()[0],
    )


def test_a_wrong_weights_file_is_one_sentence(tmp_path: Path) -> None:
    other = tmp_path / "other.weights.h5"
    models.build_model("document_cnn", Preprocessing(28), 2).save_weights(other)
    text = tmp_path / "text.h5"
    text.write_text("no weights")
    for path in (other, text, tmp_path / "absent.h5"):
        with pytest.raises(WeightsError, match=path.name) as caught:
            models.build_model("mobilenetv2", Preprocessing(32), 2, str(path))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("variant", "sure"), [(LITE0, 0.94), (LITE2, 0.99)])
def test_pretrained_weights_recognise_photographs(
    variant: Variant, sure: float
) -> None:
    from skimage import data

    photographs = np.stack([centre(data.chelsea()), centre(data.coffee())])
    tensors = efficientnet_weights(variant)
    images = keras.Input((224, 224, 3), dtype="uint8")
    maps = lite_maps(
        scaled_pixels(images, SCALE, OFFSET), tensors, variant, folded=True
    )
    pooled = run(keras.Model(images, maps[-1]), photographs).mean(axis=(1, 2))
    logits = pooled @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    tabby, tiger_cat, egyptian_cat, espresso = 281, 282, 285, 967
    assert set(scores[0].argsort()[-3:]) == {tabby, tiger_cat, egyptian_cat}
    assert scores[1].argmax() == espresso
    assert scores[1, espresso] == pytest.approx(sure, abs=0.03)


def centre(pixels: np.ndarray) -> np.ndarray:
    """The central 224 of 256 parts, as ImageNet's images are shown."""
    from PIL import Image

    side = min(pixels.shape[:2]) * 224 / 256
    top, left = ((length - side) / 2 for length in pixels.shape[:2])
    box = left, top, left + side, top + side
    return np.asarray(Image.fromarray(pixels).resize((224, 224), 3, box))


def test_features_are_those_of_the_unfolded_network() -> None:
    preprocessing = Preprocessing(64, colour="grey")
    images = random_images(preprocessing)
    network = models.build_model("efficientnet_lite0", preprocessing, 2)
    head = keras.Model(network.input, network.get_layer("conv_head_relu6").output)
    maps = run(head, images)
    features = run(models.frozen_backbone(preprocessing), images)
    assert features.shape == (3, COUNTS["efficientnet_lite0"])
    mean, highest = maps.mean((1, 2)), maps.max((1, 2))
    found = features[:, 896:2176], features[:, 2176:3456]
    np.testing.assert_allclose(found[0], mean / np.sqrt(mean + 1e-3), atol=1e-3)
    np.testing.assert_allclose(found[1], highest / np.sqrt(highest + 1e-3), atol=1e-3)


def test_the_networks_see_pixels_as_published() -> None:
    assert 127 * SCALE + OFFSET == 0
    assert 255 * SCALE + OFFSET == 1


@pytest.mark.parametrize(
    ("name", "depths"), [("efficientnet_lite0", 16), ("efficientnet_lite0_lite2", 37)]
)
def test_instant_model_is_a_softmax_on_the_features(name: str, depths: int) -> None:
    preprocessing = Preprocessing(48)
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(COUNTS[name], 3)) / 100, rng.normal(size=3)
    model = models.instant_model(preprocessing, kernel, bias, network=name)
    images = random_images(preprocessing)
    logits = run(models.frozen_backbone(preprocessing, name), images) @ kernel + bias
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(run(model, images), expected, atol=1e-4)
    # At 48 pixels the deepest maps have 2 x 2, so all depths still tell places.
    assert len(models.heatmap_layers(model)) == depths


def test_fine_tuning_leaves_batch_normalisation_alone() -> None:
    preprocessing = Preprocessing(28)
    model = models.build_model("compact_resnet", preprocessing, 2)
    models.freeze_for_fine_tuning(model)
    model.compile("sgd", "categorical_crossentropy")
    norms = [
        layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)
    ]
    before = [norm.get_weights() for norm in norms]
    kernel = model.layers[2].get_weights()[0]
    model.train_on_batch(random_images(preprocessing), np.eye(2)[[0, 1, 0]])
    for norm, weights in zip(norms, before, strict=True):
        for new, old in zip(norm.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(new, old)
    assert np.any(model.layers[2].get_weights()[0] != kernel)


def test_heatmap_layers_are_those_before_the_area_is_given_up() -> None:
    def chosen(name: str, size: int) -> list[str]:
        model = models.build_model(name, Preprocessing(size), 2)
        return models.heatmap_layers(model)

    assert chosen("efficientnet_lite0", 128) == ["conv_head_relu6"]
    assert chosen("efficientnet_lite0", 64) == ["block11_expand_conv_relu6"]
    assert chosen("document_cnn", 64) == ["conv2"]
    assert chosen("efficientnetv2b0", 128) == ["top_activation"]


@pytest.mark.parametrize("name", list(models.MODELS))
@pytest.mark.parametrize("size", [28, 64])
def test_heatmap_layers_have_the_same_names_in_every_process(
    name: str, size: int
) -> None:
    """model.json is written before the model: a second build must not change it."""
    first, again = (
        models.heatmap_layers(models.build_model(name, Preprocessing(size), 2))
        for _ in range(2)
    )
    assert first == again


def test_imagenet_weights_are_fetched_only_when_asked_for() -> None:
    asked: list[str | None] = []

    def offline(weights: str | None, **_: object) -> keras.Model:
        asked.append(weights)
        raise Exception("URL fetch failure")

    build = models._application(offline)
    with pytest.raises(WeightsError, match="no way to the internet"):
        build(keras.Input((64, 64, 3), dtype="uint8"), models.IMAGENET)
    assert asked == ["imagenet"]
