"""Graph of a Keras model as data: known layers alone, their settings and shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from medmodel.core.errors import DataError
from medmodel.language import _

MOST_LAYERS = 5000
DEEPEST = 12
_CONTAINERS = ("Sequential", "Functional", "Model")
_SKIPPED = (
    *("Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout"),
    *("AlphaDropout", "ActivityRegularization", "StochasticDepth"),
    *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation"),
    *("RandomContrast", "RandomBrightness", "RandomCrop", "RandomErasing"),
)
"""Layers that pass on what they get once training is over."""
LAYER_SCALE = "LayerScale"
"""Of ConvNeXt in keras.applications, which keras.layers does not have."""
_LAYER_SCALE_MODULE = "keras.src.applications.convnext"
LAYERS = (
    *("InputLayer", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense"),
    *("Conv2DTranspose", "Conv1D", "BatchNormalization", "LayerNormalization"),
    *("GroupNormalization", "UnitNormalization", "RMSNormalization"),
    *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "Identity"),
    *("MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D"),
    *("GlobalMaxPooling2D", "Flatten", "Reshape", "Permute", "RepeatVector"),
    *("Cropping2D", "ZeroPadding2D", "UpSampling2D", "Rescaling", "Normalization"),
    *("Resizing", "CenterCrop", "Add", "Subtract", "Multiply", "Average", "Maximum"),
    *("Minimum", "Concatenate", "MultiHeadAttention", "EinsumDense"),
    *("TFOpLambda", "SlicingOpLambda", LAYER_SCALE),
)
"""Layers of Keras that are built anew from their settings; all others are refused."""
_OPERATIONS = (
    *("Add", "Subtract", "Multiply", "TrueDivide", "Divide", "Mean", "Reshape"),
    *("Relu", "Relu6", "Silu", "Sigmoid", "Softmax", "Gelu", "HardSigmoid"),
    *("HardSilu", "Tanh", "Transpose", "Concatenate", "Absolute", "Rsqrt", "Sqrt"),
)
_RUNS_CODE = ("Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper")
_OPERATION_MODULES = ("keras.src.ops", "keras.ops")
TUPLE = "__tuple__"
_TENSOR = "__keras_tensor__"
_HARMLESS = (_TENSOR, TUPLE, "__ellipsis__")
"""As which a graph names what a layer gets from another."""
_ACTIVATIONS = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "silu", "swish"),
    *("gelu", "sigmoid", "hard_sigmoid", "hard_silu", "hard_swish", "softmax"),
    *("softplus", "softsign", "tanh", "mish", "exponential"),
)


def layers_of(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The layers of a Sequential or Functional model, in order."""
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else inner
    if not isinstance(layers, list):
        return []
    return [layer for layer in layers if isinstance(layer, dict)]


def is_container(layer: dict[str, Any]) -> bool:
    """Whether it is a model within the model."""
    return layer.get("class_name") in _CONTAINERS and bool(layers_of(layer))


def is_skipped(layer: dict[str, Any]) -> bool:
    """Whether it does something in training alone."""
    return layer.get("class_name") in _SKIPPED


def is_operation(layer: dict[str, Any]) -> bool:
    """Whether it is a function of keras.ops in the graph."""
    module = str(layer.get("module", ""))
    return module.startswith(_OPERATION_MODULES)


def check_config(config: dict[str, Any]) -> None:
    """Refuses a model whose graph has anything but known layers of Keras.

    Raises:
        DataError: It names the layer.
    """
    if not is_container(config):
        raise DataError(
            _(
                "The model is a class of its own ({name}), whose program is not in "
                "the file: only Sequential and Functional models are read. Export it "
                "as ONNX.",
                name=str(config.get("class_name", "?"))[:80],
            )
        )
    count = sum(1 for _layer in _walk(config, 0))
    if count > MOST_LAYERS:
        raise DataError(_("The model has more than {most:,} layers.", most=MOST_LAYERS))


def _walk(model: dict[str, Any], depth: int) -> Iterator[dict[str, Any]]:
    if depth > DEEPEST:
        raise DataError(_("Models lie too deeply in each other."))
    for layer in layers_of(model):
        if is_container(layer):
            yield from _walk(layer, depth + 1)
        else:
            _check_layer(layer)
            yield layer


def _check_layer(layer: dict[str, Any]) -> None:
    kind = str(layer.get("class_name", "?"))
    settings = layer.get("config")
    name = settings.get("name", "?") if isinstance(settings, dict) else "?"
    custom = str(layer.get("registered_name") or "")
    title = {"kind": kind[:80], "name": str(name)[:80]}
    if kind in _RUNS_CODE:
        raise DataError(
            _(
                "The layer {name} ({kind}) runs a program from the file: it is "
                "refused. Replace it by layers of Keras, or export the model as ONNX.",
                **title,
            )
        )
    place = (layer.get("inbound_nodes"), layer.get("build_config"))
    if any(map(_makes_object, place)):
        raise _unknown(title)
    if is_operation(layer):
        if kind not in _OPERATIONS or not isinstance(settings, dict):
            raise _unknown(title)
        return
    foreign = ">" in custom or not _of_keras(layer)
    if foreign or kind not in (*LAYERS, *_SKIPPED) or not isinstance(settings, dict):
        raise _unknown(title)
    activation = settings.get("activation")
    if activation_name(activation) is None:
        raise DataError(
            _(
                "The layer {name} ({kind}) has an activation that is not one of "
                "Keras: it is refused. Export the model as ONNX.",
                **title,
            )
        )


def _of_keras(layer: dict[str, Any]) -> bool:
    module = layer.get("module")
    return module is None or str(module).split(".")[0] in ("keras", "tf_keras")


def _unknown(title: dict[str, str]) -> DataError:
    return DataError(
        _(
            "The layer {name} is of a kind that is not read here: {kind}. Its program "
            "is not in the file, or it is none of a classifier of images. Export the "
            "model as ONNX.",
            **title,
        )
    )


def activation_name(value: Any) -> str | None:
    """The name of an activation function; None if it is none of Keras."""
    if value is None:
        return "linear"
    if isinstance(value, dict):  # as Keras 3 writes those with settings
        inner = value.get("config")
        value = inner if isinstance(inner, str) else None
    return value if value in _ACTIVATIONS else None


def plain_settings(layer: dict[str, Any]) -> dict[str, Any]:
    """A layer's settings without anything that Keras would make an object of.

    Initial values, penalties and constraints matter in training alone; the arithmetic
    is float32 here whatever it was.
    """
    settings = dict(layer["config"])
    for name in list(settings):
        if name.endswith(("_initializer", "_regularizer", "_constraint")):
            del settings[name]
    settings.pop("dtype", None)
    if "activation" in settings:
        settings["activation"] = activation_name(settings["activation"])
    kept = {n: v for n, v in settings.items() if not _makes_object(v)}
    if layer.get("class_name") == "DepthwiseConv2D":
        kept.pop("groups", None)  # Keras 2 wrote it, always 1; Keras 3 refuses it.
    axis = kept.get("axis")
    if layer.get("class_name") == "BatchNormalization" and isinstance(axis, list):
        kept["axis"] = axis[0]
    return kept


def _makes_object(value: Any) -> bool:
    """Whether Keras could make anything of it but numbers, texts and tensors."""
    if isinstance(value, dict):
        named = value.get("class_name", _TENSOR)
        return named not in _HARMLESS or any(map(_makes_object, value.values()))
    return isinstance(value, list) and any(map(_makes_object, value))


def plain_config(config: dict[str, Any]) -> dict[str, Any]:
    """The graph of a .keras file with `plain_settings`, for Keras to build."""
    inner = dict(config["config"])
    inner.pop("dtype", None)
    inner["layers"] = [
        plain_config(layer)
        if is_container(layer)
        else _plain_layer(layer, plain_settings(layer))
        for layer in layers_of(config)
    ]
    sequential = config["class_name"] == "Sequential"
    return {
        **_plain_layer(config, inner),
        "module": "keras" if sequential else "keras.src.models.functional",
        "class_name": "Sequential" if sequential else "Functional",
        "registered_name": None if sequential else "Functional",
    }


def _plain_layer(layer: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """A layer of Keras itself, with these settings and where it stands in the graph."""
    module = layer.get("module") if is_operation(layer) else "keras.layers"
    if layer.get("class_name") == LAYER_SCALE:
        module = _LAYER_SCALE_MODULE
    kept = ("class_name", "build_config", "name", "inbound_nodes")
    place = {name: layer[name] for name in kept if name in layer}
    return {**place, "module": module, "registered_name": None, "config": settings}


def input_shape(config: dict[str, Any]) -> list[int | None] | None:
    """(height, width, channels) of a model's input; None where nothing says it.

    Raises:
        DataError: It takes no image, or several.
    """
    inputs = [
        layer
        for layer in layers_of(config)
        if layer.get("class_name") == "InputLayer" and not layer.get("inbound_nodes")
    ]
    if len(inputs) > 1:
        raise DataError(_("The model takes more than one input: one image is given."))
    for layer in [*inputs, *layers_of(config)[:1]]:
        settings = layer.get("config")
        if is_container(layer):
            return input_shape(layer)
        for name in ("batch_shape", "batch_input_shape"):
            shape = settings.get(name) if isinstance(settings, dict) else None
            if shape:
                return _image_shape(shape)
    inner = config.get("config")
    built = inner.get("build_input_shape") if isinstance(inner, dict) else None
    return _image_shape(built) if built else None


def _image_shape(shape: Any) -> list[int | None]:
    if not isinstance(shape, list) or len(shape) != 4:
        raise DataError(_("The model does not take images: (height, width, channels)."))
    return [int(side) if isinstance(side, int) else None for side in shape[1:]]


def output_units(config: dict[str, Any]) -> int:
    """How many numbers it gives, by its last dense layer; 0 where that is not known."""
    for layer in reversed(layers_of(config)):
        if is_container(layer):
            return output_units(layer)
        settings = layer.get("config")
        if layer.get("class_name") == "Dense" and isinstance(settings, dict):
            units = settings.get("units")
            return units if isinstance(units, int) and units > 0 else 0
        if layer.get("class_name") not in ("Activation", "Softmax", *_SKIPPED):
            return 0
    return 0


def normalises(config: dict[str, Any]) -> bool:
    """Whether its first step beside the input scales the pixels."""
    for layer in layers_of(config):
        if is_container(layer):
            return normalises(layer)
        if layer.get("class_name") == "InputLayer" or is_skipped(layer):
            continue
        kinds = ("Rescaling", "Normalization", "TFOpLambda", "SlicingOpLambda")
        return layer.get("class_name") in kinds or is_operation(layer)
    return False


def layer_names(config: dict[str, Any]) -> Iterator[str]:
    """Names of all layers, those of models within it too."""
    for layer in layers_of(config):
        if is_container(layer):
            yield from layer_names(layer)
        else:
            yield str(layer["config"].get("name", ""))
