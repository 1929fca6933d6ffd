"""Copies of a model's own images are found among those of another folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medmodel.data.datasets import index_dataset, index_folder
from medmodel.data.synthetic import write_phantoms
from medmodel.quality.external_copies import find_external_copies
from medmodel.runs import copies
from medmodel.runs.copies import ExternalCopies
from medmodel.runs.run import Run
from medmodel.runs.tables.split import SPLIT_COLUMNS, read_split, write_split
from tests.finished_run import write_finished_run


def draw(folder: Path, patients: int, seed: int) -> None:
    write_phantoms(folder, patients, slices=1, seed=seed)
    (folder / "truth.csv").unlink()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "own"
    draw(folder, 4, seed=1)
    return folder


@pytest.fixture
def there(tmp_path: Path, own: Path) -> Path:
    """Two new images of each class, a copy, one at another size, one twice."""
    folder = tmp_path / "data" / "there"
    draw(folder, 2, seed=2)
    first, second = sorted(own.glob("*/*"))[:2]
    name = sorted(folder.name for folder in own.iterdir())[1]
    shutil.copyfile(first, folder / name / "renamed.png")
    with Image.open(second) as image:
        small = image.resize([round(0.8 * side) for side in image.size])
    small.save(folder / name / "smaller.png")
    small.save(folder / name / "twice.png")
    return folder


@pytest.fixture
def model(own: Path) -> Run:
    return with_digests(write_finished_run(own, "model"), own)


def with_digests(run: Run, folder: Path) -> Run:
    digests = index_dataset(folder).readable[["path", "digest"]]
    table = read_split(run).merge(digests, on="path")
    (run.folder / "split.csv").unlink()
    write_split(run, table[list(SPLIT_COLUMNS)])
    copies.write_near_copies(run, set())
    return run


def names(paths: list[str] | None) -> list[str]:
    return [Path(path).name for path in paths or []]


def test_identical_and_near_copies_whatever_their_class(
    model: Run, there: Path
) -> None:
    found = find_external_copies(index_dataset(there), model)
    assert names(found.identical) == ["renamed.png"]
    assert names(found.near) == ["smaller.png", "twice.png"]


def test_a_mirrored_copy_of_an_own_image_is_a_near_one(
    model: Run, there: Path, own: Path
) -> None:
    name = min(place.name for place in own.iterdir())
    with Image.open(max((own / name).iterdir())) as image:
        mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mirrored.save(there / name / "mirrored.png")
    found = find_external_copies(index_dataset(there), model)
    assert "mirrored.png" in names(found.near)


def test_without_the_data_set_identical_ones_are_told_by_the_run(
    model: Run, there: Path, own: Path
) -> None:
    index = index_dataset(there)
    shutil.rmtree(own)
    found = find_external_copies(index, model)
    assert names(found.identical) == ["renamed.png"] and found.near is None
    (model.folder / "copies.csv").unlink()  # digests of an earlier version
    assert find_external_copies(index, model) == ExternalCopies(None, None)


def test_a_folder_without_all_of_its_images_is_no_basis(
    model: Run, there: Path, own: Path
) -> None:
    index = index_dataset(there)
    sorted(own.glob("*/*"))[-1].unlink()
    assert find_external_copies(index, model).near is None
    shutil.rmtree(own)
    own.mkdir()
    (index_folder(own) / "index.csv").unlink()
    assert find_external_copies(index, model).near is None


def test_images_that_the_run_never_had_do_not_count(
    model: Run, there: Path, own: Path
) -> None:
    table = read_split(model)
    (model.folder / "split.csv").unlink()
    write_split(model, table.iloc[2:])
    assert find_external_copies(index_dataset(there), model) == ExternalCopies([], [])


def test_flat_images_are_no_near_copies(model: Run, there: Path) -> None:
    for path in sorted(there.glob("*/*")):
        Image.fromarray(np.full((64, 64), 90 + len(path.name), np.uint8)).save(path)
    found = find_external_copies(index_dataset(there), model)
    assert found == ExternalCopies([], [])
