"""TensorFlow SavedModels: their operations are checked, then they become ONNX.

A SavedModel is a program: its graph may read and write files, or call Python. So its
operations are read as data first, and all but arithmetic on images is refused; what is
left is converted into ONNX, whose runtime has no such operations at all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from medmodel.core.errors import DECODER_ERRORS, DataError
from medmodel.export.formats import OPSET
from medmodel.language import _
from medmodel.model_import import onnx_file
from medmodel.model_import.onnx_file import PROBABILITY_NAMES, OnnxFile

LARGEST_GRAPH = 1 << 30
_STRUCTURE = (
    *("Placeholder", "PlaceholderWithDefault", "Const", "Identity", "IdentityN"),
    *(
        "NoOp",
        "VarHandleOp",
        "ReadVariableOp",
        "AssignVariableOp",
        "VarIsInitializedOp",
    ),
    *(
        "StatefulPartitionedCall",
        "PartitionedCall",
        "DisableCopyOnRead",
        "StopGradient",
    ),
    *("PreventGradient", "EnsureShape", "Shape", "ShapeN", "Size", "Rank", "Fill"),
    *("If", "StatelessIf", "While", "StatelessWhile"),
)
_SHAPES = (
    *("Reshape", "Squeeze", "ExpandDims", "Transpose", "ConcatV2", "Pack", "Unpack"),
    *("Split", "SplitV", "Slice", "StridedSlice", "Pad", "PadV2", "MirrorPad", "Tile"),
    *("GatherV2", "ReverseV2", "Range", "Cast", "BroadcastTo", "ZerosLike", "OnesLike"),
    *("SpaceToBatchND", "BatchToSpaceND", "DepthToSpace", "SpaceToDepth", "Select"),
    *("SelectV2", "Where", "OneHot"),
)
_ARITHMETIC = (
    *("Add", "AddV2", "AddN", "Sub", "Mul", "Div", "RealDiv", "DivNoNan", "FloorDiv"),
    *("FloorMod", "Neg", "Abs", "Sign", "Square", "Sqrt", "Rsqrt", "Exp", "Log"),
    *("Log1p", "Expm1", "Pow", "Maximum", "Minimum", "Mean", "Sum", "Max", "Min"),
    *("Prod", "ArgMax", "ArgMin", "SquaredDifference", "Reciprocal", "Erf", "Erfc"),
    *("Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual"),
    *("LogicalAnd", "LogicalOr", "LogicalNot", "Round", "Floor", "Ceil", "Rint"),
    *("ClipByValue", "MatMul", "BatchMatMulV2", "BatchMatMul", "Einsum", "BiasAdd"),
    *("IsNan", "IsInf", "IsFinite", "Any", "All", "Cumsum", "TopKV2"),
)
_LAYERS = (
    *("Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MaxPool", "AvgPool"),
    *("MaxPoolV2", "FusedBatchNormV3", "FusedBatchNorm", "FusedBatchNormV2"),
    *("Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Sigmoid", "Tanh", "Softplus"),
    *("Softsign", "Softmax", "LogSoftmax", "L2Loss", "LRN", "ResizeBilinear"),
    *("ResizeNearestNeighbor", "ResizeBicubic", "_FusedConv2D", "_FusedMatMul"),
)
ALLOWED = frozenset((*_STRUCTURE, *_SHAPES, *_ARITHMETIC, *_LAYERS))
"""Operations of TensorFlow that compute, and touch nothing else."""
_STORING = frozenset(
    (
        *("SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename"),
        *("StringJoin", "StaticRegexFullMatch", "Select"),
    )
)
"""With which a SavedModel stores its own variables; TensorFlow never runs those of the
file as it loads one, it makes its own."""
_STORING_FUNCTIONS = ("__inference__traced_save", "__inference__traced_restore")


def check_saved_model(folder: Path) -> None:
    """Refuses a SavedModel with an operation that does more than arithmetic.

    Raises:
        DataError: It names the operation; or the file is damaged.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    path = folder / "saved_model.pb"
    if path.is_symlink() or path.stat().st_size > LARGEST_GRAPH:
        raise DataError(_("The model is too large."))
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise DataError(
            _("{file} is no SavedModel, or it is damaged.", file=path.name)
        ) from error
    if not any(graph.HasField("object_graph_def") for graph in saved.meta_graphs):
        raise DataError(
            _(
                "This SavedModel was written by TensorFlow 1, which is not read. "
                "Save it with TensorFlow 2, or as ONNX."
            )
        )
    for operation, function in _operations(saved):
        stores = not function or function.startswith(_STORING_FUNCTIONS)
        storing = operation in _STORING and stores
        calls_storing = operation.startswith(_STORING_FUNCTIONS)
        if calls_storing or (operation not in ALLOWED and not storing):
            raise DataError(
                _(
                    "The SavedModel uses the operation {name}, which does more than "
                    "arithmetic on images: it is refused.",
                    name=operation[:80],
                )
            )


def _operations(saved: Any) -> Iterator[tuple[str, str]]:
    """(operation or called function, function that holds it or "")."""
    for meta in saved.meta_graphs:
        yield from _of_nodes(meta.graph_def.node, "")
        for function in meta.graph_def.library.function:
            yield from _of_nodes(function.node_def, function.signature.name)


def _of_nodes(nodes: Any, function: str) -> Iterator[tuple[str, str]]:
    for node in nodes:
        yield node.op, function
        for value in node.attr.values():
            called = [value.func.name, *(f.name for f in value.list.func)]
            for name in called:
                if name.startswith(_STORING_FUNCTIONS) and function:
                    yield name, function


def as_onnx(folder: Path) -> OnnxFile:
    """A checked SavedModel as ONNX.

    Raises:
        DataError: It has no signature for images, or cannot be converted.
    """
    import onnx
    import tensorflow as tf
    import tf2onnx

    check_saved_model(folder)
    try:
        # Kept until it is converted: it owns the variables.
        loaded = tf.saved_model.load(str(folder))
        function, signature = _serving(loaded)
        proto, _unused = tf2onnx.convert.from_function(
            function, input_signature=[signature], opset=OPSET
        )
    except (*DECODER_ERRORS, tf.errors.OpError) as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise DataError(
            _("The SavedModel cannot be read: {reason}", reason=reason)
        ) from error
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "model.onnx"
        onnx.save(proto, path)
        return onnx_file.read_onnx_file(path)


def _serving(loaded: Any) -> tuple[Any, Any]:
    """The one signature with one image as input, as a function and its input.

    Raises:
        DataError: There is none.
    """
    import tensorflow as tf

    signatures = dict(getattr(loaded, "signatures", {}))
    call = signatures.get("serving_default") or next(iter(signatures.values()), None)
    unusable = _(
        "The SavedModel has no signature that takes one image: save it with "
        "model.export(...)."
    )
    if call is None:
        raise DataError(unusable)
    inputs, outputs = call.structured_input_signature[1], call.structured_outputs
    if len(inputs) != 1 or not outputs:
        raise DataError(unusable)
    ((name, spec),) = inputs.items()
    named = [name for name in PROBABILITY_NAMES if name in outputs]
    chosen = (named or sorted(outputs))[0]
    if len(outputs) > 1 and chosen not in PROBABILITY_NAMES:
        raise DataError(
            _("The model gives more than one answer: one list of classes is read.")
        )
    function = tf.function(
        lambda image: call(**{name: image})[chosen],
        input_signature=[tf.TensorSpec(spec.shape, spec.dtype, name="image")],
    )
    return function, tf.TensorSpec(spec.shape, spec.dtype, name="image")
