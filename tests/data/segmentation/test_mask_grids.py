"""Masks that lie elsewhere in space than their image are not laid on it."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from medmodel.data.datasets import index_dataset
from medmodel.data.segmentation.mask_grids import grid_problem

GRID = np.array([[-0.8, 0, 0, 40], [0, 0.8, 0, -30], [0, 0, 2.0, 10], [0, 0, 0, 1]])
TURNED = np.diag([-1.0, 1, 1, 1])
SHAPE = (14, 12, 8)


def write(path: Path, affine: np.ndarray, shape: tuple[int, ...] = SHAPE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    values = rng.random(shape).astype(np.float32)
    if "labels" in path.parent.name:
        values = (values > 0.7).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(values, affine), path)


def moved(millimetres: float) -> np.ndarray:
    affine = GRID.copy()
    affine[0, 3] += millimetres
    return affine


@pytest.mark.parametrize(
    ("affine", "shape", "said"),
    [
        (GRID, SHAPE, ""),
        (moved(0.39), SHAPE, ""),
        (moved(0.41), SHAPE, "lies up to 0.4 mm from its image"),
        (GRID @ TURNED, SHAPE, "mm from its image"),
        (np.eye(4), SHAPE, "mm from its image"),
        (GRID, (14, 12, 9), "has 14 × 12 × 9 voxels, its image 14 × 12 × 8"),
    ],
    ids=["same", "rounded", "moved", "mirrored", "without a header", "longer"],
)
def test_grids_are_compared(
    tmp_path: Path, affine: np.ndarray, shape: tuple[int, ...], said: str
) -> None:
    write(tmp_path / "images/a.nii.gz", GRID)
    write(tmp_path / "labels/a.nii.gz", affine, shape)
    problem = grid_problem(tmp_path, "images/a.nii.gz", ["labels/a.nii.gz"])
    assert said in problem
    assert bool(said) == bool(problem)


def test_a_header_without_numbers_is_no_place(tmp_path: Path) -> None:
    nowhere = moved(float("nan"))
    for image, mask in ((GRID, nowhere), (nowhere, GRID), (nowhere, nowhere)):
        write(tmp_path / "images/a.nii", image)
        write(tmp_path / "labels/a.nii", mask)
        problem = grid_problem(tmp_path, "images/a.nii", ["labels/a.nii"])
        assert problem.startswith("Where a.nii lies is not known") == (
            image is not mask
        )
        assert "nan" not in problem


def test_the_same_grid_stored_in_another_order_is_the_same(tmp_path: Path) -> None:
    write(tmp_path / "images/a.nii", GRID)
    turned = GRID @ TURNED
    turned[:3, 3] += GRID[:3, 0] * (SHAPE[0] - 1)
    write(tmp_path / "labels/a.nii", turned)
    assert grid_problem(tmp_path, "images/a.nii", ["labels/a.nii"]) == ""


def test_other_files_have_no_grid(tmp_path: Path) -> None:
    write(tmp_path / "labels/a.nii", GRID)
    (tmp_path / "a.png").write_bytes(b"no volume")
    assert grid_problem(tmp_path, "a.png", ["labels/a.nii"]) == ""
    assert grid_problem(tmp_path, "labels/a.nii", ["a.png"]) == ""
    assert grid_problem(tmp_path, "labels/a.nii", ["gone.nii"]) == ""


def test_a_check_says_which_mask_lies_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "volumes"
    for name, affine in {"a": GRID, "b": moved(8)}.items():
        write(folder / f"imagesTr/{name}.nii.gz", GRID)
        write(folder / f"labelsTr/{name}.nii.gz", affine)
    index = index_dataset(folder)
    assert list(index.readable["path"]) == ["imagesTr/a.nii.gz"]
    (error,) = index.table.loc[index.table["error"] != "", "error"]
    assert error.startswith("b.nii.gz lies up to 8.0 mm from its image")
