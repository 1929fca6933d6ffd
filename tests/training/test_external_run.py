"""The work of an external test, with a real model and in its own process."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from medmodel.evaluation import external_validation
from medmodel.evaluation.predictions import split_predictions
from medmodel.imaging.images import decode, prepare_image
from medmodel.inference import prediction
from medmodel.runs import claims, queue, run_index
from medmodel.runs.copies import copies_of
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.predictions import read_predictions
from medmodel.training import external_run
from medmodel.worker import train_claimed
from tests.conftest import draw_class_folders
from tests.tiny_run import make_tiny_run


@pytest.fixture
def made(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Run, Run]:
    monkeypatch.setattr(queue, "notify_queue", lambda store: None)
    run = make_tiny_run(class_folders, "model")
    there = draw_class_folders(tmp_path / "data" / "there", ("d", "light"), 3, seed=7)
    return run, external_validation.submit(
        run, there, {"d": "dark", "light": "light"}, RunStore()
    )


def test_every_image_there_is_asked_about(made: tuple[Run, Run]) -> None:
    run, test = made
    with StatusWriter(test) as reporter:
        assert external_run.test(test, reporter) is RunStatus.DONE
        assert reporter.status.phase == "testing"
    found = split_predictions(read_predictions(test), "test")
    paths = read_predictions(test).query("split == 'test'")["path"]
    folder, preprocessing = Path(test.config.dataset), run.model_facts.preprocessing
    images = [prepare_image(decode(folder / p).pixels, preprocessing) for p in paths]
    expected = prediction.predict(prediction.load(run), np.stack(images))
    assert np.allclose(found.scores, expected, atol=1e-6)
    assert found.truth.tolist() == [0, 0, 0, 1, 1, 1]
    assert test.model_path.read_bytes() == run.model_path.read_bytes()


def test_copies_of_the_models_own_images_are_counted(
    made: tuple[Run, Run], class_folders: Path
) -> None:
    _, test = made
    first = min((class_folders / "light").iterdir())
    shutil.copyfile(first, Path(test.config.dataset) / "d" / "copy.png")
    with StatusWriter(test) as reporter:
        assert external_run.test(test, reporter) is RunStatus.DONE
    copies = copies_of(test)
    assert (copies.images, copies.identical) == (7, frozenset({"d/copy.png"}))
    assert copies.near == frozenset() and copies.external


def test_who_stops_it_can_go_on(made: tuple[Run, Run]) -> None:
    _, test = made
    test.request_stop()
    with StatusWriter(test) as reporter:
        assert external_run.test(test, reporter) is RunStatus.STOPPED
    assert not test.model_path.exists()
    assert test.id not in [e.run.id for e in run_index.finished(RunStore())]


def test_a_model_that_is_gone_is_told_in_the_status(
    made: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, test = made
    RunStore().delete(run)
    monkeypatch.setattr("medmodel.worker._print_to_log", lambda run: None)
    monkeypatch.setattr("medmodel.worker._compute_on", lambda devices: None)
    claim = claims.claim_run(test)
    assert claim is not None
    try:
        assert train_claimed(claim) == 1
    finally:
        for lock in claim.device_locks:
            lock.release()
    failure = test.status.failure
    assert failure is not None and "There is no run" in failure.message
