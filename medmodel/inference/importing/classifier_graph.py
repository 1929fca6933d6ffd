"""The graph of a foreign model: pixels in, a softmax over its classes out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import ConfigError, DataError
from medmodel.language import _
from medmodel.model_import import keras_file, onnx_file
from medmodel.model_import.description import (
    ImportSettings,
    scale_factors,
)
from medmodel.model_import.onnx_file import OnnxFile
from medmodel.model_import.source import ModelSource

PROBES = 8
"""Images that tell whether outputs are probabilities."""


def classifier_graph(source: ModelSource, settings: ImportSettings) -> Any:
    """The model as a flat graph: uint8 pixels in, a softmax over the classes out."""
    import keras
    import tensorflow as tf

    from medmodel.networks.onnx_layer import runtime_errors

    channels = 1 if settings.colour == "grey" else 3
    shape = (settings.size, settings.size, channels)
    images = keras.Input(shape, dtype="uint8", name="pixels")
    scaled = _scaled(images, settings, channels)
    try:
        outputs = _foreign(source, settings, scaled)
        return _with_softmax(images, outputs, len(settings.classes))
    except (AssertionError, tf.errors.OpError, *runtime_errors()) as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise DataError(
            _("The model cannot be computed: {reason}", reason=reason)
        ) from error


def _scaled(images: Any, settings: ImportSettings, channels: int) -> Any:
    import keras

    from medmodel.inference.importing.keras_graph import exchanged_channels

    factors, offsets = scale_factors(settings.scale, channels)
    same = len(set(factors)) == len(set(offsets)) == 1
    scale, offset = (factors[0], offsets[0]) if same else (factors, offsets)
    if settings.scale == "caffe":
        images = exchanged_channels(
            keras.layers.Rescaling(1.0, name="import_float")(images), "import_bgr"
        )
    return keras.layers.Rescaling(scale, offset, name="normalise")(images)


def _foreign(source: ModelSource, settings: ImportSettings, scaled: Any) -> Any:
    from medmodel.inference.importing import keras_graph

    if source.format in ("keras", "h5"):
        file = keras_file.read_keras_file(source.path)
        return keras_graph.flat_outputs(file, source.path, scaled)
    if source.format == "onnx":
        file_of_onnx = onnx_file.read_onnx_file(source.path)
    else:
        from medmodel.inference.importing import saved_model_import

        file_of_onnx = saved_model_import.as_onnx(source.path)
    if file_of_onnx.dtype == "uint8" and settings.scale != "raw":
        raise ConfigError(
            "scale",
            _("The model takes whole numbers from 0 to 255: choose raw pixels."),
        )
    return _onnx_layer(file_of_onnx, settings, scaled.shape[1:])(scaled)


def _onnx_layer(
    file: OnnxFile, settings: ImportSettings, shape: tuple[int, ...]
) -> Any:
    """The layer, with its number of outputs as one image gets them.

    Raises:
        DataError: Its answers are random, or an image's depend on the others.
    """
    from medmodel.networks.onnx_layer import OnnxClassifier

    def made(outputs: int) -> OnnxClassifier:
        return OnnxClassifier(
            file.input_name,
            file.output_name,
            outputs,
            file.dtype,
            file.channels_first,
            file.batch,
            file.content,
            name="onnx",
        )

    asked = made(max(file.outputs, 1))
    factors, offsets = scale_factors(settings.scale, shape[-1])
    pixels = np.random.default_rng(0).integers(0, 256, (3, *shape))
    images = (pixels * factors + offsets).astype(np.float32)
    together = asked.ask(images)
    alone = np.concatenate([asked.ask(image[None]) for image in images])
    if not np.allclose(together, alone, rtol=1e-3, atol=1e-3, equal_nan=True):
        raise DataError(
            _(
                "The model answers an image otherwise when it is asked again, or with "
                "others beside it: export it for inference (in PyTorch after "
                "model.eval()), with an open batch size."
            )
        )
    return made(together.shape[1])


def _with_softmax(images: Any, outputs: Any, classes: int) -> Any:
    """The graph with a softmax layer at its end, as all models here have.

    Raises:
        DataError: Its outputs are no list of classes, or of another number.
    """
    import keras

    if len(outputs.shape) == 4 and outputs.shape[1:3] == (1, 1):
        outputs = keras.layers.Flatten(name="import_flatten")(outputs)
    if len(outputs.shape) != 2 or outputs.shape[1] is None:
        raise DataError(
            _(
                "The model's output is no list of classes, but of shape {shape}.",
                shape=tuple(outputs.shape[1:]),
            )
        )
    units = int(outputs.shape[1])
    if classes != (2 if units == 1 else units):
        raise DataError(
            _(
                "The model has {outputs:,} classes, and {count:,} were named: one a "
                "line, in the model's order.",
                outputs=2 if units == 1 else units,
                count=classes,
            )
        )
    model = keras.Model(images, outputs)
    kind = _kind_of_outputs(model)
    last = model.layers[-1]
    usual = {"softmax": "softmax", "sigmoid": "sigmoid", "logits": "linear"}[kind]
    if isinstance(last, keras.layers.Dense) and last.activation.__name__ == usual:
        return _own_dense(model, last, images)
    if kind in ("softmax", "sigmoid"):
        # The softmax of logarithms gives back what they were of.
        small = keras.layers.ReLU(name="import_positive")(outputs)
        if kind == "sigmoid":
            against = keras.layers.Rescaling(-1.0, 1.0, name="import_against")(small)
            against = keras.layers.ReLU(name="import_positive_against")(against)
            small = keras.layers.Concatenate(name="import_both")([against, small])
        outputs = keras.ops.log(small + 1e-30)
    elif units == 1:
        against = keras.layers.Rescaling(0.0, 0.0, name="import_against")(outputs)
        outputs = keras.layers.Concatenate(name="import_both")([against, outputs])
    return _dense(images, outputs, np.eye(classes), np.zeros(classes), model.name)


def _own_dense(model: Any, last: Any, images: Any) -> Any:
    """The same with the last layer as one whose weights heat maps read."""
    weights = last.get_weights()
    kernel = weights[0]
    bias = weights[1] if len(weights) > 1 else np.zeros(kernel.shape[1])
    if kernel.shape[1] == 1:
        kernel = np.concatenate([np.zeros_like(kernel), kernel], axis=1)
        bias = np.concatenate([np.zeros_like(bias), bias])
    return _dense(images, last.input, kernel, bias, model.name)


def _dense(images: Any, features: Any, kernel: Any, bias: Any, name: str) -> Any:
    import keras

    layer = keras.layers.Dense(
        kernel.shape[1], activation="softmax", dtype="float32", name="import_classes"
    )
    model = keras.Model(images, layer(features), name=name)
    layer.set_weights([kernel, bias])
    return model


def _kind_of_outputs(model: Any) -> str:
    """softmax, sigmoid (of one output) or logits, by what it says of a few images.

    Raises:
        DataError: Its numbers are probabilities that do not exclude each other, or
            none at all.
    """
    answers = _probe(model)
    if not np.isfinite(answers).all():
        raise DataError(_("The model gives no numbers for some images."))
    inside = answers.min() >= -1e-4 and answers.max() <= 1 + 1e-4
    if answers.shape[1] == 1:
        return "sigmoid" if inside and _ends_in_sigmoid(model) else "logits"
    if inside and np.abs(answers.sum(axis=1) - 1).max() < 1e-2:
        return "softmax"
    if inside and _ends_in_sigmoid(model):
        raise DataError(
            _(
                "The model answers for each class by itself (several may be true at "
                "once): only classes that exclude each other are read."
            )
        )
    return "logits"


def _ends_in_sigmoid(model: Any) -> bool:
    """Whether the last layer says so; of an ONNX model its numbers alone tell."""
    last = model.layers[-1]
    activation = getattr(last, "activation", None)
    if activation is None:
        return True
    return getattr(activation, "__name__", "") == "sigmoid"


def _probe(model: Any) -> NDArray[np.floating]:
    shape = model.input_shape[1:]
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (PROBES - 2, *shape), np.uint8)
    plain = np.stack([np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)])
    return np.asarray(model(np.concatenate([noise, plain]), training=False))
