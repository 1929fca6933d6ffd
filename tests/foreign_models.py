"""Models as other programs write them: Keras 2 (Teachable Machine) and ONNX."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE = 16
LABELS = "0 dark\n1 bright\n"


def _layer(kind: str, name: str, **settings: Any) -> dict[str, Any]:
    return {
        "module": "keras.layers",
        "class_name": kind,
        "config": {"name": name, "trainable": True, "dtype": "float32", **settings},
        "registered_name": None,
    }


def _node(layer: dict[str, Any], before: str) -> dict[str, Any]:
    return {
        **layer,
        "name": layer["config"]["name"],
        "inbound_nodes": [[[before, 0, 0, {}]]] if before else [],
    }


def _input(name: str) -> dict[str, Any]:
    layer = _layer("InputLayer", name, batch_input_shape=[None, SIDE, SIDE, 3])
    del layer["config"]["trainable"]
    layer["config"] |= {"sparse": False, "ragged": False}
    return layer


def _mobile_net(name: str = "model1") -> dict[str, Any]:
    """The first layers of MobileNetV2, as Keras 2 wrote them."""
    conv = _layer(
        *("Conv2D", "Conv1"),
        filters=4,
        kernel_size=[3, 3],
        strides=[2, 2],
        padding="same",
        use_bias=False,
        activation="linear",
        groups=1,
        kernel_initializer={"class_name": "GlorotUniform", "config": {"seed": None}},
    )
    norm = _layer("BatchNormalization", "bn_Conv1", axis=[3], epsilon=1e-3)
    relu = _layer("ReLU", "Conv1_relu", max_value=6.0, negative_slope=0.0)
    depthwise = _layer(
        *("DepthwiseConv2D", "expanded_conv_depthwise"),
        kernel_size=[3, 3],
        strides=[1, 1],
        padding="same",
        use_bias=False,
        activation="linear",
        groups=1,
        depth_multiplier=1,
    )
    chain = [_input("input_1"), conv, norm, relu, depthwise]
    names = ["", *(layer["config"]["name"] for layer in chain)]
    nodes = [_node(layer, before) for layer, before in zip(chain, names, strict=False)]
    return {
        "module": "tf_keras.src.engine.functional",
        "class_name": "Functional",
        "config": {
            "name": name,
            "layers": nodes,
            "input_layers": [["input_1", 0, 0]],
            "output_layers": [["expanded_conv_depthwise", 0, 0]],
        },
        "registered_name": "Functional",
    }


def _sequential(name: str, layers: list[dict[str, Any]]) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": name, "layers": layers}}


def keras_2_weights() -> dict[str, list[tuple[str, NDArray[np.float32]]]]:
    """Arrays of `write_teachable_machine` by group, in the order of Keras 2."""
    random = np.random.default_rng(3)

    def drawn(*shape: int) -> NDArray[np.float32]:
        return random.normal(size=shape).astype(np.float32)

    return {
        "sequential_1": [
            ("Conv1/kernel:0", drawn(3, 3, 3, 4)),
            ("bn_Conv1/gamma:0", 1 + 0.1 * drawn(4)),
            ("bn_Conv1/beta:0", drawn(4)),
            ("expanded_conv_depthwise/depthwise_kernel:0", drawn(3, 3, 4, 1)),
            ("bn_Conv1/moving_mean:0", drawn(4)),
            ("bn_Conv1/moving_variance:0", 1 + np.abs(drawn(4))),
        ],
        "sequential_3": [
            ("dense_Dense1/kernel:0", drawn(4, 5)),
            ("dense_Dense1/bias:0", drawn(5)),
            ("dense_Dense2/kernel:0", drawn(5, 2)),
        ],
    }


def write_teachable_machine(
    path: Path,
    config: dict[str, Any] | None = None,
    weights_by_group: dict[str, list[tuple[str, NDArray[np.float32]]]] | None = None,
) -> Path:
    """keras_model.h5: Sequential models in a Sequential model, as Keras 2 wrote it.

    Args:
        path: Where to.
        config: Another graph.
        weights_by_group: Its weights; those of `keras_2_weights` by default.
    """
    pool = _layer("GlobalAveragePooling2D", "global_average_pooling2d")
    dense = _layer("Dense", "dense_Dense1", units=5, activation="relu", use_bias=True)
    last = _layer("Dense", "dense_Dense2", units=2, activation="softmax")
    last["config"]["use_bias"] = False
    graph = config or _sequential(
        "sequential_4",
        [
            _sequential("sequential_1", [_mobile_net(), pool]),
            _sequential("sequential_3", [dense, last]),
        ],
    )
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.11.0"
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps(graph)
        root = file.create_group("model_weights")
        groups = weights_by_group or keras_2_weights()
        root.attrs["layer_names"] = [name.encode() for name in groups]
        for group_name, weights in groups.items():
            group = root.create_group(group_name)
            group.attrs["weight_names"] = [name.encode() for name, _ in weights]
            for name, array in weights:
                group.create_dataset(name, data=array)
    return path


def teachable_machine_answer(images: NDArray[np.uint8]) -> NDArray[np.floating]:
    """What that model says, computed by hand."""
    w = {name: array for group in keras_2_weights().values() for name, array in group}
    x = mobile_net_features(images.astype(np.float64) / 127.5 - 1)
    x = np.maximum(x @ w["dense_Dense1/kernel:0"] + w["dense_Dense1/bias:0"], 0)
    return softmax(x @ w["dense_Dense2/kernel:0"])


def softmax(logits: Any) -> NDArray[np.floating]:
    """Rows that add up to 1."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def mobile_net_features(x: Any) -> Any:
    """Means of the last map of the network's first layers, (n, 4)."""
    w = dict(keras_2_weights()["sequential_1"])
    x = _convolved(x, w["Conv1/kernel:0"], 2)
    x = (x - w["bn_Conv1/moving_mean:0"]) / np.sqrt(
        w["bn_Conv1/moving_variance:0"] + 1e-3
    )
    x = np.clip(x * w["bn_Conv1/gamma:0"] + w["bn_Conv1/beta:0"], 0, 6)
    kernel = w["expanded_conv_depthwise/depthwise_kernel:0"]
    full = np.zeros((3, 3, 4, 4))
    full[:, :, range(4), range(4)] = kernel[..., 0]
    return _convolved(x, full, 1).mean(axis=(1, 2))


def _convolved(x: Any, kernel: Any, stride: int) -> Any:
    """A 3 x 3 convolution with zeros around, as TensorFlow's padding "same"."""
    side = x.shape[1]
    out = -(-side // stride)
    missing = max((out - 1) * stride + 3 - side, 0)
    before = missing // 2
    x = np.pad(
        x, ((0, 0), (before, missing - before), (before, missing - before), (0, 0))
    )
    windows = np.stack(
        [
            [
                x[:, r * stride : r * stride + 3, c * stride : c * stride + 3]
                for c in range(out)
            ]
            for r in range(out)
        ]
    )
    return np.einsum("rcnijk,ijkl->nrcl", windows, kernel)


def teachable_machine_zip(folder: Path) -> bytes:
    """converted_keras.zip, as Teachable Machine gives it out."""
    model = write_teachable_machine(folder / "keras_model.h5")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(model, "keras_model.h5")
        archive.writestr("labels.txt", LABELS)
    return buffer.getvalue()


def onnx_model(
    op_type: str = "GlobalAveragePool",
    domain: str = "",
    ending: str = "Softmax",
    side: int | str = SIDE,
) -> onnx.ModelProto:
    """Means of three channels times weights: two classes, channels first.

    Args:
        op_type: The first operator.
        domain: Whose it is.
        ending: The last one: Softmax, Sigmoid or Identity.
        side: Height and width, or a name where they are open.
    """
    kernel = np.array([[3, -3], [1, -1], [2, -1]], np.float32)
    nodes = [
        helper.make_node(op_type, ["x"], ["pooled"], domain=domain),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "kernel"], ["raw"]),
        helper.make_node(ending, ["raw"], ["y"]),
    ]
    shape = ["n", 3, side, side]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    opsets = [helper.make_opsetid("", 17)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    model = helper.make_model(graph, opset_imports=opsets, producer_name="pytorch")
    model.ir_version = 8
    return model


def write_onnx(path: Path, external: str = "", **options: Any) -> Path:
    """Writes `onnx_model`; with its weights said to lie in another file, if named."""
    model = onnx_model(**options)
    if external:
        tensor = model.graph.initializer[0]
        content = numpy_helper.to_array(tensor).tobytes()
        if "/" not in external and "\\" not in external:
            (path.parent / external).write_bytes(content)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", external), ("length", str(len(content)))):
            tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    return path


MEANS = (103.939, 116.779, 123.68)


def write_fine_tuned(path: Path) -> Path:
    """A network of keras.applications under a new layer, as tutorials of Keras 2 do.

    The network is called a second time, so that others refer to its node 1; resnet50's
    preprocess_input stands before it as functions; names have slashes.
    """
    ellipsis, reversed_ = {"class_name": "__ellipsis__"}, {"step": -1}
    slices = {"slice_spec": [ellipsis, {"start": None, "stop": None, **reversed_}]}
    backwards = _layer("SlicingOpLambda", "tf.__operators__.getitem")
    backwards["config"]["function"] = "__operators__.getitem"
    shifted = _layer("TFOpLambda", "tf.nn.bias_add", function="nn.bias_add")
    network = _mobile_net("base")
    pool = _layer("GlobalAveragePooling2D", "pool")
    last = _layer("Dense", "head/new", units=3, activation="softmax", use_bias=True)
    layers = [
        _node(_input("input_2"), ""),
        {
            **_node(backwards, "input_2"),
            "inbound_nodes": [["input_2", 0, 0, slices]],
        },
        {
            **_node(shifted, ""),
            "inbound_nodes": [
                ["tf.__operators__.getitem", 0, 0, {"bias": [-m for m in MEANS]}]
            ],
        },
        {
            **network,
            "name": "base",
            "inbound_nodes": [[["tf.nn.bias_add", 0, 0, {"training": False}]]],
        },
        {**_node(pool, ""), "inbound_nodes": [[["base", 1, 0, {}]]]},
        _node(last, "pool"),
    ]
    config = {
        "class_name": "Functional",
        "config": {
            "name": "model",
            "layers": layers,
            "input_layers": [["input_2", 0, 0]],
            "output_layers": [["head/new", 0, 0]],
        },
    }
    kernel, bias = fine_tuned_head()
    own = [("head/new/kernel:0", kernel), ("head/new/bias:0", bias)]
    weights = {"base": keras_2_weights()["sequential_1"], "head/new": own}
    return write_teachable_machine(path, config, weights)


def fine_tuned_head() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel and bias of the last layer of `write_fine_tuned`."""
    random = np.random.default_rng(5)
    kernel, bias = random.normal(size=(4, 3)), random.normal(size=3)
    return kernel.astype(np.float32), bias.astype(np.float32)


def fine_tuned_answer(images: NDArray[np.uint8]) -> NDArray[np.floating]:
    """What `write_fine_tuned` says, computed by hand."""
    kernel, bias = fine_tuned_head()
    x = images[..., ::-1].astype(np.float64) - MEANS
    return softmax(mobile_net_features(x) @ kernel + bias)
