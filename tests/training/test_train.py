"""From folder to predictions.csv, on drawn pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medmodel.core.config import config_for
from medmodel.core.errors import DataError, RunError
from medmodel.core.samples import Slicing, split
from medmodel.core.storage import read_json, write_json
from medmodel.data import curation, datasets
from medmodel.imaging import images
from medmodel.inference import prediction
from medmodel.quality import indexing
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.training import train
from medmodel.training.callbacks import Best
from medmodel.training.softmax_head import HeadTrainer
from tests.conftest import draw_class_folders
from tests.volumes import draw_volumes


def trained(folder: Path, **changes: Any) -> Run:
    config = config_for("instant", str(folder), **{"size": 32, "epochs": 5, **changes})
    run = RunStore().create(config)
    with StatusWriter(run) as reporter:
        assert train.train(run, reporter) is RunStatus.DONE
    return run


def table(run: Run) -> pd.DataFrame:
    path = run.folder / "predictions.csv"
    return pd.read_csv(path, keep_default_na=False, dtype={"patient": str})


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run in a workspace of its own, which `run` lets a test see."""
    root = tmp_path_factory.mktemp("training")
    folder = draw_class_folders(root / "data" / "easy")
    (folder / "dark" / "broken.png").write_bytes(b"no image")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_WORKSPACE", str(root / "workspace"))
        patch.setenv("MEDMODEL_DATA", str(root / "data"))
        return trained(folder)


@pytest.fixture
def run(trained_once: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    data = Path(trained_once.config.dataset)
    workspace = trained_once.folder.parent.parent
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(workspace))
    monkeypatch.setenv("MEDMODEL_DATA", str(data.parent))
    return trained_once


def test_predictions_are_what_diagnose_says(run: Run) -> None:
    folder = Path(run.config.dataset)
    told = table(run)
    assert list(told) == [
        *("path", "patient", "split", "label", "score_dark", "score_light"),
    ]
    split = pd.read_csv(run.folder / "split.csv", keep_default_na=False)
    expected = set(split.loc[split["split"] != "train", "path"])
    assert set(told["path"]) == expected and len(told) == len(expected)
    loaded = prediction.load(run)
    for row in told.itertuples():
        decoded = images.decode(folder / str(row.path))
        pixels = images.prepare_image(decoded.pixels, loaded.facts.preprocessing)
        answer = prediction.predict(loaded, pixels[None])[0]
        assert answer == pytest.approx([row.score_dark, row.score_light], abs=1e-5)


def test_easy_classes_are_learned(run: Run) -> None:
    told = table(run)
    first = np.where(told["score_dark"] > 0.5, "dark", "light")
    assert (first == told["label"]).mean() > 0.9


def test_environment_says_what_and_why(run: Run) -> None:
    facts = read_json(run.folder / "environment.json")
    assert facts["precision"] == "float32" and facts["size"] == 32
    assert facts["size_reason"] == "32 px: chosen in the settings."
    assert {"tensorflow", "keras", "python", "device", "seed"} <= set(facts)


def test_same_seed_same_result(run: Run) -> None:
    # The second finds its features computed.
    again = trained(Path(run.config.dataset))
    pd.testing.assert_frame_equal(table(run), table(again), atol=1e-6)
    split = (run.folder / "split.csv").read_bytes()
    assert (again.folder / "split.csv").read_bytes() == split


def test_a_split_that_is_lost_or_cut_is_drawn_again_if_it_is_the_same(
    class_folders: Path,
) -> None:
    run = RunStore().create(config_for("instant", str(class_folders)))
    index = datasets.index_dataset(class_folders)
    first = train._split(run, index, run.config)
    whole = run.split_path.read_bytes()
    for damage in (b"", whole[: len(whole) // 2], b"\0" * 50):
        run.split_path.write_bytes(damage)
        pd.testing.assert_frame_equal(train._split(run, index, run.config), first)
        assert run.split_path.read_bytes() == whole
    run.split_path.unlink()
    (class_folders / "dark" / "dark_000.png").unlink()
    index = datasets.index_dataset(class_folders)
    with pytest.raises(DataError, match=r"split\.csv .* the images have changed"):
        train._split(run, index, run.config)
    assert not run.split_path.exists()
    (run.folder / "checksums.json").unlink()  # as an earlier version left it
    assert len(train._split(run, index, run.config)) == 23
    # Cut at the end of a line, where nothing but the images tells what is missing.
    written = run.split_path.read_bytes()
    (run.folder / "checksums.json").unlink()
    run.split_path.write_bytes(written[: written[:-1].rindex(b"\n") + 1])
    assert len(train._split(run, index, run.config)) == 23
    assert run.split_path.read_bytes() == written
    # Another one, of images that are gone, is the run's and stays.
    (run.folder / "checksums.json").unlink()
    other = written[: written[:-1].rindex(b"\n") + 1].replace(b"dark_001", b"dark_x")
    run.split_path.write_bytes(other)
    assert len(train._split(run, index, run.config)) == 22
    assert run.split_path.read_bytes() == other
    run.split_path.write_bytes(b"path\n")
    with pytest.raises(RunError, match=r"split\.csv .*no column"):
        train._split(run, index, run.config)


def test_near_copies_in_the_test_are_kept_with_the_split(tmp_path: Path) -> None:
    """Whether the data set was checked before or not."""
    folder = tmp_path / "data" / "splits"
    for seed, part in enumerate(("train", "val", "test")):
        draw_class_folders(folder / part, seed=seed)
    rng = np.random.default_rng(5)
    for label, source in (("dark", "train"), ("light", "val")):
        coarse = Image.fromarray(rng.integers(40, 215, (8, 8), np.uint8))
        image = coarse.resize((96, 96), Image.Resampling.BICUBIC)
        image.save(folder / source / label / "first.png")
        image.resize((50, 50)).save(folder / "test" / label / "near.jpg")
    config = config_for("instant", str(folder))
    unchecked = RunStore().create(config)
    train._split(unchecked, datasets.index_dataset(folder), config)
    train.keep_near_copies(unchecked)
    indexing.check_folder(folder)
    checked = RunStore().create(config)
    train._split(checked, datasets.index_dataset(folder), config)
    assert not (checked.folder / "copies.csv").exists()
    train.keep_near_copies(checked)
    rows = ["path", "test/dark/near.jpg", "test/light/near.jpg"]
    for run in (unchecked, checked):
        assert (run.folder / "copies.csv").read_text().splitlines() == rows
    (checked.folder / "copies.csv").write_text("path\n")
    train.keep_near_copies(checked)  # once found they stay
    assert (checked.folder / "copies.csv").read_text() == "path\n"


def test_a_resumed_run_keeps_its_split(run: Run) -> None:
    before = (run.folder / "split.csv").read_bytes()
    added = Path(run.config.dataset, "light", "added later.png")
    added.write_bytes(next(added.parent.glob("light_*.png")).read_bytes())
    try:
        with StatusWriter(run) as reporter:
            train.train(run, reporter)
    finally:
        added.unlink()
    assert (run.folder / "split.csv").read_bytes() == before
    steps = pd.read_csv(run.folder / "steps.csv")["step"]
    assert steps.is_monotonic_increasing and steps.is_unique


def test_stop_before_there_is_a_model(class_folders: Path) -> None:
    run = RunStore().create(config_for("instant", str(class_folders), size=32))
    run.request_stop()
    with StatusWriter(run) as reporter:
        assert train.train(run, reporter) is RunStatus.STOPPED
    assert not run.model_path.exists()
    assert not (run.folder / "predictions.csv").exists()


def test_stop_while_features_are_computed_keeps_a_model(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunStore().create(config_for("instant", str(class_folders), size=32))
    add_features = HeadTrainer.add_features

    def stopping(self: HeadTrainer, *portion: np.ndarray) -> None:
        add_features(self, *portion)
        run.request_stop()

    monkeypatch.setattr(HeadTrainer, "add_features", stopping)
    with StatusWriter(run) as reporter:
        monkeypatch.setattr(type(reporter), "stop_requested", run_stop(run))
        assert train.train(run, reporter) is RunStatus.STOPPED
    assert run.model_facts.class_names == ["dark", "light"]
    assert len(table(run))


def run_stop(run: Run) -> property:
    """Stop is seen at once, not after 50 ms."""
    return property(lambda _: run.stop_requested)


def test_folder_outside_the_roots_is_refused(tmp_path: Path) -> None:
    folder = draw_class_folders(tmp_path / "elsewhere")
    run = RunStore().create(config_for("instant", str(folder), size=32))
    with StatusWriter(run) as reporter, pytest.raises(DataError, match="no folder"):
        train.train(run, reporter)


@pytest.mark.parametrize(("predicted", "said"), [([0, 0], True), ([0, 1], False)])
def test_one_answer_for_all_is_told(predicted: list[int], said: bool) -> None:
    sentence = train.constant_prediction_warning(np.array(predicted), ["normal", "ill"])
    assert ("normal for every validation image" in sentence) is said


@pytest.mark.parametrize(
    ("best", "epochs", "said"),
    [
        (Best(0.25, 0), 3, True),
        (Best(0.25, 2), 3, False),
        (Best(0.25, 0), 0, False),  # stopped before an epoch could be better
        (Best(None, 0), 3, False),  # stopped in the first epoch of a training
        (None, 3, False),
    ],
)
def test_a_start_that_no_epoch_improved_on_is_told(
    tmp_path: Path, best: Best | None, epochs: int, said: bool
) -> None:
    run = RunStore().create(config_for("custom", str(tmp_path)))
    if best is not None:
        write_json(run.folder / "best.json", best)
    sentence = train.start_remark(run, epochs)
    assert ("No epoch improved on the start" in sentence) is said
    assert ("0.25" in sentence) is said


def test_slices_of_volumes_are_samples(tmp_path: Path) -> None:
    """predictions.csv says of each slice what Diagnose says of its file's bytes."""
    folder = draw_volumes(tmp_path / "data" / "vols", count=5)
    for path in folder.rglob("echo*"):
        path.unlink()
    slicing = Slicing("every", "sagittal", 5)
    action = curation.Action("slices", "", slicing=slicing.to_json())
    curation.add(datasets.index_folder(folder), action)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_DATA", str(folder.parent))
        run = trained(folder)
    told = table(run)
    assert set(told["patient"]) <= {split(path)[0] for path in told["path"]}
    facts = run.model_facts
    assert facts.preprocessing.axis == "sagittal"
    loaded = prediction.load(run)
    for row in told.itertuples():
        file, part = split(str(row.path))
        assert part is not None and part.kind == "sagittal"
        decoded = images.decode(
            (folder / file).read_bytes(), frame=part.number, axis="sagittal"
        )
        seen = images.prepare_image(decoded.pixels, facts.preprocessing)
        scores = prediction.predict(loaded, seen[None])[0]
        kept = np.array([row.score_dark, row.score_light], float)
        np.testing.assert_allclose(scores, kept, atol=1e-5)
