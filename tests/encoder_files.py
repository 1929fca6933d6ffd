"""Small encoders as a hospital would copy them: files, descriptions, licences."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE, PATCH, WIDTH = 32, 8, 6
MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.25, 0.5]


def patch_weights() -> NDArray[np.float32]:
    """(features, channels, height, width) of the patch embedding."""
    random = np.random.default_rng(7)
    return random.normal(0, 0.05, (WIDTH, 3, PATCH, PATCH)).astype(np.float32)


def patch_tokens(images: NDArray[np.uint8]) -> NDArray[np.floating]:
    """What `vision_transformer` makes of images, (n, 1 + patches, features)."""
    values = (np.repeat(images, 3 // images.shape[-1], -1) / 255 - MEAN) / STD
    count = SIDE // PATCH
    patches = values.reshape(len(images), count, PATCH, count, PATCH, 3)
    tokens = np.einsum("nrycxk,fkyx->nrcf", patches, patch_weights().astype(float))
    tokens = tokens.reshape(len(images), count**2, WIDTH)
    return np.concatenate([2 * tokens.max(axis=1, keepdims=True), tokens], axis=1)


def vision_transformer(batch: int | str = "n", op_type: str = "Conv") -> Any:
    """Channels first; a class token and those of the patches, and a pooled output."""
    count = (SIDE // PATCH) ** 2
    nodes = [
        helper.make_node(
            op_type,
            ["pixels", "w"],
            ["map"],
            kernel_shape=[PATCH] * 2,
            strides=[PATCH] * 2,
        ),
        helper.make_node("Reshape", ["map", "shape"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["patches"], perm=[0, 2, 1]),
        helper.make_node("ReduceMax", ["patches"], ["most"], axes=[1], keepdims=1),
        helper.make_node("Add", ["most", "most"], ["class"]),
        helper.make_node("Concat", ["class", "patches"], ["tokens"], axis=1),
        helper.make_node("ReduceMean", ["patches"], ["mean"], axes=[1], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "vit",
        [
            helper.make_tensor_value_info(
                "pixels", TensorProto.FLOAT, [batch, 3, SIDE, SIDE]
            )
        ],
        [
            helper.make_tensor_value_info(
                "tokens", TensorProto.FLOAT, [batch, count + 1, WIDTH]
            ),
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, [batch, WIDTH]),
        ],
        [
            numpy_helper.from_array(patch_weights(), "w"),
            numpy_helper.from_array(np.array([0, WIDTH, count], np.int64), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


def pooled_encoder(dtype: int = TensorProto.FLOAT, nodes: Any = None) -> Any:
    """Channels last; mean and largest value of each channel."""
    axes = {"axes": [1, 2], "keepdims": 0}
    graph = helper.make_graph(
        nodes
        or [
            helper.make_node("Cast", ["x"], ["x32"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["x32"], ["mean"], **axes),
            helper.make_node("ReduceMax", ["x32"], ["most"], **axes),
            helper.make_node("Concat", ["mean", "most"], ["y"], axis=1),
        ],
        "pool",
        [helper.make_tensor_value_info("x", dtype, ["n", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", None])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


def keras_backbone() -> keras.Model:
    """A convolution whose map is the output."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((SIDE, SIDE, 3), name="image")
    outputs = keras.layers.Conv2D(5, 3, 2, activation="relu", name="conv")(inputs)
    return keras.Model(inputs, outputs)


def write_encoder(folder: Path, key: str, kind: str = "tokens", **changes: Any) -> Path:
    """Writes an encoder, its description and its licence.

    Args:
        folder: The weights folder.
        key: Name of the description.
        kind: tokens (ONNX, channels first), pooled (ONNX, channels last), or keras.
        **changes: Of the description; `model` is another ONNX model.

    Returns:
        The encoder's file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = changes.pop("model", None)
    path = folder / f"{key}.{'keras' if kind == 'keras' else 'onnx'}"
    if kind == "keras":
        keras_backbone().save(path)
    else:
        drawn = vision_transformer() if kind == "tokens" else pooled_encoder()
        path.write_bytes((model or drawn).SerializeToString())
    (folder / f"{key}.licence.txt").write_text("Free for research.\n")
    description = {
        "name": key.upper(),
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "licence": f"{key}.licence.txt",
        "size": SIDE,
        "mean": MEAN,
        "std": STD,
        "layout": "NCHW" if kind == "tokens" else "NHWC",
        "features": {"keras": "map"}.get(kind, kind),
        **({"output": "tokens"} if kind == "tokens" else {}),
        **changes,
    }
    (folder / f"{key}.json").write_text(json.dumps(description))
    return path


def with_external_weights(folder: Path, name: str, content: bytes | None = None) -> Any:
    """`vision_transformer` whose patch embedding lies in another file."""
    model: onnx.ModelProto = vision_transformer()
    tensor = model.graph.initializer[0]
    weights = content or patch_weights().tobytes()
    if "/" not in name:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(weights)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", name), ("length", str(patch_weights().nbytes))):
        tensor.external_data.add(key=key, value=value)
    return model
