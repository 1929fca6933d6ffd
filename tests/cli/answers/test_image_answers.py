"""Image files that a model is asked about: opened once, at the frame that it wants."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from medmodel import predictor
from medmodel.runs.run import Run
from tests.cli.conftest import Invoke
from tests.cli.stand_in_model import Model, image_file
from tests.finished_run import write_finished_run


@pytest.fixture
def run(class_folders: Path) -> Run:
    return write_finished_run(class_folders, "a model")


def test_a_file_named_twice_is_asked_once(
    run: Run, model: Model, tmp_path: Path, json_of: Callable[..., Any]
) -> None:
    file = image_file(tmp_path / "a.png", 0)
    assert len(json_of("predict", run.id, file, file)["images"]) == 2
    assert model.asked == [1]


def test_the_predictor_ends_also_where_it_fails(
    run: Run,
    model: Model,
    tmp_path: Path,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*arguments: Any, **more: Any) -> Any:
        os.write(model.log, b"much\n" * 9 + b"CUDA says no\n")
        raise predictor.PredictionError("It broke.")

    monkeypatch.setattr(model, "ask", fail)
    file = image_file(tmp_path / "a.png", 0)
    said = invoke("predict", run.id, file, status=1).stderr
    assert said.endswith("Error: It broke.\n" + "much\n" * 4 + "CUDA says no\n")
    assert model.closed == 1


def test_of_a_volume_the_middle_slice_is_taken(
    run: Run, model: Model, tmp_path: Path, json_of: Callable[..., Any]
) -> None:
    volume = np.random.default_rng(0).normal(100, 20, (8, 9, 5)).astype(np.float32)
    file = tmp_path / "volume.nii.gz"
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), file)
    (image,) = json_of("predict", run.id, file)["images"]
    assert (image["frame"], image["frames"]) == (2, 5)
    assert 0.1 < image["probabilities"]["light"] < 0.9
