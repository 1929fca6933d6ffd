"""The frozen network of the recipe "Instant" in ONNX Runtime, for processors.

The same numbers as `models.frozen_backbone` in less processor time: TensorFlow divides
each convolution among the cores and waits for the slowest at every one of them, while
here each core takes batches of its own through the whole network, so few images at
once that what is between two layers stays in its cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from medmodel.core.preprocessing import Preprocessing
from medmodel.core.processes.pool import cores
from medmodel.export.formats import OPSET
from medmodel.networks.lite import (
    DEPTHS,
    OFFSET,
    SCALE,
    Variant,
    folded_convolution,
)
from medmodel.networks.pretrained import efficientnet_weights
from medmodel.networks.signed_sqrt import SOFT

AT_ONCE = 8
"""Images that a core takes at once: more do not fit into its cache."""
MOST_WORKERS = 16
"""Batches that are computed at the same time, at most: each takes memory."""
_IR_VERSION = 8
"""Of the message; older versions of ONNX Runtime read it, too."""


def workers() -> int:
    """How many batches are best computed at the same time."""
    return min(cores(), MOST_WORKERS)


def instant_features(
    preprocessing: Preprocessing, network: str = "efficientnet_lite0"
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """The network, ready to answer; several threads may ask at the same time.

    Args:
        preprocessing: Size and channels of the images.
        network: Key of `lite.DEPTHS`.

    Returns:
        A function from uint8 (n, size, size, channels) to float32 (n, d).

    Raises:
        WeightsError: The pretrained weights are missing or not those expected.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, cores() // workers())
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        instant_message(preprocessing, network),
        options,
        providers=["CPUExecutionProvider"],
    )

    def compute(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        starts = range(0, len(images), AT_ONCE)
        parts = (images[start : start + AT_ONCE] for start in starts)
        return np.concatenate([session.run(None, {"pixels": x})[0] for x in parts])

    return compute


def instant_message(
    preprocessing: Preprocessing, network: str = "efficientnet_lite0"
) -> bytes:
    """The network as an ONNX message, batch normalisation folded.

    Args:
        preprocessing: Size and channels of the images.
        network: Key of `lite.DEPTHS`.

    Returns:
        A model from `pixels`, uint8 (n, size, size, channels), to `features`,
        float32 (n, d), see `models.frozen_backbone`.

    Raises:
        WeightsError: The pretrained weights are missing or not those expected.
    """
    graph = _Graph()
    x = graph.add("Transpose", "pixels", perm=[0, 3, 1, 2])
    x = graph.add("Cast", x, to=TensorProto.FLOAT)
    x = graph.add("Mul", x, graph.constant("scale", np.float32(SCALE)))
    x = graph.add("Add", x, graph.constant("offset", np.float32(OFFSET)))
    if preprocessing.shape[-1] == 1:
        x = graph.add("Concat", x, x, x, axis=1)
    pooled = []
    for variant, blocks in DEPTHS[network]:
        maps = _Network(graph, variant).maps(x)
        for seen in (maps[block] for block in blocks):
            pooled.append(graph.add("GlobalAveragePool", seen))
            pooled.append(graph.add("GlobalMaxPool", seen))
    x = graph.add("Flatten", graph.add("Concat", *pooled, axis=1))
    soft = graph.constant("soft", np.float32(SOFT))
    size = graph.add("Sqrt", graph.add("Add", graph.add("Abs", x), soft))
    features = graph.add("Div", x, size)
    return graph.message(preprocessing.shape, features)


class _Network:
    """Nodes of one variant in a graph, batch normalisation folded.

    Args:
        graph: The graph.
        variant: Whose weights are taken.
    """

    def __init__(self, graph: _Graph, variant: Variant) -> None:
        self._graph, self._variant = graph, variant
        self._tensors = efficientnet_weights(variant)

    def maps(self, pixels: str) -> list[str]:
        """What each block and the head put out, see `efficientnet.lite_maps`."""
        x = self._convolution(pixels, "_conv_stem", "_bn0", stride=2)
        maps: list[str] = []
        for stage, first in self._variant.blocks:
            block, shortcut = f"_blocks.{len(maps)}.", x
            stride = stage.stride if first else 1
            if stage.expansion > 1:
                x = self._convolution(x, block + "_expand_conv", block + "_bn0")
            x = self._convolution(x, block + "_depthwise_conv", block + "_bn1", stride)
            x = self._convolution(
                x, block + "_project_conv", block + "_bn2", active=False
            )
            if not first:
                x = self._graph.add("Add", shortcut, x)
            maps.append(x)
        return [*maps, self._convolution(x, "_conv_head", "_bn1")]

    def _convolution(
        self, x: str, conv: str, norm: str, stride: int = 1, active: bool = True
    ) -> str:
        """Convolution with batch normalisation folded, and ReLU6."""
        kernel, bias = folded_convolution(self._tensors, conv, norm)
        graph, name = self._graph, self._variant.prefix + conv
        x = graph.add(
            "Conv",
            *(x, graph.constant(name, kernel), graph.constant(name + ".bias", bias)),
            auto_pad="SAME_UPPER",
            kernel_shape=kernel.shape[2:],
            strides=[stride, stride],
            group=len(kernel) if "depthwise" in conv else 1,
        )
        return graph.add("Clip", x, *graph.ends) if active else x


class _Graph:
    """Nodes of an ONNX graph; what they put out is known by its name."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self.ends = (
            self.constant("lowest", np.float32(0)),
            self.constant("highest", np.float32(6)),
        )

    def constant(self, name: str, value: Any) -> str:
        array = np.ascontiguousarray(value, np.float32).reshape(np.shape(value))
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, kind: str, *inputs: str, **settings: Any) -> str:
        name = f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **settings))
        return name

    def message(self, shape: tuple[int, ...], result: str) -> bytes:
        """The whole model, from `pixels` of that shape to `features`."""
        self._nodes.append(helper.make_node("Identity", [result], ["features"]))
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self._nodes,
            "instant_features",
            [value("pixels", TensorProto.UINT8, ["n", *shape])],
            [value("features", TensorProto.FLOAT, ["n", None])],
            self._constants,
        )
        operators = [helper.make_opsetid("", OPSET)]
        return helper.make_model(
            graph, opset_imports=operators, ir_version=_IR_VERSION
        ).SerializeToString()
