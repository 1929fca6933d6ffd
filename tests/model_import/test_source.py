"""Which file is the model, what is unpacked, and what is not."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import pytest

from medmodel.core.errors import DataError
from medmodel.model_import import source
from medmodel.model_import.description import read_labels, scale_factors
from medmodel.model_import.source import copy_in, files_of, find_model
from tests.foreign_models import teachable_machine_zip, write_onnx


def test_the_archive_of_teachable_machine(tmp_path: Path) -> None:
    archive = tmp_path / "0"
    archive.write_bytes(teachable_machine_zip(tmp_path))
    copy_in([("converted_keras.zip", archive)], tmp_path / "in")
    found = find_model(tmp_path / "in")
    assert found.format == "h5" and found.path.name == "keras_model.h5"
    assert found.labels == ["dark", "bright"]


def test_names_in_an_archive_stay_in_the_folder(tmp_path: Path) -> None:
    model = write_onnx(tmp_path / "m.onnx").read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../outside.onnx", model)
    (tmp_path / "0").write_bytes(buffer.getvalue())
    copy_in([("a.zip", tmp_path / "0")], tmp_path / "deep" / "er" / "in")
    assert [p.name for p in (tmp_path / "deep").rglob("*.onnx")] == ["outside.onnx"]
    assert find_model(tmp_path / "deep" / "er" / "in").format == "onnx"


def test_more_than_a_model_may_have_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MOST_BYTES", 1000)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.onnx", bytes(2000))
    (tmp_path / "0").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="more than"):
        copy_in([("a.zip", tmp_path / "0")], tmp_path / "in")
    (tmp_path / "1").write_bytes(bytes(600))
    twice = [("a.onnx", tmp_path / "1"), ("b.onnx", tmp_path / "1")]
    with pytest.raises(DataError, match="more than"):
        copy_in(twice, tmp_path / "in2")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("m.pt", b"x", "^m.pt is a pickle"),
        ("pytorch_model.bin", b"PK\3\4", "^pytorch_model.bin is a pickle"),
        ("model.ckpt", pickle.dumps([1]), "^model.ckpt is a pickle"),
        # Weights of TensorFlow.js, as Teachable Machine packs them.
        ("weights.bin", bytes(40), "^There is no model in it"),
        ("m.onnx", pickle.dumps([1]), "pickle"),
        ("m.tflite", b"x", "LiteRT"),
        ("model.json", b"{}", "Teachable Machine"),
        ("m.txt", b"x", "no model in it"),
        ("m.keras", b"x" * 99, "not what its name says"),
    ],
)
def test_what_is_not_read_is_said(
    name: str, content: bytes, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        find_model(tmp_path)


def test_what_teachable_machine_exports_by_default_leads_to_its_other_export(
    tmp_path: Path,
) -> None:
    for name in ("model.json", "metadata.json", "weights.bin"):
        (tmp_path / name).write_bytes(b"{}" + bytes(40))
    with pytest.raises(DataError, match=r"as TensorFlow, Keras: .* keras_model.h5"):
        find_model(tmp_path)


def test_two_models_are_one_too_many(tmp_path: Path) -> None:
    write_onnx(tmp_path / "a.onnx")
    write_onnx(tmp_path / "b.onnx")
    with pytest.raises(DataError, match=r"a\.onnx, b\.onnx"):
        find_model(tmp_path)


def test_files_beside_a_model(tmp_path: Path) -> None:
    write_onnx(tmp_path / "a.onnx", external="a.onnx.data")
    (tmp_path / "labels.txt").write_text("x\ny")
    (tmp_path / "private.txt").write_text("x")
    names = [name for name, _ in files_of(tmp_path / "a.onnx")]
    assert sorted(names) == ["a.onnx", "a.onnx.data", "labels.txt"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    write_onnx(tmp_path / "real.onnx")
    (tmp_path / "link.onnx").symlink_to(tmp_path / "real.onnx")
    with pytest.raises(DataError, match="link"):
        copy_in([("link.onnx", tmp_path / "link.onnx")], tmp_path / "in")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0 a\n1 b c\n", ["a", "b c"]),
        ("0 a\x1b[31m\n1 b\x00\u202ec\n", ["a[31m", "bc"]),
        ("1: a\r\n2: b\r\n", ["a", "b"]),
        ("a\nb\n", ["a", "b"]),
        ("1 a\n3 b\n", ["1 a", "3 b"]),
        ("0\n1\n", ["0", "1"]),
        ("", []),
    ],
)
def test_labels(text: str, names: list[str]) -> None:
    assert read_labels(text) == names


def test_scales() -> None:
    assert scale_factors("symmetric", 1) == ([1 / 127.5], [-1.0])
    factors, offsets = scale_factors("imagenet", 3)
    white = [255 * f + o for f, o in zip(factors, offsets, strict=True)]
    assert white == pytest.approx([2.2489, 2.4286, 2.64], abs=1e-3)
    assert scale_factors("caffe", 3)[1][0] == -103.939


def test_any_folder_is_not_searched(tmp_path: Path) -> None:
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    (tmp_path / "photos" / "model.keras").write_bytes(b"PK")
    with pytest.raises(DataError, match="photos is not the folder of a SavedModel"):
        files_of(tmp_path / "photos")
    saved = tmp_path / "photos" / "saved_model.pb"
    saved.write_bytes(b"graph")
    assert ("model/saved_model.pb", saved) in files_of(tmp_path / "photos")
