"""LiteRT files of a model: as it is, and with 8 bits in three ways."""

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
MANY_WEIGHTS = 200_000
"""Of a layer that has 8 bits where those of `FEWEST_WEIGHTS` may have 16."""
_DEQUANTIZE_VERSION = 5
"""Of the operator, the first that knows a scale for each channel."""
_WITH_WEIGHTS = ("CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
_ROUNDED = {(): "none", (8,): "weights", (8, 16): "mixed", (16,): "half"}
"""Bits that large layers' weights have -> what `ExportReport.rounded` calls it."""


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


def rounded_in_turn(
    saved: Path, images: NDArray[np.uint8]
) -> Iterator[tuple[str, bytes]]:
    """A SavedModel with 8 bits, each time larger and closer to the model itself.

    Args:
        saved: As in `converted`.
        images: As in `converted`; without any there are no ranges of values.

    Yields:
        What has 8 bits, as `ExportReport.rounded` names it, and the LiteRT model.
    """
    if len(images):
        yield "all", converted(saved, images)
    whole = converted(saved)
    weights, bits = rounded_weights(whole)
    yield _ROUNDED[bits], weights
    mixed, closer = rounded_weights(whole, MANY_WEIGHTS)
    if closer != bits:  # else there is no layer between the two sizes
        yield _ROUNDED[closer], mixed


def rounded_weights(
    model: bytes, fewest: int = FEWEST_WEIGHTS
) -> tuple[bytes, tuple[int, ...]]:
    """A LiteRT model with weights of 8 bits, or of 16, that computes in float32.

    In 8 bits every output channel of a layer has a scale of its own, symmetric around
    0; 16 bits are half-precision floats. A DEQUANTIZE operator, which LiteRT runs once,
    makes them float32 again. Depthwise convolutions, small layers and the last one stay
    as they are: they take little space, and answers depend on them most.

    Args:
        model: As from `converted`, float32.
        fewest: Weights of a layer that gets 8 bits; layers with fewer, but as many as
            `FEWEST_WEIGHTS`, get 16.

    Returns:
        The model, and which of 8 and 16 bits weights of it have.
    """
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    operators = schema.BuiltinOperator
    with_weights = {getattr(operators, name) for name in _WITH_WEIGHTS}
    content = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    kinds = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in content.operatorCodes]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = operators.DEQUANTIZE
    code.version = _DEQUANTIZE_VERSION
    content.operatorCodes.append(code)
    used = Counter(t.buffer for graph in content.subgraphs for t in graph.tensors)
    bits = set()
    for graph in content.subgraphs:
        layers = (o for o in graph.operators if kinds[o.opcodeIndex] in with_weights)
        weights = [int(layer.inputs[1]) for layer in layers]
        before = []
        # Not the last layer's, as operators stand in their order.
        for index in dict.fromkeys(weights[:-1]):
            tensor = graph.tensors[index]
            if tensor.type != schema.TensorType.FLOAT32 or used[tensor.buffer] > 1:
                continue
            buffer = content.buffers[tensor.buffer]
            if buffer.data is None or len(buffer.data) < 4 * FEWEST_WEIGHTS:
                continue
            values = np.frombuffer(bytes(buffer.data), np.float32).reshape(tensor.shape)
            stored, numbers = _stored(tensor, values, fewest)
            bits.add(16 if values.size < fewest else 8)
            stored.buffer, operator = tensor.buffer, schema.OperatorT()
            buffer.data = np.frombuffer(numbers, np.uint8)
            tensor.buffer = 0  # the empty one: it is computed now
            operator.opcodeIndex = len(content.operatorCodes) - 1
            operator.inputs, operator.outputs = [len(graph.tensors)], [index]
            operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
            operator.builtinOptions = schema.DequantizeOptionsT()
            graph.tensors.append(stored)
            before.append(operator)
        graph.operators = [*before, *graph.operators]
    rounded = bytes(flatbuffer_utils.convert_object_to_bytearray(content))
    return rounded, tuple(sorted(bits))


def _stored(tensor: Any, values: NDArray[np.float32], fewest: int) -> tuple[Any, bytes]:
    """A tensor of 8 or of 16 bits in place of one of float32, and its content."""
    from tensorflow.lite.python import schema_py_generated as schema

    stored = schema.TensorT()
    stored.shape = tensor.shape
    if values.size < fewest:
        stored.type, stored.name = schema.TensorType.FLOAT16, tensor.name + b"_float16"
        return stored, values.astype(np.float16).tobytes()
    whole, scales = _rounded(values)
    stored.type, stored.name = schema.TensorType.INT8, tensor.name + b"_int8"
    stored.quantization = schema.QuantizationParametersT()
    stored.quantization.scale = scales
    stored.quantization.zeroPoint = np.zeros(len(scales), np.int64)
    return stored, whole.tobytes()


def _rounded(
    values: NDArray[np.float32],
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Integers from -127 to 127, and the scale of each output channel (axis 0)."""
    largest = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
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
