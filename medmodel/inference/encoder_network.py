"""Networks on an encoder of the weights folder: features, and the finished model."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from medmodel.core.errors import DECODER_ERRORS, DataError, WeightsError
from medmodel.core.preprocessing import Preprocessing
from medmodel.inference.importing import keras_graph
from medmodel.language import _
from medmodel.model_import import keras_config, keras_file
from medmodel.model_import.encoder_note import noted_encoder
from medmodel.model_import.encoder_onnx import MOST_FEATURES
from medmodel.model_import.encoders import Encoder, check_digest
from medmodel.networks.encoder_layer import (
    OnnxEncoder,
    checked_numbers,
    images_at_once,
    open_encoder,
)
from medmodel.networks.features import FeatureNetwork, instant_network
from medmodel.networks.models import instant_model, scaled_pixels
from medmodel.runs.run import Run


def frozen_network(run: Run, preprocessing: Preprocessing) -> FeatureNetwork:
    """On whose features a run of the recipe "Instant" learns.

    Raises:
        WeightsError: Its encoder is missing, altered, or cannot be used.
    """
    encoder = noted_encoder(run)
    if encoder is None:
        return instant_network(preprocessing, run.config.model)
    return encoder_features(encoder, preprocessing)


def frozen_model(
    run: Run,
    preprocessing: Preprocessing,
    kernel: np.ndarray,
    bias: np.ndarray,
    activation: str = "softmax",
) -> keras.Model:
    """The finished model of such a run.

    Args:
        run: The run.
        preprocessing: Size and channels of the input.
        kernel: (d, num_classes) weights on the features.
        bias: (num_classes,) biases.
        activation: As in `models.build_model`.

    Raises:
        WeightsError: Its encoder is missing, altered, or cannot be used.
    """
    encoder = noted_encoder(run)
    if encoder is None:
        return instant_model(preprocessing, kernel, bias, activation, run.config.model)
    return encoder_model(encoder, preprocessing, kernel, bias, activation)


def encoder_features(encoder: Encoder, preprocessing: Preprocessing) -> FeatureNetwork:
    """What an encoder says of images, kept in a table named by its SHA-256.

    Raises:
        WeightsError: It is missing, altered, or cannot be used.
    """
    network = _backbone(encoder, preprocessing)

    def compute(pixels: np.ndarray) -> np.ndarray:
        if encoder.is_onnx:
            return open_encoder(encoder).features(pixels).astype(np.float16)
        features = np.asarray(network(pixels, training=False), np.float32)
        return checked_numbers(encoder, features).astype(np.float16)

    return FeatureNetwork(
        encoder.table,
        int(network.output_shape[-1]),
        images_at_once(encoder),
        compute,
    )


def encoder_model(
    encoder: Encoder,
    preprocessing: Preprocessing,
    kernel: np.ndarray,
    bias: np.ndarray,
    activation: str = "softmax",
) -> keras.Model:
    """The finished model: an encoder and its last layer, one flat graph.

    Args:
        encoder: The encoder.
        preprocessing: Size and channels of the input.
        kernel: (d, num_classes) weights on its features.
        bias: (num_classes,) biases.
        activation: As in `models.build_model`.

    Returns:
        A model from uint8 (n, size, size, channels) to float32 (n, num_classes).

    Raises:
        WeightsError: The encoder is missing, altered, or cannot be used.
    """
    network = _backbone(encoder, preprocessing)
    dense = keras.layers.Dense(
        kernel.shape[1], activation=activation, dtype="float32", name="probabilities"
    )
    model = keras.Model(network.input, dense(network.output), name="encoder")
    dense.set_weights([kernel, bias])
    return model


def _backbone(encoder: Encoder, preprocessing: Preprocessing) -> keras.Model:
    """From uint8 images to features, float32 (n, d)."""
    if preprocessing.channels > encoder.channels:
        raise WeightsError(
            _(
                "The encoder {name} takes grey images: choose grey as the colour.",
                name=encoder.name,
            )
        )
    images = keras.Input(preprocessing.shape, dtype="uint8", name="pixels")
    if encoder.is_onnx:
        blank = np.zeros((1, *preprocessing.shape), np.uint8)
        count = open_encoder(encoder).features(blank).shape[1]
        layer = OnnxEncoder(asdict(encoder), count, name="encoder")
        return keras.Model(images, layer(images))
    try:
        return _of_keras(encoder, images)
    except DataError as error:
        raise _refused(encoder, str(error)) from error
    except DECODER_ERRORS as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise _refused(encoder, reason) from error


def _of_keras(encoder: Encoder, images: Any) -> keras.Model:
    path = check_digest(encoder, encoder.file)
    file = keras_file.read_keras_file(path)
    shape = keras_config.input_shape(file.config) or [None] * 3
    expected = [encoder.size, encoder.size, encoder.channels]
    pairs = zip(shape, expected, strict=True)
    if any(given not in (None, wanted) for given, wanted in pairs):
        raise DataError(
            _(
                "its file takes images of {given}, its description says {wanted}.",
                given=" × ".join(str(n or "?") for n in shape),
                wanted=" × ".join(map(str, expected)),
            )
        )
    mean, std = np.array(encoder.mean), np.array(encoder.std)
    scale, offset = (1 / (255 * std)).tolist(), (-mean / std).tolist()
    scaled = scaled_pixels(images, scale, offset, channels=encoder.channels)
    features = _pooled(encoder, keras_graph.flat_outputs(file, path, scaled))
    if not 1 <= features.shape[-1] <= MOST_FEATURES:
        raise DataError(_("it gives more than {most:,} features", most=MOST_FEATURES))
    return keras.Model(images, features)


def _pooled(encoder: Encoder, answer: Any) -> Any:
    """One row of features for each image, as `encoder_layer.pooled` does."""
    rank = {"pooled": 2, "tokens": 3, "map": 4}[encoder.features]
    if len(answer.shape) != rank or None in answer.shape[1:]:
        raise DataError(
            _(
                "it answers with {shape}, which is no “{features}”",
                shape=tuple(answer.shape[1:]),
                features=encoder.features,
            )
        )
    if encoder.features == "map":
        return keras.layers.GlobalAveragePooling2D(name="encoder_pool")(answer)
    if encoder.features == "pooled":
        return answer
    prefix, count = encoder.prefix_tokens, int(answer.shape[1])
    if count <= prefix:
        raise DataError(_("it gives no tokens of the image"))
    patches = keras.layers.Cropping1D((prefix, 0), name="encoder_patches")(answer)
    mean = keras.layers.GlobalAveragePooling1D(name="encoder_pool")(patches)
    if not prefix:
        return mean
    first = keras.layers.Cropping1D((0, count - 1), name="encoder_class")(answer)
    first = keras.layers.Flatten(name="encoder_class_token")(first)
    return keras.layers.Concatenate(name="encoder_features")([first, mean])


def _refused(encoder: Encoder, reason: str) -> WeightsError:
    return WeightsError(
        _("The encoder {name}: {reason}", name=encoder.name, reason=reason)
    )
