"""Builds one flat graph of layers from a foreign Keras model, old or new.

Models within models are laid open, so that heat maps find the last map; what Keras 2
wrote and Keras 3 does not take is converted. Only layers that `keras_file` allows are
made, from their settings; nothing of the file is run.
"""

from __future__ import annotations

import inspect
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.language import _
from medmodel.model_import import keras_config
from medmodel.model_import.keras_file import KerasFile

Tensor = Any
Arrays = list[NDArray[np.floating]]
WeightsOf = Callable[[tuple[str, ...], keras.Layer], Arrays]
"""Path of names to a layer, the layer built -> its weights in the layer's order."""


def flat_outputs(file: KerasFile, path: Path, pixels: Tensor) -> Tensor:
    """What the model makes of the pixels, as a graph of layers with its weights.

    Args:
        file: As read from `path`.
        path: The file.
        pixels: Keras tensor (n, height, width, channels), scaled as the model wants it.

    Raises:
        DataError: The weights are not those of the network, or a layer cannot be made.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weights = _native(file, path) if file.native else _hdf5(file, path)
        return _Builder(weights).model(file.config, pixels, ())


class _Builder:
    """Makes layers one after another; names become unique."""

    def __init__(self, weights: WeightsOf) -> None:
        self._weights = weights
        self._names = {"pixels", "normalise"}

    def model(self, config: dict[str, Any], x: Tensor, path: tuple[str, ...]) -> Tensor:
        layers = keras_config.layers_of(config)
        if config.get("class_name") != "Sequential":
            return self._functional(config["config"], x, path)
        for layer in layers:
            x = self._step(layer, path)([x], {})
        return x

    def _functional(
        self, config: dict[str, Any], x: Tensor, path: tuple[str, ...]
    ) -> Tensor:
        made: dict[tuple[str, int], Tensor] = {}
        last = _last_references(config)
        waiting: list[tuple[str, int, Any, Any]] = []
        for layer in keras_config.layers_of({"config": config}):
            name = str(layer.get("name") or layer["config"].get("name"))
            step = self._step(layer, path)
            nodes = layer.get("inbound_nodes") or []
            if not nodes:
                made[name, 0] = x
            # Keras 2 counts also how a model within the model was made at first.
            first = max(0, last.get(name, 0) - len(nodes) + 1)
            waiting += [(name, first + at, n, step) for at, n in enumerate(nodes)]
        while waiting:
            ready = [w for w in waiting if all(r in made for r in _references(w[2]))]
            if not ready:
                raise DataError(_("The graph of the model is damaged."))
            for name, at, node, step in ready:
                made[name, at] = step(*_arguments(node, made))
            waiting = [w for w in waiting if w not in ready]
        outputs = config.get("output_layers") or []
        outputs = [outputs] if outputs and isinstance(outputs[0], str) else outputs
        if len(outputs) != 1:
            raise DataError(
                _("The model gives more than one answer: one list of classes is read.")
            )
        return made[str(outputs[0][0]), int(outputs[0][1])]

    def _step(
        self, layer: dict[str, Any], path: tuple[str, ...]
    ) -> Callable[[list[Any], dict[str, Any]], Tensor]:
        """What a layer does with positional and named arguments; made once."""
        kind, settings = layer["class_name"], layer["config"]
        own = str(layer.get("name") or settings.get("name"))
        if keras_config.is_container(layer):
            return lambda args, kwargs: self.model(layer, args[0], (*path, own))
        if kind == "InputLayer" or keras_config.is_skipped(layer):
            return lambda args, kwargs: args[0]
        if kind in ("TFOpLambda", "SlicingOpLambda"):
            return lambda args, kwargs: self._operation(settings, args, kwargs)
        if keras_config.is_operation(layer):
            return _keras_operation(layer)
        shared: list[keras.Layer] = []

        def call(args: list[Any], kwargs: dict[str, Any]) -> Tensor:
            if not shared:
                shared.append(self._layer(layer, own))
            made = shared[0]
            value = args[0] if len(args) == 1 else args
            if kind == "MultiHeadAttention":
                output = made(*args, **kwargs)
            else:
                output = made(value)
            self._fill(made, (*path, own), kind == keras_config.LAYER_SCALE)
            return output

        return call

    def _layer(self, layer: dict[str, Any], own: str) -> keras.Layer:
        kind = layer["class_name"]
        if kind == keras_config.LAYER_SCALE:
            # A factor for each channel is a depthwise convolution of one pixel.
            return keras.layers.DepthwiseConv2D(
                1, use_bias=False, name=self._unique(own)
            )
        made_by = getattr(keras.layers, kind)
        settings = keras_config.plain_settings(layer)
        if settings.get("data_format") == "channels_first":
            raise DataError(
                _(
                    "The layer {name} ({kind}) takes channels first, which a processor "
                    "cannot compute: save the model with channels last, or as ONNX.",
                    name=own,
                    kind=kind,
                )
            )
        allowed = set(inspect.signature(made_by.__init__).parameters)
        accepted = {n: v for n, v in settings.items() if n in allowed}
        accepted.pop("name", None)
        try:
            return made_by(name=self._unique(own), **accepted)
        except (TypeError, ValueError) as error:
            raise DataError(
                _(
                    "The layer {name} ({kind}) has settings that cannot be used.",
                    name=own,
                    kind=kind,
                )
            ) from error

    def _unique(self, name: str) -> str:
        simple = "".join(c if c.isalnum() or c in "_-." else "_" for c in name) or "x"
        number, unique = 1, simple
        while unique in self._names:
            number += 1
            unique = f"{simple}_{number}"
        self._names.add(unique)
        return unique

    def _fill(self, layer: keras.Layer, path: tuple[str, ...], scale: bool) -> None:
        """Gives a layer its weights, once; of `LayerScale` in another shape."""
        if getattr(layer, "_is_filled", False) or not layer.weights:
            layer._is_filled = True
            return
        arrays = self._weights(path, layer)
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if scale:
            arrays = [array.reshape(shapes[0]) for array in arrays]
        if [array.shape for array in arrays] != shapes:
            raise DataError(
                _(
                    "The weights of the layer {name} are not those of its network.",
                    name=path[-1],
                )
            )
        layer.set_weights(arrays)
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
        layer._is_filled = True

    def _operation(
        self, settings: dict[str, Any], args: list[Any], kwargs: dict[str, Any]
    ) -> Tensor:
        """A function of TensorFlow that Keras 2 put into a graph as a layer."""
        function = str(settings.get("function", "")).removeprefix("tf.")
        x, other = args[0], kwargs.get("y", args[1] if len(args) > 1 else None)
        if function in _SIMPLE:
            return _SIMPLE[function](x)
        if function == "__operators__.getitem" and _is_reversal(kwargs):
            return exchanged_channels(x, self._unique("bgr"))
        if function == "nn.bias_add":
            other = kwargs.get("bias", other)
        merge = _MERGES.get(function)
        if merge is None or other is None:
            raise DataError(
                _(
                    "The layer {name} applies {function}, which is not read here. "
                    "Export the model as ONNX.",
                    name=str(settings.get("name"))[:80],
                    function=function[:80] or "?",
                )
            )
        layer, factors = merge
        if keras.backend.is_keras_tensor(other):
            return layer(name=self._unique("import_merge"))([x, other])
        constant = np.asarray(other, np.float64)
        if constant.ndim > 1 or not np.isfinite(constant).all():
            raise DataError(_("The graph of the model is damaged."))
        scale, offset = factors(constant)
        return keras.layers.Rescaling(
            np.asarray(scale).tolist(),
            np.asarray(offset).tolist(),
            name=self._unique("import_constant"),
        )(x)


def exchanged_channels(x: Tensor, name: str) -> Tensor:
    """Red and blue exchanged."""
    layer = keras.layers.Conv2D(3, 1, use_bias=False, name=name)
    output = layer(x)
    layer.set_weights([np.eye(3, dtype=np.float32)[::-1].reshape(1, 1, 3, 3)])
    return output


_SIMPLE: dict[str, Callable[[Tensor], Tensor]] = {
    "nn.relu": keras.activations.relu,
    "nn.relu6": keras.activations.relu6,
    "nn.softmax": keras.activations.softmax,
    "nn.silu": keras.activations.silu,
    "math.sigmoid": keras.activations.sigmoid,
    "cast": lambda x: x,
    "identity": lambda x: x,
}
_MERGES: dict[str, tuple[Any, Callable[[Any], tuple[Any, Any]]]] = {
    "math.truediv": (None, lambda c: (1 / c, 0.0)),
    "math.divide": (None, lambda c: (1 / c, 0.0)),
    "math.multiply": (keras.layers.Multiply, lambda c: (c, 0.0)),
    "math.add": (keras.layers.Add, lambda c: (1.0, c)),
    "__operators__.add": (keras.layers.Add, lambda c: (1.0, c)),
    "math.subtract": (keras.layers.Subtract, lambda c: (1.0, -c)),
    "nn.bias_add": (None, lambda c: (1.0, c)),
}


def _is_reversal(kwargs: dict[str, Any]) -> bool:
    """Whether a slice of Keras 2 is [..., ::-1]."""
    slices = kwargs.get("slice_spec")
    if not isinstance(slices, list) or len(slices) != 2:
        return False
    last = slices[1]
    return isinstance(last, dict) and last.get("step") == -1


def _references(node: Any) -> list[tuple[str, int]]:
    """Which outputs a node waits for, as (layer, number of the node)."""
    if isinstance(node, dict) and node.get("class_name") == "__keras_tensor__":
        name, at, _which = node["config"]["keras_history"]
        return [(str(name), int(at))]
    if isinstance(node, dict):
        return [r for value in node.values() for r in _references(value)]
    if _is_old_reference(node):
        rest = node[3] if len(node) > 3 else None
        return [(node[0], node[1]), *_references(rest)]
    if isinstance(node, list):
        return [r for value in node for r in _references(value)]
    return []


def _last_references(config: dict[str, Any]) -> dict[str, int]:
    """Layer -> the highest number of a node of it that anything refers to."""
    nodes = [layer.get("inbound_nodes") for layer in config["layers"]]
    last: dict[str, int] = {}
    for name, at in _references([*nodes, config.get("output_layers")]):
        last[name] = max(at, last.get(name, 0))
    return last


def _is_old_reference(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 3 <= len(value) <= 4
        and isinstance(value[0], str)
        and all(isinstance(number, int) for number in value[1:3])
    )


def _arguments(
    node: Any, made: dict[tuple[str, int], Tensor]
) -> tuple[list[Any], dict[str, Any]]:
    """Positional and named arguments of a call."""
    if isinstance(node, dict):  # Keras 3
        args = [_resolved(value, made) for value in node.get("args", [])]
        if len(args) == 1 and isinstance(args[0], list):
            args = args[0]
        named = node.get("kwargs", {})
    else:
        entries = [node] if _is_old_reference(node) else node
        args = [_resolved(entry[:3], made) for entry in entries]
        named = entries[0][3] if len(entries[0]) > 3 else {}
    ignored = ("training", "mask", "name", "use_causal_mask")
    return args, {
        key: _resolved(value, made)
        for key, value in named.items()
        if key not in ignored and value is not None
    }


def _resolved(value: Any, made: dict[tuple[str, int], Tensor]) -> Any:
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        name, at, _which = value["config"]["keras_history"]
        return made[str(name), int(at)]
    if _is_old_reference(value):
        return made[value[0], value[1]]
    if isinstance(value, list):
        return [_resolved(item, made) for item in value]
    if isinstance(value, dict) and value.get("class_name") == keras_config.TUPLE:
        return tuple(_resolved(item, made) for item in value.get("items", []))
    if isinstance(value, dict):
        return {key: _resolved(item, made) for key, item in value.items()}
    return value


def _keras_operation(
    layer: dict[str, Any],
) -> Callable[[list[Any], dict[str, Any]], Tensor]:
    """A function of keras.ops, one of those that `keras_file` allows."""
    kind = str(layer["class_name"])
    snake = "".join(
        f"_{letter.lower()}" if letter.isupper() and at else letter.lower()
        for at, letter in enumerate(kind)
    )
    names = {"relu6": "relu6", "true_divide": "true_divide"}
    function = getattr(keras.ops, names.get(snake, snake))
    settings = {
        key: value
        for key, value in layer["config"].items()
        if key not in ("name", "dtype", "trainable")
    }
    return lambda args, kwargs: function(*args, **{**settings, **kwargs})


def _native(file: KerasFile, path: Path) -> WeightsOf:
    """Weights of a .keras file, which Keras reads into the same network."""
    try:
        model = keras.saving.deserialize_keras_object(
            keras_config.plain_config(file.config), safe_mode=True
        )
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
            model.load_weights(archive.extract("model.weights.h5", folder))
    except (ValueError, TypeError, KeyError, OSError, AttributeError) as error:
        raise DataError(
            _("{file} cannot be read: {reason}", file=path.name, reason=_first(error))
        ) from error

    def weights_of(names: tuple[str, ...], layer: keras.Layer) -> Arrays:
        at = model
        for name in names:
            at = at.get_layer(name)
        return list(at.get_weights())

    return weights_of


def _first(error: Exception) -> str:
    """The first line of what a library says."""
    return str(error).strip().partition("\n")[0][:200]


def _hdf5(file: KerasFile, path: Path) -> WeightsOf:
    """Weights of an .h5 file: by name, or where names differ in the old order."""
    with h5py.File(path, "r") as opened:
        root = opened.get("model_weights", opened)
        groups = {
            _text(name): [
                (_text(weight), np.asarray(root[_text(name)][_text(weight)]))
                for weight in root[_text(name)].attrs["weight_names"]
            ]
            for name in root.attrs["layer_names"]
        }
    left = {name: list(weights) for name, weights in groups.items()}

    def weights_of(names: tuple[str, ...], layer: keras.Layer) -> Arrays:
        group = left.get(names[0], [])
        scopes = [(f"/{entry[0].rpartition('/')[0]}", entry) for entry in group]
        # Names may have slashes, and scopes of their models before them.
        own = [entry for scope, entry in scopes if scope == f"/{names[-1]}"] or [
            entry for scope, entry in scopes if scope.endswith(f"/{names[-1]}")
        ]
        if len(names) == 1 and not own:
            own = group
        return _in_order(own, layer)

    return weights_of


def _in_order(entries: list[tuple[str, Any]], layer: keras.Layer) -> Arrays:
    """Arrays of one layer in the order of its weights, by the ends of their names."""
    by_end = {name.rpartition("/")[2].partition(":")[0]: a for name, a in entries}
    ends = [weight.name for weight in layer.weights]
    if set(ends) <= set(by_end):
        return [by_end[end] for end in ends]
    return [array for _name, array in entries]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
