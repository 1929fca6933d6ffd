"""Windows and patients of scans, from the file to what a model sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.config_problems import config_problems
from medmodel.core.errors import ConfigError
from medmodel.core.preprocessing import Preprocessing, window_values
from medmodel.data import datasets, splits
from medmodel.data.prepared import prepare
from medmodel.imaging import images
from medmodel.imaging.windows import WINDOWS
from medmodel.quality.checks import DatasetReport, examine
from tests.dicom_files import dicom_file


def ct(tissue: int = 50, **elements: object) -> bytes:
    """A CT of 32 × 32 pixels with air on the left and tissue on the right."""
    pixels = np.full((32, 32), -1000, "<i2")
    pixels[:, 16:] = tissue
    return dicom_file(pixels, Modality="CT", **elements)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("auto", None),
        ("file", None),
        ("lung", (-600, 1500)),
        ("40/400", (40, 400)),
        ("-20.5/1", (-20.5, 1)),
    ],
)
def test_window_settings(setting: str, expected: object) -> None:
    assert window_values(setting) == expected
    assert config_problems(TrainConfig("", window=setting)) == {}


@pytest.mark.parametrize("setting", ["", "lungs", "40", "40/0", "a/b", "1/2/3"])
def test_wrong_window_settings(setting: str) -> None:
    with pytest.raises(ConfigError, match="centre/width"):
        window_values(setting)
    assert list(config_problems(TrainConfig("", window=setting))) == ["window"]


def test_ct_is_seen_alike_whatever_the_file_asks() -> None:
    """50 HU is the centre of soft tissue, and far above a window of 0 to 20."""
    own = ct(WindowCenter=10, WindowWidth=20)
    assert images.decode(own).pixels[0, 31, 0] == 128
    assert images.decode(own, window="file").pixels[0, 31, 0] == 255
    assert images.decode(own, window="-475/1050").pixels[0, 31, 0] == 255
    # (50 - -600 + 0.5) / 1499 * 255 + 128 = 238.7
    assert images.decode(own, window="lung").pixels[0, 31, 0] == 238


def test_the_automatic_window_says_what_it_did() -> None:
    """CT is calibrated where values or the rescale intercept reach down to air."""
    assert images.decode(ct()).seen == "CT as soft tissue"
    assert images.decode(ct(), window="lung").seen == ""
    own = ct(WindowCenter=10, WindowWidth=20)
    assert images.decode(own, window="file").seen == "CT as the file asks"
    # A cut-out without any air: 0 to 100 HU, stored with 1024 added.
    inside = np.linspace(1024, 1124, 1024).astype("<u2").reshape(32, 32)
    units = {"RescaleSlope": "1", "RescaleIntercept": "-1024"}
    scan = images.decode(dicom_file(inside, Modality="CT", **units))
    assert scan.seen == "CT as soft tissue"
    assert scan.pixels.min() == 96  # 0 HU: (0 - 49.5) / 399 * 255 + 128
    uncalibrated = images.decode(dicom_file(inside, Modality="CT"))
    assert uncalibrated.seen == "CT by its own range"
    assert images.decode(dicom_file(inside, Modality="MR")).seen == "by its own range"


def test_frames_are_chosen() -> None:
    pixels = np.arange(3 * 16, dtype=np.uint8).reshape(3, 4, 4)
    data = dicom_file(pixels, NumberOfFrames=3, WindowCenter=128, WindowWidth=256)
    assert images.decode(data).frames == 3
    assert images.decode(data, frame=2).pixels[0, 0, 0] == 32


@pytest.fixture
def ct_folders(tmp_path: Path) -> Path:
    """Two classes of six files each; patients 0 and 1 are in both."""
    folder = tmp_path / "data" / "ct"
    for name, first in (("plain", 0), ("bright", 4)):
        (folder / name).mkdir(parents=True)
        for number in range(6):
            data = ct(
                7 * number + first,
                PatientID=f"secret-{(first + number) % 8}",
                WindowCenter=10 * number,
                WindowWidth=20 + number,
            )
            (folder / name / f"slice{number}").write_bytes(data)
    return folder


def test_patients_of_headers_stay_together(ct_folders: Path, workspace: Path) -> None:
    index = datasets.index_dataset(ct_folders)
    assert index.table["patient"].nunique() == 8
    config = TrainConfig(str(ct_folders), patient_pattern="slice(\\d)")
    table = splits.assign_splits(index, config)
    assert set(table["patient"]) == set(index.table["patient"])
    assert table.groupby("patient")["split"].nunique().max() == 1
    report = examine(index, table)
    assert report.from_headers == 12
    kept = json.loads(json.dumps(asdict(report)))
    del kept["from_headers"]  # as an earlier version wrote it
    assert msgspec.convert(kept, DatasetReport).from_headers == 0
    written = b"".join(p.read_bytes() for p in workspace.rglob("*") if p.is_file())
    assert b"secret" not in written


def test_same_patient_in_given_splits_is_a_problem(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "given"
    for split in ("train", "val", "test"):
        for number, name in enumerate(("a", "b")):
            (folder / split / name).mkdir(parents=True)
            data = ct(
                10 * len(split) + ord(split[0]) - 30 * number,
                PatientID=f"{name}-{number}",
            )
            (folder / split / name / "x").write_bytes(data)
    index = datasets.index_dataset(folder)
    report = examine(index, splits.assign_splits(index, TrainConfig(str(folder))))
    assert report.level == "problem"
    assert "By the file headers or a table, 2 patients have" in report.verdict


def test_prepare_sees_what_decode_sees(ct_folders: Path) -> None:
    paths = ["plain/slice3"]
    wanted = Preprocessing(32, colour="grey", window="lung")
    found = prepare(ct_folders, pd.DataFrame({"path": paths}), wanted)
    decoded = images.decode(ct_folders / paths[0], window="lung")
    assert (found.pixels[0] == images.prepare_image(decoded.pixels, wanted)).all()
    other = prepare(ct_folders, pd.DataFrame({"path": paths}), Preprocessing(32))
    assert other.folder != found.folder


def test_index_of_an_earlier_version(class_folders: Path) -> None:
    index = datasets.index_dataset(class_folders)
    place = datasets.index_folder(class_folders) / "index.csv"
    old = index.table.drop(columns="patient")
    place.write_text("# 1\n" + old.to_csv(index=False))
    loaded = datasets.load_index(class_folders)
    assert loaded is not None
    assert loaded.fingerprint == index.fingerprint
    assert (loaded.table["patient"] == "").all()


def test_real_ct_has_21_patients(real_data: Callable[[str], Path]) -> None:
    index = datasets.index_dataset(real_data("ct_dicom"))
    assert index.table["patient"].nunique() == 21
    classes = index.table.groupby("patient")["label"].nunique()
    assert (classes == 2).sum() == 4


def test_presets_are_real_numbers_as_sliders_need_them() -> None:
    for window in WINDOWS.values():
        assert isinstance(window.center, float) and isinstance(window.width, float)
