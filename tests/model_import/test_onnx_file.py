"""ONNX files: operators, weights in other files, shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from medmodel.core.errors import DataError
from medmodel.model_import.onnx_file import read_onnx_file
from tests.foreign_models import SIDE, onnx_model, write_onnx

FLOAT = onnx.TensorProto.FLOAT


def test_what_a_model_says(tmp_path: Path) -> None:
    file = read_onnx_file(write_onnx(tmp_path / "m.onnx"))
    assert (file.input_name, file.output_name, file.ending) == ("x", "y", "Softmax")
    assert (file.size, file.channels, file.outputs, file.batch) == (SIDE, 3, 2, 0)
    assert file.channels_first and file.dtype == "float32" and file.parameters == 6


def test_an_open_size_is_left_open(tmp_path: Path) -> None:
    assert read_onnx_file(write_onnx(tmp_path / "m.onnx", side="side")).size == 0


def named_outputs(*names: str) -> onnx.ModelProto:
    """A model that gives its last tensor under several names."""
    model = onnx_model()
    del model.graph.output[:]
    for name in names:
        model.graph.node.append(onnx.helper.make_node("Identity", ["y"], [name]))
        value = onnx.helper.make_tensor_value_info(name, FLOAT, ["n", 2])
        model.graph.output.append(value)
    return model


@pytest.mark.parametrize(
    ("names", "read"),
    [
        (("features", "logits"), "logits"),
        (("logits", "probabilities"), "probabilities"),
        (("Output", "Scores"), "Scores"),
        (("one", "other"), ""),
    ],
)
def test_of_several_outputs_probabilities_come_first(
    names: tuple[str, ...], read: str, tmp_path: Path
) -> None:
    (tmp_path / "m.onnx").write_bytes(named_outputs(*names).SerializeToString())
    if read:
        assert read_onnx_file(tmp_path / "m.onnx").output_name == read
        return
    with pytest.raises(DataError, match="or several"):
        read_onnx_file(tmp_path / "m.onnx")


def test_a_map_of_one_pixel_is_a_list_of_classes(tmp_path: Path) -> None:
    model = onnx_model()
    for _side in range(2):
        model.graph.output[0].type.tensor_type.shape.dim.add(dim_value=1)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert read_onnx_file(tmp_path / "m.onnx").outputs == 2


@pytest.mark.parametrize("field", ["opset", "version"])
def test_a_later_onnx_is_said_to_be_later(field: str, tmp_path: Path) -> None:
    model = onnx_model()
    if field == "opset":
        model.opset_import[0].version = onnx.defs.onnx_opset_version() + 1
    else:
        model.ir_version = onnx.IR_VERSION + 1
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match="later ONNX .* with opset 17"):
        read_onnx_file(tmp_path / "m.onnx")


def test_weights_in_a_file_beside_it_are_taken_in(tmp_path: Path) -> None:
    inside = read_onnx_file(write_onnx(tmp_path / "a.onnx"))
    beside = read_onnx_file(write_onnx(tmp_path / "b.onnx", external="b.onnx.data"))
    weights = [
        onnx.numpy_helper.to_array(
            onnx.load_from_string(f.content).graph.initializer[0]
        )
        for f in (inside, beside)
    ]
    assert np.array_equal(*weights)


@pytest.mark.parametrize(
    "place", ["../secret.bin", "/etc/passwd", "sub/w.bin", "..\\secret.bin"]
)
def test_weights_elsewhere_are_not_opened(place: str, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(24))
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "w.bin").write_bytes(bytes(24))
    with pytest.raises(DataError, match="outside its folder"):
        read_onnx_file(write_onnx(folder / "m.onnx", external=place))


def test_weights_behind_a_link_or_missing_are_not_read(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "m.onnx", external="w.bin")
    content = (tmp_path / "w.bin").read_bytes()
    (tmp_path / "w.bin").write_bytes(content[:-1])
    with pytest.raises(DataError, match="cut short"):
        read_onnx_file(path)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(DataError, match="w.bin"):
        read_onnx_file(path)
    (tmp_path / "real").write_bytes(content)
    (tmp_path / "w.bin").symlink_to(tmp_path / "real")
    with pytest.raises(DataError, match="w.bin"):
        read_onnx_file(path)


def test_a_foreign_operator_is_named(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "m.onnx", op_type="Evil", domain="someone")
    with pytest.raises(DataError, match="Evil of someone"):
        read_onnx_file(path)


def test_what_is_no_model_is_said_to_be_none(tmp_path: Path) -> None:
    for content in (b"", b"nothing of the kind", bytes(100)):
        (tmp_path / "m.onnx").write_bytes(content)
        with pytest.raises(DataError, match="no ONNX model"):
            read_onnx_file(tmp_path / "m.onnx")
