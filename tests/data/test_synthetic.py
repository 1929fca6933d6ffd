from __future__ import annotations

import csv
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from medmodel.data import layout, patient_regex, splits, synthetic
from medmodel.data.datasets import index_dataset
from medmodel.data.phantoms import SIZE
from medmodel.imaging import images


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    synthetic.write_phantoms(folder, patients_per_class=3, slices=2, seed=1)
    return folder


def truth(folder: Path) -> list[dict[str, str]]:
    with (folder / synthetic.TRUTH).open() as file:
        return list(csv.DictReader(file))


def test_classes_and_pictures(phantoms: Path) -> None:
    index = index_dataset(phantoms)
    assert index.classes == sorted(synthetic.CLASSES)
    assert Counter(index.table["label"]) == dict.fromkeys(synthetic.CLASSES, 6)
    assert set(index.table["mode"]) == {"L"}
    assert set(index.table["width"]) == {SIZE}
    assert index.table["digest"].nunique() == 24
    assert index.ignored["path"].tolist() == [synthetic.TRUTH]


def test_patients_are_found_in_the_names(phantoms: Path) -> None:
    paths = [p.relative_to(phantoms).as_posix() for p in phantoms.rglob("*.png")]
    patients = patient_regex.patients_of(paths, splits.guess_patient_pattern(paths))
    assert len(set(patients)) == 12
    assert set(Counter(patients).values()) == {2}


def test_truth_agrees_with_the_classes(phantoms: Path) -> None:
    lesions = Counter(row["path"] for row in truth(phantoms))
    for path in phantoms.rglob("*.png"):
        count = lesions[path.relative_to(phantoms).as_posix()]
        label = path.parent.name
        assert (count >= 2) == (label == "Several nodules")
        assert (count == 0) == (label == "No nodule")


def test_nodules_stand_out_where_the_truth_says(phantoms: Path) -> None:
    checked = 0
    for row in truth(phantoms):
        if row["path"].startswith("Ground"):
            continue
        pixels = images.decode(phantoms / row["path"]).pixels[..., 0].astype(float)
        diameter = float(row["diameter_mm"]) / float(row["mm_per_px"])
        assert 10 < float(row["diameter_mm"]) < 30
        y, x = np.mgrid[:SIZE, :SIZE]
        distance = np.hypot(x - float(row["x_px"]), y - float(row["y_px"]))
        inside = pixels[distance < diameter / 2 - 1]
        around = pixels[(distance > diameter / 2 + 2) & (distance < diameter / 2 + 5)]
        assert inside.mean() > 95
        assert inside.mean() > np.median(around) + 25
        checked += 1
    assert checked >= 18


def test_the_same_seed_draws_the_same(phantoms: Path, tmp_path: Path) -> None:
    synthetic.write_phantoms(tmp_path, patients_per_class=3, slices=2, seed=1)
    assert truth(tmp_path) == truth(phantoms)
    for path in phantoms.rglob("*.png"):
        again = tmp_path / path.relative_to(phantoms)
        assert (images.decode(again).pixels == images.decode(path).pixels).all()


def test_sample_dataset_is_drawn_once_and_whole(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Path] = []
    gate = threading.Barrier(2)

    def draw(folder: Path) -> None:
        drawn.append(folder)
        (folder / "a").mkdir()
        gate.wait(20)

    monkeypatch.setattr(synthetic, "write_phantoms", draw)
    threads = [threading.Thread(target=synthetic.ensure_sample_dataset) for _ in "12"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn) == 2
    folder = synthetic.ensure_sample_dataset()
    assert folder == workspace / "datasets" / synthetic.SAMPLE_NAME
    assert len(drawn) == 2
    assert [p.name for p in folder.parent.iterdir()] == [synthetic.SAMPLE_NAME]


def test_a_failure_leaves_nothing(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(synthetic, "write_phantoms", fail)
    with pytest.raises(OSError, match="No space"):
        synthetic.ensure_sample_dataset()
    assert list((workspace / "datasets").iterdir()) == []


def test_images_of_two_findings_are_read_as_such(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "findings"
    synthetic.write_findings_phantoms(folder, patients=8, slices=1)
    read = layout.read_layout(folder)
    assert read.findings == ("Ground glass", "Nodule")
    assert Counter(file.label for file in read.files) == dict.fromkeys(
        ("Ground glass", "Ground glass|Nodule", "No finding", "Nodule"), 2
    )
    again = tmp_path / "data" / "again"
    synthetic.write_findings_phantoms(again, patients=8, slices=1)
    for file in read.files:
        assert (folder / file.path).read_bytes() == (again / file.path).read_bytes()
