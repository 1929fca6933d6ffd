"""ONNX files: operators, weights in other files, shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from medmodel.core.errors import DataError
from medmodel.model_import.onnx_file import read_onnx_file
from tests.foreign_models import SIDE, write_onnx


def test_what_a_model_says(tmp_path: Path) -> None:
    file = read_onnx_file(write_onnx(tmp_path / "m.onnx"))
    assert (file.input_name, file.output_name, file.ending) == ("x", "y", "Softmax")
    assert (file.size, file.channels, file.outputs, file.batch) == (SIDE, 3, 2, 0)
    assert file.channels_first and file.dtype == "float32" and file.parameters == 6


def test_an_open_size_is_left_open(tmp_path: Path) -> None:
    assert read_onnx_file(write_onnx(tmp_path / "m.onnx", side="side")).size == 0


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
