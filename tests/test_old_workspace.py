"""A workspace that version 0.1.0 wrote: it opens, says the same numbers, and goes on.

The archive holds what that version's own processes left behind: a run that was
trained, annotated and tested on another folder, one whose worker was killed after six
of twelve epochs, one that was stopped, one that failed, and one in the queue. Only the
workspace's own path was replaced, by `@WORKSPACE@`, and the names of the folders in
`indexes`, which are made of it. The JSON file beside it is what that version said.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medmodel.core import devices, pseudonyms
from medmodel.data import curation, datasets
from medmodel.evaluation import external_validation
from medmodel.evaluation.calibration import temperature_scaling
from medmodel.evaluation.decision import frozen_thresholds
from medmodel.evaluation.evaluation import evaluate
from medmodel.evaluation.metrics import metric_table
from medmodel.evaluation.ood.traits import image_traits
from medmodel.evaluation.predictions import split_predictions
from medmodel.evaluation.review import gallery
from medmodel.imaging import enhance, images
from medmodel.inference import ood_features, prediction
from medmodel.quality import report_store
from medmodel.runs import queue, run_index
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.predictions import read_predictions
from medmodel.training.train import train

ROOT = Path(__file__).resolve().parent.parent
ARCHIVE = ROOT / "tests" / "fixtures" / "workspace_0_1.tar.xz"
EXPECTED = json.loads(
    ARCHIVE.with_name("workspace_0_1.json").read_text(encoding="utf-8")
)
IDS = EXPECTED["ids"]


def settle(path: Path, folder: Path) -> None:
    """Writes the workspace's path into a file, which keeps its time."""
    before = path.stat()
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("@WORKSPACE@", str(folder)), encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def store(workspace: Path) -> RunStore:
    """The old workspace, unpacked where this test's own one is."""
    with tarfile.open(ARCHIVE) as archive:
        # Pythons before 3.11.4 know no filters, and later ones want one to be named.
        if hasattr(tarfile, "data_filter"):
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(workspace)
    for path in workspace.rglob("*"):
        if path.suffix in (".json", ".jsonl", ".txt"):
            settle(path, workspace)
    for folder in (workspace / "indexes").iterdir():
        dataset = workspace / "datasets" / folder.name
        key = hashlib.sha256(os.fsencode(dataset)).hexdigest()[:20]
        folder.rename(folder.with_name(key))
    return RunStore(workspace)


@pytest.fixture
def trained(store: RunStore) -> Run:
    return store.get(IDS["trained"])


def predictions(run: Run) -> pd.DataFrame:
    return pd.read_csv(run.folder / "predictions.csv", dtype={"patient": str})


def prepared_image(run: Run, loaded: prediction.LoadedModel, path: str) -> np.ndarray:
    pixels = images.decode(Path(run.config.dataset) / path).pixels
    return images.prepare_image(pixels, loaded.facts.preprocessing)


def test_the_list_shows_every_run(
    store: RunStore, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        entries = run_index.entries(store)
    assert not caplog.records and run_index.unreadable(store) == []
    shown = {
        entry.run.id: {
            "title": entry.title,
            "state": entry.status.state.value,
            "failure": entry.status.failure and entry.status.failure.kind,
            "best_epoch": entry.status.best_epoch,
            "val_loss": entry.val_loss,
            "val_accuracy": entry.val_accuracy,
            "test_accuracy": entry.test_accuracy,
            "has_model": entry.has_model,
            "test_of": entry.test_of,
            "pinned": entry.notes.pinned,
            "tags": list(entry.notes.tags),
            "note": entry.notes.note,
        }
        for entry in entries
    }
    assert shown == EXPECTED["runs"] and list(shown) == list(EXPECTED["runs"])


@pytest.mark.parametrize("name", ["trained", "external"])
def test_evaluate_says_the_same_numbers(store: RunStore, name: str) -> None:
    run = store.get(IDS[name])
    table = read_predictions(run)
    data = split_predictions(table, "test")
    for key, estimate in metric_table.overall_metrics(data).items():
        value, low, high, n = EXPECTED["metrics"][run.id][key]
        expected = [value, n, low, high]
        numbers = [estimate.value, estimate.n]
        if estimate.too_few is None:  # else there is no interval any more
            numbers += [estimate.low, estimate.high]
        known = expected[: len(numbers)]
        assert numbers == pytest.approx(known, nan_ok=True), key
    confusion = evaluate(table).confusion
    assert confusion.tolist() == EXPECTED["confusion"][run.id]
    outcomes = [
        [o.name, o.threshold, o.found, o.missed, o.false_alarms, o.left_alone]
        for o in frozen_thresholds.frozen_outcomes(run, data)
    ]
    assert outcomes == EXPECTED["outcomes"][run.id]


def test_what_people_decided_about_a_run_is_read(trained: Run) -> None:
    frozen = frozen_thresholds.frozen_thresholds(trained)
    (later,) = frozen_thresholds.later_choices(trained)
    assert frozen is not None
    assert EXPECTED["thresholds"] == {
        "rule": str(frozen[0]),
        "first": frozen[1],
        "later_rule": str(later.rule),
        "later": later.thresholds,
    }
    temperature = temperature_scaling.stored_temperature(trained)
    assert temperature == temperature_scaling.Temperature(**EXPECTED["temperature"])
    assert gallery.doubtful_labels(trained) == EXPECTED["doubtful"]


def test_an_external_test_still_belongs_to_its_model(
    store: RunStore, trained: Run
) -> None:
    (test,) = external_validation.external_tests(trained, store)
    model = external_validation.model_run(test, store)
    assert test.id == IDS["external"] and model and model.id == trained.id
    assert test.class_mapping == EXPECTED["mapping"]


def test_the_check_of_the_data_set_is_still_there(
    trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(trained.config.dataset)
    index, report = datasets.load_index(folder), report_store.load_report(folder)
    assert index and report and report.fingerprint == index.fingerprint
    findings = report_store.load_issues(folder)
    assert findings and [f.kind for f in findings] == EXPECTED["findings"]
    decided = curation.actions(datasets.index_folder(folder))
    assert [action.kind for action in decided] == ["leave_out", "together"]
    assert "below/patient027_1.png" not in set(index.table["path"])
    # Images are decoded otherwise since: the next check measures them once more.
    again = datasets.index_dataset(folder)
    assert again.table["path"].tolist() == index.table["path"].tolist()
    assert again.table["label"].tolist() == index.table["label"].tolist()
    assert (again.table["error"] == index.table["error"]).all()
    opened: list[list[str]] = []
    monkeypatch.setattr(
        datasets, "describe_files", lambda paths, *_: opened.append(paths)
    )
    assert datasets.index_dataset(folder).fingerprint == again.fingerprint
    assert opened == []


def test_stand_ins_and_chains_of_the_workspace_stay(store: RunStore) -> None:
    assert EXPECTED["pseudonyms"] == {
        "patient": pseudonyms.patient_pseudonym("4711"),
        "uid": pseudonyms.uid_pseudonym("1.2.3"),
        "days": pseudonyms.days_back("4711"),
    }
    assert enhance.saved_chains() == {
        "soft": (("clahe:2", "gamma:0.8"), "lung"),
        "plain": (("median:1",), "auto"),
    }


def test_the_model_says_the_same_of_every_image(trained: Run) -> None:
    loaded = prediction.load(trained)
    table = predictions(trained)
    batch = np.stack([prepared_image(trained, loaded, p) for p in table["path"]])
    scores = table[[f"score_{name}" for name in loaded.facts.class_names]]
    assert prediction.predict(loaded, batch) == pytest.approx(scores, abs=1e-5)


def test_an_image_is_as_like_the_training_images_as_before(trained: Run) -> None:
    expected = EXPECTED["likeness"]
    loaded = prediction.load(trained)
    assert loaded.detector is not None
    batch = prepared_image(trained, loaded, expected["path"])[None]
    features = prediction.predict_with_features(loaded, batch)[1]
    numbers = ood_features.detector_vectors(loaded.detector, batch, features)
    (answer,) = loaded.detector.compare(numbers, [image_traits(batch[0])])
    assert answer.farther_than == pytest.approx(expected["farther_than"])
    assert answer.is_ood == expected["far"]
    nearest = [(n.path, n.label) for n in answer.neighbours]
    assert nearest == [(path, label) for path, label, _ in expected["neighbours"]]
    distances = [n.distance for n in answer.neighbours]
    assert distances == pytest.approx(
        [d for _, _, d in expected["neighbours"]], abs=0.01
    )


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(
    store: RunStore, trained: Run
) -> None:
    run = store.get(IDS["interrupted"])
    before = pd.read_csv(run.folder / "history.csv")
    with StatusWriter(run) as status:
        assert train(run, status) is RunStatus.DONE
    history, whole = (pd.read_csv(r.folder / "history.csv") for r in (run, trained))
    assert history[: len(before)].equals(before)
    assert history["epoch"].tolist() == list(range(1, 13))
    assert history["val_loss"].to_numpy() == pytest.approx(whole["val_loss"], abs=1e-3)
    pd.testing.assert_frame_equal(predictions(run), predictions(trained), atol=1e-4)


def test_a_stopped_and_a_failed_run_can_be_queued_again(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "notify_queue", lambda store: None)
    for name in ("stopped", "failed"):
        queue.resume(store.get(IDS[name]), store)
    waiting = [run.id for run, _ in queue.waiting(store)]
    assert waiting == sorted(IDS[name] for name in ("stopped", "failed", "queued"))


def test_the_worker_trains_what_waits_in_the_queue(store: RunStore) -> None:
    run = store.get(IDS["queued"])
    subprocess.run(
        [sys.executable, "-m", "medmodel.worker", str(run.folder)],
        cwd=ROOT,
        env={**os.environ, **devices.tensorflow_environment()},
        check=True,
        timeout=300,
    )
    assert run.status.state is RunStatus.DONE
    assert pd.read_csv(run.folder / "history.csv")["epoch"].tolist() == [1, 2]
    assert len(predictions(run)) > 0
