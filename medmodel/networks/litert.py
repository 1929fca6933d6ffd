"""LiteRT files of a model: as it is, and with 8 bits in two ways."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST_WEIGHTS = 20_000
"""Of a layer whose weights are rounded: smaller ones save little, and stand early in a
network, where what is rounded goes through all that follows. Measured with Instant,
docs/export.md."""
_DEQUANTIZE_VERSION = 5
"""Of the operator, the first that knows a scale for each channel."""


def converted(saved: Path, images: NDArray[np.uint8] | None = None) -> bytes:
    """A SavedModel in LiteRT's format.

    Args:
        saved: Folder of the SavedModel, whose signature takes uint8 images.
        images: Training images, uint8 (n, height, width, channels), from which the
            ranges of values are taken: weights and what is computed between layers
            become 8-bit integers. None: all stays float32.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    if images is not None:

        def representative() -> Iterator[list[NDArray[np.uint8]]]:
            for image in images:
                yield [image[None]]

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
    return bytes(converter.convert())


def rounded_weights(model: bytes) -> bytes:
    """A LiteRT model with weights of 8 bits that computes in float32.

    Every output channel of a layer has a scale of its own, symmetric around 0. A
    DEQUANTIZE operator, which LiteRT runs once, makes them float32 again. Depthwise
    convolutions, small layers and the last one stay as they are: they take little
    space, and answers depend on them most.

    Args:
        model: As from `converted`, float32.
    """
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    operators = schema.BuiltinOperator
    axes = {
        operators.CONV_2D: 0,
        operators.FULLY_CONNECTED: 0,
        operators.TRANSPOSE_CONV: 0,
    }
    content = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    kinds = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in content.operatorCodes]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = operators.DEQUANTIZE
    code.version = _DEQUANTIZE_VERSION
    content.operatorCodes.append(code)
    used = Counter(t.buffer for graph in content.subgraphs for t in graph.tensors)
    for graph in content.subgraphs:
        weights = {
            int(operator.inputs[1]): axes[kinds[operator.opcodeIndex]]
            for operator in graph.operators
            if kinds[operator.opcodeIndex] in axes
        }
        if weights:
            weights.popitem()  # the last layer's, as operators stand in their order
        before = []
        for index, axis in weights.items():
            tensor = graph.tensors[index]
            if tensor.type != schema.TensorType.FLOAT32 or used[tensor.buffer] > 1:
                continue
            buffer = content.buffers[tensor.buffer]
            if buffer.data is None or len(buffer.data) < 4 * FEWEST_WEIGHTS:
                continue
            values = np.frombuffer(bytes(buffer.data), np.float32)
            whole, scales = _rounded(values.reshape(tensor.shape), axis)
            buffer.data = np.frombuffer(whole.tobytes(), np.uint8)
            stored, operator = schema.TensorT(), schema.OperatorT()
            stored.shape, stored.type = tensor.shape, schema.TensorType.INT8
            stored.buffer, stored.name = tensor.buffer, tensor.name + b"_int8"
            stored.quantization = schema.QuantizationParametersT()
            stored.quantization.scale = scales
            stored.quantization.zeroPoint = np.zeros(len(scales), np.int64)
            stored.quantization.quantizedDimension = axis
            tensor.buffer = 0  # the empty one: it is computed now
            operator.opcodeIndex = len(content.operatorCodes) - 1
            operator.inputs, operator.outputs = [len(graph.tensors)], [index]
            operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
            operator.builtinOptions = schema.DequantizeOptionsT()
            graph.tensors.append(stored)
            before.append(operator)
        graph.operators = [*before, *graph.operators]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(content))


def _rounded(
    values: NDArray[np.float32], axis: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Integers from -127 to 127, and the scale of each channel."""
    rest = tuple(other for other in range(values.ndim) if other != axis)
    largest = np.abs(values).max(axis=rest, keepdims=True)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(values / scales).astype(np.int8), scales.ravel()


def with_metadata(model: bytes, facts: dict[str, Any]) -> bytes:
    """A LiteRT model with one more entry in its table of metadata."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    content = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(json.dumps(facts).encode())
    entry.name, entry.buffer = "medmodel", len(content.buffers)
    content.buffers.append(buffer)
    content.metadata = [*(content.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(content))
