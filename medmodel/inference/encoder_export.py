"""One ONNX model of an ONNX encoder and the layer that was trained on it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from medmodel.core.errors import PredictionError
from medmodel.language import _
from medmodel.model_import.encoders import Encoder
from medmodel.networks.encoder_layer import OnnxEncoder

OLDEST_OPSET = 13
"""Of an encoder that is joined: older operators say the same in other words."""
_NEW_REDUCE = 18
_PREFIX = "encoder/"


def encoder_of(model: keras.Model) -> OnnxEncoder | None:
    """The ONNX encoder that is a part of a model; None where there is none."""
    layers = (layer for layer in model.layers if isinstance(layer, OnnxEncoder))
    return next(layers, None)


def joined_onnx(model: keras.Model) -> onnx.ModelProto:
    """The model as one ONNX graph: pixels, normalisation, encoder, softmax layer.

    Args:
        model: From `encoder_network.encoder_model`, with an ONNX encoder.

    Returns:
        From `image`, uint8 (batch, size, size, channels), to `probabilities`.

    Raises:
        PredictionError: The encoder takes a fixed number of images at once, is of an
            old version of ONNX, or is not as ONNX asks, which ONNX Runtime may bear.
        WeightsError: It is missing from the weights folder, or altered.
    """
    layer = encoder_of(model)
    assert layer is not None
    opened = layer.open()
    proto = onnx.load_model_from_string(opened.file.content)
    opsets = {o.domain or "ai.onnx": o.version for o in proto.opset_import}
    opset = opsets.get("ai.onnx", 0)
    if opened.file.batch:
        raise not_joined(layer, _("it takes a fixed number of images at once"))
    if opset < OLDEST_OPSET:
        raise not_joined(layer, _("it is of an old version of ONNX"))
    proto = onnx.compose.add_prefix(proto, _PREFIX)
    graph = _Joined(proto, layer.encoder, opset)
    graph.feed(opened.file.input_name, opened.file.dtype, model.input_shape[1:])
    graph.read(opened.file.output_name, *model.layers[-1].get_weights())
    try:
        onnx.checker.check_model(proto)
    except (onnx.checker.ValidationError, ValueError) as error:  # or above 2 GB
        raise not_joined(layer, _("both are no valid ONNX model together")) from error
    return proto


def not_joined(layer: OnnxEncoder, reason: str) -> PredictionError:
    """The error of an encoder that stays a file of its own."""
    return PredictionError(
        _(
            "The encoder {name} of this model cannot be joined with it in one ONNX "
            "file: {reason}. Use the model here.",
            name=layer.encoder.name,
            reason=reason,
        )
    )


class _Joined:
    """Adds what stands before and behind an encoder to its graph."""

    def __init__(self, proto: onnx.ModelProto, encoder: Encoder, opset: int) -> None:
        self.graph, self.encoder, self.opset = proto.graph, encoder, opset
        self._before: list[onnx.NodeProto] = []

    def feed(self, name: str, dtype: str, shape: tuple[int, ...]) -> None:
        """From uint8 pixels to the encoder's input."""
        encoder, before = self.encoder, self._before
        x = "image"
        if shape[-1] < encoder.channels:
            before.append(helper.make_node("Concat", [x] * 3, ["grey_to_rgb"], axis=3))
            x = "grey_to_rgb"
        if dtype != "uint8":
            mean, std = (np.array(x) for x in (encoder.mean, encoder.std))
            scale = self._constant("scale", 1 / (255 * std))
            offset = self._constant("offset", -mean / std)
            number = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
            before += [
                helper.make_node("Cast", [x], ["as_float"], to=TensorProto.FLOAT),
                helper.make_node("Mul", ["as_float", scale], ["scaled"]),
                helper.make_node("Add", ["scaled", offset], ["normalised"]),
                helper.make_node("Cast", ["normalised"], ["as_number"], to=number),
            ]
            x = "as_number"
        order = [0, 3, 1, 2] if encoder.layout == "NCHW" else [0, 1, 2, 3]
        target = f"{_PREFIX}{name}"
        before.append(helper.make_node("Transpose", [x], [target], perm=order))
        nodes = [*before, *self.graph.node]
        del self.graph.node[:]
        self.graph.node.extend(nodes)
        inputs = [value for value in self.graph.input if value.name != target]
        del self.graph.input[:]
        image = helper.make_tensor_value_info(
            "image", TensorProto.UINT8, ["batch", *shape]
        )
        self.graph.input.extend([image, *inputs])

    def read(self, name: str, kernel: Any, bias: Any) -> None:
        """From the encoder's output to probabilities."""
        self._add("Cast", [f"{_PREFIX}{name}"], "answer", to=TensorProto.FLOAT)
        features = self._pooled("answer")
        self._add("MatMul", [features, self._constant("kernel", kernel)], "product")
        self._add("Add", ["product", self._constant("bias", bias)], "logits")
        self._add("Softmax", ["logits"], "probabilities", axis=1)
        del self.graph.output[:]
        shape = ["batch", int(kernel.shape[1])]
        self.graph.output.append(
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, shape)
        )

    def _pooled(self, answer: str) -> str:
        """As `encoder_layer.pooled` makes features of an answer."""
        encoder = self.encoder
        if encoder.features == "pooled":
            return answer
        if encoder.features == "map":
            axes = [2, 3] if encoder.layout == "NCHW" else [1, 2]
            return self._mean(answer, axes)
        prefix = encoder.prefix_tokens
        if not prefix:
            return self._mean(answer, [1])
        ends = [
            self._constant(place, np.array([value], np.int64))
            for place, value in (("start", prefix), ("end", 2**31 - 1), ("axis", 1))
        ]
        self._add("Slice", [answer, *ends], "patches")
        mean = self._mean("patches", [1])
        first = self._constant("first", np.array(0, np.int64))
        self._add("Gather", [answer, first], "class_token", axis=1)
        return self._add("Concat", ["class_token", mean], "features", axis=1)

    def _mean(self, x: str, axes: list[int]) -> str:
        if self.opset < _NEW_REDUCE:
            return self._add("ReduceMean", [x], "mean", axes=axes, keepdims=0)
        places = self._constant("axes", np.array(axes, np.int64))
        return self._add("ReduceMean", [x, places], "mean", keepdims=0)

    def _add(self, kind: str, inputs: list[str], output: str, **settings: Any) -> str:
        self.graph.node.append(helper.make_node(kind, inputs, [output], **settings))
        return output

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        array = np.asarray(values)
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        self.graph.initializer.append(numpy_helper.from_array(array, name))
        return name
